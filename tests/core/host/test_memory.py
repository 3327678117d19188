"""How much memory there is: the machine's, or what a container may use of it."""

from pathlib import Path

import pytest
from jan_host.host.memory import total_memory

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
