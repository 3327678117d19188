"""Tokens, gated and private repositories, mirrors, and hubs that can't be asked; no secret shows anywhere."""

import logging
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx2
import huggingface_hub
import msgspec
import pytest
from huggingface_hub.utils._http import default_client_factory
from jan_host import ImportFailedError, OriginNotFoundError
from jan_host_huggingface.settings import Settings

from tests.hub import Answer, Hub
from tests.plugins.huggingface.samples import ZEPHYR, filenames, plan_of, weights

GOOD, OTHER = "hf_" + "g" * 34, "hf_" + "o" * 34
GATED, PRIVATE = "org/gated", "org/private"


@pytest.fixture(autouse=True)
def restricted(hub: Hub) -> None:
    hub.add(GATED, {"w.Q4_0.gguf": weights(100)}, gated="manual", readers={GOOD})
    hub.add(PRIVATE, {"w.Q4_0.gguf": weights(100)}, private=True, readers={GOOD})
    hub.tokens.add(OTHER)


@pytest.mark.parametrize("repo", [GATED, PRIVATE])
async def test_a_plan_names_the_token_and_does_not_hold_it(
    hub: Hub, repo: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", GOOD)
    plan = await plan_of(repo)
    assert plan.assets[0].headers == {"Authorization": "Bearer env:HF_TOKEN"}
    assert GOOD not in msgspec.json.encode(plan).decode()
    assert {one.headers["authorization"] for one in hub.seen} == {f"Bearer {GOOD}"}


async def test_files_that_all_may_have_are_fetched_without_the_token(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", GOOD)
    assert (await plan_of(f"{ZEPHYR}:Q2_K")).assets[0].headers == {}


async def test_the_token_of_a_login_is_found(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "token"
    path.write_text(GOOD + "\n")
    monkeypatch.setenv("HF_TOKEN_PATH", str(path))
    assert (await plan_of(GATED)).assets[0].headers == {"Authorization": f"Bearer file:{path}"}


@pytest.mark.parametrize("kind", ["env", "file"])
async def test_the_token_of_the_settings_goes_with_every_file(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kind: str
) -> None:
    (tmp_path / "secret").write_text(GOOD)
    monkeypatch.setenv("MY_TOKEN", GOOD)
    monkeypatch.setenv("HF_TOKEN", OTHER)
    reference = "env:MY_TOKEN" if kind == "env" else f"file:{tmp_path}/secret"
    for repo in (GATED, f"{ZEPHYR}:Q2_K"):
        plan = await plan_of(repo, settings={"token": reference})
        assert plan.assets[0].headers == {"Authorization": f"Bearer {reference}"}


async def test_no_token_is_sent_where_the_settings_say_so(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", GOOD)
    await plan_of(f"{ZEPHYR}:Q2_K", settings={"token": ""})
    assert all("authorization" not in one.headers for one in hub.seen)


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str | None]]:
    """The credentials that each host of the internet gets; mirror.example sends all on to the hub."""
    seen: dict[str, str | None] = {}

    def answer_as_both(request: httpx2.Request) -> httpx2.Response:
        seen[request.url.host] = request.headers.get("authorization")
        if request.url.host == "mirror.example":
            there = f"https://huggingface.co{request.url.raw_path.decode()}"
            return httpx2.Response(307, headers={"Location": there})
        return httpx2.Response(401, headers={"X-Error-Code": "RepoNotFound"})

    def new_client() -> httpx2.Client:
        return httpx2.Client(transport=httpx2.MockTransport(answer_as_both))

    monkeypatch.setenv("HF_TOKEN", GOOD)
    huggingface_hub.set_client_factory(new_client)
    yield seen
    huggingface_hub.set_client_factory(default_client_factory)


@pytest.mark.parametrize(("scheme", "to_mirror"), [("https", f"Bearer {GOOD}"), ("http", None)])
async def test_the_token_stays_with_an_encrypted_endpoint(
    told: dict[str, str | None], scheme: str, to_mirror: str | None
) -> None:
    with pytest.raises(OriginNotFoundError):
        await plan_of(ZEPHYR, settings={"endpoint": f"{scheme}://mirror.example"})
    assert told == {"mirror.example": to_mirror, "huggingface.co": None}


async def test_a_token_is_not_sent_unencrypted(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", GOOD)
    there = hub.url.replace("127.0.0.1", socket.gethostname())
    with pytest.raises(ImportFailedError, match="unencrypted"):
        await plan_of(ZEPHYR, settings={"token": "env:HF_TOKEN", "endpoint": there})


def test_a_literal_token_is_no_setting() -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.convert({"token": GOOD}, Settings)
    assert GOOD not in str(caught.value)


@pytest.mark.parametrize("reference", ["env:NO_SUCH_VARIABLE", "file:/no/such/file"])
async def test_a_token_that_is_not_there_is_said(hub: Hub, reference: str) -> None:
    with pytest.raises(ImportFailedError, match="there is nothing"):
        await plan_of(ZEPHYR, settings={"token": reference})
    assert hub.seen == []


@pytest.mark.parametrize(
    ("repo", "token", "words"),
    [
        (GATED, None, r"is gated\. Accept the model's terms at .*/org/gated, then set HF_TOKEN"),
        (GATED, OTHER, "your token has no access"),
        (GATED, "hf_" + "x" * 34, "refuses the token"),
        (PRIVATE, None, "If it is private, set HF_TOKEN"),
        (PRIVATE, OTHER, "see that your token may read it"),
        ("org/none", None, "no model repository 'org/none'"),
        (f"{ZEPHYR}@none", None, "no branch, tag or commit 'none'"),
    ],
)
async def test_refusals_say_what_to_do(
    hub: Hub, repo: str, token: str | None, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if token is not None:
        monkeypatch.setenv("HF_TOKEN", token)
    with pytest.raises(ImportFailedError, match=words) as caught:
        await plan_of(repo)
    assert token is None or token not in str(caught.value)


async def test_a_mirror_that_does_not_know_of_access_is_taken_at_its_word(hub: Hub) -> None:
    hub.answers[f"/api/models/{GATED}/auth-check"] = Answer(status=404, body=b"<html>")
    assert (await plan_of(GATED)).variant == "Q4_0"


async def test_offline_is_said(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ImportFailedError, match="HF_HUB_OFFLINE is set"):
        await plan_of(ZEPHYR)
    assert hub.seen == []


async def test_a_hub_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{unused.getsockname()[1]}")
        with pytest.raises(ImportFailedError, match="can't be reached"):
            await plan_of(ZEPHYR)


@pytest.mark.parametrize("endpoint", ["nowhere", "ftp://host", "http://"])
async def test_an_endpoint_that_is_no_address(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", endpoint)
    with pytest.raises(ImportFailedError, match="Correct HF_ENDPOINT"):
        await plan_of(ZEPHYR)


async def test_a_mirror_of_the_settings_is_asked(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    plan = await plan_of(f"https://huggingface.co/{ZEPHYR}:Q2_K", settings={"endpoint": hub.url + "/"})
    assert filenames(plan) == ["zephyr-7b-beta.Q2_K.gguf"]
    assert (plan.assets[0].url or "").startswith(hub.url)


def answer(hub: Hub, **how: object) -> None:
    hub.answers[f"/api/models/{ZEPHYR}"] = Answer(**how)  # type: ignore[arg-type]  # Answer's own fields


async def test_too_many_requests(hub: Hub) -> None:
    answer(hub, status=429, headers={"Retry-After": "7"})
    with pytest.raises(ImportFailedError, match=r"in 7 seconds, or set HF_TOKEN") as caught:
        await plan_of(ZEPHYR)
    assert (caught.value.http_status, caught.value.retry_after) == (429, 7)


async def test_a_fault_that_passes_is_tried_again(hub: Hub) -> None:
    answer(hub, status=503, times=2)
    assert (await plan_of(f"{ZEPHYR}:Q2_K")).variant == "Q2_K"


async def test_a_fault_that_stays_is_said(hub: Hub) -> None:
    answer(hub, status=500)
    with pytest.raises(ImportFailedError, match=r"has a fault \(HTTP 500\)"):
        await plan_of(ZEPHYR)


async def test_a_hub_that_is_silent_is_given_up(hub: Hub) -> None:
    import threading

    answer(hub, gate=threading.Event())
    with pytest.raises(ImportFailedError, match="did not answer in time"):
        await plan_of(ZEPHYR, settings={"timeout_seconds": 0.2})


async def test_no_log_holds_a_token(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("HF_TOKEN", GOOD)
    with caplog.at_level(logging.DEBUG):
        await plan_of(GATED)
        with pytest.raises(OriginNotFoundError):
            await plan_of("org/none")
    assert caplog.records
    assert GOOD not in caplog.text
