"""The importers: an upstream tells its models, one is chosen, and its model.json is planned."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar
from urllib.parse import unquote, urlsplit

import msgspec
from jan_host import (
    Importer,
    ImportFailedError,
    ImportOptions,
    ImportPlan,
    JanHostError,
    Model,
    ModelLoadError,
    OriginNotFoundError,
    Variant,
)

from jan_host_openai.addresses import OPENAI_URL, base_url, host_of, is_azure
from jan_host_openai.client import connect, connect_azure
from jan_host_openai.engine import FORMAT
from jan_host_openai.faults import translated
from jan_host_openai.keys import key_for
from jan_host_openai.remote import Remote
from jan_host_openai.settings import AzureUpstream, OpenAIUpstream

DEPLOYMENTS_VERSION = "2023-03-15-preview"
"""The last version of Azure's API in which a key is enough to list deployments."""
LISTING_SECONDS = 30.0

_MODEL_NAME = re.compile(r"[\w.:-]+")
_HOST = re.compile(r"(localhost|[\w-]+(\.[\w-]+)*\.[a-z]{2,}|[\w.-]+:\d+)(/.*)?", re.IGNORECASE)


class _Item(msgspec.Struct):
    id: str
    owned_by: str | None = None
    model: str | None = None


class _Listing(msgspec.Struct):
    data: list[_Item]


_decode = msgspec.json.Decoder(_Listing).decode


class OpenAIImporter(Importer):
    """``openai:https://HOST/v1``, ``openai:https://HOST/v1#MODEL``, or ``openai:MODEL`` of OpenAI itself.

    Args:
        keys: See `jan_host_openai.keys.Settings`.
    """

    name: ClassVar[str] = "openai"

    def __init__(self, keys: dict[str, str] | None = None) -> None:
        self._keys = keys or {}

    def accepts(self, origin: str) -> bool:
        """Only OpenAI's own address: any other could be a file's."""
        return host_of(origin) == host_of(OPENAI_URL)

    async def resolve(self, origin: str, options: ImportOptions) -> ImportPlan:
        """Ask the upstream for its models, and plan one."""
        address, named = _split(origin)
        with _import_errors():
            url = base_url(address or OPENAI_URL)
        key = key_for(host_of(url), self._keys)
        with _import_errors():
            remote = connect(_asking(OpenAIUpstream(api_key=key)), url, "", reasoning=False)
        items = await _list(remote, "/models")
        settings = {"base_url": url, **({"api_key": key} if key else {})}
        chosen = _choose(items, options.variant or named, url)
        model = Model(
            id=options.id or f"{host_of(url)}/{chosen.id}",
            name=chosen.id,
            owned_by=chosen.owned_by or "you",
            format=FORMAT,
            engine=self.name,
            settings={**settings, "model": chosen.id},
            origin=url,
            import_format=self.name,
        )
        return _plan(self, origin, model, items, chosen, named=bool(options.variant or named))


class AzureImporter(Importer):
    """``https://RESOURCE.openai.azure.com/``, with ``#DEPLOYMENT`` for a certain one.

    Args:
        keys: See `jan_host_openai.keys.Settings`.
    """

    name: ClassVar[str] = "azure_openai"

    def __init__(self, keys: dict[str, str] | None = None) -> None:
        self._keys = keys or {}

    def accepts(self, origin: str) -> bool:
        """Azure's addresses."""
        return is_azure(origin)

    async def resolve(self, origin: str, options: ImportOptions) -> ImportPlan:
        """Ask the resource for its deployments, and plan one; one that is named is taken unseen."""
        address, named = _split(origin)
        with _import_errors():
            url = base_url(address or "", path="")
        parts = urlsplit(url)
        path = re.match(r"/openai/deployments/([^/]+)", parts.path)
        endpoint = f"{parts.scheme}://{parts.netloc}"
        named = options.variant or named or (unquote(path[1]) if path else None)
        key = key_for(parts.netloc, self._keys) or "env:AZURE_OPENAI_API_KEY"
        asking = _asking(AzureUpstream(api_key=key, api_version=DEPLOYMENTS_VERSION))
        with _import_errors():
            remote = connect_azure(asking, endpoint, None, None, reasoning=False)
        warnings = []
        try:
            items = await _list(remote, "/deployments")
        except OriginNotFoundError:
            if not named or options.variant:
                raise
            warnings.append(f"The resource does not list its deployments; {named} is taken unseen.")
            items = [_Item(id=named)]
        chosen = _choose(items, named, endpoint)
        resource = parts.netloc.partition(".")[0]
        model = Model(
            id=options.id or f"openai.azure.com/{resource}/{chosen.id}",
            name=chosen.id,
            owned_by="OpenAI Azure",
            format=FORMAT,
            engine=self.name,
            settings={
                "base_url": endpoint,
                "api_key": key,
                "deployment_name": chosen.id,
                **({"model": chosen.model} if chosen.model else {}),
            },
            origin=endpoint,
            import_format=self.name,
        )
        plan = _plan(self, origin, model, items, chosen, named=bool(named))
        plan.warnings += warnings
        return plan


def _split(origin: str) -> tuple[str | None, str | None]:
    """The address in an origin, and the model's name."""
    address, _, named = origin.strip().partition("#")
    if "://" in address or _HOST.fullmatch(address):
        return address, unquote(named) or None
    if _MODEL_NAME.fullmatch(address) and not named:
        return None, address
    raise ImportFailedError(
        f"{origin[:200]!r} is neither an address nor a model's name. Write https://HOST/v1 or"
        " https://HOST/v1#MODEL.",
        param="origin",
    )


@contextmanager
def _import_errors() -> Iterator[None]:
    """What would keep a model from being loaded keeps it from being imported."""
    try:
        yield
    except ModelLoadError as error:
        raise ImportFailedError(error.message, param="origin") from None


def _asking(upstream: Any) -> Any:
    return msgspec.structs.replace(upstream, timeout=LISTING_SECONDS)


async def _list(remote: Remote, path: str) -> list[_Item]:
    """The models that an upstream tells."""
    try:
        data = await remote.look(path)
        with translated(remote.name, remote.hide):
            found = _decode(data).data
    except JanHostError as error:
        raise _failure(error, remote.name) from None
    finally:
        await remote.close()
    if not found:
        raise OriginNotFoundError(f"{remote.name} has no models.", param="origin")
    return found


def _failure(error: JanHostError, upstream: str) -> ImportFailedError:
    if error.http_status == 404:
        return OriginNotFoundError(
            f"There is no list of models at {upstream}. Check the address; most end in /v1.", param="origin"
        )
    return ImportFailedError(f"{upstream} did not tell its models: {error.message}", param="origin")


def _choose(items: list[_Item], named: str | None, upstream: str) -> _Item:
    if named is None:
        return items[0]
    chosen = next((item for item in items if item.id == named), None)
    if chosen is None:
        names = ", ".join(item.id for item in items[:20])
        raise OriginNotFoundError(f"{upstream} has no {named!r}; it has: {names}.", param="variant")
    return chosen


def _plan(
    importer: Importer, origin: str, model: Model, items: list[_Item], chosen: _Item, *, named: bool
) -> ImportPlan:
    variants = {item.id: Variant(name=item.id, description=item.model or item.owned_by) for item in items}
    reason = "you named it" if named else "it is the first in the list; choose another by --variant"
    return ImportPlan(
        origin=origin,
        importer=importer.name,
        model=model,
        assets=[],
        variants=list(variants.values()),
        variant=chosen.id,
        reason=reason,
        warnings=[],
    )
