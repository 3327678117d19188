"""Plans with the engines' own estimates, and what those of other machines may not ask for."""

import json
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from jan_host import ConflictError, ForbiddenError, InvalidRequestError, Model, PullRequest, Source
from jan_host.config import load_config
from jan_host.host import JanHost
from jan_host.runtime.footprints import WORKER_BYTES

from tests.core.host.conftest import POEM
from tests.hub import Answer, Bytes, Hub, OnDisk, running_hub

REPO = "maker/Tiny-GGUF"
MB = 1_000_000


class Outlined:
    """A file of any size that begins like a real model."""

    sha256 = "0" * 64

    def __init__(self, beginning: Path, size: int) -> None:
        self.size = size
        with beginning.open("rb") as file:
            self._beginning = file.read(4 * MB)

    def read(self, start: int, end: int) -> Iterator[bytes | memoryview]:
        for offset in range(start, end, MB):
            part = self._beginning[offset : min(offset + MB, end)]
            yield part + bytes(min(MB, end - offset) - len(part))


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, smollm2: Path) -> Iterator[Hub]:
    """A repository with one model in several sizes."""
    from huggingface_hub import close_session

    with running_hub() as made:
        sizes = {"Q2_K": 200, "Q4_1": 300, "Q8_0": 800, "F16": 100_000}
        made.add(REPO, {f"tiny.{kind}.gguf": Outlined(smollm2, size * MB) for kind, size in sizes.items()})
        monkeypatch.setenv("HF_ENDPOINT", made.url)
        close_session()
        yield made
        close_session()


def sent(hub: Hub) -> int:
    return sum(one.sent for one in hub.seen if one.file)


async def test_variants_have_their_engines_estimate_from_one_beginning(hub: Hub, host: JanHost) -> None:
    plan = await host.plan(PullRequest(origin=REPO))
    assert plan.variant == "Q8_0"
    assert plan.reason is not None
    assert "4,096 tokens of context" in plan.reason or "2,048 tokens of context" in plan.reason
    by_name = {variant.name: variant for variant in plan.variants}
    extras = set()
    for variant in by_name.values():
        assert variant.footprint is not None
        assert variant.size is not None
        extras.add(variant.footprint.ram + variant.footprint.device - variant.size)
    [extra] = extras
    assert 10 * MB < extra < 4000 * MB
    assert (by_name["Q8_0"].fits, by_name["F16"].fits) == (True, False)
    assert sent(hub) <= (8 << 20) + MB, "the beginning of one file stands for all"


async def test_a_beginning_that_can_not_be_read_leaves_the_size(hub: Hub, host: JanHost) -> None:
    for kind in ("Q2_K", "Q4_1", "Q8_0", "F16"):
        hub.fault(f"{REPO}/tiny.{kind}.gguf").statuses = [503] * 100
    plan = await host.plan(PullRequest(origin=REPO))
    [small] = [variant for variant in plan.variants if variant.name == "Q2_K"]
    assert small.footprint is not None
    assert (small.footprint.ram, small.footprint.context) == (300 * MB, None)


async def test_what_is_no_model_at_all_leaves_the_size(hub: Hub, host: JanHost) -> None:
    hub.add(REPO, {f"tiny.{kind}.gguf": Bytes(bytes(MB)) for kind in ("Q2_K", "Q4_1")})
    plan = await host.plan(PullRequest(origin=REPO))
    assert [variant.fits for variant in plan.variants] == [True, True]


async def test_a_pull_carries_out_the_plan_that_was_shown(hub: Hub, host: JanHost, smollm2: Path) -> None:
    hub.add(REPO, {"tiny.Q4_1.gguf": OnDisk(smollm2)})
    request = PullRequest(origin=REPO, id="tiny")
    await host.plan(request)
    asked = len(hub.seen)
    begun = await host.pull(request)
    assert all(one.file for one in hub.seen[asked:]), "nobody asks for the repository again"
    await host.downloads.wait(begun.id)
    with pytest.raises(ConflictError, match="already"):
        await host.pull(request)


@pytest.mark.parametrize("origin", ["", "  ", "a" * 1_000_000, "x\0y", "x\ny", "\x1b[31mred"])
async def test_origins_that_nobody_can_mean(host: JanHost, origin: str) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        await host.plan(PullRequest(origin=origin))
    assert len(caught.value.message) < 500
    assert caught.value.message.isprintable()


async def test_a_file_of_this_machine_is_copied_with_all_that_its_engine_reads(
    host: JanHost, tmp_path: Path
) -> None:
    file = tmp_path / "Sea.ngram.txt"
    file.write_text(POEM)
    await host.downloads.wait((await host.pull(PullRequest(origin=f"file:{file}"))).id)
    info = host.model("Sea.ngram")
    assert (info.status, info.engine, info.import_format) == ("downloaded", "example-ngram", "file")
    assert file.exists()


@pytest.mark.parametrize(
    "origin",
    ["/etc/passwd", "file:///etc/passwd", "file:/etc/passwd", "~/x", "/no/such/file", "textfile:{poem}"],
)
async def test_files_are_for_users_of_this_machine(host: JanHost, root: Path, origin: str) -> None:
    origin = origin.format(poem=root / "models" / "poem" / "poem.ngram.txt")
    with pytest.raises(ForbiddenError):
        await host.plan(PullRequest(origin=origin), local=False)
    with pytest.raises(ForbiddenError):
        await host.pull(PullRequest(origin=origin), local=False)


