"""The contract suite of engines, put together from the checks of each side of an engine."""

from jan_host.testing.cores import CoreChecks
from jan_host.testing.declaration import DeclarationChecks
from jan_host.testing.generating import GenerationChecks
from jan_host.testing.loading import LoadChecks
from jan_host.testing.options import OptionChecks
from jan_host.testing.tokens import TokenizeChecks
from jan_host.testing.tools import ToolChecks
from jan_host.testing.vectors import EmbedChecks, RerankChecks
from jan_host.testing.vision import VisionChecks


class EngineContract(
    RerankChecks,
    EmbedChecks,
    VisionChecks,
    TokenizeChecks,
    ToolChecks,
    OptionChecks,
    CoreChecks,
    GenerationChecks,
    LoadChecks,
    DeclarationChecks,
):
    """What the host relies on in every engine: subclass it under a name that begins with ``Test``.

    Three fixtures are the author's, of scope ``class`` or wider, in the class or in the module:
    `engine` (an `Engine`), `model` (a `Model` that it runs, small) and `folder` (the folder in
    which `model.files(folder)` are). What the loaded model has no capability for is skipped,
    with the capability's name.

    The class attributes are settings of the suite; see `EngineFixtures`, `OptionChecks` and
    `TokenizeChecks`. With ``place = "worker"`` the same checks hold for the model as the host
    has it, in a process of its own; the engine must then be installed.
    """
