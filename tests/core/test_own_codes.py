"""An error may carry an upstream's own code and type, also to another process."""

import pickle

from jan_host import TooManyRequestsError


def test_own_words_survive_and_the_class_stays() -> None:
    error = TooManyRequestsError("Wait.", status=429, code="quota", type="billing", retry_after=7)
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is TooManyRequestsError
    assert (back.code, back.type, back.http_status, back.retry_after) == ("quota", "billing", 429, 7)
    assert TooManyRequestsError.code == "too_many_requests"
    assert TooManyRequestsError("Wait.").code == "too_many_requests"
