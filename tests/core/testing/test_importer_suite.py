"""The importers' contract suite passes a good importer and fails on each wrong one."""

import pytest

pytest_plugins = ["pytester"]

SUITES = """
import pathlib
import msgspec, pytest
from jan_host import *
from jan_host import Model
from jan_host.testing import ImporterContract

class Good(Importer):
    name = "shelf"

    def accepts(self, origin):
        return origin.startswith("shelf/")

    async def resolve(self, origin, options):
        if not origin.startswith("shelf/"):
            raise OriginNotFoundError(f"There is no {origin!r} on the shelf.")
        variant = options.variant or "small"
        if variant not in ("small", "large"):
            raise ImportFailedError(f"There is no {variant!r}: choose small or large.")
        model = Model(
            id=options.id or "book", format="paper", sources=[Source(filename="book.txt")],
            metadata={"variant": variant},
        )
        url = f"https://example.org/{variant}"
        assets = [Asset(filename="book.txt", url=url, sha256="a" * 64, headers={"Authorization": "env:KEY"})]
        variants = [Variant(name="small"), Variant(name="large")]
        plan = ImportPlan(
            origin=origin, importer="shelf", model=model, assets=assets, variants=variants, variant=variant
        )
        return self.changed(plan)

    def changed(self, plan):
        return plan

@pytest.fixture
def good_origins():
    return ["shelf/book"]

@pytest.fixture
def bad_origins():
    return ["nowhere/book"]

class TestGood(ImporterContract):
    @pytest.fixture
    def importer(self):
        return Good()
"""

WRONG = {
    "Loud": (
        'name = "Shelf: the best"',
        "test_the_name_can_stand_before_a_colon",
    ),
    "Choosy": (
        "def accepts(self, origin): return origin.split('/')[1] == 'book'",
        "test_accepts_answers_yes_or_no_to_anything",
    ),
    "Curious": (
        "def accepts(self, origin): return bool(open(__file__).close() or origin.strip())",
        "test_accepts_looks_at_the_text_alone",
    ),
    "Greedy": ("def accepts(self, origin): return True", "test_accepts_nothing_that_is_empty"),
    "Untidy": (
        "def changed(self, plan): pathlib.Path('left').touch(); return plan",
        "test_resolve_leaves_nothing_behind",
    ),
    "Climbing": (
        "def changed(self, plan): plan.assets[0].filename = '../book.txt'; return plan",
        "test_good_origins_make_a_plan",
    ),
    "Nameless": ("def changed(self, plan): plan.importer = ''; return plan", "test_good_origins_make_a_plan"),
    "Sourceless": (
        "def changed(self, plan): plan.assets.clear(); return plan",
        "test_good_origins_make_a_plan",
    ),
    "TwoWays": (
        "def changed(self, plan): plan.assets[0].path = pathlib.Path('/book'); return plan",
        "test_good_origins_make_a_plan",
    ),
    "Unhashed": (
        "def changed(self, plan): plan.assets[0].sha256 = 'A' * 64; return plan",
        "test_good_origins_make_a_plan",
    ),
    "Leaky": (
        "def changed(self, plan): plan.assets[0].headers = {'Authorization': 'Bearer abc'}; return plan",
        "test_good_origins_make_a_plan",
    ),
    "Telltale": (
        "def changed(self, plan): plan.model.metadata = {'auth': 'Bearer abc'}; return plan",
        "test_good_origins_make_a_plan",
    ),
    "Stubborn": (
        "def changed(self, plan): plan.model.id = 'book'; return plan",
        "test_an_id_that_is_asked_for_is_taken",
    ),
    "OneSize": (
        "def changed(self, plan): plan.variant = 'small'; return plan",
        "test_each_variant_can_be_asked_for",
    ),
    "Yielding": (
        "async def resolve(self, origin, options):\n"
        "        known = options.variant in ('small', 'large')\n"
        "        options = options if known else msgspec.structs.replace(options, variant=None)\n"
        "        return await super().resolve(origin, options)",
        "test_a_variant_that_is_not_there_is_refused",
    ),
    "Foreign": (
        "async def resolve(self, origin, options): raise LookupError(origin)",
        "test_bad_origins_fail_in_words",
    ),
}

WRONG_SUITE = """
class {name}(Good):
    {fault}

class Test{name}(ImporterContract):
    @pytest.fixture
    def importer(self):
        return {name}()
"""


def test_good_importers_pass_and_wrong_ones_are_caught(pytester: pytest.Pytester) -> None:
    suites = [WRONG_SUITE.format(name=name, fault=fault) for name, (fault, _) in WRONG.items()]
    file = pytester.makepyfile(test_wrong=SUITES + "".join(suites))
    expected = {f"Test{name}::{caught_by}" for name, (_, caught_by) in WRONG.items()}
    selected = [f"{file}::{each}" for each in ["TestGood", *sorted(expected)]]
    record = pytester.inline_run("-q", "-p", "no:asyncio", "-p", "no:cacheprovider", *selected)
    _, skipped, failed = record.listoutcomes()
    assert not skipped
    assert {report.nodeid.partition("::")[2] for report in failed if report.when == "call"} == expected
