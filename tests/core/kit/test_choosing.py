"""Which of several variants is taken, and what the user is told of it."""

from collections.abc import Sequence

import pytest
from jan_host import Asset, EngineNotInstalledError, Footprint, ImportOptions, Model, OriginNotFoundError
from jan_host.kit import Offer, choose

GB = 1_000_000_000


def offer(name: str, size: int, quality: float | None = None) -> Offer:
    asset = Asset(filename=f"tiny.{name}.bin", url=f"https://example.org/{name}", size=size)
    return Offer(name=name, model=Model(id=name), assets=[asset], description="bits", quality=quality)


OFFERS = [offer("Q2", 2 * GB), offer("Q4", 4 * GB), offer("Q8", 8 * GB)]


async def double(model: Model, assets: Sequence[Asset]) -> Footprint:
    return Footprint(ram=2 * sum(asset.size or 0 for asset in assets), context=4096)


async def test_the_best_that_fits_is_taken_and_the_reason_has_the_figures() -> None:
    choice = await choose(OFFERS, ImportOptions(memory=int(8 * GB), estimate=double))
    assert choice.offer.name == "Q4"
    assert choice.reason == (
        "Q4: the best whose need, 8.0 GB at 4,096 tokens of context, stays under 80 % of this"
        " machine's 10.0 GB."
    )
    assert [variant.fits for variant in choice.variants] == [True, True, False]
    assert [variant.size for variant in choice.variants] == [2 * GB, 4 * GB, 8 * GB]
    assert choice.variants[0].footprint == Footprint(ram=4 * GB, context=4096)
    assert choice.variants[0].description == "bits"
    assert choice.warnings == []


async def test_quality_goes_before_size() -> None:
    offers = [offer("old", 4 * GB, quality=4.0), offer("new", 3 * GB, quality=4.5), offer("raw", 5 * GB)]
    assert (await choose(offers, ImportOptions(memory=100 * GB))).offer.name == "new"


async def test_where_nothing_fits_the_smallest_is_taken_with_a_warning() -> None:
    choice = await choose(OFFERS, ImportOptions(memory=GB, estimate=double))
    assert (choice.offer.name, choice.reason) == ("Q2", "Q2: the smallest, since none fits.")
    [warning] = choice.warnings
    assert warning == (
        "None of the variants fits into this machine's memory: Q2 needs 4.0 GB at 4,096 tokens of context,"
        " which is more than 80 % of this machine's 1.2 GB."
    )


async def test_what_the_publisher_recommends_is_taken_when_it_fits() -> None:
    options = ImportOptions(memory=8 * GB, estimate=double)
    choice = await choose(OFFERS, options, default="q2")
    assert choice.offer.name == "Q2"
    assert choice.reason is not None
    assert choice.reason.startswith("Q2: what its publisher recommends; its need, 4.0 GB")
    assert (await choose(OFFERS, options, default="Q8")).offer.name == "Q4"
    assert (await choose(OFFERS, options, default="gone")).offer.name == "Q4"
    assert (await choose(OFFERS, ImportOptions(), default="Q8")).offer.name == "Q8"


async def test_what_the_user_names_is_taken_whatever_it_needs() -> None:
    options = ImportOptions(memory=GB, estimate=double)
    choice = await choose(OFFERS, options, wanted="Q8", default="Q2")
    assert (choice.offer.name, choice.reason) == ("Q8", "Q8: you named it.")
    assert choice.warnings[0].startswith("None of the variants fits into this machine's memory: Q8 needs")
    roomy = ImportOptions(memory=8 * GB, estimate=double, variant="Q8")
    assert (await choose(OFFERS, roomy)).warnings == [
        "Q8 needs 16.0 GB at 4,096 tokens of context, which is more than 80 % of this machine's 10.0 GB."
    ]


