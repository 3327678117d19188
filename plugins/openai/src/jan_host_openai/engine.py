"""The engines: from a model.json to a model whose upstreams can be asked. No network is used to load one."""

import logging
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, ClassVar, get_args

import msgspec
from jan_host import Engine, Footprint, LoadedModel, Model, ModelLoadError, Place, Progress

from jan_host_openai.addresses import OPENAI_HOST, OPENAI_URL, base_url, host_of, is_azure
from jan_host_openai.client import connect, connect_azure
from jan_host_openai.entra import default_credential, token_provider
from jan_host_openai.model import remote_model
from jan_host_openai.remote import Remote
from jan_host_openai.requests import is_reasoning
from jan_host_openai.secrets import is_reference
from jan_host_openai.settings import (
    AzureSettings,
    AzureUpstream,
    Capability,
    OpenAISettings,
    OpenAIUpstream,
    completed,
)
from jan_host_openai.upstreams import Upstreams

FORMAT = "api"
"""The seeds' format of a model whose weights are somewhere else; also what they call its engine."""

logger = logging.getLogger(__name__)


class RemoteEngine(Engine):
    """What both engines have in common."""

    aliases: ClassVar[frozenset[str]] = frozenset({"api"})
    formats: ClassVar[frozenset[str]] = frozenset({FORMAT})
    runs_in: ClassVar[Place] = "host"

    def estimate(self, model: Model, folder: Path | None, settings: Any) -> Footprint:
        """Nothing is held in this machine's memory."""
        return Footprint()


class OpenAIEngine(RemoteEngine):
    """Models of OpenAI and of every server that speaks its API."""

    name: ClassVar[str] = "openai"
    Settings: ClassVar[type[msgspec.Struct]] = OpenAISettings

    def accepts(self, origin: str) -> bool:
        """Every address but Azure's."""
        return bool(host_of(origin)) and not is_azure(origin)

    async def load(self, model: Model, folder: Path, settings: Any, progress: Progress) -> LoadedModel:
        """Set up a client for each upstream."""
        remotes = [_openai(model, each) for each in _upstreams(settings, OpenAIUpstream)]
        _warn_of_literal_keys(model, settings)
        progress(1.0)
        return remote_model(Upstreams(remotes), settings.capabilities or get_args(Capability))


class AzureOpenAIEngine(RemoteEngine):
    """Deployments in Azure OpenAI."""

    name: ClassVar[str] = "azure_openai"
    Settings: ClassVar[type[msgspec.Struct]] = AzureSettings

    def accepts(self, origin: str) -> bool:
        """Azure's addresses."""
        return is_azure(origin)

    async def load(self, model: Model, folder: Path, settings: Any, progress: Progress) -> LoadedModel:
        """Set up a client for each deployment."""
        remotes = [_azure(model, each) for each in _upstreams(settings, AzureUpstream)]
        _warn_of_literal_keys(model, settings)
        progress(1.0)
        return remote_model(Upstreams(remotes), settings.capabilities or ("chat", "complete", "embed"))


def _upstreams(settings: Any, kind: type[Any]) -> list[Any]:
    """The upstreams that the settings name, each complete; without a list the one that they describe."""
    return [completed(each, settings) for each in settings.upstreams or [kind()]]


def _openai(model: Model, settings: OpenAIUpstream) -> Remote:
    url = base_url(settings.base_url or model.origin or OPENAI_URL)
    if settings.api_key is None and host_of(url) == OPENAI_HOST:
        settings = msgspec.structs.replace(settings, api_key="env:OPENAI_API_KEY")
    name = settings.model or model.id
    return connect(settings, url, name, reasoning=_is_reasoning(settings, name))


def _azure(model: Model, settings: AzureUpstream) -> Remote:
    endpoint = settings.base_url or model.origin
    if not endpoint:
        raise ModelLoadError(
            f"{model.id} does not say which resource of Azure's it is. Set base_url, such as"
            " https://NAME.openai.azure.com.",
            param="settings.base_url",
        )
    deployment = settings.deployment_name or settings.model or model.id.rpartition("/")[2]
    # A deployment may have any name: the model's own is the better hint, where it is given.
    reasoning = _is_reasoning(settings, settings.model or deployment)
    closing = AsyncExitStack()
    tokens = None
    if settings.entra_id:
        credential = default_credential()
        closing.push_async_callback(credential.close)
        tokens = token_provider(credential)
    remote = connect_azure(settings, base_url(endpoint, path=""), deployment, tokens, reasoning=reasoning)
    remote.closing = closing
    return remote


def _is_reasoning(settings: OpenAIUpstream, name: str) -> bool:
    return is_reasoning(name) if settings.reasoning is None else settings.reasoning


def _warn_of_literal_keys(model: Model, settings: Any) -> None:
    for each in (settings, *settings.upstreams):
        if each.api_key and not is_reference(each.api_key):
            logger.warning(
                "The settings of %s hold a key itself. Write env:NAME or file:PATH as api_key instead, and"
                " change the key if others could read the file.",
                model.id,
            )
