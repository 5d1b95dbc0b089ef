"""The one word for an environment follows from its checks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ndjctl.health.model import Checked, headline

CHECKS = st.lists(
    st.builds(
        Checked,
        code=st.just("c"),
        title=st.just("t"),
        verdict=st.sampled_from(["pass", "warn", "fail", "unknown"]),
        sentence=st.uuids().map(str),
        is_down=st.booleans(),
    )
)


@given(CHECKS)
def test_it_is_as_bad_as_the_worst_and_says_why(checks: list[Checked]) -> None:
    word, reasons = headline(checks)
    failed = [each for each in checks if each.verdict == "fail"]
    warned = [each for each in checks if each.verdict == "warn"]
    if any(each.is_down for each in failed):
        assert word == "DOWN"
    elif failed or warned:
        assert word == "DEGRADED"
    else:
        assert word == "HEALTHY"
    assert sorted(reasons) == sorted(each.sentence for each in (*failed, *warned))
    ranks = {each.sentence: (each.verdict == "fail") + (each.verdict == "fail" and each.is_down) for each in checks}
    assert [ranks[reason] for reason in reasons] == sorted((ranks[reason] for reason in reasons), reverse=True)
