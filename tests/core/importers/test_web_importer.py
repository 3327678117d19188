"""The importer ``https``: names, sizes and hashes as servers tell them, or don't."""

import base64
import hashlib
from collections.abc import AsyncIterator, Iterator, Sequence

import pytest
from jan_host import (
    Asset,
    Importer,
    ImportFailedError,
    ImportOptions,
    ImportPlan,
    OriginNotFoundError,
    RemoteFile,
)
from jan_host.downloads.looking import Looker
from jan_host.importers import jan_importers
from jan_host.testing import ImporterContract

from tests.hub import Answer, Bytes, Hub, running_hub

BODY = b"model" * 1000


def web_importer() -> Importer:
    return next(importer for importer in jan_importers() if importer.name == "https")


@pytest.fixture(scope="module")
def server() -> Iterator[Hub]:
    with running_hub() as hub:
        parts = {f"c-{number:05}-of-00002.bin": Bytes(b"x" * number) for number in (1, 2)}
        hub.add("a/b", {"tiny.q4.bin": Bytes(BODY), **parts})
        yield hub


@pytest.fixture
async def look() -> AsyncIterator[ImportOptions]:
    looker = Looker({})
    yield ImportOptions(look=looker.look)
    await looker.close()


def answer(server: Hub, path: str, headers: dict[str, str] | None = None, status: int = 200) -> str:
    """The address of something that the server answers with these headers."""
    server.answers[path] = Answer(status=status, body=BODY, headers=headers or {})
    return server.url + path


async def resolve(origin: str, options: ImportOptions) -> ImportPlan:
    return await web_importer().resolve(origin, options)


class TestWebImporter(ImporterContract):
    @pytest.fixture(scope="class")
    @classmethod
    def importer(cls) -> Importer:
        return web_importer()

    @pytest.fixture(scope="class")
    @classmethod
    def good_origins(cls) -> Sequence[str]:
        return [
            "https://example.org/x/Tiny%20Model.bin?download=true#top",
            "http://me:secret@example.org:8080/c-00002-of-00002.bin",
            "//example.org/tiny.bin",  # behind `https:`, which names the importer
        ]

    @pytest.fixture(scope="class")
    @classmethod
    def bad_origins(cls) -> Sequence[str]:
        return [
            "",
            "https://",
            "https://[::1",
            "https://host:99999/x",
            "https://a b/x",
            "nothing",
            "https:///x",
        ]


async def test_the_server_tells_size_and_the_address_the_name(server: Hub, look: ImportOptions) -> None:
    plan = await resolve(server.resolve_url("a/b", "tiny.q4.bin") + "?download=true", look)
    [asset] = plan.assets
    assert (asset.filename, asset.size) == ("tiny.q4.bin", len(BODY))
    assert (plan.model.id, plan.model.format, plan.model.metadata) == ("tiny.q4", "bin", {"size": len(BODY)})
    assert plan.origin == server.resolve_url("a/b", "tiny.q4.bin")


async def test_all_parts_are_planned_whichever_is_named(server: Hub, look: ImportOptions) -> None:
    plan = await resolve(server.resolve_url("a/b", "c-00002-of-00002.bin"), look)
    assert [(asset.filename, asset.size) for asset in plan.assets] == [
        ("c-00001-of-00002.bin", 1),
        ("c-00002-of-00002.bin", 2),
    ]
    assert plan.model.id == "c"


@pytest.mark.parametrize(
    ("disposition", "filename"),
    [
        ('attachment; filename="My Model.bin"', "My Model.bin"),
        ("attachment; filename=plain.bin; size=3", "plain.bin"),
        ("attachment; filename=\"a.bin\"; filename*=UTF-8''%C3%BCber.bin", "über.bin"),
        ('attachment; filename="../../etc/passwd"', "passwd"),
        ('attachment; filename="..\\\\..\\\\x.bin"', "x.bin"),
        ('attachment; filename=".."', "fetch"),
        ("attachment", "fetch"),
    ],
)
async def test_a_name_of_the_server_is_taken_where_the_address_has_none(
    server: Hub, look: ImportOptions, disposition: str, filename: str
) -> None:
    url = answer(server, "/fetch", {"Content-Disposition": disposition})
    [asset] = (await resolve(url, look)).assets
    assert asset.filename == filename


async def test_a_hash_is_taken_from_wherever_it_stands(server: Hub, look: ImportOptions) -> None:
    digest = hashlib.sha256(BODY)
    coded = base64.b64encode(digest.digest()).decode()
    for headers in (
        {"X-Linked-Etag": f'"{digest.hexdigest().upper()}"'},
        {"Repr-Digest": f"sha-512=:abc=:, sha-256=:{coded}:"},
        {"Digest": f"SHA-256={coded}"},
    ):
        [asset] = (await resolve(answer(server, "/hashed.bin", headers), look)).assets
        assert asset.sha256 == digest.hexdigest(), headers
    part = {"Content-Digest": f"sha-256=:{coded}:"}
    [asset] = (await resolve(answer(server, "/hashed.bin", part), look)).assets
    assert asset.sha256 is None, "that one is of the part that was asked for"


async def test_a_page_is_no_model(server: Hub, look: ImportOptions) -> None:
    url = answer(server, "/page", {"Content-Type": "text/html; charset=utf-8"})
    with pytest.raises(ImportFailedError, match="web page"):
        await resolve(url, look)


async def test_what_is_not_there_and_what_is_refused(server: Hub, look: ImportOptions) -> None:
    with pytest.raises(OriginNotFoundError):
        await resolve(answer(server, "/gone.bin", status=404), look)
    with pytest.raises(ImportFailedError, match="403"):
        await resolve(answer(server, "/closed.bin", status=403), look)
    with pytest.raises(ImportFailedError, match="503"):
        await resolve(answer(server, "/busy.bin", status=503), look)
    with pytest.raises(ImportFailedError, match="can't be reached"):
        await resolve("http://127.0.0.1:9/x.bin", look)


async def test_a_password_is_used_and_kept_out_of_the_model() -> None:
    seen: list[Asset] = []

    async def look(asset: Asset) -> RemoteFile:
        seen.append(asset)
        return RemoteFile(size=1)

    plan = await resolve("https://me:hush@example.org/a.bin?sig=hush", ImportOptions(look=look))
    assert seen[0].url == plan.assets[0].url == "https://me:hush@example.org/a.bin?sig=hush"
    assert "hush" not in repr((plan.model, plan.origin))


async def test_no_cloud_tells_its_secrets(look: ImportOptions) -> None:
    with pytest.raises(ImportFailedError, match="own network"):
        await resolve("http://169.254.169.254/latest/meta-data/x.bin", look)
