"""A GGUF file comes into memory, with all that is needed to work with it."""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import llama_cpp.llama_cpp as lib
from jan_host import ModelLoadError
from jan_host.kit import ChatTemplate

from jan_host_llamacpp.adapters.files import AdapterFile, check_fit
from jan_host_llamacpp.embedding.encoder import Encoder
from jan_host_llamacpp.embedding.purpose import Purpose, purpose_of
from jan_host_llamacpp.gguf import read_header
from jan_host_llamacpp.header import Header
from jan_host_llamacpp.kv import KvCache, StreamKv, UnifiedKv
from jan_host_llamacpp.native import NativeContext, NativeModel
from jan_host_llamacpp.params import context_length, context_params, model_params
from jan_host_llamacpp.sanity import check_numbers
from jan_host_llamacpp.settings import Settings
from jan_host_llamacpp.sizing import check_cache_types, parallel_sequences, prefix_room
from jan_host_llamacpp.vision.files import ProjectorFile
from jan_host_llamacpp.vision.projector import Projector, open_projector
from jan_host_llamacpp.vocab import Vocab

_LOG = logging.getLogger(__name__)
_WEIGHTS_SHARE = 0.95
"""How much of the progress the weights are; the rest is the context."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """A model's weights in memory, and what the file says of them."""

    model: NativeModel
    header: Header
    vocab: Vocab
    purpose: Purpose
    context_length: int
    """Tokens that one request may use."""
    adapters: Sequence[AdapterFile]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened(Weights):
    """A model in memory that generates, and that no thread works on yet."""

    context: NativeContext
    kv: KvCache
    template: ChatTemplate
    prefix_room: int
    """Bytes of RAM for prefixes that no longer fit into the KV cache."""
    projector: Projector | None
    """What lets the model see."""

    def close(self) -> None:
        """Give the memory back."""
        if self.projector is not None:
            self.projector.free()
        self.context.free()
        self.model.free()


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedEncoder(Weights):
    """A model in memory that embeds or ranks, and that no thread works on yet."""

    encoder: Encoder

    def close(self) -> None:
        """Give the memory back."""
        self.encoder.close()
        self.model.free()


async def open_model(
    path: Path,
    settings: Settings,
    adapters: Sequence[AdapterFile],
    projector: ProjectorFile | None,
    progress: Callable[[float], None],
) -> Opened | OpenedEncoder:
    """Bring a file into memory, on another thread; cancelling it stops the load.

    Args:
        path: The GGUF file, or the first of several shards; its header was checked before.
        settings: How to load it.
        adapters: What to load beside it.
        projector: What lets it see.
        progress: Told from 0 to 1 how far it is, on the loading thread.

    Raises:
        ModelLoadError: llama.cpp can't load it, or this engine can't generate with it; says why.
    """
    stopped = threading.Event()
    opening = asyncio.ensure_future(
        asyncio.to_thread(_open, path, settings, adapters, projector, progress, stopped)
    )
    try:
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        stopped.set()
        with suppress(ModelLoadError):
            (await opening).close()
        raise


def _open(
    path: Path,
    settings: Settings,
    adapters: Sequence[AdapterFile],
    projector: ProjectorFile | None,
    progress: Callable[[float], None],
    stopped: threading.Event,
) -> Opened | OpenedEncoder:
    def on_progress(part: float) -> bool:
        progress(part * _WEIGHTS_SHARE)
        return not stopped.is_set()

    header = read_header(path)
    purpose = purpose_of(header, settings)
    check_numbers(header)
    check_cache_types(settings, header)
    check_fit(adapters, header)
    model = NativeModel(path, model_params(settings), on_progress)
    try:
        if purpose.chats:
            _check_decoder(model, path)
        length = context_length(settings, model.trained_context, fixed=purpose.encodes)
        model.attach(adapters)
        weights = Weights(
            model=model,
            header=header,
            vocab=Vocab(model.vocab),
            purpose=purpose,
            context_length=length,
            adapters=adapters,
        )
        opened = _generator(weights, settings, projector) if purpose.chats else _encoder(weights, settings)
    except BaseException:
        model.free()
        raise
    progress(1.0)
    return opened


def _generator(weights: Weights, settings: Settings, projector: ProjectorFile | None) -> Opened:
    model, length = weights.model, weights.context_length
    template = _template(model, weights.vocab, settings)
    parallel = parallel_sequences(weights.header, settings)
    params = context_params(settings, length, parallel)
    eyes = open_projector(projector, model, settings)
    try:
        context = NativeContext(model, params)
    except BaseException:
        if eyes is not None:
            eyes.free()
        raise
    _LOG.info("%s: %d sequences of %d tokens", model.describe(), parallel, length)
    return Opened(
        **_fields(weights),
        context=context,
        kv=_kv(context, params, model),
        template=template,
        prefix_room=prefix_room(settings),
        projector=eyes,
    )


def _encoder(weights: Weights, settings: Settings) -> OpenedEncoder:
    encoder = Encoder(weights.model, settings, weights.purpose, weights.context_length)
    _LOG.info("%s: texts of up to %d tokens", weights.model.describe(), weights.context_length)
    return OpenedEncoder(**_fields(weights), encoder=encoder)


def _fields(weights: Weights) -> dict[str, Any]:
    return {field.name: getattr(weights, field.name) for field in fields(weights)}


def _check_decoder(model: NativeModel, path: Path) -> None:
    if not model.decodes or model.diffusion:
        raise ModelLoadError(
            f"{path.name} holds a model that does not generate text token by token ({model.describe()})."
            " The llama.cpp engine generates with decoder models only."
        )


def _template(model: NativeModel, vocab: Vocab, settings: Settings) -> ChatTemplate:
    texts: dict[str, Any] = {
        "control_tokens": vocab.control,
        "bos_token": vocab.text_of(vocab.bos),
        "eos_token": vocab.text_of(vocab.eos),
    }
    if settings.prompt_template:
        return ChatTemplate.from_setting(settings.prompt_template, **texts)
    source = model.template()
    return ChatTemplate(source, **texts) if source else ChatTemplate.fallback(**texts)


def _kv(context: NativeContext, params: Any, model: NativeModel) -> KvCache:
    layout = UnifiedKv if params.kv_unified else StreamKv
    return layout(
        context,
        lib.llama_n_seq_max(context.pointer),
        cuttable=not model.recurrent,
        window=0 if params.swa_full else lib.llama_model_n_swa(model.pointer),
    )
