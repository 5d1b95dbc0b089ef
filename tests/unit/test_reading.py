"""A read that AWS refuses is told; a bug is not hidden."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any, NoReturn

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from ndjctl.reading import attempt, attempt_all


def refused(code: str) -> Any:
    def read() -> NoReturn:
        raise ClientError({"Error": {"Code": code, "Message": "m"}}, "Operation")

    return read


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("AccessDeniedException", "denied"),
        ("ThrottlingException", "throttled"),
        ("ResourceNotFoundException", "absent"),
        ("InternalFailure", "refused"),
    ],
)
def test_a_refusal_is_of_a_kind_and_has_a_sentence(code: str, why: str) -> None:
    reading = attempt(refused(code), "dev")
    assert (reading.value, reading.why, reading.was_read) == (None, why, False)
    assert reading.sentence.endswith(".")


def test_what_is_unreachable_is_told_too() -> None:
    def read() -> NoReturn:
        raise EndpointConnectionError(endpoint_url="http://127.0.0.1:1")

    assert attempt(read, "dev").why == "refused"


def test_one_refusal_does_not_cost_the_others() -> None:
    with ThreadPoolExecutor(2) as pool:
        readings = attempt_all({"a": lambda: 1, "b": refused("AccessDenied")}, "dev", pool)
    assert (readings["a"].value, readings["b"].why) == (1, "denied")


def test_a_bug_is_raised() -> None:
    with pytest.raises(ZeroDivisionError):
        attempt(lambda: 1 // 0, "dev")
