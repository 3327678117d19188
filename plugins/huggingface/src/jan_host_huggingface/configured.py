"""Repositories that say themselves how to run their model: by model.json, or by model.yml and branches.

The second is the layout of cortexso: the default branch holds ``metadata.yml``, whose ``default:`` names
the branch that is recommended, and each other branch holds a model.yml and the files of one variant.
"""

import asyncio
import dataclasses
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from jan_host import ImportFailedError, ImportOptions, ImportPlan, Model, OriginNotFoundError
from jan_host.kit import choose
from msgspec.structs import replace

from jan_host_huggingface.client import Client
from jan_host_huggingface.describe import describe
from jan_host_huggingface.documents import Configuration, default_branch, read_model_json, read_model_yml
from jan_host_huggingface.layouts import Bundle, find_bundles
from jan_host_huggingface.origins import Origin, parse_origin
from jan_host_huggingface.planning import look, offer_of, plan_repository, read_origin
from jan_host_huggingface.repositories import Repository, check_names, check_repository
from jan_host_huggingface.settings import Settings, endpoint_of

MODEL_JSON, MODEL_YML, METADATA_YML = "model.json", "model.yml", "metadata.yml"
NOT_FETCHED = frozenset({"README.md", MODEL_JSON, MODEL_YML, METADATA_YML})
MOST_BRANCHES = 64
AT_ONCE = 6
"""Branches that are asked for at the same time."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Variant:
    """A branch, and the model in it."""

    branch: str
    repository: Repository
    bundle: Bundle


async def make_configured_plan(
    importer: str, text: str, options: ImportOptions, settings: Settings
) -> ImportPlan:
    """What `JanHQImporter.resolve` promises."""
    origin = read_origin(text, options, endpoint_of(settings))
    client = Client(settings)
    repository = await look(client, origin)
    if repository.file(MODEL_JSON) is not None:
        return await _plan_by_json(importer, origin, repository, client, options)
    if repository.file(METADATA_YML) is not None and origin.revision is None:
        return await _plan_branches(importer, origin, repository, client, options)
    if repository.file(MODEL_YML) is not None:
        variant = _variant(origin.revision or "main", repository)
        return await _plan_variants(importer, origin, [variant], None, client, options)
    return await plan_repository(importer, origin, repository, client, options)


async def _plan_by_json(
    importer: str, origin: Origin, repository: Repository, client: Client, options: ImportOptions
) -> ImportPlan:
    """The repository's own model.json, over what its files tell."""
    body = await asyncio.to_thread(client.file, repository.id, repository.commit, MODEL_JSON)
    told = read_model_json(body, repository.id)
    source = await _source(told, origin, repository, client)
    plan = await plan_repository(importer, source[0], source[1], client, options)
    model = _configured(plan.model, told)
    model.origin = plan.model.origin if source[1] is repository else origin.text()
    if options.id is None and len(plan.variants) == 1 and told.id:
        model.id = told.id
    return replace(
        plan, origin=model.origin or plan.origin, model=model, warnings=[*plan.warnings, *told.warnings]
    )


async def _source(
    told: Configuration, origin: Origin, repository: Repository, client: Client
) -> tuple[Origin, Repository]:
    """Where the files lie that a model.json names: in its own repository, or in another of the same hub."""
    named = next((file.path for file in repository.files if file.path in told.filenames), None)
    if named or not told.urls:
        wanted = origin.variant or origin.path or named
        return Origin(repo=origin.repo, revision=origin.revision, variant=wanted), repository
    try:
        there = parse_origin(told.urls[0], client.endpoint)
    except OriginNotFoundError:
        raise ImportFailedError(
            f"The model.json of {repository.id} names files that lie neither in it nor in another repository"
            f" of {client.endpoint}. Pull the file itself by its address, if you trust it."
        ) from None
    return there, await look(client, there)


