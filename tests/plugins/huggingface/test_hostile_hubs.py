"""Hubs that tell nonsense: each lie is a clear error, and nothing comes of it."""

import json
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from jan_host import ImportFailedError
from jan_host.testing.generation import check_words
from jan_host_huggingface import client

from tests.hub import Answer, Hub
from tests.plugins.huggingface.samples import plan_of

REPO = "org/evil"
PATH = f"/api/models/{REPO}"
GOOD: dict[str, Any] = {"rfilename": "w.Q4_0.gguf", "size": 10, "blobId": "0" * 40}


def tell(hub: Hub, **changes: Any) -> None:
    told = {"id": REPO, "sha": "a" * 40, "siblings": [GOOD], **changes}
    hub.answers[PATH] = Answer(body=json.dumps(told).encode())


async def refusal(words: str, origin: str = REPO) -> str:
    with pytest.raises(ImportFailedError, match=words) as caught:
        await plan_of(origin)
    check_words(caught.value)
    assert len(str(caught.value)) < 2000
    return str(caught.value)


async def test_the_answer_that_the_others_spoil_is_good(hub: Hub) -> None:
    tell(hub)
    assert (await plan_of(REPO)).variant == "Q4_0"


@pytest.mark.parametrize(
    "name",
    [
        "../w.gguf",
        "a/../../w.gguf",
        "/etc/w.gguf",
        "//host/w.gguf",
        "C:\\w.gguf",
        "C:w.gguf",
        "a\\..\\w.gguf",
        "a//w.gguf",
        "./w.gguf",
        "w\0.gguf",
        "w\n.gguf",
        "w\u202e.gguf",
        "",
        "..",
    ],
)
async def test_names_that_lead_elsewhere(hub: Hub, name: str) -> None:
    tell(hub, siblings=[GOOD, {**GOOD, "rfilename": name}])
    await refusal("leads elsewhere")


@pytest.mark.parametrize(
    "name",
    [
        "x" * 300 + ".gguf",
        "/".join(["d" * 90] * 12) + "/w.gguf",
        "ab:c.gguf",
        "a./w.gguf",
        "aux/w.gguf",
        "Con.Q4_0.gguf",
    ],
)
async def test_names_that_no_disk_takes(hub: Hub, name: str) -> None:
    tell(hub, siblings=[{**GOOD, "rfilename": name}])
    await refusal("can't be written on every disk|no disk takes")


async def test_names_that_differ_in_capitals(hub: Hub) -> None:
    tell(hub, siblings=[GOOD, {**GOOD, "rfilename": "Readme.txt"}, {**GOOD, "rfilename": "README.txt"}])
    await refusal("are one file on many disks")


async def test_a_name_twice(hub: Hub) -> None:
    tell(hub, siblings=[GOOD, GOOD])
    await refusal("twice")


async def test_too_many_files(hub: Hub) -> None:
    tell(hub, siblings=[{"rfilename": f"{number}.gguf"} for number in range(100_000)])
    await refusal("has 100000 files")


async def test_too_many_models(hub: Hub) -> None:
    tell(hub, siblings=[{"rfilename": f"{number}.gguf"} for number in range(5000)])
    await refusal("5000 model files")


async def test_too_many_files_beside_a_graph(hub: Hub) -> None:
    names = [*(f"{number}.json" for number in range(19_000)), *(f"onnx/{one}.onnx" for one in range(900))]
    tell(hub, siblings=[{"rfilename": name} for name in names])
    await refusal("19000 files beside the model")


@pytest.mark.parametrize(
    "change",
    [
        {"siblings": [{**GOOD, "size": -1}]},
        {"siblings": [{**GOOD, "size": 2**70}]},
        {"siblings": [{**GOOD, "size": "10"}]},
        {"siblings": [{**GOOD, "size": 1.5}]},
        {"siblings": [{**GOOD, "lfs": {"sha256": "x", "size": 1}}]},
        {"siblings": [{**GOOD, "lfs": {"sha256": "A" * 64, "size": 1}}]},
        {"siblings": [{**GOOD, "lfs": {"sha256": "a" * 64, "size": -1}}]},
        {"siblings": [{**GOOD, "blobId": "../x"}]},
        {"siblings": [{"size": 1}]},
        {"siblings": ["w.gguf"]},
        {"siblings": None},
        {"sha": "main"},
        {"sha": "../../x"},
        {"sha": None},
        {"id": 5},
    ],
)
async def test_wrong_types_and_numbers(hub: Hub, change: dict[str, Any]) -> None:
    tell(hub, **change)
    await refusal("did not answer as a model hub does")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"<!DOCTYPE html><html><body>Please log in</body></html>",
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b'{"id": "x", "sha": "' + b"a" * 40 + b'", "siblings": [], "card": ' + b"[" * 100_000,
    ],
)
async def test_answers_that_are_no_json_of_a_hub(hub: Hub, body: bytes) -> None:
    hub.answers[PATH] = Answer(body=body)
    await refusal("did not answer as a model hub does")


