"""Settings: each name and alias, each range, what does not go together, and where users read of them."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from jan_host import CompletionRequest, ValidationError
from jan_host.config import load_config
from jan_host.host import JanHost
from jan_host.host.layers import layers_of

from tests.plugins.llamacpp.hosting import write_chat
from tests.plugins.llamacpp.settings_table import settings_table, written_table


@pytest.fixture
async def lazy_host(tmp_path: Path) -> AsyncIterator[JanHost]:
    """A host with a model that nobody could load: only what is refused before comes back as this."""
    write_chat(tmp_path)
    async with JanHost(load_config(tmp_path, {})) as opened:
        yield opened


def test_the_table_in_the_readme_is_the_settings() -> None:
    assert written_table() == settings_table(), "run: python -m tests.plugins.llamacpp.settings_table"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"ctx_len": 0}, "ctx_len .*it is 0, .*from 1 to 16777216"),
        ({"ctx_len": -(2**70)}, "ctx_len .*-1180591620717411303424, .*from 1 to 16777216"),
        ({"ctx_len": "many"}, 'ctx_len .*it is "many", .*from 1 to'),
        ({"ctx_len": True}, "ctx_len .*it is true, .*from 1 to"),
        ({"n_ctx": 0.5}, "ctx_len .*it is 0.5, .*from 1 to"),
        ({"n_parallel": 257}, "n_parallel .*it is 257, .*from 1 to 256"),
        ({"n_batch": 2**40}, "n_batch .*1099511627776, .*from 1 to 16777216"),
        ({"n_ubatch": 0}, "n_ubatch .*it is 0, .*from 1 to"),
        ({"max_queue": -1}, "max_queue .*it is -1, .*from 0 to"),
        ({"cpu_threads": 0}, "cpu_threads .*it is 0, .*from 1 to 512 or auto"),
        ({"threads": "all"}, 'cpu_threads .*it is "all", .*from 1 to 512 or auto'),
        ({"cpu_threads_batch": 10_000}, "cpu_threads_batch .*from 1 to 512"),
        ({"ngl": -2}, "ngl .*it is -2, .*from -1 to"),
        ({"main_gpu": 16}, "main_gpu .*it is 16, .*from 0 to 15"),
        ({"split_mode": "diagonal"}, 'split_mode .*it is "diagonal", .*one of'),
        ({"tensor_split": [1, -1]}, r"tensor_split\[1\] .*it is -1, .*from 0"),
        ({"tensor_split": ["nan"]}, r'tensor_split\[0\] .*it is "nan", .*from 0'),
        ({"tensor_split": [0, 0]}, "tensor_split .*more than 0"),
        ({"tensor_split": [1] * 17}, "tensor_split .*at most 16"),
        ({"flash_attn": "maybe"}, 'flash_attn .*it is "maybe", .*auto'),
        ({"cache_type_k": "q3_k"}, 'cache_type_k .*it is "q3_k", .*one of f32, f16|cache_type_k .*one of'),
        ({"flash_attn": "off", "cache_type_v": "q8_0"}, "cache_type_v is q8_0, which needs flash attention"),
        ({"flash_attn": False, "cache_type_v": "iq4_nl"}, "cache_type_v is iq4_nl, which needs flash"),
        ({"ctx_len": 2**24, "n_parallel": 256}, "n_parallel 256 times ctx_len 16777216"),
        ({"rope_scaling": "cubic"}, 'rope_scaling .*it is "cubic", .*one of'),
        ({"rope_freq_base": "nan"}, 'rope_freq_base .*it is "nan", .*from 0'),
        ({"rope_freq_base": "-inf"}, 'rope_freq_base .*it is "-inf", .*from 0'),
        ({"rope_freq_base": 1e-30}, "rope_freq_base is 1e-30, .*at least 2"),
        ({"rope_freq_scale": 1e30}, r"rope_freq_scale .*1e\+30, .*to 1000"),
        ({"rope_freq_scale": 1e-9}, "rope_freq_scale is 1e-09, .*at least 0.0001"),
        ({"yarn_orig_ctx": -1}, "yarn_orig_ctx .*it is -1, .*from 0"),
        ({"yarn_ext_factor": "inf"}, 'yarn_ext_factor .*it is "inf", .*from -1 to 1000'),
        ({"yarn_attn_factor": "nan"}, "yarn_attn_factor .*from -1 to 1000"),
        ({"yarn_beta_fast": 1e9}, "yarn_beta_fast .*from -1 to"),
        ({"yarn_beta_slow": -2}, "yarn_beta_slow .*it is -2, .*from -1"),
        ({"lora": "adapter.gguf"}, "lora .*a list of at most 64"),
        ({"lora": [{"path": "a", "scale": "nan"}]}, r'lora\[0\].scale .*it is "nan", .*from -100 to 100'),
        ({"lora": [{"scale": 1}]}, r"lora\[0\] .*path, scale, name"),
        ({"embedding": "perhaps"}, "embedding .*true or false"),
        ({"pooling": "max"}, 'pooling .*it is "max", .*one of'),
        ({"chat_template_kwargs": [1]}, "chat_template_kwargs .*an object"),
        ({"use_mmap": 7}, "use_mmap .*it is 7, .*true or false"),
        ({"no_such": 1}, "does not know the setting 'no_such'"),
    ],
)
async def test_a_bad_value_is_refused_by_name_before_any_process_starts(
    lazy_host: JanHost, given: dict[str, Any], words: str
) -> None:
    with pytest.raises(Exception, match=words) as caught:
        await lazy_host.start("chat", given)
    assert type(caught.value).__name__ in ("ValidationError", "ModelLoadError")
    assert lazy_host.model("chat").memory is None


async def test_other_names_of_settings_count(tmp_path: Path) -> None:
    given = {"n_ctx": 64, "n-gpu-layers": "3", "threads": "2", "ctx_len": 99, "batch_size": "8"}
    write_chat(tmp_path, settings=given)
    async with JanHost(load_config(tmp_path, {})) as host:
        assert host.model("chat").warnings == []
        found = layers_of(host.library.get("chat"), host.plugins, host.library)
    layers = {each.field.removeprefix("settings."): each for each in found}
    values = {name: layers[name].value for name in ("ctx_len", "ngl", "cpu_threads", "n_batch")}
    assert values == {"ctx_len": 99, "ngl": 3, "cpu_threads": 2, "n_batch": 8}
    assert layers["n_batch"].source == "model.json: settings.batch_size"
    assert layers["n_ubatch"].source == "the engine's default"


async def test_what_a_model_json_may_not_say_is_told_and_not_used(tmp_path: Path) -> None:
    write_chat(tmp_path, settings={"n_ctx": -5, "cache_type_k": "f8", "rope_freq_base": "nan"})
    async with JanHost(load_config(tmp_path, {})) as host:
        warnings = host.model("chat").warnings
    assert warnings == [
        "settings.n_ctx is not used: it is -5, and should be a whole number from 1 to 16777216.",
        'settings.cache_type_k is not used: it is "f8", and should be one of '
        "bf16, f16, f32, iq4_nl, q4_0, q4_1, q5_0, q5_1, q8_0.",
        'settings.rope_freq_base is not used: it is "nan", and should be a number from 0 to 1e+12.',
    ]


async def test_a_running_model_goes_on_when_a_start_asks_for_what_can_not_be(
    smollm2: Path, tmp_path: Path
) -> None:
    write_chat(tmp_path, smollm2, settings={"ctx_len": 64, "n_parallel": 1})
    async with JanHost(load_config(tmp_path, {})) as host:
        await host.start("chat")
        before = set(psutil.Process().children())
        bad: list[dict[str, Any]] = [{"n_batch": -1}, {"rope_freq_base": "nan"}, {"threads": 10**30}]
        for given in bad:
            with pytest.raises(ValidationError, match="can't be used"):
                await host.start("chat", given)
        asked = CompletionRequest(model="chat", prompt="One, two,", max_tokens=2, temperature=0.0)
        said = [delta.text async for delta in host.complete(asked)]
        assert set(psutil.Process().children()) == before
    assert "".join(said)