async def _plan_branches(
    importer: str, origin: Origin, repository: Repository, client: Client, options: ImportOptions
) -> ImportPlan:
    """A variant for each branch that holds a model."""
    default = await asyncio.to_thread(_read_default, client, repository)
    names = [name for name in await asyncio.to_thread(client.branches, repository.id) if name != "main"]
    if len(names) > MOST_BRANCHES:
        raise ImportFailedError(
            f"{repository.id} has {len(names)} branches, more than the {MOST_BRANCHES} that are looked at."
            f" Name one: {origin.repo}@BRANCH."
        )
    others = await asyncio.to_thread(_look_at_branches, client, repository.id, names)
    variants = [_variant("main", repository)] if repository.file(MODEL_YML) and _has_model(repository) else []
    variants += [
        _variant(name, found) for name, found in zip(names, others, strict=True) if _has_model(found)
    ]
    if not variants:
        raise ImportFailedError(
            f"{repository.id} has no branch with a model. See {client.endpoint}/{repository.id}."
        )
    return await _plan_variants(importer, origin, variants, default, client, options)


def _read_default(client: Client, repository: Repository) -> str | None:
    return default_branch(client.file(repository.id, repository.commit, METADATA_YML), repository.id)


def _look_at_branches(client: Client, repo: str, names: Sequence[str]) -> list[Repository]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(lambda name: client.repository(repo, f"refs/heads/{name}"), names))
    return [check_repository(answer, repo) for answer in answers]


async def _plan_variants(
    importer: str,
    origin: Origin,
    variants: Sequence[_Variant],
    default: str | None,
    client: Client,
    options: ImportOptions,
) -> ImportPlan:
    """Choose a branch, then read its model.yml."""
    named = [dataclasses.replace(one.bundle, name=one.branch) for one in variants]
    offers = [
        offer_of(bundle, _describe(importer, one, bundle, client), one.repository, client)
        for one, bundle in zip(variants, named, strict=True)
    ]
    wanted = origin.variant or origin.path
    choice = await choose(offers, replace(options, variant=None), wanted=wanted, default=default)
    taken = next(one for one in variants if one.branch == choice.offer.name)
    check_names(taken.bundle.all_files, taken.repository.id)
    told = await asyncio.to_thread(_read_model_yml, client, taken.repository)
    model = _configured(choice.offer.model, told)
    return ImportPlan(
        origin=model.origin or origin.text(),
        importer=importer,
        model=replace(model, id=options.id or model.id),
        assets=choice.offer.assets,
        variants=choice.variants,
        variant=choice.offer.name,
        reason=choice.reason,
        warnings=[*choice.warnings, *told.warnings],
    )


def _read_model_yml(client: Client, repository: Repository) -> Configuration:
    if repository.file(MODEL_YML) is None:
        return Configuration()
    return read_model_yml(client.file(repository.id, repository.commit, MODEL_YML), repository.id)


def _describe(importer: str, one: _Variant, bundle: Bundle, client: Client) -> Model:
    """The branch is the variant: it stands in the id and in the origin."""
    revision = None if one.branch == "main" else one.branch
    return describe(
        one.repository,
        bundle,
        origin=Origin(repo=one.repository.id, revision=revision).text(),
        importer=importer,
        address=f"{client.endpoint}{client.path_of(one.repository.id, one.branch, '')}",
        several=one.branch not in ("main", one.repository.commit),
    )


def _has_model(repository: Repository) -> bool:
    return bool(_bundles(repository))


def _bundles(repository: Repository) -> list[Bundle]:
    files = [
        file for file in repository.files if file.path not in NOT_FETCHED and not file.path.startswith(".git")
    ]
    return find_bundles(files)


def _variant(branch: str, repository: Repository) -> _Variant:
    bundles = _bundles(repository)
    if not bundles:
        raise ImportFailedError(f"{repository.id} has a model.yml and no model file on {branch!r}.")
    return _Variant(branch, repository, bundles[0])


def _configured(model: Model, told: Configuration) -> Model:
    """The model with what its repository says of it."""
    return replace(
        model,
        name=told.name or model.name,
        version=told.version or model.version,
        description=told.description or model.description,
        settings={**model.settings, **told.settings},
        parameters={**model.parameters, **told.parameters},
        metadata={**told.metadata, **model.metadata},
    )
