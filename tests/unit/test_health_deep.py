"""Drift, advice and the account, as checks say them."""

from __future__ import annotations

import pytest

from ndjctl.advice import Finding
from ndjctl.deploy.model import FieldChange, Observed, Plan, Resource, Step
from ndjctl.health.checks_deep import Advice, DeepFacts, Drift, deep_checks
from ndjctl.health.model import Checked
from ndjctl.reading import Reading
from tests.health_world import healthy

JOB = Resource("job", "the-job", {"NumberOfWorkers": 20})
NOTHING = Drift(Plan(()), "the deployment d1", ("deploy",))
FINE = Advice((), ())


def checks(drift: Reading[Drift] | None = None, advice: Reading[Advice] | None = None) -> dict[str, Checked]:
    deep = DeepFacts(drift or Reading(NOTHING), advice or Reading(FINE), Reading(()))
    return {each.code: each for each in deep_checks(healthy(), deep)}


def drifted(*steps: Step, mending: tuple[str, ...] = ("deploy",)) -> Reading[Drift]:
    return Reading(Drift(Plan(steps), "the deployment d1", mending))


def test_all_is_well() -> None:
    assert {each.verdict for each in checks().values()} == {"pass"}


def test_drift_names_its_fields_and_the_command_that_brings_them_back() -> None:
    change = FieldChange(("NumberOfWorkers",), 5, 20)
    update = Step(JOB, Observed({"NumberOfWorkers": 5}), "update", (change,))
    gone = Step(Resource("alarm", "an-alarm", {}), None, "create")
    found = checks(drifted(update, gone, mending=("rollback", "d1")))["drift"]
    assert (found.verdict, found.sentence) == ("fail", "2 resources not as the deployment d1 has them.")
    assert found.evidence == ("job/the-job: NumberOfWorkers", "alarm/an-alarm: gone")
    assert [remedy.words for remedy in found.remedies] == [("rollback", "d1")]


def test_what_is_left_alone_is_no_drift() -> None:
    kept = Step(JOB, Observed({"NumberOfWorkers": 20}, ("tags: team",)), "keep")
    assert checks(drifted(kept))["drift"].verdict == "pass"


@pytest.mark.parametrize(("severity", "verdict"), [("error", "fail"), ("warning", "warn")])
@pytest.mark.parametrize("code", ["dpus", "visibility"])
def test_advice_is_a_check_of_its_own_code(code: str, severity: str, verdict: str) -> None:
    finding = Finding(code, severity, "queue.visibility_timeout_s", "it is too short; set it to 1805")  # type: ignore[arg-type]
    found = checks(advice=Reading(Advice((finding,), ())))[code]
    assert (found.verdict, found.sentence) == (verdict, "It is too short; set it to 1805.")


def test_what_the_account_does_not_tell_is_unknown() -> None:
    found = checks(advice=Reading(Advice((), ("not checked: quotas of Glue: denied.",))))
    assert (found["quotas"].verdict, found["settings"].verdict) == ("unknown", "pass")


def test_what_could_not_be_read_is_neither_good_nor_bad() -> None:
    found = checks(Reading(why="denied", sentence="no."), Reading(why="throttled", sentence="slower."))
    assert {found[code].verdict for code in ("drift", "quotas", "settings")} == {"unknown"}
