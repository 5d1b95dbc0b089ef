"""Checks that take longer than a glance: drift, quotas, advice on settings, idle workers. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ndjctl.advice import Finding
from ndjctl.deploy.model import Plan, Step
from ndjctl.health.checks_cost import workers_check
from ndjctl.health.facts import Facts
from ndjctl.health.model import Checked, Remedy, Verdict
from ndjctl.health.words import begun, counted, passed, some, unread
from ndjctl.manifests import ManifestSummary
from ndjctl.reading import Reading

_QUOTAS = frozenset({"concurrency-quota", "runs-per-account", "runs-per-job", "dpus"})
_ELSEWHERE = frozenset({"size-window", "gluestreaming"})
"""Findings that checks of their own make, of what is in force."""


@dataclass(frozen=True)
class Drift:
    """plan: what would be changed back. against: what it was compared with, such as `the profile`. mending: words of
    the command that changes it back."""

    plan: Plan
    against: str
    mending: tuple[str, ...]


@dataclass(frozen=True)
class Advice:
    """findings: on the settings and the account. remarks: what the account would not tell."""

    findings: tuple[Finding, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class DeepFacts:
    """What is observed beyond Facts. closed: finished manifests of the last days, some thousands at most."""

    drift: Reading[Drift]
    advice: Reading[Advice]
    closed: Reading[tuple[ManifestSummary, ...]]


def deep_checks(facts: Facts, deep: DeepFacts) -> Iterator[Checked]:
    yield _drift(deep.drift)
    yield from _advice(deep.advice)
    yield workers_check(facts.runs, deep.closed, facts.profile)


def _drift(reading: Reading[Drift]) -> Checked:
    code, title = "drift", "changed by hand"
    if reading.value is None:
        return unread(code, title, reading)
    pending = reading.value.plan.pending
    if not pending:
        return passed(code, title, f"Everything is as {reading.value.against} has it.")
    lines = [line for step in pending for line in _lines(step)]
    many = "it" if len(pending) == 1 else "them"
    sentence = f"{counted(len(pending), 'resource')} not as {reading.value.against} has {many}."
    return Checked(code, title, "fail", sentence, some(lines), (Remedy(reading.value.mending),))


def _lines(step: Step) -> list[str]:
    if not step.changes:
        return [f"{step.resource.id}: {'gone' if step.action == 'create' else step.action}"]
    return [f"{step.resource.id}: {change.label}" for change in step.changes]


def _advice(reading: Reading[Advice]) -> Iterator[Checked]:
    if reading.value is None:
        yield unread("quotas", "quotas of the account", reading)
        yield unread("settings", "settings", reading)
        return
    findings = [finding for finding in reading.value.findings if finding.code not in _ELSEWHERE]
    quotas = [finding for finding in findings if finding.code in _QUOTAS]
    settings = [finding for finding in findings if finding.code not in _QUOTAS]
    remarks = reading.value.remarks
    if quotas:
        yield from map(_of_finding, quotas)
    elif remarks:
        yield Checked("quotas", "quotas of the account", "unknown", "Not all could be asked.", some(remarks))
    else:
        yield passed("quotas", "quotas of the account", "They allow what the profile asks for.")
    if settings:
        yield from map(_of_finding, settings)
    else:
        yield passed("settings", "settings", "They agree with each other and with the stated load.")


def _of_finding(finding: Finding) -> Checked:
    verdict: Verdict = "fail" if finding.severity == "error" else "warn"
    sentence = f"{begun(finding.sentence)}."
    change = Remedy(hint="change it in the profile as it says, and deploy")
    title = "quotas of the account" if finding.code in _QUOTAS else f"settings: {finding.setting}"
    return Checked(finding.code, title, verdict, sentence, (), (change,))
