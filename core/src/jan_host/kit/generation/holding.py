"""What the choices of a request are held to: a form, the calls of tools, or nothing."""

import logging
from collections.abc import Sequence

from jan_host.contract.errors import JanHostError
from jan_host.contract.options import GenerationOptions
from jan_host.kit.structure import Constrains, Grammars, LazyForm, form_of
from jan_host.kit.tools import Asked

_LOG = logging.getLogger(__name__)


async def constraints_of(
    grammars: Grammars, request: GenerationOptions, asked: Asked, *, forces: bool
) -> Sequence[Constrains | None]:
    """A constraint for each choice; ``None`` where anything goes.

    Args:
        grammars: The model's.
        request: The request.
        asked: What the dialogue made of it.
        forces: Whether tokens that can come alone may be given at once.

    Raises:
        InvalidRequestError: A form is wrong, matches nothing or is too complex; says where and why.
        UnsupportedError: llguidance is not installed.
        TooManyRequestsError: Too many grammars wait to be compiled.
    """
    choices = request.n or 1
    form = asked.form or form_of(request)
    if form is not None:
        return await grammars.constraints(form, choices, forces=forces)
    if asked.calls is not None:
        return await _calls(grammars, asked.calls, choices, forces=forces)
    return [None] * choices


async def _calls(
    grammars: Grammars, calls: LazyForm, choices: int, *, forces: bool
) -> Sequence[Constrains | None]:
    """Constraints for calls that may come; where there can be none, the model is trusted, as ever."""
    try:
        return await grammars.lazy_constraints(calls, choices, forces=forces)
    except JanHostError as error:
        if calls.strict:
            raise
        _LOG.info("calls of tools are not held to their schemas: %s", error.message)
        return [None] * choices
