"""Earlier calls and their results, as a model's template can show them."""

from collections.abc import Iterable, Sequence
from typing import Any

from jan_host.contract.chat import ChatMessage
from jan_host.contract.unknown import as_plain
from jan_host.kit.conversation import Message
from jan_host.kit.probing import Shows
from jan_host.kit.tools.formats.base import Format

_RESULTS = ("tool", "function")
_SYSTEM = ("system", "developer")


def history(
    messages: Sequence[ChatMessage], shown: Shows, form: Format, instructions: str
) -> list[Message | ChatMessage]:
    """The conversation for a template.

    Args:
        messages: As the client sent them.
        shown: What the template has a place for; the rest is written as text.
        form: How the model writes calls.
        instructions: What goes into the system message.
    """
    found: list[Message | ChatMessage] = [*messages]
    if any(message.tool_calls or message.role in _RESULTS for message in messages):
        found = list(_calling(messages, shown, form))
    return _instructed(found, instructions) if instructions else found


def _calling(messages: Sequence[ChatMessage], shown: Shows, form: Format) -> Iterable[Message]:
    names: dict[str, str] = {}
    results: list[str] = []
    for message in messages:
        plain = _plain(message, form, names)
        if message.role in _RESULTS and not shown.results:
            results.append(form.write_result(plain.get("name", ""), message.text()))
            continue
        if results:
            written = "\n\n".join(results)
            results = []
            if message.role == "user" and isinstance(message.content, str):
                plain["content"] = f"{written}\n\n{message.content}"
            else:
                yield {"role": "user", "content": written}
        if plain.get("tool_calls") and not shown.calls:
            text = "\n".join(filter(None, [message.text(), form.write_calls(plain.pop("tool_calls"))]))
            plain["content"] = text
        yield plain
    if results:
        yield {"role": "user", "content": "\n\n".join(results)}


def _plain(message: ChatMessage, form: Format, names: dict[str, str]) -> Message:
    """The message with ids as the template takes them, and with the names of results."""
    plain: Message = as_plain(message, unknown=False)
    if message.tool_calls:
        plain["tool_calls"] = [_known(call, form, names) for call in plain["tool_calls"]]
    if message.tool_call_id is not None:
        plain["tool_call_id"] = form.known_id(message.tool_call_id)
        plain.setdefault("name", names.get(message.tool_call_id, ""))
    return plain


def _known(call: dict[str, Any], form: Format, names: dict[str, str]) -> dict[str, Any]:
    given = str(call.get("id", ""))
    names[given] = str((call.get("function") or {}).get("name", ""))
    return {**call, "id": form.known_id(given)}


def one_at_a_time(messages: Sequence[Message | ChatMessage]) -> list[Message | ChatMessage]:
    """Each call in a message of its own, followed by its result: for templates that take no more."""
    found: list[Message | ChatMessage] = []
    waiting: list[Message] = []
    for message in messages:
        if isinstance(message, ChatMessage):
            found.append(message)
            continue
        if message["role"] in _RESULTS and waiting:
            same = [each for each in waiting if each["tool_calls"][0]["id"] == message.get("tool_call_id")]
            call = same[0] if same else waiting[0]
            waiting.remove(call)
            found += [call, message]
            continue
        found += waiting
        calls = message.get("tool_calls") or []
        waiting = [{**message, "tool_calls": [call]} for call in calls] if len(calls) > 1 else []
        for later in waiting[1:]:
            later["content"] = ""
        if not waiting:
            found.append(message)
    return found + waiting


def _instructed(messages: list[Message | ChatMessage], instructions: str) -> list[Message | ChatMessage]:
    """The conversation with `instructions` in its system message."""
    first = messages[0]
    plain: Message = as_plain(first, unknown=False) if isinstance(first, ChatMessage) else dict(first)
    if plain["role"] not in _SYSTEM:
        return [{"role": "system", "content": instructions}, *messages]
    content = plain.get("content") or ""
    if isinstance(content, str):
        plain["content"] = f"{content}\n\n{instructions}"
    else:
        plain["content"] = [*content, {"type": "text", "text": f"\n\n{instructions}"}]
    return [plain, *messages[1:]]