async def test_sizes_may_be_unknown(hub: Hub) -> None:
    tell(hub, siblings=[{"rfilename": "w.Q4_0.gguf"}])
    plan = await plan_of(REPO)
    assert (plan.size(), plan.assets[0].sha256) == (None, None)


@pytest.mark.parametrize(
    "card", [5, [], {"license": ["x" * 5000], "base_model": {"a": 1}, "language": [1, "en"]}]
)
async def test_cards_are_not_trusted(hub: Hub, card: Any) -> None:
    thumbnail = {"thumbnail": "javascript:alert(1)"}
    tell(
        hub, cardData={**card, **thumbnail} if isinstance(card, dict) else card, gguf="x", tags=["a\nb", "\0"]
    )
    plan = await plan_of(REPO)
    assert "cover" not in plan.model.metadata
    assert plan.model.metadata.get("tags", []) == ["a b"]
    assert len(msgspec.json.encode(plan.model)) < 3000


@pytest.mark.parametrize(
    "other", ["../../x", "a/b/c", "/etc/passwd", "http://evil.example/x", "x" * 5000, ""]
)
async def test_the_id_that_is_told_is_taken_only_when_it_is_one(hub: Hub, other: str) -> None:
    tell(hub, id=other)
    plan = await plan_of(REPO)
    assert (plan.model.id, plan.assets[0].url) == (
        "evil",
        f"{hub.url}/{REPO}/resolve/{'a' * 40}/w.Q4_0.gguf",
    )


async def test_redirects_in_circles(hub: Hub) -> None:
    hub.answers[PATH] = Answer(status=307, headers={"Location": f"{PATH}?blobs=true"})
    await refusal("redirects in circles")


@pytest.mark.parametrize(
    "there",
    [
        "http://169.254.169.254/latest/meta-data",
        "https://evil.example/x",
        "file:///etc/passwd",
        "//evil.example/x",
        "http://huggingface.co/x",
        "http://[",
    ],
)
async def test_redirects_to_other_hosts(hub: Hub, there: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    hub.tokens.add("hf_secret")
    hub.answers[PATH] = Answer(status=302, headers={"Location": there})
    await refusal("redirects to another host|can't be reached")
    assert len(hub.seen) == 1


async def test_answers_without_end(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "MOST_ANSWER_BYTES", 1 << 20)
    hub.answers[PATH] = Answer(body=b" " * (3 << 20))
    await refusal("its answer is larger than 1 MB")


@pytest.mark.parametrize("status", [400, 403, 404, 410, 451])
async def test_other_refusals_repeat_nothing_of_the_servers(hub: Hub, status: int) -> None:
    headers = {"X-Error-Message": "GET OUT <script>"}
    hub.answers[PATH] = Answer(status=status, body=b'{"error": "GET OUT"}', headers=headers)
    assert "GET OUT" not in await refusal(".")


async def test_a_disabled_repository(hub: Hub) -> None:
    tell(hub, disabled=True)
    await refusal("has disabled org/evil")


BRANCHES: list[Callable[[], Any]] = [
    lambda: {"branches": "x"},
    lambda: {"branches": [{"name": 1}]},
    lambda: {"branches": [{"name": f"b{number}"} for number in range(500)]},
    lambda: {"branches": [{"name": "../../x"}]},
]


@pytest.mark.parametrize("branches", BRANCHES)
async def test_hostile_branches(hub: Hub, branches: Callable[[], Any]) -> None:
    hub.add("cortexso/evil", {"metadata.yml": "default: x"})
    hub.answers["/api/models/cortexso/evil/refs"] = Answer(body=json.dumps(branches()).encode())
    with pytest.raises(ImportFailedError):
        await plan_of("cortexso/evil", importer="janhq")
