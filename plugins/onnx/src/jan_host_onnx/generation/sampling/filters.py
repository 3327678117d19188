"""Filters of candidates, each as llama.cpp's sampler of its name (llama-sampling.cpp)."""

import math
from collections.abc import Callable

import numpy as np

from jan_host_onnx.generation.sampling.candidates import Candidates

Stage = Callable[[Candidates], None]
"""Changes candidates in place; leaves one at least."""

_FIRST_LOOK = 512


def top_k(count: int) -> Stage:
    """The `count` best."""
    return lambda candidates: candidates.best(count)


def top_p(mass: float) -> Stage:
    """The best whose probabilities together reach `mass` (Holtzman et al. 2019)."""

    def stage(candidates: Candidates) -> None:
        total = float(np.logaddexp.reduce(candidates.scores.astype(np.float64)))
        if not candidates.ordered and len(candidates) > 4 * _FIRST_LOOK:
            # Nearly always the first few hundred are enough, and the rest need not be sorted.
            some = Candidates(candidates.scores)
            some.best(_FIRST_LOOK)
            reached = np.cumsum(np.exp(some.scores - total))
            if reached[-1] >= mass:
                candidates.best(_FIRST_LOOK)
        candidates.order()
        reached = np.cumsum(np.exp(candidates.scores.astype(np.float64) - total))
        candidates.keep(slice(int(np.searchsorted(reached, mass)) + 1))

    return stage


def min_p(share: float) -> Stage:
    """Those with `share` of the best one's probability at least."""

    def stage(candidates: Candidates) -> None:
        candidates.keep(candidates.scores >= candidates.scores.max() + math.log(share))

    return stage


def typical(mass: float) -> Stage:
    """Those whose information is nearest to the mean, up to `mass` (Meister et al. 2022)."""

    def stage(candidates: Candidates) -> None:
        candidates.order()
        chances = candidates.probabilities()
        with np.errstate(divide="ignore", invalid="ignore"):
            surprise = -np.log(chances)
            entropy = np.nansum(chances * surprise)
            distance = np.abs(surprise - entropy)
        nearest = np.argsort(distance, kind="stable")
        reached = np.cumsum(chances[nearest])
        candidates.keep(nearest[: int(np.searchsorted(reached, mass, side="right")) + 1])
        candidates.ordered = False

    return stage


def top_n_sigma(count: float) -> Stage:
    """Those within `count` standard deviations of the best score (Tang et al. 2024)."""

    def stage(candidates: Candidates) -> None:
        scores = candidates.scores
        known = scores[scores > -np.inf]
        if len(known) > 1:
            candidates.keep(scores >= scores.max() - count * known.std(dtype=np.float64))

    return stage


def temperature(value: float) -> Stage:
    """Scores divided by `value`."""

    def stage(candidates: Candidates) -> None:
        candidates.scores = candidates.scores / np.float32(value)

    return stage


def dynamic_temperature(value: float, span: float, exponent: float) -> Stage:
    """A temperature from ``value - span`` to ``value + span``, the higher the less certain the model is."""
    low, high = max(0.0, value - span), value + span

    def stage(candidates: Candidates) -> None:
        if len(candidates) < 2:
            return
        chances = candidates.probabilities()
        known = chances[chances > 0]
        entropy = float(-(known * np.log(known)).sum()) / math.log(len(candidates))
        heat = low + (high - low) * max(0.0, entropy) ** exponent
        candidates.scores = candidates.scores / np.float32(max(heat, 1e-6))

    return stage


def xtc(probability: float, threshold: float, generator: np.random.Generator) -> Stage:
    """Exclude top choices: with `probability`, of those that reach `threshold` only the last one stays."""

    def stage(candidates: Candidates) -> None:
        if len(candidates) < 2 or generator.random() > probability:
            return
        candidates.order()
        reaching = int((candidates.probabilities() >= threshold).sum())
        if reaching > 1:
            candidates.keep(slice(reaching - 1, None))

    return stage
