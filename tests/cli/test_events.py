"""``jan-host events`` over a running server."""

import json
import subprocess
import sys
import threading
from pathlib import Path

import httpx

from tests.cli.conftest import SECONDS, Run, environment


def test_events_are_told_as_they_happen(server: str, root: Path) -> None:
    command = [sys.executable, "-m", "jan_host.cli", "events", "--json", "--root", str(root)]
    heard = threading.Event()

    def start_and_stop() -> None:
        with httpx.Client(base_url=server, timeout=SECONDS) as client:
            while not heard.is_set():  # the first ones come before the follower stands
                client.put("/v1/models/poem/start")
                client.put("/v1/models/poem/stop")

    happening = threading.Thread(target=start_and_stop)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment()) as follower:
        assert follower.stdout is not None
        happening.start()
        try:
            events = map(json.loads, follower.stdout)
            assert any(event.get("status") == "running" and event["model"] == "poem" for event in events)
        finally:
            heard.set()
            follower.terminate()
            happening.join()


def test_without_a_server_it_says_how_to_start_one(run: Run) -> None:
    said = run("events")
    assert said.code == 1
    assert "jan-host serve" in said.err
