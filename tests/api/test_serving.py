"""What a server process is set up with."""

import subprocess
import sys
from pathlib import Path

CODE = """
import gc, signal, sys
from pathlib import Path
from jan_host.api import run_server
from jan_host.config import load_config
from jan_host.host import JanHost

def ready(url):
    print(gc.get_freeze_count() > 10_000, gc.get_threshold()[0] >= 10_000, gc.isenabled())
    signal.raise_signal(signal.SIGTERM)

run_server(JanHost(load_config(Path(sys.argv[1]))), on_ready=ready)
"""


def test_what_startup_made_is_no_work_for_the_garbage_collector(tmp_path: Path) -> None:
    """A full collection holds up all streams for as long as it takes."""
    (tmp_path / "config.toml").write_text("[server]\nport = 0\n")
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(tmp_path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.split() == ["True", "True", "True"], done.stderr
