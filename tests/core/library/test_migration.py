"""A migration leaves the old model.json or the new one, and a backup, whenever it ends."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from jan_host import ModelError
from jan_host.library import Entry
from jan_host.library.read import read_object

from tests.core.library.parts import SEEDS, House

OLD = b"""// mine
id: "m"
"engine": "nitro",
"sttings": {"a": 1},
"parameters": {"temperature": "hot", "top_k": "4"}"""


def migrate(house: House, entry: Entry) -> Path | None:
    migration = house.library.migration(entry)
    assert migration is not None
    return migration.carry_out() if migration.is_needed else None


def test_the_canonical_form_and_the_backup(house: House) -> None:
    file = house.put("m/model.json", OLD)
    backup = migrate(house, house.only())
    assert backup == file.with_name("model.json.bak")
    assert backup.read_bytes() == OLD
    raw = json.loads(file.read_bytes())
    assert (raw["id"], raw["engine"], raw["parameters"]) == ("m", "llama.cpp", {"top_k": 4})
    assert raw["metadata"] == {"unused": {"sttings": {"a": 1}, "parameters.temperature": "hot"}}
    assert house.library.problems([house.only()])[1:] == []
    assert migrate(house, house.only()) is None


def test_no_backup_is_overwritten(house: House) -> None:
    names = []
    for number in range(3):
        house.put("m/model.json", OLD + b"\n" * number)
        backup = migrate(house, house.only())
        assert backup is not None
        names.append(backup.name)
    assert names == ["model.json.bak", "model.json.bak1", "model.json.bak2"]
    house.put("m/model.json", OLD)
    assert migrate(house, house.only()) == house.models / "m" / "model.json.bak"


def test_what_is_dropped_later_joins_what_was_dropped_before(house: House) -> None:
    file = house.put("m/model.json", OLD)
    migrate(house, house.only())
    raw = json.loads(file.read_bytes())
    file.write_text(json.dumps(raw | {"strange": 1}))
    migrate(house, house.only())
    assert set(json.loads(file.read_bytes())["metadata"]["unused"]) == {
        "sttings",
        "parameters.temperature",
        "strange",
    }


@pytest.mark.parametrize("sample", sorted(SEEDS.glob("*.json")), ids=lambda sample: sample.stem)
def test_the_seeds_samples(house: House, sample: Path) -> None:
    file = house.put(f"m/{sample.name}", sample.read_bytes())
    before = house.only()
    assert migrate(house, before)
    after = house.only()
    before.model.settings = {name.replace("-", "_"): v for name, v in before.model.settings.items()}
    assert after.model == before.model
    assert json.loads(file.read_bytes()) == read_object(file)


def test_the_diff(house: House) -> None:
    house.put("m/model.json", OLD)
    migration = house.library.migration(house.only())
    assert migration is not None
    assert '-"sttings": {"a": 1},' in migration.diff()
    assert '+  "engine": "llama.cpp",' in migration.diff()
    assert migration.file.read_bytes() == OLD


def test_a_file_system_without_hard_links(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def link(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    for number in ("", "1"):
        content = OLD + b"\n" * len(number)
        file = house.put("m/model.json", content)
        assert migrate(house, house.only()) == file.with_name(f"model.json.bak{number}")
        assert file.with_name(f"model.json.bak{number}").read_bytes() == content


def test_a_disk_that_is_full(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    def fsync(_: int) -> None:
        raise OSError(28, "No space left on device")

    file = house.put("m/model.json", OLD)
    migration = house.library.migration(house.only())
    assert migration is not None
    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(ModelError, match="No space left"):
        migration.carry_out()
    assert file.read_bytes() == OLD
    assert [path.name for path in file.parent.iterdir() if path.name.startswith(".")] == []


CHILD = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from tests.core.library.parts import House
from tests.core.library.test_migration import migrate
point, calls = int(sys.argv[2]), 0
def at_fault_point(event, arguments):
    global calls
    if event in ("open", "os.link", "os.rename", "os.remove"):
        if str(sys.argv[1]) in str(arguments[0]):
            calls += 1
            if calls == point:
                os.kill(os.getpid(), signal.SIGKILL)
house = House(Path(sys.argv[1]))
entry = house.only()
sys.addaudithook(at_fault_point)
migrate(house, entry)
"""


def test_kill_9_at_any_moment(tmp_path: Path) -> None:
    """The process dies before each of its calls on the model's folder in turn, until one is late enough."""
    house = House(tmp_path)
    seen = set()
    for point in range(1, 30):
        file = house.put("m/model.json", OLD)
        child = subprocess.run(
            [sys.executable, "-c", CHILD, str(tmp_path), str(point), str(Path(__file__).parents[3])],
            timeout=60,
            check=False,
        )
        content = file.read_bytes()
        if content != OLD:
            assert json.loads(content)["engine"] == "llama.cpp"
            backups = file.parent.glob("*.bak*")
            assert OLD in [backup.read_bytes() for backup in backups]
        assert house.only().model.id == "m"
        seen.add(content == OLD)
        if child.returncode != -signal.SIGKILL:
            assert child.returncode == 0
            break
    assert seen == {True, False}
    assert point > 4
