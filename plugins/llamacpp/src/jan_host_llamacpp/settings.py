"""What can be set when a model is loaded, under the names that model.json files use.

The table in the plugin's README is made of this module: names, aliases, ranges, defaults and docstrings.
"""

from collections.abc import Iterable
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import Meta

CacheType = Literal["f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl"]
WIDE_CACHE_TYPES: Final = frozenset({"f32", "f16", "bf16"})
"""Those that hold each number by itself; the others hold blocks of 32."""
MOST_DEVICES: Final = 16
"""``llama_max_devices()`` of builds with a device."""
Positive = Annotated[int, Meta(ge=1, le=2**24)]
Threads = Annotated[int, Meta(ge=1, le=512)]
Bytes = Annotated[int, Meta(ge=0, le=2**50)]
Amount = Annotated[str, Meta(pattern=r"^\d{1,15}(\.\d{1,9})?\s*([kKmMgGtT]i?)?[bB]?$", max_length=32)]
"""Bytes in words: ``"512MB"``, ``"1.5 GiB"``."""
Shares = Annotated[list[Annotated[float, Meta(ge=0, le=1e6)]], Meta(min_length=1, max_length=MOST_DEVICES)]
Scale = Annotated[float, Meta(ge=-100, le=100)]


def _also(*aliases: str) -> Meta:
    """Other names of a setting: those of llama.cpp's command line, llama-cpp-python and Jan's documents."""
    return Meta(extra={"aliases": aliases})


