"""What the host gets of an opened model: an object with the methods of what it can do, and no others."""

from collections.abc import Mapping
from typing import Any

from jan_host import LoadedModel
from jan_host.kit.generation import Serving

from jan_host_llamacpp.embedding.models import ChatEmbeddingModel, EmbeddingModel, RerankModel
from jan_host_llamacpp.loading import Opened, OpenedEncoder
from jan_host_llamacpp.model import LlamaCppModel
from jan_host_llamacpp.settings import Settings
from jan_host_llamacpp.vision.model import SeeingEmbeddingModel, SeeingModel


def offer(opened: Opened | OpenedEncoder, settings: Settings, parameters: Mapping[str, Any]) -> LoadedModel:
    """The loaded model, on the event loop that will call it.

    Args:
        opened: What was brought into memory; belongs to the result from now on.
        settings: How it was loaded.
        parameters: The model's own parameters of requests.

    Raises:
        ModelLoadError: A reranker gives no score; `opened` is still the caller's.
    """
    if isinstance(opened, OpenedEncoder):
        if opened.purpose.ranks:
            return RerankModel(opened)
        return EmbeddingModel(opened, normalize=settings.normalize)
    serving = Serving.of(settings, parameters)
    if opened.purpose.embeds:
        kind = ChatEmbeddingModel if opened.projector is None else SeeingEmbeddingModel
        return kind(opened, settings, serving)
    return (LlamaCppModel if opened.projector is None else SeeingModel)(opened, serving)
