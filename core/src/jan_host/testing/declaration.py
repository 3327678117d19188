"""Checks of what an engine says of itself, and of the files it looks at before anything is loaded."""

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from jan_host.contract.engine import Engine, Footprint, Place
from jan_host.contract.errors import ModelBrokenError
from jan_host.contract.model import Model
from jan_host.testing.fixtures import EngineFixtures
from jan_host.testing.generation import check_words
from jan_host.testing.spoiled import SPOILED, spoil


class DeclarationChecks(EngineFixtures):
    """Name, formats, settings, `inspect` and `estimate`."""

    def test_name_aliases_and_formats_are_words(self, engine: Engine) -> None:
        words = [engine.name, *engine.aliases, *engine.formats]
        for word in words:
            assert isinstance(word, str), f"{word!r} is not a str"
            assert word, "a name, alias or format is empty"
            assert word == word.strip(), f"{word!r} has spaces around it"
        assert isinstance(engine.aliases, frozenset), "aliases is a frozenset"
        assert isinstance(engine.formats, frozenset), "formats is a frozenset"
        assert engine.formats, "formats is empty: the host could not tell which models are this engine's"
        assert engine.name not in engine.aliases, "the name is no alias of itself"

    def test_runs_in_is_a_place_and_environment_is_text(self, engine: Engine) -> None:
        assert engine.runs_in in get_args(Place), (
            f"runs_in {engine.runs_in!r} is not one of {get_args(Place)}"
        )
        for name, value in engine.environment.items():
            assert isinstance(name, str), f"environment: {name!r} is not text"
            assert isinstance(value, str), f"environment: {name} has the value {value!r}, which is not text"

    def test_settings_have_defaults_and_a_schema(self, engine: Engine) -> None:
        assert issubclass(engine.Settings, msgspec.Struct), "Settings is a msgspec.Struct"
        required = [field.name for field in msgspec.structs.fields(engine.Settings) if field.required]
        assert not required, f"settings without a default: {required}"
        written = msgspec.to_builtins(engine.Settings())
        assert msgspec.convert(written, engine.Settings) == engine.Settings(), "defaults survive a round trip"
        assert msgspec.json.schema(engine.Settings), "Settings has a JSON schema"

    def test_settings_given_here_fit(self, engine: Engine) -> None:
        msgspec.convert(dict(self.settings), engine.Settings, strict=False)

    def test_inspect_of_nothing_finds_nothing(self, engine: Engine) -> None:
        assert list(engine.inspect([])) == []

    def test_inspect_ignores_files_of_others(self, engine: Engine, tmp_path: Path) -> None:
        files = [tmp_path / "README.md", tmp_path / "no-suffix", tmp_path / ".hidden", tmp_path / "data.zip"]
        for path in files:
            path.write_bytes(b"These are the files of somebody else.\n")
        assert list(engine.inspect(files)) == [], (
            "files without the marks of this engine's models are ignored"
        )

    def test_inspect_finds_the_model(self, engine: Engine, model: Model, folder: Path) -> None:
        files = model.files(folder)
        if not files:
            pytest.skip("the model has no files")
        found = list(engine.inspect(files))
        for one in found:
            _check_inspected(one, engine, files)
        assert found, f"inspect does not see the model in {[path.name for path in files]}"

    @pytest.mark.parametrize("how", SPOILED)
    def test_inspect_of_spoiled_files_refuses_or_ignores(
        self, engine: Engine, model: Model, folder: Path, tmp_path: Path, how: str
    ) -> None:
        spoil(model, folder, tmp_path, how)
        files = sorted(tmp_path.iterdir())
        before = {path: path.read_bytes() for path in files}
        try:
            found = list(engine.inspect(files))
        except ModelBrokenError as error:
            check_words(error)
        else:
            for one in found:
                _check_inspected(one, engine, files)
        after = {path: path.read_bytes() for path in sorted(tmp_path.iterdir())}
        assert before == after, "inspect only reads"

    def test_estimate_counts_bytes(self, engine: Engine, model: Model, folder: Path) -> None:
        settings = msgspec.convert(dict(self.settings), engine.Settings, strict=False)
        for place in (folder, None):
            footprint = engine.estimate(model, place, settings)
            assert isinstance(footprint, Footprint), f"{footprint!r} is not a Footprint"
            for amount in (footprint.ram, footprint.device):
                assert isinstance(amount, int), f"{footprint} is in whole bytes"
                assert amount >= 0, f"{footprint} is below zero"

    def test_estimate_of_missing_files_does_not_fail(
        self, engine: Engine, model: Model, folder: Path, tmp_path: Path
    ) -> None:
        missing = spoil(model, folder, tmp_path, "missing")
        assert isinstance(engine.estimate(missing, tmp_path, engine.Settings()), Footprint)


def _check_inspected(model: Model, engine: Engine, files: Sequence[Path]) -> None:
    assert isinstance(model, Model), f"{model!r} is not a Model"
    names = {path.name for path in files}
    assert model.sources, f"{model.id!r} names no file"
    for source in model.sources:
        assert source.filename.rpartition("/")[2] in names, f"{source.filename!r} is none of {names}"
    assert model.format in engine.formats, f"format {model.format!r} is not one of {set(engine.formats)}"
    assert model.engine in ("", engine.name), f"engine {model.engine!r} is not {engine.name!r}"
    msgspec.json.encode(model)  # it becomes a model.json
