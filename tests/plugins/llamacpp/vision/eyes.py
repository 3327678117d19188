"""A tiny model that tells the colour of an image, and its projector: GGUF files that llama.cpp really loads.

The projector (LLaVA's: a vision transformer and two linear layers) hands the mean of each colour over to
the first three numbers of a vector. The model attends to all positions alike, so that the vector behind
the last token holds the mean of what came before; its largest colour decides which word is said.
"""

from pathlib import Path

import gguf
import numpy as np
import numpy.typing as npt

from tests.plugins.llamacpp.writing import close

WIDTH = 64
"""Numbers in a vector of the model."""
IMAGE_SIZE = 16
PATCH_SIZE = 4
IMAGE_TOKENS = (IMAGE_SIZE // PATCH_SIZE) ** 2
COLOURS = ("red", "green", "blue")
NOTHING = "nothing"
SPACE = "\u2581"
"""A space, as SentencePiece writes it."""
TEMPLATE = (
    "{% for message in messages %}<|{{ message.role }}|>{{ message.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)

_CONTROL = ("<s>", "</s>", "<|system|>", "<|user|>", "<|assistant|>", "<|end|>")
_NORMAL_KIND, _UNKNOWN_KIND, _CONTROL_KIND, _BYTE_KIND = 1, 2, 3, 6
_TEXT, _SAID = 3, 4
"""The numbers of a vector that say: this is text, this is a word that was said."""
LAYERS = 2
VISION_WIDTH = 32

Array = npt.NDArray[np.float32]


def write_eyes(folder: Path) -> None:
    """The model and its projector, in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text_model(folder / "eyes.gguf")
    write_clip(folder / "mmproj-eyes.gguf")


def write_text_model(path: Path) -> Path:
    """A llama of two layers whose first one averages what it sees, and whose second one does nothing."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name(path.stem)
    writer.add_block_count(LAYERS)
    writer.add_context_length(2048)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(WIDTH)
    writer.add_head_count(4)
    writer.add_head_count_kv(4)
    writer.add_rope_dimension_count(WIDTH // 4)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_file_type(0)
    tokens = add_vocabulary(writer)
    for name, value in _text_tensors(tokens).items():
        writer.add_tensor(name, value)
    return close(writer, path)


def write_clip(path: Path, *, width: int = WIDTH) -> Path:
    """A projector to vectors of `width` numbers."""
    writer = clip_writer(path, "mlp", image_size=IMAGE_SIZE, patch_size=PATCH_SIZE, width=width)
    for tensor, value in _clip_tensors(width).items():
        writer.add_tensor(tensor, value)
    return close(writer, path)


def clip_writer(path: Path, kind: str, *, image_size: int, patch_size: int, width: int) -> gguf.GGUFWriter:
    """A file that begins as a projector's does, without tensors.

    Args:
        path: The file.
        kind: The kind of projector, in llama.cpp's words.
        image_size: Pixels of a side.
        patch_size: The same of a patch.
        width: Numbers of the vectors that it makes.
    """
    writer = gguf.GGUFWriter(path, "clip")
    writer.add_name(path.stem)
    writer.add_type("mmproj")
    writer.add_file_type(0)
    writer.add_bool("clip.has_vision_encoder", True)
    writer.add_string("clip.projector_type", kind)
    writer.add_bool("clip.use_gelu", True)
    for name, number in {
        "image_size": image_size,
        "patch_size": patch_size,
        "embedding_length": VISION_WIDTH,
        "feed_forward_length": 2 * VISION_WIDTH,
        "projection_dim": width,
        "block_count": LAYERS,
        "attention.head_count": 2,
    }.items():
        writer.add_uint32(f"clip.vision.{name}", number)
    writer.add_float32("clip.vision.attention.layer_norm_epsilon", 1e-5)
    writer.add_array("clip.vision.image_mean", [0.5, 0.5, 0.5])
    writer.add_array("clip.vision.image_std", [0.5, 0.5, 0.5])
    return writer


def add_vocabulary(writer: gguf.GGUFWriter) -> list[str]:
    """Bytes, control tokens and a few words as a model's vocabulary, with a template; the tokens."""
    tokens = ["<unk>", *_CONTROL, *(f"<0x{byte:02X}>" for byte in range(256)), SPACE, *COLOURS, NOTHING]
    kinds = [_UNKNOWN_KIND] + [_CONTROL_KIND] * len(_CONTROL) + [_BYTE_KIND] * 256
    writer.add_tokenizer_model("llama")
    writer.add_token_list(tokens)
    writer.add_token_scores([0.0] * len(tokens))
    writer.add_token_types(kinds + [_NORMAL_KIND] * (len(tokens) - len(kinds)))
    writer.add_bos_token_id(tokens.index("<s>"))
    writer.add_eos_token_id(tokens.index("</s>"))
    writer.add_eot_token_id(tokens.index("<|end|>"))
    writer.add_add_bos_token(True)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(TEMPLATE)
    return tokens


def _text_tensors(tokens: list[str]) -> dict[str, Array]:
    words = [tokens.index(word) for word in (*COLOURS, NOTHING)]
    embedding = _zeros(len(tokens), WIDTH)
    embedding[:, _TEXT] = 1.0
    embedding[words, _TEXT] = 0.0
    embedding[words, _SAID] = 1.0
    output = _zeros(len(tokens), WIDTH)
    for place, word in enumerate(words[:-1]):
        output[word, place] = 10.0
    output[words[-1], _TEXT] = 0.05
    output[tokens.index("</s>"), _SAID] = 100.0
    tensors = {
        "token_embd.weight": embedding,
        "output.weight": output,
        "output_norm.weight": _ones(WIDTH),
    }
    for layer in range(LAYERS):
        averages = np.eye(WIDTH, dtype=np.float32) * (layer == 0)
        named = {
            **dict.fromkeys(("attn_norm", "ffn_norm"), _ones(WIDTH)),
            **dict.fromkeys(("attn_q", "attn_k", "ffn_gate", "ffn_up", "ffn_down"), _zeros(WIDTH, WIDTH)),
            **dict.fromkeys(("attn_v", "attn_output"), averages),
        }
        tensors |= {f"blk.{layer}.{name}.weight": value for name, value in named.items()}
    return tensors


def _clip_tensors(width: int) -> dict[str, Array]:
    patches = _zeros(VISION_WIDTH, 3, PATCH_SIZE, PATCH_SIZE)
    for channel in range(3):
        patches[channel, channel] = 1 / PATCH_SIZE**2
    tensors = {
        "v.patch_embd.weight": patches,
        "v.position_embd.weight": _zeros(IMAGE_TOKENS, VISION_WIDTH),
        "mm.0.weight": np.eye(width, VISION_WIDTH, dtype=np.float32),
        "mm.0.bias": _zeros(width),
        "mm.2.weight": np.eye(width, dtype=np.float32) * 10,
        "mm.2.bias": _zeros(width),
    }
    square = _zeros(VISION_WIDTH, VISION_WIDTH)
    for layer in range(LAYERS):
        for name in ("attn_q", "attn_k", "attn_v", "attn_out"):
            tensors[f"v.blk.{layer}.{name}.weight"] = square
            tensors[f"v.blk.{layer}.{name}.bias"] = _zeros(VISION_WIDTH)
        tensors[f"v.blk.{layer}.ffn_up.weight"] = _zeros(2 * VISION_WIDTH, VISION_WIDTH)
        tensors[f"v.blk.{layer}.ffn_up.bias"] = _zeros(2 * VISION_WIDTH)
        tensors[f"v.blk.{layer}.ffn_down.weight"] = _zeros(VISION_WIDTH, 2 * VISION_WIDTH)
        tensors[f"v.blk.{layer}.ffn_down.bias"] = _zeros(VISION_WIDTH)
        for name in ("ln1", "ln2"):
            tensors[f"v.blk.{layer}.{name}.weight"] = _ones(VISION_WIDTH)
            tensors[f"v.blk.{layer}.{name}.bias"] = _zeros(VISION_WIDTH)
    return tensors


def _zeros(*shape: int) -> Array:
    return np.zeros(shape, np.float32)


def _ones(size: int) -> Array:
    return np.ones(size, np.float32)
