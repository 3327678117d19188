"""Which of several models in a wheel is taken, and why."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from jan_host import ImportOptions, JanHostError, Model, OriginNotFoundError, Variant

from jan_host_pypi.candidates import Candidate


@dataclass(frozen=True, slots=True)
class Choice:
    """A candidate with its model.json and its name among the variants."""

    candidate: Candidate
    model: Model
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What is taken, in words for the plan."""

    choice: Choice
    variants: list[Variant]
    reason: str | None = None
    warnings: tuple[str, ...] = ()


def choose(choices: Sequence[Choice], wanted: str | None, options: ImportOptions) -> Chosen:
    """The one that is asked for, the only one, or the largest that fits into memory.

    Raises:
        OriginNotFoundError: The one that is asked for is not there.
    """
    variants = [_variant(choice, options) for choice in choices]
    if wanted is not None:
        return Chosen(choice=_named(choices, wanted), variants=variants)
    if len(choices) == 1:
        return Chosen(choice=choices[0], variants=variants)
    by_size = sorted(zip(choices, variants, strict=True), key=lambda pair: pair[0].candidate.size)
    smallest = by_size[0][0]
    if all(variant.fits is None for variant in variants):
        reason = "The smallest of several, since it is not known how much memory they may use."
        return Chosen(choice=smallest, variants=variants, reason=reason)
    fitting = [choice for choice, variant in by_size if variant.fits]
    if fitting:
        reason = "The largest of several that fits into this machine's memory."
        return Chosen(choice=fitting[-1], variants=variants, reason=reason)
    return Chosen(
        choice=smallest,
        variants=variants,
        reason="The smallest of several.",
        warnings=("None of the models in this package fits into this machine's memory.",),
    )


def _named(choices: Sequence[Choice], wanted: str) -> Choice:
    for choice in choices:
        if choice.name == wanted:
            return choice
    meant = [choice for choice in choices if choice.candidate.is_called(wanted)]
    if len(meant) == 1:
        return meant[0]
    offered = ", ".join(choice.name for choice in choices)
    if meant:
        raise OriginNotFoundError(
            f"{wanted!r} could be several models. Name one of: {offered}.", param="variant"
        )
    raise OriginNotFoundError(f"The package has no model {wanted!r}. It has: {offered}.", param="variant")


def _variant(choice: Choice, options: ImportOptions) -> Variant:
    footprint = None
    if options.estimate is not None:
        with contextlib.suppress(JanHostError):  # no engine for it is installed: nobody knows its need
            footprint = options.estimate(choice.model)
    need = footprint.ram + footprint.device if footprint is not None else choice.candidate.size
    fits = need <= options.memory if options.memory else None
    return Variant(name=choice.name, size=choice.candidate.size, footprint=footprint, fits=fits)
