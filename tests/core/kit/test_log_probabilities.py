"""Log probabilities out of scores."""

import math

import numpy as np
from jan_host.kit.generation import Reporter


def test_a_token_that_can_not_come_has_a_finite_log_probability() -> None:
    class Letters:
        def spelled(self, token: int) -> bytes:
            return b"abc"[token : token + 1]

    scores = np.array([1.0, -np.inf, 3.0], np.float32)
    report = Reporter(Letters(), 2).prepare(scores)
    scores[:] = 0

    assert report(1).logprob == -9999.0
    assert [top.token for top in report(0).top_logprobs] == ["c", "a"]
    assert math.isclose(sum(math.exp(report(token).logprob or 0) for token in range(3)), 1, abs_tol=1e-6)
