"""All checks of an environment together. Pure."""

from __future__ import annotations

from ndjctl.health.checks_budget import budget_checks
from ndjctl.health.checks_cost import cost_checks
from ndjctl.health.checks_deep import DeepFacts, deep_checks
from ndjctl.health.checks_failures import failure_checks
from ndjctl.health.checks_flow import flow_checks
from ndjctl.health.checks_sizes import size_checks
from ndjctl.health.checks_stores import store_checks
from ndjctl.health.checks_wiring import is_deployed, wiring_checks
from ndjctl.health.facts import Facts
from ndjctl.health.model import Checked


def check(facts: Facts) -> tuple[Checked, ...]:
    """The quick checks, in the order of the pipeline; see worst_first(). Where nothing is deployed, that is all there
    is to say."""
    if not is_deployed(facts):
        return tuple(each for each in wiring_checks(facts) if each.code in ("clock", "deployment"))
    return (
        *wiring_checks(facts),
        *store_checks(facts),
        *flow_checks(facts),
        *failure_checks(facts),
        *size_checks(facts),
        *cost_checks(facts),
        *budget_checks(facts),
    )


def check_all(facts: Facts, deep: DeepFacts | None) -> tuple[Checked, ...]:
    """The quick and the deep ones."""
    return (*check(facts), *(deep_checks(facts, deep) if deep is not None else ()))


_RANKS = {"fail": 0, "warn": 1, "unknown": 2, "pass": 3}


def worst_first(checked: tuple[Checked, ...]) -> tuple[Checked, ...]:
    """Failures first, those that stop everything before the others; passes last."""
    return tuple(sorted(checked, key=lambda each: (_RANKS[each.verdict], not each.is_down)))
