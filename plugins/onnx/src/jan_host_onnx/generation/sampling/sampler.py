"""One choice's sampler: adjusted scores, penalties, filters in the wanted order, then a draw."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from jan_host import EngineError, InvalidRequestError
from jan_host.kit.generation import MIROSTAT_CANDIDATES, ChoicePlan, Chosen, SamplingOptions

from jan_host_onnx.generation.sampling import filters
from jan_host_onnx.generation.sampling.candidates import Candidates, Scores
from jan_host_onnx.generation.sampling.mirostat import Mirostat
from jan_host_onnx.generation.sampling.penalties import Breakers, Dry, Repetition, Tokens
from jan_host_onnx.generation.vocabulary import Vocabulary

Penalty = Callable[[Scores, Tokens], None]


class Sampler:
    """Chooses the tokens of one sequence.

    Args:
        plan: What was asked for.
        vocabulary: The model's.
    """

    def __init__(self, plan: ChoicePlan, vocabulary: Vocabulary) -> None:
        options = plan.options
        self._greedy = options.greedy
        self._adjust = plan.adjust
        self._reporter = plan.reporter
        self.constraint = plan.constraint
        self._generator = np.random.Generator(np.random.PCG64(options.seed))
        self._penalties = _penalties(options, vocabulary)
        self._mirostat = _mirostat(options, vocabulary)
        self._stages = [] if self._greedy else _stages(options, self._mirostat, self._generator)
        self._window = np.empty(options.looks_back, np.int32)
        self._seen = 0

    def observe(self, tokens: npt.NDArray[np.int32]) -> None:
        """Look at the prompt, so that penalties see what was said before."""
        reach = len(self._window)
        last = tokens[-reach:] if reach else tokens[:0]
        self._window[reach - len(last) :] = last
        self._seen = len(last)

    def choose(self, scores: Scores, generated: int) -> Chosen:
        """The next token.

        Args:
            scores: The model's scores (logits) for all tokens; they may be changed.
            generated: How many tokens were chosen before.

        Raises:
            EngineError: The scores are no numbers.
            InvalidRequestError: No token is left to choose from.
        """
        _check_finite(scores)
        report = self._reporter.prepare(scores) if self._reporter is not None else None
        for adjust in self._adjust:
            adjust(scores, generated)
        if self._adjust and np.isneginf(scores.max()):
            raise InvalidRequestError(
                "logit_bias and ignore_eos forbid every token. Forbid fewer.", param="logit_bias"
            )
        allowed = self.constraint.allowed() if self.constraint is not None else None
        if allowed is not None:
            _hold(scores, allowed)
        token = self._draw(self.candidates(scores, allowed)) if not self._greedy else self._best(scores)
        self._remember(token)
        return Chosen(token, report(token) if report is not None else None)

    def candidates(self, scores: Scores, allowed: npt.NDArray[np.intp] | None = None) -> Candidates:
        """The tokens among which is drawn, with their scores; changes `scores`.

        Args:
            scores: Of all tokens.
            allowed: The tokens that may come; ``None``: all.
        """
        self._penalize(scores)
        candidates = Candidates(scores)
        if allowed is not None:
            candidates.keep(allowed)
        for stage in self._stages:
            stage(candidates)
        return candidates

    def _best(self, scores: Scores) -> int:
        self._penalize(scores)
        return int(scores.argmax())

    def _penalize(self, scores: Scores) -> None:
        before = self._window[len(self._window) - self._seen :]
        for penalty in self._penalties:
            penalty(scores, before)

    def _draw(self, candidates: Candidates) -> int:
        reached = np.cumsum(candidates.probabilities())
        place = int(np.searchsorted(reached, self._generator.random() * reached[-1], side="right"))
        place = min(place, len(reached) - 1)
        if self._mirostat is not None:
            self._mirostat.learn(float(reached[place] - (reached[place - 1] if place else 0.0)))
        return int(candidates.ids[place])

    def _remember(self, token: int) -> None:
        if len(self._window):
            self._window[:-1] = self._window[1:]
            self._window[-1] = token
            self._seen = min(self._seen + 1, len(self._window))


def _check_finite(scores: Scores) -> None:
    """Refuse scores that tell nothing; single tokens may well be impossible.

    Raises:
        EngineError: One is no number, or endless, or all are impossible.
    """
    if not np.isfinite(scores.max()):
        raise EngineError(
            "The model's scores are not numbers: its graph overflows. Try a variant in another number format."
        )


def _hold(scores: Scores, allowed: npt.NDArray[np.intp]) -> None:
    """Make all tokens impossible but those that are allowed.

    Raises:
        InvalidRequestError: Those are impossible already.
    """
    held = scores[allowed]
    if len(allowed) == 1:
        held[:] = 0  # it comes, whatever its score
    elif np.isneginf(held.max()):
        raise InvalidRequestError(
            "logit_bias forbids every token that may come next in the wanted form. Forbid fewer.",
            param="logit_bias",
        )
    scores[:] = -np.inf
    scores[allowed] = held


def _penalties(wanted: SamplingOptions, vocabulary: Vocabulary) -> list[Penalty]:
    found: dict[str, Penalty] = {}
    if wanted.penalty_reach:
        found["penalties"] = Repetition(
            wanted["repeat_penalty"],
            wanted["frequency_penalty"],
            wanted["presence_penalty"],
            wanted.penalty_reach,
        )
    if wanted.dry_reach:
        breakers: Breakers = vocabulary.breakers(wanted["dry_sequence_breakers"])
        found["dry"] = Dry(
            wanted["dry_multiplier"],
            wanted["dry_base"],
            wanted["dry_allowed_length"],
            wanted.dry_reach,
            breakers,
        )
    return [found[name] for name in wanted.order if name in found]


def _mirostat(wanted: SamplingOptions, vocabulary: Vocabulary) -> Mirostat | None:
    if wanted.greedy or not wanted["mirostat"]:
        return None
    tau, eta = wanted["mirostat_tau"], wanted["mirostat_eta"]
    return Mirostat(wanted["mirostat"], tau, eta, MIROSTAT_CANDIDATES, vocabulary.size)


def _stages(
    wanted: SamplingOptions, mirostat: Mirostat | None, generator: np.random.Generator
) -> list[filters.Stage]:
    if mirostat is not None:
        # Mirostat cuts the candidates itself, so only the temperature stands before it.
        return [*_temperature(wanted), mirostat.cut]
    made: dict[str, list[filters.Stage]] = {
        "temperature": _temperature(wanted),
        "top_n_sigma": _where(wanted["top_n_sigma"] > 0, filters.top_n_sigma, wanted["top_n_sigma"]),
        "top_k": _where(wanted["top_k"] > 0, filters.top_k, wanted["top_k"]),
        "typ_p": _where(wanted["typical_p"] < 1, filters.typical, wanted["typical_p"]),
        "top_p": _where(wanted["top_p"] < 1, filters.top_p, wanted["top_p"]),
        "min_p": _where(wanted["min_p"] > 0, filters.min_p, wanted["min_p"]),
    }
    if wanted["xtc_probability"] > 0 and wanted["xtc_threshold"] <= 0.5:
        made["xtc"] = [filters.xtc(wanted["xtc_probability"], wanted["xtc_threshold"], generator)]
    return [stage for name in wanted.order for stage in made.get(name, ())]


def _where(wanted: bool, make: Callable[[Any], filters.Stage], value: Any) -> list[filters.Stage]:
    """The stage, where it would change anything."""
    return [make(value)] if wanted else []


def _temperature(wanted: SamplingOptions) -> list[filters.Stage]:
    value, span = wanted["temperature"], wanted["dynatemp_range"]
    if span > 0:
        return [filters.dynamic_temperature(value, span, wanted["dynatemp_exponent"])]
    return [filters.temperature(value)] if value != 1 else []
