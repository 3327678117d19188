"""Chat: messages, tools, and the request, in the shapes of OpenAI's chat completions."""

from typing import Annotated, Any

from msgspec import Meta

from jan_host.contract.options import GenerationOptions, Limit
from jan_host.contract.unknown import Open, Unknown

ROLES = ("system", "developer", "user", "assistant", "tool", "function")
TOOL_CHOICES = ("none", "auto", "required")
ToolChoiceWord = Annotated[str, Meta(min_length=1, max_length=64, examples=list(TOOL_CHOICES))]
ToolName = Annotated[str, Meta(pattern=r"^[a-zA-Z0-9_.:-]{1,128}$")]


class TextPart(Open, kw_only=True, omit_defaults=True, tag_field="type", tag="text"):
    """A piece of text in a message."""

    text: str


class RefusalPart(Open, kw_only=True, omit_defaults=True, tag_field="type", tag="refusal"):
    """A refusal that the assistant gave before."""

    refusal: str


class ImageURL(Open, kw_only=True, omit_defaults=True):
    """Where an image is: a data URL, or an address when the operator allows fetching."""

    url: str
    detail: str | None = None


class ImagePart(Open, kw_only=True, omit_defaults=True, tag_field="type", tag="image_url"):
    """An image in a message."""

    image_url: ImageURL


class InputAudio(Open, kw_only=True, omit_defaults=True):
    """Sound as base64."""

    data: str
    format: str


class AudioPart(Open, kw_only=True, omit_defaults=True, tag_field="type", tag="input_audio"):
    """Sound in a message."""

    input_audio: InputAudio


class FilePart(Open, kw_only=True, omit_defaults=True, tag_field="type", tag="file"):
    """A file in a message."""

    file: dict[str, Any]


ContentPart = TextPart | ImagePart | RefusalPart | AudioPart | FilePart | Unknown


class FunctionCall(Open, kw_only=True):
    """The function that a tool call names; `arguments` is JSON as text."""

    name: str
    arguments: str = "{}"


class ToolCall(Open, kw_only=True, tag_field="type", tag="function"):
    """A call of a tool that the assistant made."""

    id: str
    function: FunctionCall


class ChatMessage(Open, kw_only=True, omit_defaults=True):
    """One message of a conversation."""

    role: Annotated[str, Meta(min_length=1, max_length=64, examples=list(ROLES))]
    """One of `ROLES`; others are for remote engines alone."""
    content: str | list[ContentPart] | None = None
    name: str | None = None
    tool_calls: list[ToolCall | Unknown] | None = None
    tool_call_id: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None

    def text(self) -> str:
        """The text parts of the content, joined as they stand."""
        if isinstance(self.content, str):
            return self.content
        return "".join(part.text for part in self.content or [] if isinstance(part, TextPart))


class FunctionDefinition(Open, kw_only=True, omit_defaults=True):
    """A function that the model may call; `parameters` is a JSON schema."""

    name: ToolName
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = None


class Tool(Open, kw_only=True, tag_field="type", tag="function"):
    """A tool that the model may use."""

    function: FunctionDefinition


class NamedFunction(Open, kw_only=True):
    """The name in a `NamedToolChoice`."""

    name: str


class NamedToolChoice(Open, kw_only=True, tag_field="type", tag="function"):
    """``tool_choice`` that demands one certain function."""

    function: NamedFunction


class TextFormat(Open, kw_only=True, tag_field="type", tag="text"):
    """``response_format``: any text."""


class JsonObjectFormat(Open, kw_only=True, tag_field="type", tag="json_object", omit_defaults=True):
    """``response_format``: a JSON object; `schema` is an addition of local servers."""

    schema: dict[str, Any] | None = None


class JsonSchema(Open, kw_only=True, omit_defaults=True):
    """A JSON schema, which OpenAI's API wants named."""

    name: str | None = None
    description: str | None = None
    schema: dict[str, Any] | None = None
    strict: bool | None = None


class JsonSchemaFormat(Open, kw_only=True, tag_field="type", tag="json_schema", omit_defaults=True):
    """``response_format``: JSON that matches a schema; `schema` is what local servers also take."""

    json_schema: JsonSchema | None = None
    schema: dict[str, Any] | None = None


ResponseFormat = TextFormat | JsonObjectFormat | JsonSchemaFormat | Unknown


class ChatRequest(GenerationOptions, kw_only=True, omit_defaults=True):
    """The body of ``POST /v1/chat/completions``."""

    messages: Annotated[list[ChatMessage], Meta(min_length=1)]
    max_completion_tokens: Limit | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    tools: list[Tool | Unknown] | None = None
    tool_choice: ToolChoiceWord | NamedToolChoice | Unknown | None = None
    """One of `TOOL_CHOICES`, or a certain tool; other words are for remote engines alone."""
    parallel_tool_calls: bool | None = None
    response_format: ResponseFormat | None = None
    reasoning_effort: str | None = None
    reasoning_format: str | None = None
    """``none``: reasoning stays in the text; anything else: as the model is set up."""
    continue_final_message: bool | None = None
    """Whether the answer goes on with the last message; left out: where that is the assistant's."""
    add_generation_prompt: bool | None = None
    """Whether the prompt ends with what opens an answer, where it does not go on with the last message."""
    chat_template_kwargs: dict[str, Any] | None = None
    """Variables handed to the chat template, such as ``enable_thinking``."""

    def __post_init__(self) -> None:
        """As for all options."""
        super().__post_init__()
        if self.max_completion_tokens == -1:
            self.max_completion_tokens = None

    def token_limit(self) -> int | None:
        """How many tokens may be generated: the newer of OpenAI's two names wins."""
        return self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens
