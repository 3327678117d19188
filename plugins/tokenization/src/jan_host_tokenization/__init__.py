"""Token ids, counts and texts over HTTP, with any model of jan-host that can tokenize."""

from collections.abc import Iterable

from jan_host import Extra, hookimpl

from jan_host_tokenization.extra import Tokenization


@hookimpl
def jan_extras() -> Iterable[Extra]:
    """The routes under ``/extras``."""
    return [Tokenization()]
