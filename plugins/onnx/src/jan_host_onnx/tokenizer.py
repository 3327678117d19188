"""A model's tokenizer: text to token ids and back, over the library `tokenizers`."""

import json
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Final, NamedTuple

from jan_host import InvalidRequestError, ModelLoadError
from jan_host.kit import Segment
from jan_host.kit.generation import check_ids, check_text
from tokenizers import Encoding, Tokenizer

from jan_host_onnx.faults import no_panic
from jan_host_onnx.pieces import Pieces

_PROBE: Final = "a"


class Added(NamedTuple):
    """A token that stands outside the vocabulary's own: a control token when `special`."""

    text: str
    special: bool
    lstrip: bool
    """It takes the white space before it along."""
    rstrip: bool
    """It takes the white space behind it along."""


class TextTokenizer:
    """Reads text as text: control tokens in it are not recognised. May be used from several threads.

    Args:
        path: A tokenizer.json.

    Raises:
        ModelLoadError: The file can't be read as a tokenizer.
    """

    def __init__(self, path: Path) -> None:
        try:
            self._source = path.read_text(encoding="utf-8")
            self._tokenizer = _plain(self._source)
        except Exception as error:  # the library raises plain Exception for whatever it does not like
            raise ModelLoadError(
                f"{path.name} can't be read as a tokenizer: {error}. Download it again, or update tokenizers."
            ) from error
        self._cutters: dict[int, Tokenizer] = {}
        self.size: int = self._tokenizer.get_vocab_size(with_added_tokens=True)
        self.added: dict[int, Added] = {
            token: Added(each.content, each.special, each.lstrip, each.rstrip)
            for token, each in self._tokenizer.get_added_tokens_decoder().items()
        }
        self.control: dict[str, int] = {
            each.text: token for token, each in self.added.items() if each.special
        }
        self.largest = max([self.size - 1, *self.added])

    def token_id(self, text: str | None) -> int | None:
        """The id of a token by its text; ``None`` when there is none."""
        return self._tokenizer.token_to_id(text) if text else None

    def tokenize(self, text: str) -> list[int]:
        """The ids of `text`, with nothing added."""
        return self.encode([text], special=False)[0].ids

    def encode(self, texts: Sequence[str], *, special: bool = True) -> list[Encoding]:
        """Each text as tokens.

        Args:
            texts: Lone surrogates in them become ``?``.
            special: Add what the model wants around a text, such as CLS and SEP.
        """
        with no_panic():
            return self._tokenizer.encode_batch_fast(
                [_sound(text) for text in texts], add_special_tokens=special
            )

    def encode_pairs(self, pairs: Sequence[tuple[str, str]]) -> list[Encoding]:
        """Each pair of texts as tokens, with what the model wants around and between them."""
        with no_panic():
            return self._tokenizer.encode_batch_fast([(_sound(one), _sound(two)) for one, two in pairs])

    def cut(self, text: str | tuple[str, str], length: int) -> Encoding:
        """A text or pair as `length` tokens at most; of a pair the longer text is cut."""
        cutter = self._cutters.get(length)
        if cutter is None:
            cutter = _plain(self._source)
            cutter.enable_truncation(max_length=length)
            self._cutters[length] = cutter
        with no_panic():
            if isinstance(text, str):
                return cutter.encode(_sound(text))
            return cutter.encode(_sound(text[0]), _sound(text[1]))

    @cached_property
    def frame(self) -> tuple[list[int], list[int]]:
        """The tokens that the model wants before and behind a text."""
        bare = self.encode([_PROBE], special=False)[0].ids
        full = self.encode([_PROBE])[0].ids
        start = next((at for at in range(len(full)) if full[at : at + len(bare)] == bare), 0)
        return full[:start], full[start + len(bare) :]

    def framed(self, tokens: Sequence[int]) -> list[int]:
        """Ids that a client sent, with what the model wants around them unless they have it already.

        Raises:
            InvalidRequestError: An id that the vocabulary does not have.
        """
        check_ids(tokens, self.largest + 1, "input")
        before, behind = self.frame
        ids = list(tokens)
        starts = ids[: len(before)] == before
        ends = not behind or ids[-len(behind) :] == behind
        return ids if starts and ends and len(ids) >= len(before) + len(behind) else [*before, *ids, *behind]

    def encode_segments(self, segments: Iterable[Segment]) -> list[int]:
        """The ids of a rendered prompt: control tokens as such, everything else as text.

        Raises:
            InvalidRequestError: A control token that the vocabulary does not have.
        """
        parts = list(segments)
        ids: list[int] = []
        for index, part in enumerate(parts):
            if part.control:
                ids.append(self._control_id(part.text))
                continue
            text = part.text
            if index and self._strips(parts[index - 1], "rstrip"):
                text = text.lstrip()
            if index + 1 < len(parts) and self._strips(parts[index + 1], "lstrip"):
                text = text.rstrip()
            tokenizer = self._inner if index else self._tokenizer
            with no_panic():
                ids += tokenizer.encode(_sound(text), add_special_tokens=False).ids
        return ids

    def detokenize(self, tokens: Sequence[int]) -> str:
        """The text of `tokens`, control tokens written out.

        Raises:
            InvalidRequestError: An id that the vocabulary does not have.
        """
        check_ids(tokens, self.largest + 1, "tokens")
        with no_panic():
            text: str = self._tokenizer.decode(list(tokens), skip_special_tokens=False)
        return text

    def piece(self, token: int) -> bytes:
        """The bytes that a generated token adds to the text; control tokens add none."""
        return self._pieces.bytes_of(token)

    @cached_property
    def _pieces(self) -> Pieces:
        silent = frozenset(self.control.values())
        spelled = frozenset(self.added)
        return Pieces(json.loads(self._source).get("decoder"), self._tokenizer.id_to_token, spelled, silent)

    @cached_property
    def _inner(self) -> Tokenizer:
        """The tokenizer for text that does not begin a prompt.

        Some tokenizers put a space before the first word of a prompt, and of no other piece of it.
        """
        source = json.loads(self._source)
        return (
            _plain(json.dumps(source))
            if _without_first_space(source.get("pre_tokenizer"))
            else self._tokenizer
        )

    def _control_id(self, text: str) -> int:
        token = self.token_id(text)
        if token is None:
            raise InvalidRequestError(f"The model's vocabulary has no control token {text!r}.")
        return token

    def _strips(self, part: Segment, side: str) -> bool:
        added = self.added.get(self._control_id(part.text)) if part.control else None
        return added is not None and bool(getattr(added, side))


def _plain(source: str) -> Tokenizer:
    """A tokenizer that neither cuts nor fills, whatever its file says, and reads text as text."""
    tokenizer = Tokenizer.from_str(source)
    tokenizer.no_truncation()
    tokenizer.no_padding()
    tokenizer.encode_special_tokens = True
    return tokenizer


def _without_first_space(pre: Any) -> bool:
    """Switch off the space that is put before the first word alone; whether there was one."""
    if not isinstance(pre, dict):
        return False
    if pre.get("type") == "Sequence":
        found = [_without_first_space(step) for step in pre.get("pretokenizers") or ()]
        return any(found)
    if pre.get("type") != "Metaspace" or pre.get("prepend_scheme") != "first":
        return False
    pre["prepend_scheme"] = "never"
    return True


def _sound(text: str) -> str:
    """`text` without lone surrogates, which are not Unicode.

    Raises:
        InvalidRequestError: It is too long.
    """
    check_text(text)
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace").decode()
    return text
