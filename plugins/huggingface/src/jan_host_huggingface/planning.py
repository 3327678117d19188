"""From an origin to the plan of an import."""

import asyncio
from collections.abc import Sequence

from jan_host import Asset, ImportFailedError, ImportOptions, ImportPlan, Model, OriginNotFoundError
from jan_host.kit import Offer, choose
from msgspec.structs import replace

from jan_host_huggingface.client import Client
from jan_host_huggingface.describe import describe, quoted
from jan_host_huggingface.layouts import Bundle, find_bundles
from jan_host_huggingface.layouts.gguf import is_projector, missing_shards
from jan_host_huggingface.layouts.whole import LAID_OUT, single_file
from jan_host_huggingface.origins import Origin, parse_origin
from jan_host_huggingface.repositories import File, Repository, check_names, check_repository
from jan_host_huggingface.settings import Settings, endpoint_of

SHOWN_FILES = 8


async def make_plan(
    importer: str, text: str, options: ImportOptions, settings: Settings, organisation: str | None = None
) -> ImportPlan:
    """What `DefaultImporter.resolve` promises.

    Args:
        importer: Its name.
        text: The origin.
        options: As the importer got them.
        settings: ``[plugins.huggingface]``.
        organisation: Whose repository a name without one is.
    """
    origin = read_origin(text, options, endpoint_of(settings), organisation)
    client = Client(settings)
    repository = await look(client, origin)
    return await plan_repository(importer, origin, repository, client, options)


def read_origin(text: str, options: ImportOptions, endpoint: str, organisation: str | None = None) -> Origin:
    """The origin, with the variant that was asked for beside it.

    A variant may be the whole address of a file, as ``download_url`` of a model.json is.
    """
    origin = parse_origin(text, endpoint)
    if organisation and not origin.organisation:
        origin = parse_origin(f"{organisation}/{origin.text(origin.variant or origin.path)}", endpoint)
    wanted = options.variant
    if wanted is None:
        return origin
    revision, variant = origin.revision, wanted
    if "://" in wanted:
        named = parse_origin(wanted, endpoint)
        if named.repo.lower() != origin.repo.lower() or named.path is None:
            raise OriginNotFoundError(
                f"{wanted[:200]!r} is no file of {origin.repo}. Name a variant or a file of it.",
                param="variant",
            )
        revision, variant = named.revision or revision, named.path
    return Origin(repo=origin.repo, revision=revision, path=origin.path, variant=variant)


async def look(client: Client, origin: Origin) -> Repository:
    """Ask for the repository, and whether its files may be had."""
    answer = await asyncio.to_thread(client.repository, origin.repo, origin.revision)
    repository = check_repository(answer, origin.repo)
    if repository.answer.gated:
        await asyncio.to_thread(client.check_access, repository.id)
    return repository


async def plan_repository(
    importer: str, origin: Origin, repository: Repository, client: Client, options: ImportOptions
) -> ImportPlan:
    """Choose one of the repository's variants, and plan it."""
    found = await asyncio.to_thread(find_bundles, repository.files)
    bundles, wanted = _meant(found, origin, repository)
    offers = []
    for bundle in bundles:
        what = bundle.name if len(bundles) > 1 or bundle.name == wanted else None
        model = describe(
            repository,
            bundle,
            origin=Origin(repo=repository.id, revision=origin.revision).text(what),
            importer=importer,
            address=f"{client.endpoint}{client.path_of(repository.id, origin.revision or 'main', '')}",
            several=len(bundles) > 1,
        )
        offers.append(offer_of(bundle, model, repository, client))
    choice = await choose(offers, replace(options, variant=None), wanted=wanted)
    taken = next(bundle for bundle in bundles if bundle.name == choice.offer.name)
    check_names(taken.all_files, repository.id)
    model = choice.offer.model
    return ImportPlan(
        origin=model.origin or origin.text(),
        importer=importer,
        model=replace(model, id=options.id or model.id),
        assets=choice.offer.assets,
        variants=choice.variants,
        variant=choice.offer.name,
        reason=choice.reason,
        warnings=choice.warnings,
    )


