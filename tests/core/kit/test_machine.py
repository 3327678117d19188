"""How much memory and how many cores there are: the machine's, or what a container may use of them."""

import math
from pathlib import Path

import pytest
from jan_host.kit.cgroups import core_quota
from jan_host.kit.machine import free_memory, total_memory

MB = 1 << 20


@pytest.fixture
def machine(tmp_path: Path) -> int:
    (tmp_path / "none").touch()
    total = total_memory(tmp_path, tmp_path / "none")
    assert total > 100 * MB
    return total


def test_a_limit_anywhere_above_counts(tmp_path: Path, machine: int) -> None:
    own = tmp_path / "own"
    own.write_text("0::/system.slice/jan.service\n")
    folder = tmp_path / "system.slice" / "jan.service"
    folder.mkdir(parents=True)
    (folder / "memory.max").write_text("max\n")
    assert total_memory(tmp_path, own) == machine
    (folder.parent / "memory.max").write_text(f"{64 * MB}\n")
    assert total_memory(tmp_path, own) == 64 * MB


def test_the_older_version_of_control_groups(tmp_path: Path, machine: int) -> None:
    own = tmp_path / "own"
    own.write_text("5:cpu,cpuacct:/a\n4:memory:/docker/abc\n")
    folder = tmp_path / "memory" / "docker" / "abc"
    folder.mkdir(parents=True)
    (folder / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    assert total_memory(tmp_path, own) == machine
    (folder / "memory.limit_in_bytes").write_text(f"{32 * MB}\n")
    assert total_memory(tmp_path, own) == 32 * MB


def test_what_can_not_be_read_limits_nothing(tmp_path: Path, machine: int) -> None:
    own = tmp_path / "own"
    own.write_bytes(b"\xff\xfe garbage\n:::\n0\n")
    assert total_memory(tmp_path, own) == machine
    assert total_memory(tmp_path / "gone", tmp_path / "gone") == machine


def test_what_a_container_has_free(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.write_text("0::/outer/inner\n")
    inner = tmp_path / "outer" / "inner"
    inner.mkdir(parents=True)
    for folder, used in ((inner, 10), (inner.parent, 60)):
        (folder / "memory.max").write_text(f"{64 * MB}\n")
        (folder / "memory.current").write_text(f"{used * MB}\n")
    assert free_memory(tmp_path, own) == 4 * MB
    (inner.parent / "memory.stat").write_text(f"anon 5\ninactive_file {20 * MB}\n")  # can be had
    assert free_memory(tmp_path, own) == 24 * MB


def test_a_quota_of_cores_anywhere_above(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.write_text("0::/outer/inner\n2:cpu,cpuacct:/old\n")
    inner = tmp_path / "outer" / "inner"
    inner.mkdir(parents=True)
    assert core_quota(tmp_path, own) == math.inf
    (inner / "cpu.max").write_text("max 100000\n")
    (inner.parent / "cpu.max").write_text("150000 100000\n")
    assert core_quota(tmp_path, own) == 1.5
    old = tmp_path / "cpu" / "old"
    old.mkdir(parents=True)
    (old / "cpu.cfs_quota_us").write_text("50000\n")
    (old / "cpu.cfs_period_us").write_text("100000\n")
    assert core_quota(tmp_path, own) == 0.5
    (old / "cpu.cfs_quota_us").write_text("-1\n")
    assert core_quota(tmp_path, own) == 1.5
