"""What a sequence keeps, by the file's header: cells, compressed cells, states, or some of each."""

from pathlib import Path
from typing import Any

import pytest
from jan_host_llamacpp.gguf import read_header
from jan_host_llamacpp.layers import Kept, kept_by

from tests.plugins.llamacpp.writing import write_model

SSM = {"ssm__conv_kernel": 4, "ssm__inner_size": 256, "ssm__state_size": 16, "ssm__group_count": 1}
STATE = 3 * (256 + 2 * 16) + 16 * 256
"""Numbers of a layer with `SSM`: the last three tokens, and all before them."""


def own(architecture: str, **fields: Any) -> dict[str, Any]:
    return {f"{architecture}__{name}": value for name, value in fields.items()}


CASES: dict[str, tuple[str, int, dict[str, Any], Kept]] = {
    "attention alone": ("llama", 2, {}, Kept(keys=2 * 16, values=2 * 16, state=0)),
    "a state alone": (
        "mamba2",
        3,
        {"attention__head_count": 0, "attention__head_count_kv": 0, **SSM},
        Kept(keys=0, values=0, state=3 * STATE),
    ),
    "some of each": (
        "granitehybrid",
        4,
        {"attention__head_count_kv": [0, 2, 0, 0], **SSM},
        Kept(keys=16, values=16, state=3 * STATE),
    ),
    "both in each layer": ("falcon-h1", 2, SSM, Kept(keys=32, values=32, state=2 * STATE)),
    "feed-forward layers": (
        "nemotron_h",
        3,
        {"attention__head_count_kv": [0, 0, 2], "feed_forward_length": [0, 128, 0], **SSM},
        Kept(keys=16, values=16, state=STATE),
    ),
    "every fourth attends": ("qwen35", 8, SSM, Kept(keys=32, values=32, state=6 * STATE)),
    "every second attends": (
        "qwen3next",
        4,
        {"full_attention_interval": 2, **SSM},
        Kept(keys=32, values=32, state=2 * STATE),
    ),
    "the layers are named": (
        "qwen35",
        3,
        {"attention__recurrent_layers": [True, True, False], **SSM},
        Kept(keys=16, values=16, state=2 * STATE),
    ),
    "compressed values": (
        "deepseek2",
        2,
        {
            "attention__head_count_kv": 1,
            "attention__key_length": 576,
            "attention__value_length": 512,
            "attention__key_length_mla": 192,
        },
        Kept(keys=2 * 576, values=0, state=0),
    ),
    "layers that share": (
        "gemma3n",
        6,
        {"attention__shared_kv_layers": 2},
        Kept(keys=4 * 16, values=4 * 16, state=0),
    ),
    "a layer that predicts further": (
        "glm4moe",
        3,
        {"nextn_predict_layers": 1},
        Kept(keys=2 * 16, values=2 * 16, state=0),
    ),
    "smaller heads in a window": (
        "gemma4",
        3,
        {
            "attention__key_length": 32,
            "attention__value_length": 32,
            "attention__key_length_swa": 8,
            "attention__value_length_swa": 8,
            "attention__sliding_window_pattern": [True, True, False],
        },
        Kept(keys=2 * (8 + 8 + 32), values=2 * (8 + 8 + 32), state=0),
    ),
    "time mixing": (
        "rwkv6",
        2,
        {"attention__head_count": 0, "attention__head_count_kv": 0, "wkv__head_size": 32},
        Kept(keys=0, values=0, state=2 * 64 * (2 + 32)),
    ),
    "short convolutions": (
        "lfm2",
        3,
        {"attention__head_count_kv": [0, 0, 2], "shortconv__l_cache": 3},
        Kept(keys=16, values=16, state=2 * 2 * 64),
    ),
    "delta attention": (
        "kimi-linear",
        2,
        {"attention__head_count_kv": [0, 2], "ssm__conv_kernel": 4, "kda__head_dim": 8},
        Kept(keys=16, values=16, state=3 * 3 * 8 * 8 + 8 * 8 * 8),
    ),
    "more layers than can be": (
        "llama",
        1,
        {"nextn_predict_layers": 9, "attention__shared_kv_layers": 9},
        Kept(keys=0, values=0, state=0),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_kept(tmp_path: Path, name: str) -> None:
    architecture, layers, fields, kept = CASES[name]
    path = write_model(
        tmp_path / "m.gguf", architecture=architecture, layers=layers, **own(architecture, **fields)
    )
    assert kept_by(read_header(path)) == kept
