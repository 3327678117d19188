"""The hub of the tests against the real client."""

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from huggingface_hub import HfApi, hf_hub_download, snapshot_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    GatedRepoError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from tests.hub import Bytes, Generated, Hub, running_hub

WEIGHTS = Generated(3_000_000, seed=7)
REPO = "org/Tiny-GGUF"
FILE = f"{REPO}/tiny.Q4_K_M.gguf"


@pytest.fixture
def hub() -> Iterator[Hub]:
    with running_hub() as made:
        made.add(
            REPO,
            {"tiny.Q4_K_M.gguf": WEIGHTS, "README.md": "# Tiny", "sub/config.json": "{}"},
            info={"cardData": {"license": "mit"}, "tags": ["gguf"]},
        )
        yield made


@pytest.fixture
def api(hub: Hub) -> HfApi:
    return HfApi(endpoint=hub.url, token=False)


def body_of(response: httpx.Response) -> bytes:
    response.raise_for_status()
    return response.content


def test_model_info_tells_files_with_sizes_and_hashes(hub: Hub, api: HfApi) -> None:
    info = api.model_info(REPO, files_metadata=True)
    assert info.sha == hub.repos[REPO].branches["main"].sha
    assert info.card_data is not None
    assert info.card_data["license"] == "mit"
    files = {one.rfilename: one for one in info.siblings or []}
    weights = files["tiny.Q4_K_M.gguf"]
    assert weights.size == 3_000_000
    assert weights.lfs is not None
    assert weights.lfs.sha256 == WEIGHTS.sha256
    assert files["README.md"].lfs is None
    assert files["README.md"].blob_id == hashlib.sha1(b"blob 6\0# Tiny").hexdigest()


def test_trees_come_in_pages(hub: Hub, api: HfApi) -> None:
    hub.page_size = 2
    found = list(api.list_repo_tree(REPO, recursive=True, expand=True))
    assert sorted(one.path for one in found) == ["README.md", "sub", "sub/config.json", "tiny.Q4_K_M.gguf"]
    assert [one.path for one in api.list_repo_tree(REPO, "sub")] == ["sub/config.json"]
    assert sum("/tree/" in one.path for one in hub.seen) == 3


def test_refs_tell_branches_and_tags(hub: Hub, api: HfApi) -> None:
    repo = hub.repos[REPO]
    repo.commit({"x.txt": "x"}, "other")
    repo.tags["v1"] = repo.branches["main"]
    refs = api.list_repo_refs(REPO)
    assert [branch.name for branch in refs.branches] == ["main", "other"]
    assert refs.tags[0].target_commit == repo.branches["main"].sha


def test_a_file_is_downloaded_from_the_cdn_without_the_token(hub: Hub, tmp_path: Path) -> None:
    hub.tokens.add("hf_secret")
    path = hf_hub_download(REPO, "tiny.Q4_K_M.gguf", endpoint=hub.url, token="hf_secret", cache_dir=tmp_path)
    assert hashlib.sha256(Path(path).read_bytes()).hexdigest() == WEIGHTS.sha256
    told = {one.place for one in hub.seen if "authorization" in one.headers}
    assert told == {"hub"}
    assert hub.bytes_sent(FILE) == 3_000_000


def test_a_snapshot_holds_all_files(hub: Hub, tmp_path: Path) -> None:
    folder = Path(snapshot_download(REPO, endpoint=hub.url, token=False, cache_dir=tmp_path))
    assert (folder / "README.md").read_text() == "# Tiny"
    assert (folder / "sub/config.json").read_text() == "{}"
    assert (folder / "tiny.Q4_K_M.gguf").stat().st_size == 3_000_000


def test_what_is_missing_is_said_in_the_clients_words(api: HfApi, hub: Hub, tmp_path: Path) -> None:
    with pytest.raises(RepositoryNotFoundError):
        api.model_info("org/none")
    with pytest.raises(RevisionNotFoundError):
        api.model_info(REPO, revision="none")
    with pytest.raises(EntryNotFoundError):
        hf_hub_download(REPO, "none.gguf", endpoint=hub.url, token=False, cache_dir=tmp_path)


def test_gated_files_want_a_token_that_has_access(hub: Hub, tmp_path: Path) -> None:
    hub.add("org/gated", {"w.gguf": b"weights"}, gated="manual", readers={"hf_good"})
    hub.tokens.add("hf_other")
    for token in (False, "hf_other"):
        assert HfApi(endpoint=hub.url, token=token).model_info("org/gated").gated == "manual"
        with pytest.raises(GatedRepoError):
            HfApi(endpoint=hub.url, token=token).auth_check("org/gated")
        with pytest.raises(GatedRepoError):
            hf_hub_download("org/gated", "w.gguf", endpoint=hub.url, token=token, cache_dir=tmp_path)
    path = hf_hub_download("org/gated", "w.gguf", endpoint=hub.url, token="hf_good", cache_dir=tmp_path)
    assert Path(path).read_bytes() == b"weights"


