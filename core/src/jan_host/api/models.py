"""``/v1/models``: list, look up, change, start, stop, delete, pull."""

from collections.abc import Mapping
from typing import Any, Literal

import msgspec
from litestar import Request, delete, get, patch, post, put
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, JSONBody

from jan_host.api.listing import Answer, Listing
from jan_host.api.operation import operation
from jan_host.api.paths import model_id as id_in
from jan_host.api.security import is_local
from jan_host.contract.errors import EngineNotInstalledError, InvalidRequestError, ValidationError
from jan_host.contract.events import DownloadInfo
from jan_host.contract.importer import ImportPlan, PullRequest
from jan_host.contract.model import ModelInfo, ModelStatus
from jan_host.host import JanHost, LocalImport, ModelPatch

AnyRequest = Request[Any, Any, Any]
ModelFilter = Literal["all", "running", "downloaded", "downloading", "available", "remote"]

ON_DISK = frozenset(
    {
        ModelStatus.DOWNLOADED,
        ModelStatus.STARTING,
        ModelStatus.RUNNING,
        ModelStatus.STOPPING,
        ModelStatus.FAILED,
    }
)
STATUSES: Mapping[str, frozenset[ModelStatus]] = {
    "all": frozenset(ModelStatus),
    "running": frozenset({ModelStatus.RUNNING}),
    "downloaded": ON_DISK,
    "downloading": frozenset({ModelStatus.DOWNLOADING}),
    "available": frozenset({ModelStatus.AVAILABLE}),
    "remote": frozenset({ModelStatus.REMOTE}),
}
"""Which models each filter lets through."""

SETTINGS_NAMES = ("settings", "engine_parameters", "model_parameters", "init")
"""Under these names a start request may hold its settings: the canonical one and the seeds' own."""
NOT_SETTINGS = frozenset({*SETTINGS_NAMES, "id", "model", "engine"})


class ModelList(msgspec.Struct, kw_only=True):
    """The answer to ``GET /v1/models``."""

    object: Literal["list"] = "list"
    data: list[ModelInfo]


class DeletedModel(msgspec.Struct, kw_only=True):
    """The answer to ``DELETE /v1/models/{id}``."""

    id: str
    object: Literal["model"] = "model"
    deleted: bool = True


def model_routes(host: JanHost) -> list[HTTPRouteHandler]:
    """The model routes over a host."""
    return [*_reading(host), *_running(host), *_pulling(host)]


def _reading(host: JanHost) -> list[HTTPRouteHandler]:
    listing = Listing()

    @get("/models", **operation("list_models", "List models", "Models", answer=ModelList))
    async def list_models(filter: FromQuery[ModelFilter] = "all") -> Answer:  # noqa: A002  # the query parameter's name
        """Lists all models, or those that run, are downloaded, on their way, to be had, or remote."""
        await host.glance()
        return listing.answer(host.models(), STATUSES[filter])

    @get("/models/{model_id:str}", **operation("retrieve_model", "Retrieve a model", "Models"))
    async def retrieve_model(model_id: FromPath[str]) -> ModelInfo:
        """One model. Slashes in its id may be written plainly or as %2F."""
        return await host.look_up(id_in(model_id))

    @delete("/models/{model_id:str}", **operation("delete_model", "Delete a model", "Models"))
    async def delete_model(model_id: FromPath[str], cancel: FromQuery[bool] = False) -> DeletedModel:
        """Stops a model and removes it. While it is being downloaded, this needs ?cancel=true."""
        name = id_in(model_id)
        await host.delete(name, cancel=cancel)
        return DeletedModel(id=name)

    @patch("/models/{model_id:str}", **operation("update_model", "Change a model", "Models"))
    async def update_model(model_id: FromPath[str], data: JSONBody[ModelPatch]) -> ModelInfo:
        """Changes fields of its model.json. New settings are in force when it is started the next time."""
        return await host.change(id_in(model_id), data)

    return [list_models, retrieve_model, update_model, delete_model]


def _running(host: JanHost) -> list[HTTPRouteHandler]:
    @put("/models/{model_id:str}/start", **operation("start_model", "Start a model", "Models"))
    async def start_model(model_id: FromPath[str], data: JSONBody[dict[str, Any] | None] = None) -> ModelInfo:
        """Loads a model and answers when it is ready.

        The body is optional. It holds settings that go over those of the model's own: under
        `settings` (or `engine_parameters`, `model_parameters`, `init`), or at the top level.
        """
        name = id_in(model_id)
        _check_engine(host, name, (data or {}).get("engine"))
        return await host.start(name, start_settings(data or {}))

    @put("/models/{model_id:str}/stop", **operation("stop_model", "Stop a model", "Models"))
    async def stop_model(model_id: FromPath[str]) -> ModelInfo:
        """Lets the model's requests end, then frees its memory."""
        return await host.stop(id_in(model_id))

    return [start_model, stop_model]


def _pulling(host: JanHost) -> list[HTTPRouteHandler]:
    @post("/models/pull", **operation("pull_model", "Download a model", "Models", status=202))
    async def pull_model(data: JSONBody[PullRequest], request: AnyRequest) -> DownloadInfo:
        """Begins to bring a model; GET /v1/downloads/{id} tells how far it is."""
        return await host.pull(data, local=is_local(request.scope))

    @post("/models/plan", **operation("plan_pull", "Plan a download", "Models"))
    async def plan_pull(data: JSONBody[PullRequest], request: AnyRequest) -> ImportPlan:
        """What a pull would fetch and write, which other variants there are, and why this one."""
        return await host.plan(data, local=is_local(request.scope))

    @post("/models/import", **operation("import_model", "Import a model", "Models"))
    async def import_model(data: JSONBody[LocalImport], request: AnyRequest) -> ModelList:
        """Links, copies or moves a file of the host's machine, or a folder with one or several models.

        Answers when they are there. Clients of other machines need [downloads] local_paths.
        """
        return ModelList(data=await host.import_local(data, local=is_local(request.scope)))

    return [pull_model, plan_pull, import_model]


def start_settings(body: Mapping[str, Any]) -> dict[str, Any]:
    """The settings in the body of a start request, wherever they stand in it.

    Raises:
        ValidationError: One of the names that hold settings holds no object.
    """
    settings = {name: value for name, value in body.items() if name not in NOT_SETTINGS}
    for name in SETTINGS_NAMES:
        inner = body.get(name)
        if inner is None:
            continue
        if not isinstance(inner, dict):
            raise ValidationError(f"{name} must be an object of settings.", param=name)
        settings |= inner
    return settings


def _check_engine(host: JanHost, model_id: str, engine: object) -> None:
    """A start request may name the model's engine, by any of its names, and no other."""
    if engine is None:
        return
    own = host.model(model_id).engine
    if not isinstance(engine, str) or _engine_name(host, engine) != _engine_name(host, own):
        raise InvalidRequestError(
            f"The model {model_id!r} runs on the engine {own!r}, not on {engine!r}. Leave 'engine' out.",
            param="engine",
        )


def _engine_name(host: JanHost, name: str) -> str:
    """The name of the engine that has this name or alias; the name itself where none has."""
    try:
        return host.plugins.engine(name).name
    except EngineNotInstalledError:
        return name
