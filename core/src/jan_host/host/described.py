"""A model.json whose files are not here yet, as the origin of a pull."""

from pathlib import PurePosixPath
from urllib.parse import urlsplit

import msgspec

from jan_host.contract.errors import ConflictError
from jan_host.contract.importer import Asset, ImportOptions, ImportPlan, PullRequest
from jan_host.contract.model import Model
from jan_host.library import Entry

ADDRESSES = "https"
"""The importer whose origins are addresses: it stands for a plan of the addresses in a model.json."""


def check_own(entry: Entry, request: PullRequest) -> None:
    """Refuse what can't be brought beside its model.json.

    Raises:
        ConflictError: It lies where jan-host does not write, or another id is asked for.
    """
    if not entry.owned:
        raise ConflictError(
            f"The model {entry.model.id!r} lies in {entry.folder}, which is used in place and never written"
            f" to. Fetch it into the library: jan-host pull {entry.model.origin or 'ORIGIN'} --id OTHER-ID"
        )
    if request.id not in (None, entry.model.id):
        raise ConflictError(
            f"The model {entry.model.id!r} is described here already. Pull it under its own id, or pull"
            f" {entry.model.origin or 'its origin'} under another.",
            param="id",
        )


def names_addresses(model: Model) -> bool:
    """Whether each of its files has an address of the web, so that no importer need look for them."""
    schemes = {urlsplit(source.url).scheme for source in model.sources}
    return bool(schemes) and schemes <= {"http", "https"}


async def plan_addresses(model: Model, options: ImportOptions) -> ImportPlan:
    """The plan for a model.json that says where each file is (``sources[{filename, url}]``).

    Raises:
        ImportFailedError: One of them can't be reached.
    """
    assets = []
    for source in model.sources:
        asset = Asset(filename=source.filename, url=source.url)
        if options.look is not None:
            told = await options.look(asset)
            asset.size, asset.sha256 = told.size, told.sha256
        assets.append(asset)
    return ImportPlan(
        origin=model.origin or model.sources[0].url, importer=ADDRESSES, model=model, assets=assets
    )


def request_for(model: Model, request: PullRequest) -> PullRequest:
    """The pull of what a model.json names as its origin, of the file that it names, if it names one."""
    file = PurePosixPath(model.sources[0].filename).name if model.sources else None
    return PullRequest(
        origin=model.origin or "",
        import_format=request.import_format or model.import_format,
        variant=request.variant or file,
        id=model.id,
    )


def with_files(described: Model, plan: ImportPlan) -> ImportPlan:
    """The plan with the model as its model.json describes it; the importer fills in what that leaves out."""
    found = plan.model
    model = msgspec.structs.replace(
        described,
        sources=described.sources or found.sources,
        format=described.format or found.format,
        engine=described.engine or found.engine,
        metadata={**found.metadata, **described.metadata},
    )
    return msgspec.structs.replace(plan, model=model)
