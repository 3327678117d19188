"""A model computes on no more threads than it is told that there are cores for it."""

from collections.abc import Iterator
from pathlib import Path

import llama_cpp.llama_cpp as lib
import numpy as np
import pytest
from jan_host import SharesCores
from jan_host_llamacpp.batch import Batch
from jan_host_llamacpp.embedding.models import EmbeddingModel, RerankModel
from jan_host_llamacpp.model import LlamaCppModel
from jan_host_llamacpp.native import NativeContext, NativeModel


@pytest.fixture
def model(smollm2: Path) -> Iterator[NativeModel]:
    loaded = NativeModel(smollm2, lib.llama_model_default_params(), lambda _: True)
    yield loaded
    loaded.free()


@pytest.fixture
def context(model: NativeModel) -> Iterator[NativeContext]:
    """On 3 threads for tokens and on 5 for prompts."""
    params = lib.llama_context_default_params()
    params.n_ctx, params.n_threads, params.n_threads_batch = 64, 3, 5
    made = NativeContext(model, params)
    yield made
    made.free()


def threads_of_a_step(context: NativeContext, past: int) -> tuple[int, int]:
    """The threads for tokens and for prompts, with which a step of one token is computed."""
    batch = Batch(context.batch_size)
    batch.add(0, np.array([1], np.int32), past, 1)
    assert context.decode(batch) == 0
    return lib.llama_n_threads(context.pointer), lib.llama_n_threads_batch(context.pointer)


def test_the_next_step_keeps_to_the_cores_and_to_the_settings(
    model: NativeModel, context: NativeContext
) -> None:
    seen = []
    for past, count in enumerate([None, 4, 1, 1000, None]):
        model.cores = count
        seen.append(threads_of_a_step(context, past))
    assert seen == [(3, 5), (3, 4), (1, 1), (3, 5), (3, 5)]


def test_all_its_models_share() -> None:
    assert all(issubclass(kind, SharesCores) for kind in (LlamaCppModel, EmbeddingModel, RerankModel))
