"""What can be set when a model is loaded, under the names that model.json files use."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

CacheType = Literal["f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl"]
Positive = Annotated[int, Meta(ge=1, le=2**24)]
Threads = Annotated[int, Meta(ge=1, le=512)]


class Settings(msgspec.Struct, kw_only=True):
    """Load settings of the llama.cpp engine; every one has a default that suits the machine."""

    ctx_len: Positive | None = None
    """Tokens that one request may use, prompt and answer together.

    Left out: 4096, or what the model was trained for when that is less."""
    n_parallel: Annotated[int, Meta(ge=1, le=256)] | None = None
    """Sequences that are generated at the same time; each has room for `ctx_len` tokens.

    Left out: up to 8, as many as a quarter of the free memory holds."""
    max_queue: Annotated[int, Meta(ge=0, le=100_000)] = 256
    """Requests that may wait for a free sequence; more are refused."""
    ngl: Annotated[int, Meta(ge=-1, le=100_000)] = -1
    """Layers to put on the GPU; -1 means all. Without a GPU it has no effect."""
    main_gpu: Annotated[int, Meta(ge=0, le=64)] = 0
    """The GPU for small tensors, or for the whole model when `split_mode` is ``none``."""
    split_mode: Literal["none", "layer", "row"] = "layer"
    """How a model is spread over several GPUs."""
    cpu_threads: Threads | Literal["auto"] | None = None
    """CPU threads for generating. Left out: the physical cores that this process may use."""
    cpu_threads_batch: Threads | Literal["auto"] | None = None
    """CPU threads for prompts. Left out: as `cpu_threads`."""
    n_batch: Positive = 512
    """Tokens of one step at most, over all requests."""
    n_ubatch: Positive = 512
    """Tokens that are computed at once; lower it to save memory."""
    flash_attn: Literal["auto", "on", "off"] | bool = "auto"
    """Flash attention; ``auto`` uses it where the model and the machine can."""
    cache_type_k: CacheType = "f16"
    """The number format of the keys in the KV cache."""
    cache_type_v: CacheType = "f16"
    """The number format of the values in the KV cache; less than 16 bits needs flash attention."""
    kv_layout: Literal["streams", "unified"] = "streams"
    """``streams``: each sequence has cells of its own, so that no result depends on what else is computed.

    ``unified``: one buffer for all; better where many short requests share a long beginning."""
    offload_kqv: bool = True
    """Keep the KV cache on the GPU, when there is one."""
    swa_full: bool = True
    """Keep all tokens of sliding-window layers, so that prompts can be shared and reused."""
    use_mmap: bool = True
    """Map the file into memory, so that it need not be read whole before the first token."""
    use_mlock: bool = False
    """Lock the model in memory, so that it is never swapped out."""
    check_tensors: bool = False
    """Check every number of the model while loading."""
    rope_scaling: Literal["none", "linear", "yarn", "longrope"] | None = None
    """How positions are scaled. Left out: as the model says."""
    rope_freq_base: Annotated[float, Meta(ge=0)] = 0.0
    """RoPE base frequency; 0 means as the model says."""
    rope_freq_scale: Annotated[float, Meta(ge=0)] = 0.0
    """RoPE frequency scale; 0 means as the model says."""
    yarn_orig_ctx: Annotated[int, Meta(ge=0, le=2**24)] = 0
    """The context that the model was trained for, for YaRN; 0 means as the model says."""
    yarn_ext_factor: float = -1.0
    """YaRN extrapolation mix; negative means as the model says."""
    yarn_attn_factor: float = -1.0
    """YaRN attention scale; negative means as the model says."""
    yarn_beta_fast: float = -1.0
    """YaRN low correction; negative means as the model says."""
    yarn_beta_slow: float = -1.0
    """YaRN high correction; negative means as the model says."""
    embedding: bool | None = None
    """Turn texts into vectors. Left out: when the model was made for that.

    A model that chats does both with ``true``; the context for vectors is made on first use."""
    pooling: Literal["mean", "cls", "last", "rank"] | None = None
    """How the vectors of tokens become one; ``rank`` gives scores of documents instead, where the model can.

    Left out: as the model's file says, else the mean."""
    normalize: bool = True
    """Scale vectors to length 1."""
    prompt_template: str | None = None
    """The chat template: Jinja, or Jan's form with ``{system_message}`` and ``{prompt}``.

    Left out: the one in the model file."""
    system_prompt: str | None = None
    """A system message for conversations that have none."""
    reasoning_format: Literal["auto", "none"] = "auto"
    """``auto``: what the model thinks before it answers is ``reasoning_content``.

    ``none``: it stays in the text."""
