"""A decoder graph comes into memory, with all that is needed to generate with it."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any, Final

from jan_host import EngineError, LoadedModel, ModelLoadError, Progress
from jan_host.kit.generation import Serving

from jan_host_onnx.generation.cache import CacheStore, Place
from jan_host_onnx.generation.genai import open_genai
from jan_host_onnx.generation.grouping import Grouping
from jan_host_onnx.generation.habits import Habits, find_habits
from jan_host_onnx.generation.model import DecoderModel, Opened
from jan_host_onnx.generation.pace import Pace
from jan_host_onnx.generation.runner import Runner
from jan_host_onnx.generation.shelf import Shelf
from jan_host_onnx.generation.signature import Signature, read_signature
from jan_host_onnx.generation.speech import read_ends, read_template
from jan_host_onnx.generation.stepper import DecoderStepper
from jan_host_onnx.generation.vocabulary import Vocabulary
from jan_host_onnx.layouts import Layout, check_tokenizer
from jan_host_onnx.limits import context_length, parallel_sequences
from jan_host_onnx.sessions import LONGER, open_session
from jan_host_onnx.settings import OnnxSettings
from jan_host_onnx.tokenizer import TextTokenizer

logger = logging.getLogger(__name__)

_IN_PLACE: Final = "GroupQueryAttention"
_MOST_TOKENS: Final = 512
"""Tokens of one run, when the settings say nothing."""
_DEVICES: Final = {"CUDAExecutionProvider": "cuda", "TensorrtExecutionProvider": "cuda"}
"""Where each provider keeps tensors; others take them from the CPU's memory."""


async def load_decoder(
    layout: Layout,
    settings: OnnxSettings,
    progress: Progress,
    parameters: Mapping[str, Any],
) -> LoadedModel:
    """Bring a model that generates into memory.

    Args:
        layout: Its files.
        settings: How to load it.
        progress: Told from 0 to 1 how far it is.
        parameters: The model's own parameters of requests.

    Raises:
        ModelLoadError: It can't be loaded, or the package that it needs is missing; says why.
    """
    open_model = open_genai if layout.kind == "genai" else _open
    opened = await asyncio.to_thread(open_model, layout, settings, progress)
    return DecoderModel(opened, Serving.of(settings, parameters))


def _open(layout: Layout, settings: OnnxSettings, progress: Progress) -> Opened:
    tokenizer = TextTokenizer(check_tokenizer(layout))
    template = read_template(layout, tokenizer, settings.prompt_template)
    progress(0.1)
    session = open_session(layout.graph_path, settings, spins=LONGER)
    progress(0.9)
    signature = read_signature(session, layout.graph_path.name)
    vocabulary = Vocabulary(
        tokenizer, signature.vocabulary or tokenizer.largest + 1, read_ends(layout, tokenizer)
    )
    context = context_length(settings, layout)
    parallel = parallel_sequences(settings, context, signature.bytes_per_token)
    stepper = _stepper(layout, session, signature, vocabulary, settings, (context, parallel))
    progress(1.0)
    return Opened(
        stepper=stepper,
        vocabulary=vocabulary,
        template=template,
        context_length=context,
        parallel=parallel,
    )


def _stepper(
    layout: Layout,
    session: Any,
    signature: Signature,
    vocabulary: Vocabulary,
    settings: OnnxSettings,
    limits: tuple[int, int],
) -> DecoderStepper:
    place = Place(_DEVICES.get(session.get_providers()[0], "cpu"), settings.device)
    context, parallel = limits
    runner = Runner(session, signature, place)
    stores = {in_place: CacheStore(signature, place, in_place=in_place) for in_place in (False, True)}
    habits = _habits(layout, runner, stores, vocabulary)
    mixes = layout.graph.quantizes_activations
    logger.info(
        "%s: %d sequences of %d tokens, %s",
        layout.graph_path.name,
        parallel,
        context,
        _described(habits, mixes),
    )
    return DecoderStepper(
        runner,
        stores[habits.in_place],
        vocabulary,
        grouping=Grouping(
            batches=habits.batches and not mixes, filling=layout.size // max(1, signature.bytes_per_token)
        ),
        pace=Pace(min(_MOST_TOKENS, settings.n_batch or _MOST_TOKENS), pieces=habits.pieces, steady=mixes),
        seats=parallel,
        shelf=Shelf(parallel * context),
        drafts=_drafts(habits, place) and not mixes,
    )


def _habits(layout: Layout, runner: Runner, stores: dict[bool, CacheStore], vocabulary: Vocabulary) -> Habits:
    shares = _IN_PLACE in layout.graph.operators
    try:
        return find_habits(runner, stores, vocabulary.size, shares=shares)
    except EngineError as error:
        raise ModelLoadError(f"{layout.graph_path.name} loads and does not run: {error}") from error


def _drafts(habits: Habits, place: Place) -> bool:
    """Whether tokens may be guessed: what was guessed wrong must be taken off the KV cache at little cost."""
    return habits.pieces and habits.tells_each and (habits.in_place or place.device == "cpu")


def _described(habits: Habits, mixes: bool) -> str:
    cache = "KV cache written in place" if habits.in_place else "KV cache copied at each step"
    together = "together" if habits.batches and not mixes else "in turn"
    prompts = "in pieces" if habits.pieces else "whole"
    return f"computed {together}, prompts {prompts}, {cache}"
