"""What of long values stands on the screen of a plan."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ndjctl.output.plan import LONGEST_VALUE, shortened


def test_long_values_are_shown_where_they_differ() -> None:
    base = "s3://aws-glue-scripts-111122223333/ndjson-parquet-sqs/"
    old, new = shortened(f"{base}42c2641ceb93dc9c/glue_batch_job.py", f"{base}30879499c710ed34/glue_batch_job.py")
    assert old == "…parquet-sqs/42c2641ceb93dc9c/glue_batch_job.py"
    assert new == "…parquet-sqs/30879499c710ed34/glue_batch_job.py"
    assert shortened("512", "1024") == ("512", "1024")


LONG = st.text("ab", max_size=200)


@given(LONG, LONG, LONG)
def test_values_that_differ_differ_on_the_screen_and_fit(common: str, old: str, new: str) -> None:
    shown = shortened(common + old, common + new)
    assert all(len(each) <= LONGEST_VALUE for each in shown)
    assert (shown[0] == shown[1]) == (old == new)
