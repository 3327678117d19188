"""What can be set when a model is loaded, under the names that model.json files use."""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

Positive = Annotated[int, Meta(ge=1, le=2**24)]
Threads = Annotated[int, Meta(ge=1, le=512)]


class OnnxSettings(msgspec.Struct, kw_only=True):
    """Load settings of the ONNX Runtime engine; every one has a default that suits the machine."""

    ctx_len: Positive | None = None
    """Tokens that one request may use: prompt and answer together, or one text to embed.

    Left out: what the model was trained for; 4096 at most for a model that generates."""
    n_parallel: Annotated[int, Meta(ge=1, le=256)] | None = None
    """Answers that are generated at the same time. Left out: as many as memory allows, up to 8."""
    max_queue: Annotated[int, Meta(ge=0, le=1_000_000)] = 4096
    """Texts or prompts that may wait; more are refused."""
    variant: str | None = None
    """Which of several graph files: its name or a part of it, such as ``q4`` for ``model_q4.onnx``.

    Left out: the plain one; see `jan_host_onnx.variants`."""
    cpu_threads: Threads | Literal["auto"] | None = None
    """CPU threads. Left out: the physical cores that this process may use."""
    providers: list[str] | None = None
    """Execution providers, the preferred one first, with or without ``ExecutionProvider`` behind the name.

    Left out: an accelerator's where there is one, then the CPU."""
    device: Annotated[int, Meta(ge=0, le=64)] = 0
    """Which accelerator, where there are several."""
    graph_optimization: Literal["all", "extended", "basic", "none"] = "all"
    """How far ONNX Runtime rewrites the graph before it runs."""
    cache_optimized: bool = True
    """Keep the rewritten graph on disk, so that the next start is quicker."""
    int8_compute: bool | None = None
    """Whether products with large constant matrices are computed in integers of 8 bits, on a CPU, by a model
    that embeds or ranks: 1.3 to 1.8 times as fast, and cosine 0.999 to what 32 bits give.

    Left out: where the file keeps these matrices in 8 bits itself."""
    n_batch: Annotated[int, Meta(ge=1, le=2**20)] | None = None
    """Tokens of one run at most, filling included; one text is always run.

    Left out: 512 on a CPU, 16384 on an accelerator; for a model that generates, see its own part."""
    max_batch: Annotated[int, Meta(ge=1, le=4096)] | None = None
    """Texts of one run at most.

    Left out: 64, and 1 for a graph that rounds activations by a scale of the whole run, since a vector
    would else depend on its neighbours (measured: cosine 0.98)."""
    pooling: Literal["mean", "cls", "last", "max", "none"] | None = None
    """How token vectors become one. Left out: as the model's files say, else the mean.

    ``none``: the graph gives one vector a text itself."""
    normalize: bool | None = None
    """Scale vectors to length 1. Left out: as the model's files say, else yes."""
    prefix: str | None = None
    """Written before every text that is embedded, such as ``query: ``.

    Left out: the model's default prompt, where it has one."""
    prompts: dict[str, str] = {}
    """Written before texts of a purpose (``query``, ``document``, ...), over those in the model's files.

    A request names the purpose as ``prompt_name`` or ``input_type``."""
    score: Literal["sigmoid", "softmax", "raw"] | None = None
    """What a reranker's numbers become. Left out: ``sigmoid`` of one number, ``softmax`` of two."""
    prompt_template: str | None = None
    """The chat template: Jinja, or Jan's form with ``{system_message}`` and ``{prompt}``.

    Left out: the one in the model's files."""
    system_prompt: str | None = None
    """A system message for conversations that have none."""
    chat_template_kwargs: dict[str, Any] = {}
    """Variables for the chat template; a request's own `chat_template_kwargs` go over them, name by name."""
    reasoning_format: Literal["auto", "none"] = "auto"
    """``auto``: what the model thinks before it answers is ``reasoning_content``.

    ``none``: it stays in the text."""


class PlacedSettings(OnnxSettings, kw_only=True):
    """Load settings with what the engine adds, and no model.json may say: a folder to write to."""

    cache_folder: str | None = None
    """Where rewritten graphs are kept; ``None`` to keep none."""
