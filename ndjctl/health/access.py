"""When AWS refuses everything: whether this machine's clock is why."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ndjctl.errors import NdjctlError
from ndjctl.health.checks_wiring import clock_of
from ndjctl.health.model import Checked
from ndjctl.health.reading_services import read_clock
from ndjctl.reading import attempt


def access_check(sts: Any, refusal: NdjctlError, now: datetime) -> Checked | None:
    """The check of the clock, if that is wrong and so explains the refusal; None where it is right, or where AWS does
    not even tell its time."""
    checked = clock_of(attempt(lambda: read_clock(sts, now), ""))
    if checked.verdict != "fail":
        return None
    return Checked(
        checked.code,
        checked.title,
        checked.verdict,
        checked.sentence,
        (str(refusal),),
        checked.remedies,
        is_down=True,
    )
