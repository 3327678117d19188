"""The tokenizer: text stays text, templates' control tokens do not, and tokens become bytes."""

from pathlib import Path

import pytest
from jan_host import InvalidRequestError, ModelLoadError
from jan_host.kit import Segment
from jan_host_onnx.tokenizer import TextTokenizer
from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers

from tests.plugins.onnx.encoders import vocabulary

TEXTS = ["Hello, world!", "naïve café ½", "👍🏽 今天", " two  spaces ", "a\nb\tc", "<|im_start|>user"]


def _byte_level(path: Path, **token: bool) -> TextTokenizer:
    """GPT-2's kind: every byte is a character."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    names = {character: index for index, character in enumerate(alphabet)}
    tokenizer = Tokenizer(models.BPE(names, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken("<|im_start|>", special=True, normalized=False, **token)])
    tokenizer.add_special_tokens([AddedToken("<|im_end|>", special=True, normalized=False)])
    tokenizer.add_tokens([AddedToken("<think>", special=False, normalized=False)])
    tokenizer.save(str(path))
    return TextTokenizer(path)


def _pieces(path: Path, scheme: str) -> TextTokenizer:
    """SentencePiece's kind: spaces are ``▁``, unknown characters are bytes."""
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", *"abcdefgh"]
    tokenizer = Tokenizer(
        models.BPE(
            {piece: index for index, piece in enumerate(pieces)}, [], unk_token="<unk>", byte_fallback=True
        )
    )
    tokenizer.normalizer = normalizers.Sequence([])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme=scheme, split=False)
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.add_special_tokens([AddedToken(name, special=True) for name in ("<unk>", "<s>", "</s>")])
    tokenizer.save(str(path))
    return TextTokenizer(path)


@pytest.mark.parametrize("text", TEXTS)
def test_bytes_of_tokens_are_the_text(tmp_path: Path, text: str) -> None:
    tokenizer = _byte_level(tmp_path / "tokenizer.json")
    ids = tokenizer.tokenize(text)
    assert b"".join(map(tokenizer.piece, ids)).decode() == text
    assert tokenizer.detokenize(ids) == text


@pytest.mark.parametrize("text", ["a cab", "é", "👍a b"])
def test_bytes_of_pieces_are_the_text_behind_a_space(tmp_path: Path, text: str) -> None:
    tokenizer = _pieces(tmp_path / "tokenizer.json", "always")
    ids = tokenizer.tokenize(text)
    assert b"".join(map(tokenizer.piece, ids)).decode() == f" {text}"
    assert tokenizer.detokenize(ids) == text


def test_control_tokens_come_from_templates_alone(tmp_path: Path) -> None:
    tokenizer = _byte_level(tmp_path / "tokenizer.json")
    start, end = tokenizer.control["<|im_start|>"], tokenizer.control["<|im_end|>"]
    typed = "say <|im_end|>"
    segments = [Segment("<|im_start|>", True), Segment(typed, False), Segment("<|im_end|>", True)]
    ids = tokenizer.encode_segments(segments)
    assert (ids[0], ids[-1]) == (start, end)
    assert end not in ids[1:-1]
    assert tokenizer.detokenize(ids[1:-1]) == typed
    assert tokenizer.detokenize(ids) == f"<|im_start|>{typed}<|im_end|>", "written out"
    assert tokenizer.piece(start) == b"", "a control token is no text"


def test_a_token_that_belongs_to_ordinary_text_is_read(tmp_path: Path) -> None:
    tokenizer = _byte_level(tmp_path / "tokenizer.json")
    think = tokenizer.token_id("<think>")
    assert "<think>" not in tokenizer.control
    assert think is not None
    assert tokenizer.tokenize("<think>") == [think]
    assert tokenizer.piece(think) == b"<think>"


def test_a_control_token_takes_white_space_along_where_its_file_says_so(tmp_path: Path) -> None:
    tokenizer = _byte_level(tmp_path / "tokenizer.json", rstrip=True)
    ids = tokenizer.encode_segments([Segment("<|im_start|>", True), Segment("\n a", False)])
    assert tokenizer.detokenize(ids) == "<|im_start|>a"


@pytest.mark.parametrize(("scheme", "second"), [("first", "b"), ("always", " b")])
def test_a_space_before_the_first_word_is_put_where_the_scheme_says(
    tmp_path: Path, scheme: str, second: str
) -> None:
    tokenizer = _pieces(tmp_path / "tokenizer.json", scheme)
    ids = tokenizer.encode_segments([Segment("a", False), Segment("</s>", True), Segment("b", False)])
    at = ids.index(tokenizer.control["</s>"])
    assert b"".join(map(tokenizer.piece, ids[:at])) == b" a"
    assert b"".join(map(tokenizer.piece, ids[at + 1 :])).decode() == second


def test_files_that_cut_and_fill_are_not_taken_at_their_word(tmp_path: Path) -> None:
    vocabulary.write(tmp_path / "tokenizer.json")
    tokenizer = TextTokenizer(tmp_path / "tokenizer.json")
    assert len(tokenizer.tokenize("a")) == 1
    assert len(tokenizer.tokenize("a " * 100)) == 100
    assert tokenizer.frame == ([2], [3])


def test_lone_surrogates_are_question_marks(tmp_path: Path) -> None:
    tokenizer = _byte_level(tmp_path / "tokenizer.json")
    assert tokenizer.detokenize(tokenizer.tokenize("a\ud800b")) == "a?b"


@pytest.mark.parametrize("token", [-1, 10**6, 2**40])
def test_an_id_that_is_not_there_is_refused(tmp_path: Path, token: int) -> None:
    tokenizer = _byte_level(tmp_path / "tokenizer.json")
    with pytest.raises(InvalidRequestError, match=f"{token} is not a token id"):
        tokenizer.detokenize([token])


def test_what_is_no_tokenizer_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes(b"\xff\xfe")
    with pytest.raises(ModelLoadError, match=r"tokenizer\.json can't be read"):
        TextTokenizer(tmp_path / "tokenizer.json")
