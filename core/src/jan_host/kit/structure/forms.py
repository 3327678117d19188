"""What a text must match: a JSON schema, a regular expression or a grammar, as a request asks for it."""

import json
from typing import Any, ClassVar

import msgspec

from jan_host.contract.chat import ChatRequest, JsonObjectFormat, JsonSchema, JsonSchemaFormat, TextFormat
from jan_host.contract.completion import CompletionRequest
from jan_host.contract.errors import InvalidRequestError, UnsupportedError
from jan_host.contract.options import GenerationOptions
from jan_host.kit.structure.gbnf import is_gbnf, lark_of
from jan_host.kit.structure.schemas import checked_schema


class Form(msgspec.Struct, frozen=True, kw_only=True):
    """What a text must match, in a language that llguidance compiles; equal forms match the same."""

    kind: str
    """``json_schema``, ``regex`` or ``lark``."""
    text: str
    """The JSON schema, regular expression or Lark grammar."""
    param: str
    """The field of the request that it came from, for errors."""
    exact: bool = True
    """For a JSON schema: whether what can't be enforced is an error; otherwise it is the model's affair."""
    spaced: bool = False
    """For a JSON schema: whether the model may choose line breaks and indentation."""

    ANY_OBJECT: ClassVar[dict[str, Any]] = {"type": "object"}

    @classmethod
    def of_schema(
        cls, schema: dict[str, Any], *, param: str, exact: bool = True, spaced: bool = False
    ) -> "Form":
        """JSON that matches a schema.

        Raises:
            InvalidRequestError: The schema is nested too deeply.
        """
        checked = checked_schema(schema, param, exact=exact)
        text = json.dumps(checked, ensure_ascii=False, separators=(",", ":"))
        return cls(kind="json_schema", text=text, param=param, exact=exact, spaced=spaced)

    @classmethod
    def of_regex(cls, pattern: str, *, param: str) -> "Form":
        """Text that matches a regular expression from its first to its last character."""
        return cls(kind="regex", text=pattern, param=param)

    @classmethod
    def of_grammar(cls, grammar: str, *, param: str) -> "Form":
        """Text that matches a grammar in GBNF (``root ::= ...``) or Lark (``start: ...``).

        Raises:
            InvalidRequestError: The GBNF can't be read; says where.
        """
        text = lark_of(grammar, param) if is_gbnf(grammar) else grammar
        return cls(kind="lark", text=text, param=param)


def form_of(request: GenerationOptions) -> Form | None:
    """What the text of an answer must match; ``None``: anything.

    Raises:
        InvalidRequestError: The request asks for several forms at once, or for one that can't be read.
        UnsupportedError: It asks for a kind of form that there is not.
    """
    found = [form for form in (_of_format(request), _of_grammar(request), _of_regex(request)) if form]
    if len(found) > 1:
        names = " and ".join(form.param.partition(".")[0] for form in found)
        raise InvalidRequestError(
            f"The request has {names}: a text can be held to one of them. Send one.", param=found[1].param
        )
    return found[0] if found else None


def _of_format(request: GenerationOptions) -> Form | None:
    wanted = request.response_format if isinstance(request, ChatRequest | CompletionRequest) else None
    if wanted is None or isinstance(wanted, TextFormat):
        return None
    if isinstance(wanted, JsonObjectFormat):
        if wanted.schema is not None:
            return Form.of_schema(wanted.schema, param="response_format.schema", exact=False)
        return Form.of_schema(Form.ANY_OBJECT, param="response_format", spaced=True)
    if isinstance(wanted, JsonSchemaFormat):
        if wanted.json_schema is None and wanted.schema is None:
            raise InvalidRequestError(
                "response_format has no schema. Send it as json_schema.schema, or ask for json_object.",
                param="response_format.json_schema",
            )
        given = wanted.json_schema or JsonSchema(schema=wanted.schema)
        if given.schema is None:
            return Form.of_schema(Form.ANY_OBJECT, param="response_format", spaced=True)
        exact = bool(given.strict)
        return Form.of_schema(given.schema, param="response_format.json_schema.schema", exact=exact)
    raise UnsupportedError(
        "response_format is text, json_object or json_schema. For anything else use regex or grammar.",
        param="response_format",
    )


def _of_grammar(request: GenerationOptions) -> Form | None:
    return None if not request.grammar else Form.of_grammar(request.grammar, param="grammar")


def _of_regex(request: GenerationOptions) -> Form | None:
    return None if not request.regex else Form.of_regex(request.regex, param="regex")