async def test_an_operator_may_let_others_name_files(root: Path) -> None:
    (root / "config.toml").write_text("[downloads]\nlocal_paths = true\n")
    path = root / "models" / "poem" / "poem.ngram.txt"
    async with JanHost(load_config(root, {})) as host:
        plan = await host.plan(PullRequest(origin=str(path), id="copy"), local=False)
        assert plan.assets[0].path == path
        with pytest.raises(ForbiddenError):
            await host.plan(PullRequest(origin="http://127.0.0.1:9/x.bin"), local=False)


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:{port}/x.bin",
        "http://localhost:{port}/x.bin",
        "http://[::ffff:127.0.0.1]:{port}/x",
        "openai:http://127.0.0.1:{port}/v1",
        "openai:127.0.0.1:{port}/v1",
        "openai:localhost:{port}",
    ],
)
async def test_the_network_is_for_users_of_this_machine(hub: Hub, host: JanHost, address: str) -> None:
    origin = address.format(port=hub.url.rpartition(":")[2])
    with pytest.raises(ForbiddenError, match="private_hosts"):
        await host.plan(PullRequest(origin=origin), local=False)
    assert hub.seen == [], "nobody was asked"


async def test_an_operator_may_open_a_part_of_the_network(root: Path, hub: Hub) -> None:
    (root / "config.toml").write_text('[downloads]\nprivate_hosts = ["127.0.0.1"]\n')
    async with JanHost(load_config(root, {})) as host:
        plan = await host.plan(PullRequest(origin=REPO), local=False)
        assert plan.variant == "Q8_0"


async def test_a_hub_that_the_operator_named_serves_everyone(host: JanHost, hub: Hub, smollm2: Path) -> None:
    """It is on loopback here, and a client of another machine pulls from it by a mere name."""
    hub.add("maker/Small-GGUF", {"small.Q4_1.gguf": smollm2.read_bytes()})
    request = PullRequest(origin="maker/Small-GGUF")
    plan = await host.plan(request, local=False)
    assert all(variant.footprint for variant in plan.variants)
    info = await host.pull(request, local=False)
    assert (await host.downloads.wait(info.id)).status == "done"


async def test_what_the_importer_of_a_model_json_knows_goes_before_its_addresses(
    root: Path, hub: Hub, smollm2: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A gated model has addresses too, and they are of no use without the token."""
    hub.add(
        "maker/Gated-GGUF", {"gated.Q4_1.gguf": smollm2.read_bytes()}, gated="manual", readers={"hf_good"}
    )
    monkeypatch.setenv("HF_TOKEN", "hf_good")
    address = f"{hub.url}/maker/Gated-GGUF/resolve/main/gated.Q4_1.gguf"
    document = {
        "id": "mine",
        "sources": [{"filename": "gated.Q4_1.gguf", "url": address}],
        "origin": "maker/Gated-GGUF",
        "import_format": "default",
        "settings": {"ctx_len": 512},
    }
    (root / "models" / "mine").mkdir()
    (root / "models" / "mine" / "model.json").write_text(json.dumps(document))
    async with JanHost(load_config(root, {})) as host:
        info = await host.pull(PullRequest(origin="mine"))
        assert (await host.downloads.wait(info.id)).status == "done"
        assert host.model("mine").status == "downloaded"
        shown = await host.plan(PullRequest(origin="maker/Gated-GGUF", id="other"))
        assert "HF_TOKEN" not in repr(shown), "where secrets are is nobody's business"


async def test_a_plan_shows_no_password(host: JanHost, hub: Hub) -> None:
    hub.answers["/secret/tiny.bin"] = Answer(body=b"x")
    address = f"{hub.url}/secret/tiny.bin?key=hush".replace("http://", "http://me:hush@")
    plan = await host.plan(PullRequest(origin=address, import_format="https"))
    assert plan.size() == 1
    assert "hush" not in repr(plan)


async def test_a_plan_counts_the_worker_beside_what_the_engine_reckons(
    hub: Hub, host: JanHost, root: Path, smollm2: Path, tmp_path: Path
) -> None:
    engine = host.plugins.engine_for_format("gguf")
    assert engine is not None
    base = root / "engines" / engine.name / "engine.json"
    base.parent.mkdir(parents=True)
    base.write_text('{"n_parallel": 1}')  # else it depends on how much memory is free
    plan = await host.plan(PullRequest(origin=REPO))
    [variant] = [variant for variant in plan.variants if variant.name == "Q2_K"]
    outline = tmp_path / "outline.gguf"
    with smollm2.open("rb") as file:
        outline.write_bytes(file.read(4 * MB))
    os.truncate(outline, 200 * MB)
    model = Model(id="tiny", format="gguf", sources=[Source(filename=outline.name)])
    reckoned = engine.estimate(model, tmp_path, msgspec.convert({"n_parallel": 1}, engine.Settings))
    assert variant.footprint is not None
    assert variant.footprint.ram == reckoned.ram + WORKER_BYTES
