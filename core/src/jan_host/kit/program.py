"""A chat template as a program: compiled once, run under a budget, its failures told in one place."""

from collections.abc import Mapping
from typing import Any

from jinja2 import TemplateError, TemplateSyntaxError

from jan_host.contract.errors import InvalidRequestError, ModelError, ModelLoadError
from jan_host.kit.budget import SECONDS, Budget, TemplateLimitError, TemplateTimeError, spend
from jan_host.kit.sandbox import RaisedError, Sandbox

_LONGEST_SOURCE = 1 << 18
_CURE = "Give the model another prompt_template in its model.json."


class RefusedError(InvalidRequestError):
    """The template called ``raise_exception``: it does not take such a conversation."""


class Program:
    """A compiled template.

    Raises:
        ModelLoadError: It can't be compiled; names the line.
    """

    def __init__(self, source: str) -> None:
        if len(source) > _LONGEST_SOURCE:
            raise ModelLoadError(f"The chat template is longer than {_LONGEST_SOURCE} characters. {_CURE}")
        spend(Budget(SECONDS))  # constants are computed already here
        try:
            self._template = Sandbox().template(source)
        except TemplateSyntaxError as error:
            raise ModelLoadError(
                f"The chat template has an error in line {error.lineno}: {_words(error)}. {_CURE}"
            ) from error
        except (TemplateError, SyntaxError, RecursionError, MemoryError, ValueError) as error:
            raise ModelLoadError(f"The chat template can't be read: {_words(error)}. {_CURE}") from error
        finally:
            spend(None)

    def run(self, variables: Mapping[str, Any], budget: Budget) -> str:
        """What the template writes.

        Raises:
            RefusedError: It does not take the conversation.
            InvalidRequestError: It fails on the conversation.
            TemplateTimeError: Its time is up.
            ModelError: It uses more memory than it may.
        """
        spend(budget)
        try:
            return self._template.render(variables)
        except RaisedError as error:
            raise RefusedError(f"The model's chat template refuses the conversation: {error}") from error
        except TemplateTimeError:
            raise
        except TemplateLimitError as error:
            raise exceeded(error) from error
        # A template may do anything that a program can do wrong, and what it does wrong ends here.
        except Exception as error:
            raise InvalidRequestError(
                f"The model's chat template fails on the conversation: {_words(error)}. Check the roles and"
                " their order, or give the model another prompt_template in its model.json."
            ) from error
        finally:
            spend(None)


def exceeded(error: TemplateLimitError) -> ModelError:
    """The error for users when a template uses more than it may."""
    return ModelError(f"The model's chat template was stopped, since {error}. {_CURE}")


def _words(error: BaseException) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deep, or calls itself without end"
    if isinstance(error, TemplateError):
        return (error.message or "it is wrong").rstrip(".")
    return f"{type(error).__name__}: {error}"