async def test_what_the_operator_set_is_no_share_of_the_machine() -> None:
    options = ImportOptions(memory=8 * GB, memory_is_set=True, estimate=double)
    assert (await choose(OFFERS, options)).reason == (
        "Q4: the best whose need, 8.0 GB at 4,096 tokens of context, stays under the 8.0 GB that [runtime]"
        " memory_bytes gives to models."
    )
    [warning] = (await choose(OFFERS, options, wanted="Q8")).warnings
    assert warning.endswith("which is more than the 8.0 GB that [runtime] memory_bytes gives to models.")


@pytest.mark.parametrize("wanted", ["Q4", "q4", "tiny.q4.bin", "Tiny.Q4"])
async def test_a_variant_is_named_by_its_name_or_its_file(wanted: str) -> None:
    assert (await choose(OFFERS, ImportOptions(), wanted=wanted)).offer.name == "Q4"


async def test_an_exact_name_goes_before_one_in_other_capitals() -> None:
    offers = [offer("q4", GB), offer("Q4", 2 * GB)]
    assert (await choose(offers, ImportOptions(variant="Q4"))).offer is offers[1]
    offers[1].name = "QQ"
    offers.append(offer("qq", GB))
    with pytest.raises(OriginNotFoundError, match=r"'qQ' could be several variants\. Name one of: QQ, qq\."):
        await choose(offers, ImportOptions(variant="qQ"))


async def test_a_name_that_is_not_there_says_what_is() -> None:
    with pytest.raises(OriginNotFoundError, match=r"no variant 'Q5' at this origin\. There are: Q2, Q4, Q8"):
        await choose(OFFERS, ImportOptions(), wanted="Q5")
    many = [offer(str(number), GB) for number in range(30)]
    with pytest.raises(OriginNotFoundError, match=r"18, 19 and 10 more\.$") as caught:
        await choose(many, ImportOptions(), wanted="x" * 1_000_000)
    assert len(caught.value.message) < 1000


async def test_the_only_one_needs_no_reason_but_may_need_a_warning() -> None:
    choice = await choose(OFFERS[2:], ImportOptions(memory=GB, estimate=double))
    assert (choice.offer.name, choice.reason) == ("Q8", None)
    assert choice.warnings[0].startswith("Q8 needs 16.0 GB")
    assert (await choose(OFFERS[:1], ImportOptions(memory=100 * GB))).warnings == []


async def test_where_no_engine_can_tell_the_size_stands_in() -> None:
    async def nobody(model: Model, assets: Sequence[Asset]) -> Footprint:
        raise EngineNotInstalledError("none")

    choice = await choose(OFFERS, ImportOptions(memory=7 * GB, estimate=nobody))
    assert choice.variants[0].footprint == Footprint(ram=3 * GB)
    assert choice.variants[2].footprint == Footprint(ram=10_500_000_000)
    assert (
        choice.reason == "Q4: the best whose need, about 6.0 GB, stays under 80 % of this machine's 8.8 GB."
    )


async def test_the_models_own_size_counts_where_an_archive_is_fetched() -> None:
    archive = Asset(filename="a.bin", url="https://example.org/a.zip", member="a.bin", size=4 * GB)
    second = Asset(filename="b.bin", url="https://example.org/a.zip", member="b.bin", size=4 * GB)
    model = Model(id="a", metadata={"size": 2 * GB})
    choice = await choose([Offer(name="a", model=model, assets=[archive, second])], ImportOptions())
    [variant] = choice.variants
    assert (variant.size, variant.footprint) == (4 * GB, Footprint(ram=3 * GB))


async def test_unknown_memory_takes_the_smallest() -> None:
    choice = await choose(OFFERS, ImportOptions(estimate=double))
    assert choice.offer.name == "Q2"
    assert choice.reason == "Q2: the smallest, since nobody knows here how much memory they may use."
    assert [variant.fits for variant in choice.variants] == [None] * 3


async def test_unknown_sizes_are_left_open() -> None:
    offers = [
        Offer(name=name, model=Model(id=name), assets=[Asset(filename=name, url="https://example.org/x")])
        for name in ("a", "b")
    ]
    choice = await choose(offers, ImportOptions(memory=GB))
    assert [(each.size, each.footprint, each.fits) for each in choice.variants] == [(None, None, None)] * 2
