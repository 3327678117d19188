"""Quantizations in the names of files."""

import pytest
from jan_host_huggingface.layouts.quantization import bits_of, quantization_of, without_quantization


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("zephyr-7b-beta.Q2_K.gguf", "Q2_K"),
        ("x-Q2_K_S.gguf", "Q2_K_S"),
        ("x.q4_k_m.gguf", "Q4_K_M"),
        ("ggml-model-q4_k.gguf", "Q4_K"),
        ("x-Q3_K_XL.gguf", "Q3_K_XL"),
        ("x-UD-Q4_K_XL.gguf", "UD-Q4_K_XL"),
        ("x-UD-IQ1_S.gguf", "UD-IQ1_S"),
        ("x-IQ2_XXS.gguf", "IQ2_XXS"),
        ("x-IQ4_NL.gguf", "IQ4_NL"),
        ("x-Q4_0_4_8.gguf", "Q4_0_4_8"),
        ("x-Q8_0.gguf", "Q8_0"),
        ("x-TQ1_0.gguf", "TQ1_0"),
        ("x-MXFP4_MOE.gguf", "MXFP4_MOE"),
        ("x.BF16.gguf", "BF16"),
        ("x-f16.gguf", "F16"),
        ("x.fp16.gguf", "FP16"),
        ("Q5_K_M/x-00001-of-00002.gguf", "Q5_K_M"),
        ("F16/x-Q5_K_M.gguf", "Q5_K_M"),
        ("Falcon-F16-Q6_K.gguf", "Q6_K"),
        ("model.gguf", None),
        ("x-Q4_K_P.gguf", None),
        ("Q4model.gguf", None),
        ("xQ4_0.gguf", None),
    ],
)
def test_names(path: str, name: str | None) -> None:
    assert quantization_of(path) == name


def test_better_ones_have_more_bits() -> None:
    names = [
        "IQ1_S",
        "IQ2_XXS",
        "Q2_K",
        "Q3_K_S",
        "Q3_K_M",
        "Q3_K_L",
        "IQ4_XS",
        "Q4_K_S",
        "Q4_K_M",
        "UD-Q4_K_XL",
    ]
    names += ["Q5_K_S", "Q5_K_M", "Q6_K", "Q8_0", "BF16", "F16", "F32"]
    bits = [bits_of(name) for name in names]
    assert None not in bits
    assert bits == sorted(bits, key=lambda each: each or 0)
    assert bits_of("model") is None
    assert bits_of(None) is None


def test_every_name_that_is_known_has_bits() -> None:
    for digit in "2345678":
        for ending in ("", "_S", "_M", "_L", "_XL"):
            name = f"Q{digit}_K{ending}"
            assert quantization_of(f"x-{name}.gguf") == name
    assert bits_of("Q4_0_4_4") == bits_of("Q4_0")


@pytest.mark.parametrize(
    ("stem", "rest"), [("a-Q4_K_M", "a"), ("mmproj-a-F16", "mmproj-a"), ("a", "a"), ("Q4_0-a", "a")]
)
def test_names_without_them(stem: str, rest: str) -> None:
    assert without_quantization(stem) == rest
