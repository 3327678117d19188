"""The contract suite of importers."""

import asyncio
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import ClassVar

import msgspec
import pytest

from jan_host.contract.errors import ImportFailedError
from jan_host.contract.importer import Asset, Importer, ImportOptions, ImportPlan
from jan_host.contract.model import Model
from jan_host.testing.generation import check_words
from jan_host.testing.running import Run
from jan_host.testing.watching import outside_calls

GARBAGE = (
    "",
    " ",
    ":",
    "://",
    "http://",
    "https://[::1",
    "https://example.invalid:99999/x",
    "C:\\models\\x",
    "../../etc/passwd",
    "\x00\x01",
    "a" * 10_000,
    "%zz%",
    "😀",
    "\ud800",
    "file:///",
    "--option",
)
"""Texts that users and programs send where an origin belongs."""

_ID = re.compile(r"[^\s/\\][^\s\\]*")
_SECRETS = re.compile(r"(?i)\b(bearer\s+\S|hf_[a-z0-9]{20}|sk-[a-z0-9]{16})")
_READ_SECRET = re.compile(r"(?i)authorization|api-key|token|cookie")


class ImporterContract:
    """What the host relies on in every importer: subclass it under a name that begins with ``Test``.

    Three fixtures are the author's, in the class or in the module: `importer`, `good_origins`
    (texts, without ``NAME:``, that it can resolve here) and `bad_origins` (texts behind which
    there is nothing).
    """

    timeout_seconds: ClassVar[float] = 120
    """The deadline of one `resolve`."""
    options: ClassVar[ImportOptions] = ImportOptions(memory=8 * 1024**3)
    """What the user asks for beyond the origin."""

    @pytest.fixture(scope="class")
    @classmethod
    def run(cls) -> Iterator[Run]:
        """Runs a coroutine."""
        with asyncio.Runner() as runner:
            yield Run(runner, cls.timeout_seconds)

    def test_the_name_can_stand_before_a_colon(self, importer: Importer) -> None:
        assert re.fullmatch(r"[a-z][a-z0-9_+.-]*", importer.name), (
            f"the name {importer.name!r} is written `jan-host pull NAME:...`: small letters, digits, _ + . -"
        )

    def test_accepts_answers_yes_or_no_to_anything(
        self, importer: Importer, good_origins: Sequence[str], bad_origins: Sequence[str]
    ) -> None:
        for origin in (*GARBAGE, *good_origins, *bad_origins):
            answer = importer.accepts(origin)
            assert isinstance(answer, bool), f"accepts({origin!r}) is {answer!r}"

    def test_accepts_looks_at_the_text_alone(self, importer: Importer, good_origins: Sequence[str]) -> None:
        for origin in good_origins:
            importer.accepts(origin)  # what it imports on its first call does not count
            with outside_calls() as seen:
                importer.accepts(origin)
            assert not seen, f"accepts({origin!r}) went outside: {seen[:3]}"

    def test_accepts_nothing_that_is_empty(self, importer: Importer) -> None:
        assert not importer.accepts("")
        assert not importer.accepts(" ")

    def test_good_origins_make_a_plan(
        self, run: Run, importer: Importer, good_origins: Sequence[str]
    ) -> None:
        assert good_origins, "good_origins is empty"
        for origin in good_origins:
            check_plan(run(importer.resolve(origin, self.options)), importer, origin)

    def test_resolve_leaves_nothing_behind(
        self,
        run: Run,
        importer: Importer,
        good_origins: Sequence[str],
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        origins = [
            str(Path(origin).resolve()) if Path(origin).exists() else origin for origin in good_origins
        ]
        for name in ("here", "temporary"):
            (tmp_path / name).mkdir()
        monkeypatch.chdir(tmp_path / "here")
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
        for variable in ("TMPDIR", "TEMP", "TMP"):
            monkeypatch.setenv(variable, str(tmp_path / "temporary"))
        for origin in origins:
            run(importer.resolve(origin, self.options))
            left = [str(path.relative_to(tmp_path)) for path in tmp_path.glob("*/**/*")]
            assert not left, f"resolve({origin!r}) left {left}: it only reads metadata"

    def test_the_same_origin_makes_the_same_plan(
        self, run: Run, importer: Importer, good_origins: Sequence[str]
    ) -> None:
        for origin in good_origins:
            first, second = (run(importer.resolve(origin, self.options)) for _ in range(2))
            first.model.created = second.model.created = 0
            assert first == second, f"resolve({origin!r})"

    def test_an_id_that_is_asked_for_is_taken(
        self, run: Run, importer: Importer, good_origins: Sequence[str]
    ) -> None:
        options = msgspec.structs.replace(self.options, id="my-own-id")
        for origin in good_origins:
            assert run(importer.resolve(origin, options)).model.id == "my-own-id", origin

    def test_each_variant_can_be_asked_for(
        self, run: Run, importer: Importer, good_origins: Sequence[str]
    ) -> None:
        for origin in good_origins:
            for variant in run(importer.resolve(origin, self.options)).variants:
                options = msgspec.structs.replace(self.options, variant=variant.name)
                plan = run(importer.resolve(origin, options))
                assert plan.variant == variant.name, f"{origin}: asked for {variant.name}, got {plan.variant}"
                check_plan(plan, importer, origin)

    def test_a_variant_that_is_not_there_is_refused(
        self, run: Run, importer: Importer, good_origins: Sequence[str]
    ) -> None:
        options = msgspec.structs.replace(self.options, variant="no-such-variant")
        for origin in good_origins:
            with pytest.raises(ImportFailedError):
                run(importer.resolve(origin, options))

    def test_bad_origins_fail_in_words(
        self, run: Run, importer: Importer, bad_origins: Sequence[str]
    ) -> None:
        assert bad_origins, "bad_origins is empty"
        for origin in bad_origins:
            with pytest.raises(ImportFailedError) as caught:
                run(importer.resolve(origin, self.options))
            check_words(caught.value)


def check_plan(plan: ImportPlan, importer: Importer, origin: str) -> None:
    """Hold a plan against all that the host relies on."""
    assert isinstance(plan, ImportPlan), f"{plan!r} is not an ImportPlan"
    assert plan.importer == importer.name, f"{origin}: the plan's importer is {plan.importer!r}"
    _check_model(plan.model, origin)
    names = [asset.filename for asset in plan.assets]
    assert len(set(names)) == len(names), f"{origin}: two assets of one name: {names}"
    sources = [source.filename for source in plan.model.sources]
    assert set(sources) <= set(names), f"{origin}: sources {sources} are not all among the assets {names}"
    for asset in plan.assets:
        _check_asset(asset, origin)
    offered = [variant.name for variant in plan.variants]
    assert len(set(offered)) == len(offered), f"{origin}: two variants of one name: {offered}"
    if offered:
        assert plan.variant in offered, f"{origin}: took {plan.variant!r}, which is none of {offered}"


def _check_model(model: Model, origin: str) -> None:
    assert _ID.fullmatch(model.id), (
        f"{origin}: the id {model.id!r} is empty, or has spaces or a slash in front"
    )
    assert ".." not in PurePosixPath(model.id).parts, f"{origin}: the id {model.id!r} leads upwards"
    assert model.engine or model.format, f"{origin}: neither engine nor format says who runs the model"
    written = msgspec.json.encode(model)
    assert msgspec.json.decode(written, type=Model) == model, f"{origin}: the model survives its model.json"
    found = _SECRETS.search(written.decode())
    assert not found, f"{origin}: the model.json holds what looks like a secret: {found}"


def _check_asset(asset: Asset, origin: str) -> None:
    where = f"{origin}: {asset.filename!r}"
    name = PurePosixPath(asset.filename)
    assert asset.filename, f"{where} is empty"
    assert "\\" not in asset.filename, f"{where} has a backslash"
    assert not name.is_absolute(), f"{where} is absolute"
    assert ".." not in name.parts, f"{where} leads out of the model's folder"
    assert ":" not in name.parts[0], f"{where} could be a drive"
    places = [asset.url is not None, asset.path is not None, bool(asset.parts)]
    assert sum(places) == 1, f"{where} has exactly one of url, path and parts"
    for part in asset.parts:
        assert not part.parts, f"{where}: its part {part.filename!r} has parts again"
        _check_asset(part, f"{origin}: {asset.filename!r}")
    assert asset.path is None or asset.path.is_absolute(), f"{where}: the path {asset.path} is not absolute"
    assert asset.size is None or asset.size >= 0, f"{where}: size {asset.size}"
    if asset.sha256 is not None:
        assert re.fullmatch(r"[0-9a-f]{64}", asset.sha256), f"{where}: sha256 {asset.sha256!r}"
    for header, value in asset.headers.items():
        if _READ_SECRET.search(header):
            is_reference = re.search(r"\b(env|file):.", value)
            assert is_reference, f"{where}: the header {header} holds a secret; write it as env:NAME"
