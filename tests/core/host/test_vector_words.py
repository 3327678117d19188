"""What clients of other servers ask of embeddings and rerank."""

from typing import Any

import pytest
from jan_host import EmbeddingRequest, RerankRequest, UnsupportedError
from jan_host.host.words import vectors_in_our_words


def embedding(extra: dict[str, Any], **fields: Any) -> EmbeddingRequest:
    return EmbeddingRequest(input="x", extra=extra, **fields)


def rerank(extra: dict[str, Any], **fields: Any) -> RerankRequest:
    return RerankRequest(query="x", documents=["y"], extra=extra, **fields)


@pytest.mark.parametrize("ask", [embedding, rerank])
def test_cut_to_what_the_model_reads(ask: Any) -> None:
    assert vectors_in_our_words(ask({"truncate_prompt_tokens": -1})).truncate is True
    assert vectors_in_our_words(ask({"truncate_prompt_tokens": -1}, truncate=False)).truncate is False
    request = ask({"truncate_prompt_tokens": None, "normalize": True, "embd_normalize": 2})
    assert vectors_in_our_words(request) is request


@pytest.mark.parametrize(
    ("ask", "extra"),
    [
        (embedding, {"truncate_prompt_tokens": 10}),
        (embedding, {"normalize": False}),
        (embedding, {"embd_normalize": -1}),
        (embedding, {"late_chunking": True}),
        (embedding, {"embed_dtype": "float16"}),
        (embedding, {"endianness": "big"}),
        (rerank, {"truncate_prompt_tokens": 10}),
        (rerank, {"max_tokens_per_doc": 10}),
        (rerank, {"max_chunks_per_doc": 2}),
        (rerank, {"rank_fields": ["title"]}),
        (rerank, {"use_activation": False}),
        (rerank, {"raw_scores": True}),
    ],
)
def test_what_would_be_ignored_is_refused(ask: Any, extra: dict[str, Any]) -> None:
    with pytest.raises(UnsupportedError) as raised:
        vectors_in_our_words(ask(extra))
    assert raised.value.param == next(iter(extra))