def test_private_repositories_are_not_there_for_others(hub: Hub) -> None:
    hub.add("org/private", {"w.gguf": b"weights"}, private=True, readers={"hf_good"})
    with pytest.raises(RepositoryNotFoundError):
        HfApi(endpoint=hub.url, token=False).model_info("org/private")
    assert HfApi(endpoint=hub.url, token="hf_good").model_info("org/private").private


def test_a_renamed_repository_is_found(hub: Hub, api: HfApi) -> None:
    hub.renamed["old/Name"] = REPO
    assert api.model_info("old/Name").id == REPO


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [("10-19", 10, 20), ("2999990-", 2999990, 3000000), ("-5", 2999995, 3000000)],
)
def test_ranges(hub: Hub, asked: str, start: int, end: int) -> None:
    answer = get(hub, headers={"Range": f"bytes={asked}"})
    assert answer.status_code == 206
    assert answer.content == b"".join(WEIGHTS.read(start, end))
    assert hub.ranges(FILE) == [(start, end)]
    assert get(hub, headers={"Range": "bytes=3000000-"}).status_code == 416


def get(hub: Hub, **how: Any) -> httpx.Response:
    return httpx.get(hub.resolve_url(REPO, "tiny.Q4_K_M.gguf"), follow_redirects=True, **how)


def test_faults_happen_in_their_order(hub: Hub) -> None:
    fault = hub.fault(FILE)
    fault.statuses = [503, 429]
    fault.cuts = [1000]
    fault.corrupt_at = [5]
    assert [get(hub).status_code for _ in range(2)] == [503, 429]
    with pytest.raises(httpx.RemoteProtocolError):
        get(hub)
    assert hub.ranges(FILE) == [(0, 1000)]
    fault.corrupt_at = [2_000_000]
    wrong = body_of(get(hub))
    right = body_of(get(hub))
    assert [at for at in range(3_000_000) if wrong[at] != right[at]] == [2_000_000]


def test_a_file_changes_behind_its_address(hub: Hub) -> None:
    hub.fault(FILE).changed = Bytes(b"other")
    first, second = get(hub), get(hub)
    assert (len(first.content), second.content) == (3_000_000, b"other")
    assert first.headers["etag"] != second.headers["etag"]
    guarded = get(hub, headers={"Range": "bytes=2-", "If-Range": first.headers["etag"]})
    assert (guarded.status_code, guarded.content) == (200, b"other")


def test_lies_about_sizes_and_ranges(hub: Hub, api: HfApi) -> None:
    fault = hub.fault(FILE)
    fault.claimed_size = 99
    fault.without_ranges = True
    told = {one.rfilename: one.size for one in api.model_info(REPO, files_metadata=True).siblings or []}
    assert told["tiny.Q4_K_M.gguf"] == 99
    assert get(hub, headers={"Range": "bytes=10-19"}).status_code == 200
    fault.content_length = 3_000_001
    with pytest.raises(httpx.RemoteProtocolError):
        get(hub)


def test_a_stall_holds_until_the_gate_opens(hub: Hub) -> None:
    fault = hub.fault(FILE)
    fault.stall_at = 1234
    with httpx.stream("GET", hub.resolve_url(REPO, "tiny.Q4_K_M.gguf"), follow_redirects=True) as answer:
        hub.wait_for_bytes(FILE, 1234)
        assert fault.stalled.wait(60)
        assert hub.bytes_sent(FILE) == 1234
        fault.gate.set()
        assert len(answer.read()) == 3_000_000


def test_signed_addresses_expire(hub: Hub) -> None:
    there = httpx.get(hub.resolve_url(REPO, "tiny.Q4_K_M.gguf")).headers["location"]
    assert there.startswith(hub.cdn_url)
    hub.expire_signatures()
    assert httpx.get(there).status_code == 403
    assert get(hub).status_code == 200


def test_it_runs_in_a_process_of_its_own() -> None:
    command = [sys.executable, "-m", "tests.hub", "1000"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        told = httpx.Response(200, content=process.stdout.readline()).json()
        body = body_of(httpx.get(told["url"], follow_redirects=True))
        process.communicate(timeout=60)
    assert hashlib.sha256(body).hexdigest() == told["sha256"]
