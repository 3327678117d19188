"""A small WordPiece tokenizer as BERT models have it."""

from pathlib import Path

from tokenizers import AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

_SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_WORDS = (
    "the cat sat on mat a dog ran through wood until it was dark and nobody more to be seen interest "
    "rates rose by quarter of point quick brown fox jumps over lazy who which what is animal money bank "
    "query document"
)
_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789.,:;!?'\"()[]<>|_-/=+*{}"


def build() -> Tokenizer:
    """Lower case; words of a short list, else their characters; other characters are unknown."""
    pieces = [*_SPECIAL, *_WORDS.split(), *_CHARACTERS, *(f"##{character}" for character in _CHARACTERS)]
    vocabulary = {piece: index for index, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])],
    )
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens([AddedToken(name, special=True) for name in _SPECIAL])
    # As published files do, which an engine must not take at their word:
    tokenizer.enable_truncation(max_length=16)
    tokenizer.enable_padding(length=16)
    return tokenizer


def write(path: Path) -> Tokenizer:
    """Write it as tokenizer.json; gives it as the tests use it: neither cutting nor filling."""
    tokenizer = build()
    tokenizer.save(str(path))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer
