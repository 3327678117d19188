"""The sample about images in the plugin's README does what it says."""

import json
import re
import subprocess
import sys
from pathlib import Path

from tests.cli.conftest import environment
from tests.examples.servers import serving
from tests.pictures import GREEN, png
from tests.plugins.llamacpp.vision.eyes import write_eyes

README = Path(__file__).parents[4] / "plugins" / "llamacpp" / "README.md"
SECONDS = 60


def test_the_sample_is_answered(tmp_path: Path) -> None:
    write_eyes(tmp_path / "models" / "eyes")
    (tmp_path / "picture.png").write_bytes(png(GREEN, 300, 200))
    (sample,) = re.findall(r"```sh run\n(.*?)```", README.read_text(), re.DOTALL)
    command = [sys.executable, "-m", "jan_host.cli", "serve", "--root", str(tmp_path)]
    with serving(command, environment(), tmp_path) as address:
        text = sample.replace("http://127.0.0.1:1337", address).replace("MODEL", "eyes")
        done = subprocess.run(
            ["sh", "-c", text], cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS, check=True
        )
    assert json.loads(done.stdout)["choices"][0]["message"]["content"].startswith("green")
