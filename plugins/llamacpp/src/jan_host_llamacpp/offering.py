"""What the host gets of an opened model: an object with the methods of what it can do, and no others."""

from jan_host import LoadedModel

from jan_host_llamacpp.embedding.models import ChatEmbeddingModel, EmbeddingModel, RerankModel
from jan_host_llamacpp.loading import Opened, OpenedEncoder
from jan_host_llamacpp.model import LlamaCppModel
from jan_host_llamacpp.settings import Settings


def offer(opened: Opened | OpenedEncoder, settings: Settings, default_limit: int | None) -> LoadedModel:
    """The loaded model, on the event loop that will call it.

    Args:
        opened: What was brought into memory; belongs to the result from now on.
        settings: How it was loaded.
        default_limit: ``max_tokens`` of the model's own parameters.

    Raises:
        ModelLoadError: A reranker gives no score; `opened` is still the caller's.
    """
    if isinstance(opened, OpenedEncoder):
        if opened.purpose.ranks:
            return RerankModel(opened)
        return EmbeddingModel(opened, normalize=settings.normalize)
    if opened.purpose.embeds:
        return ChatEmbeddingModel(opened, settings, default_limit=default_limit)
    return LlamaCppModel(
        opened,
        max_queue=settings.max_queue,
        system_prompt=settings.system_prompt,
        reasoning=settings.reasoning_format == "auto",
        default_limit=default_limit,
    )