class Adapter(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A LoRA adapter: a GGUF file whose ``general.type`` is ``adapter``."""

    path: Annotated[str, Meta(min_length=1, max_length=4096)]
    scale: Scale = 1.0
    """How much of it is used where a request says nothing."""
    name: Annotated[str, Meta(min_length=1, max_length=128)] | None = None
    """What requests call it; left out: the file's name without its ending."""


class Settings(msgspec.Struct, kw_only=True):
    """Load settings of the llama.cpp engine; every one has a default that suits the machine."""

    ctx_len: Annotated[Positive | None, _also("n_ctx", "ctx_size", "context_length")] = None
    """Tokens that one request may use, prompt and answer together.

    Left out: 4096, or what the model was trained for when that is less."""
    n_parallel: Annotated[Annotated[int, Meta(ge=1, le=256)] | None, _also("parallel", "n_seq_max")] = None
    """Sequences that are generated at the same time; each has room for `ctx_len` tokens.

    Left out: up to 8, as many as a quarter of the free memory holds."""
    max_queue: Annotated[int, Meta(ge=0, le=100_000)] = 256
    """Requests that may wait for a free sequence; more are refused."""
    n_batch: Annotated[Positive, _also("batch_size")] = 512
    """Tokens of one step at most, over all requests."""
    n_ubatch: Annotated[Positive, _also("ubatch_size")] = 512
    """Tokens that are computed at once; lower it to save memory."""
    cpu_threads: Annotated[Threads | Literal["auto"] | None, _also("threads", "n_threads")] = None
    """CPU threads for generating. Left out or ``auto``: the physical cores that this process may use."""
    cpu_threads_batch: Annotated[
        Threads | Literal["auto"] | None, _also("threads_batch", "n_threads_batch")
    ] = None
    """CPU threads for prompts. Left out or ``auto``: as `cpu_threads`."""
    ngl: Annotated[int, Meta(ge=-1, le=100_000), _also("n_gpu_layers", "gpu_layers")] = -1
    """Layers to put on the GPU; -1 means all. Without a GPU it has no effect, as the four that follow."""
    main_gpu: Annotated[int, Meta(ge=0, le=MOST_DEVICES - 1)] = 0
    """The GPU for small tensors, or for the whole model when `split_mode` is ``none``."""
    split_mode: Literal["none", "layer", "row"] = "layer"
    """How a model is spread over several GPUs."""
    tensor_split: Shares | None = None
    """The shares of several GPUs, such as ``[3, 1]``. Left out: by the memory that is free on each."""
    offload_kqv: Annotated[bool, _also("kv_offload")] = True
    """Keep the KV cache on the GPU."""
    flash_attn: Annotated[Literal["auto", "on", "off"] | bool, _also("flash_attention")] = "auto"
    """Flash attention; ``auto`` uses it where the model and the machine can."""
    cache_type_k: CacheType = "f16"
    """The number format of the keys in the KV cache."""
    cache_type_v: CacheType = "f16"
    """The number format of the values in the KV cache; one of less than 16 bits needs flash attention."""
    kv_layout: Literal["streams", "unified"] = "streams"
    """``streams``: each sequence has cells of its own, so that no result depends on what else is computed.

    ``unified``: one buffer for all; better where many short requests share a long beginning."""
    swa_full: bool = True
    """Keep all tokens of sliding-window layers, so that prompts can be shared and reused."""
    prefix_cache_bytes: Bytes | Amount | None = None
    """RAM for prompts and answers whose cells are needed by others, so that they need not be computed again.

    May be written as ``"512MB"`` too; 0: they are given up. Left out: an eighth of the free memory, 512 MiB
    at most."""
    use_mmap: Annotated[bool, _also("mmap")] = True
    """Map the file into memory, so that it need not be read whole before the first token."""
    use_mlock: Annotated[bool, _also("mlock")] = False
    """Lock the model in memory, so that it is never swapped out."""
    check_tensors: bool = False
    """Check every number of the model while loading."""
    rope_scaling: Annotated[
        Literal["none", "linear", "yarn", "longrope"] | None, _also("rope_scaling_type")
    ] = None
    """How positions are scaled. Left out: as the model says."""
    rope_freq_base: Annotated[float, Meta(ge=0, le=1e12)] = 0.0
    """RoPE base frequency, 2 or more; 0 means as the model says."""
    rope_freq_scale: Annotated[float, Meta(ge=0, le=1e3)] = 0.0
    """RoPE frequency scale, 0.0001 or more: 0.5 for twice the context. 0 means as the model says."""
    yarn_orig_ctx: Annotated[int, Meta(ge=0, le=2**24)] = 0
    """The context that the model was trained for, for YaRN; 0 means as the model says."""
    yarn_ext_factor: Annotated[float, Meta(ge=-1, le=1e3)] = -1.0
    """YaRN extrapolation mix; below 0: as the model says."""
    yarn_attn_factor: Annotated[float, Meta(ge=-1, le=1e3)] = -1.0
    """YaRN attention scale; below 0: as the model says."""
    yarn_beta_fast: Annotated[float, Meta(ge=-1, le=1e6)] = -1.0
    """YaRN low correction; below 0: as the model says."""
    yarn_beta_slow: Annotated[float, Meta(ge=-1, le=1e6)] = -1.0
    """YaRN high correction; below 0: as the model says."""
    lora: Annotated[Annotated[list[str | Adapter], Meta(max_length=64)], _also("lora_adapters")] = []
    """LoRA adapters: paths, or objects with `path`, `scale` (1) and `name` (the file's name).

    A path is relative to the model's folder; an absolute one must lie there or beside the model's files.
    A request chooses among them with its own `lora`."""
    mmproj: Annotated[str | None, _also("mmproj_path")] = None
    """The projector, which lets the model see: a GGUF file of the model, or in its folder.

    Left out: the one among the model's files, else one beside them."""
    vision_model: bool | None = None
    """``false``: read text alone, and load no projector. Left out: see images where there is a projector."""
    image_min_tokens: Annotated[int, Meta(ge=1, le=2**16)] | None = None
    """Tokens that an image takes at least, with models that let choose. Left out: as the projector says."""
    image_max_tokens: Annotated[int, Meta(ge=1, le=2**16)] | None = None
    """Tokens that an image takes at most, with models that let choose. Left out: as the projector says."""
    embedding: Annotated[bool | None, _also("embeddings")] = None
    """Turn texts into vectors. Left out: when the model was made for that.

    A model that chats does both with ``true``; the context for vectors is made on first use."""
    pooling: Annotated[Literal["mean", "cls", "last", "rank"] | None, _also("pooling_type")] = None
    """How the vectors of tokens become one; ``rank`` gives scores of documents instead, where the model can.

    Left out: as the model's file says, else the mean."""
    normalize: bool = True
    """Scale vectors to length 1."""
    prompt_template: Annotated[str | None, _also("chat_template")] = None
    """The chat template: Jinja, or Jan's form with ``{system_message}`` and ``{prompt}``.

    It goes over the one in the model file. Left out: that one; where there is none, ChatML if the model has
    its tokens, else lines ``User:`` and ``Assistant:``."""
    system_prompt: str | None = None
    """A system message for conversations that have none; a request's own takes its place."""
    chat_template_kwargs: dict[str, Any] = {}
    """Variables for the chat template, such as ``{"enable_thinking": false}``.

    A request's own `chat_template_kwargs` go over them, name by name."""
    reasoning_format: Literal["auto", "none"] = "auto"
    """``auto``: what the model thinks before it answers is ``reasoning_content``.

    ``none``: it stays in the text."""

    def __post_init__(self) -> None:
        """Refuse what does not go together, in the words of `msgspec.ValidationError`.

        Raises:
            ValueError: Names the setting, what was given and what may be.
        """
        for problem in _problems(self):
            raise ValueError(problem)

    def adapters(self) -> list[Adapter]:
        """`lora`, each as an `Adapter`."""
        return [Adapter(path=each) if isinstance(each, str) else each for each in self.lora]


def _problems(settings: Settings) -> Iterable[str]:
    if settings.flash_attn in ("off", False) and settings.cache_type_v not in WIDE_CACHE_TYPES:
        yield (
            f"cache_type_v is {settings.cache_type_v}, which needs flash attention, and flash_attn is off."
            " Set flash_attn to auto, or cache_type_v to f16."
        )
    split = settings.tensor_split
    if split is not None and not sum(split) > 0:
        yield f"tensor_split is {split}, and its shares should come to more than 0."
    least: dict[str, float] = {"rope_freq_base": 2, "rope_freq_scale": 1e-4}
    for name, bound in least.items():
        if 0 < (value := getattr(settings, name)) < bound:
            yield f"{name} is {value:g}, and should be 0 (as the model says) or at least {bound:g}."
    if settings.ctx_len is not None and (settings.n_parallel or 1) * settings.ctx_len > 2**31 - 1:
        yield (
            f"A KV cache of n_parallel {settings.n_parallel} times ctx_len {settings.ctx_len} tokens is too"
            f" large: together they may be {2**31 - 1}. Lower one of them."
        )
