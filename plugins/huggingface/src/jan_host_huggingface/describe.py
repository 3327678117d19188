"""The model.json of a model in a repository: what the hub, its card and the files' names tell."""

import re
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import urlsplit

from jan_host import Model, Source

from jan_host_huggingface.answers import counted
from jan_host_huggingface.layouts import Bundle
from jan_host_huggingface.repositories import Repository

MOST_TEXT = 500
MOST_TAGS = 30
_ENDING = re.compile(r"(?<=[\w)])[-_.](?:gguf|onnx)$", re.IGNORECASE)
_NOISE = re.compile(
    r"(region|license|base_model|arxiv|dataset|doi|deploy):.*|endpoints_compatible|autotrain_compatible"
)


def describe(
    repository: Repository, bundle: Bundle, *, origin: str, importer: str, address: str, several: bool
) -> Model:
    """What is known before a file is fetched.

    Args:
        repository: Where the model lies.
        bundle: The variant.
        origin: In the shortest form, with the variant.
        importer: Its name.
        address: Where files of the repository can be had: their path goes behind it.
        several: Whether the repository has other variants, so that the id has to tell them apart.
    """
    title = _ENDING.sub("", repository.id.rpartition("/")[2])
    name = f"{title}-{bundle.name}" if several else title
    owner = repository.id.rpartition("/")[0] or text_of(repository.answer.author)
    return Model(
        id=re.sub(r"[^\w.-]+", "-", name).strip("-."),
        name=name,
        owned_by=owner or "you",
        format=bundle.format,
        sources=[Source(filename=file.path, url=address + quoted(file.path)) for file in bundle.files],
        settings=dict(bundle.settings),
        metadata=_metadata(repository, bundle, owner),
        origin=origin,
        import_format=importer,
    )


def quoted(path: str) -> str:
    """A file's path in an address."""
    from urllib.parse import quote

    return quote(path)


def text_of(told: Any) -> str | None:
    """A text from outside, short and printable, else ``None``."""
    if not isinstance(told, str):
        return None
    cleaned = " ".join(told.split())
    return cleaned[:MOST_TEXT] if cleaned and cleaned.isprintable() else None


def _metadata(repository: Repository, bundle: Bundle, owner: str | None) -> dict[str, Any]:
    answer = repository.answer
    card = answer.card if isinstance(answer.card, dict) else {}
    gguf = counted(answer.gguf)
    found = {
        "author": owner,
        "license": _license(card),
        "tags": _tags(answer.tags),
        "size": bundle.size,
        "cover": _cover(card),
        "quantization": bundle.label or None,
        "parameter_count": gguf.total or counted(answer.safetensors).total,
        "architecture": text_of(gguf.architecture),
        "context_length": gguf.context_length,
        "base_model": _one_or_more(card.get("base_model")),
        "languages": _many(card.get("language")),
        "task": text_of(answer.pipeline_tag),
        "revision": repository.commit,
    }
    return {key: value for key, value in found.items() if value}


def _license(card: dict[str, Any]) -> str | None:
    told = card.get("license")
    first = told[0] if isinstance(told, list) and told else told
    return text_of(card.get("license_name")) if first == "other" else text_of(first)


def _tags(tags: Sequence[str]) -> list[str]:
    found = (text_of(tag) for tag in tags)
    return [tag for tag in found if tag and not _NOISE.fullmatch(tag)][:MOST_TAGS]


def _cover(card: dict[str, Any]) -> str | None:
    """A picture of the model, where the card names one by an https address."""
    told = text_of(card.get("thumbnail"))
    return told if told and urlsplit(told).scheme == "https" else None


def _many(told: Any) -> list[str]:
    items: Iterable[Any] = told if isinstance(told, list) else [told]
    return [text for text in map(text_of, list(items)[:MOST_TAGS]) if text]


def _one_or_more(told: Any) -> str | list[str] | None:
    found = _many(told)
    return found[0] if len(found) == 1 else found or None