def offer_of(bundle: Bundle, model: Model, repository: Repository, client: Client) -> Offer:
    """A variant, for the choice among them."""
    return Offer(
        name=bundle.name,
        model=model,
        assets=assets_of(bundle.all_files, repository, client),
        description=_words(bundle),
        quality=bundle.quality,
    )


def assets_of(files: Sequence[File], repository: Repository, client: Client) -> list[Asset]:
    """What the host fetches: each file as it is in the very commit that was looked at."""
    credentials = client.credentials
    is_needed = credentials is not None and (credentials.always or repository.is_restricted)
    headers = credentials.header if credentials is not None and is_needed else {}
    place = f"{client.endpoint}{client.path_of(repository.id, repository.commit, '')}"
    return [
        Asset(
            filename=file.path,
            url=place + quoted(file.path),
            size=file.size,
            sha256=file.sha256,
            git_sha1=file.git_sha1,
            headers=headers,
            trusted=client.trusted,
        )
        for file in files
    ]


def _meant(bundles: list[Bundle], origin: Origin, repository: Repository) -> tuple[list[Bundle], str | None]:
    """The bundles among which is chosen, and the one that was named.

    Raises:
        OriginNotFoundError: What was named is not there, or is no model.
        ImportFailedError: There is no model.
    """
    path, wanted = origin.path, origin.variant
    if path is not None and repository.file(path) is None:
        inside = [bundle for bundle in bundles if bundle.files[0].path.startswith(path + "/")]
        if not inside:
            raise OriginNotFoundError(
                f"{repository.id} has no model in {path[:200]!r}. {_listed(repository)}", param="origin"
            )
        return inside, wanted
    wanted = wanted or path
    named = repository.file(wanted) if wanted else None
    if named is not None:
        return _with_file(bundles, named, repository)
    if not bundles:
        raise _no_model(repository)
    return bundles, wanted


def _with_file(bundles: list[Bundle], named: File, repository: Repository) -> tuple[list[Bundle], str | None]:
    """The one bundle that the file is of, or the file alone."""
    owners = [bundle for bundle in bundles if named in bundle.files]
    if is_projector(named):
        raise OriginNotFoundError(
            f"{named.path!r} gives a model eyes or ears and is no model itself; it comes along with each"
            f" variant of {repository.id}.",
            param="variant",
        )
    if len(owners) == 1 and owners[0].format in LAID_OUT.values():
        return bundles, owners[0].name
    alone = single_file(named)
    if alone is None:
        raise OriginNotFoundError(
            f"{named.path!r} of {repository.id} holds no model. {_listed(repository)}", param="variant"
        )
    return [alone], alone.name


def _no_model(repository: Repository) -> ImportFailedError:
    missing = missing_shards(repository.files)
    if missing:
        return ImportFailedError(
            f"{repository.id} lacks {missing[0]!r}, a part of its model ({len(missing)} missing). Tell its"
            " author, or choose another repository."
        )
    return ImportFailedError(
        f"{repository.id} holds no model file (.gguf, .onnx, .safetensors). {_listed(repository)}"
    )


def _listed(repository: Repository) -> str:
    names = [file.path for file in repository.files if not file.name.startswith(".git")]
    more = f" and {len(names) - SHOWN_FILES} more" if len(names) > SHOWN_FILES else ""
    return f"It has: {', '.join(names[:SHOWN_FILES]) or 'nothing'}{more}."


def _words(bundle: Bundle) -> str | None:
    """A variant in words, as far as its files tell."""
    found = []
    if bundle.quality is not None:
        found.append(f"about {bundle.quality:.3g} bits a weight")
    parts = len([file for file in bundle.files if file.ends_with(".gguf") and not is_projector(file)])
    if parts > 1:
        found.append(f"in {parts} parts")
    if any(is_projector(file) for file in bundle.files):
        found.append("with its projector")
    return ", ".join(found) or None
