"""How settings, and what was found in them, look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ndjctl.output.base import View, one_line
from ndjctl.output.views import fact_table

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from ndjctl.advice import AccountFacts, Finding, Observed
    from ndjctl.profiles import LoadedProfile

_STYLES = {"error": "red", "warning": "yellow"}


def profile_view(loaded: LoadedProfile, findings: Sequence[Finding]) -> View:
    settings = loaded.profile.model_dump(mode="json")
    document = {
        "source": loaded.source,
        "overrides": list(loaded.overrides),
        "settings": settings,
        "findings": [finding.to_dict() for finding in findings],
    }

    def render() -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        facts = fact_table()
        for path, value in _leaves(settings):
            facts.add_row(path, Text(one_line(_setting(value))))
        return Group(*_origin(loaded), facts, *finding_lines(findings))

    return View(document, render)


def check_view(
    env: str,
    loaded: LoadedProfile,
    findings: Sequence[Finding],
    facts: AccountFacts | None,
    why: str,
    seen: Observed | None,
    unread: Sequence[str],
) -> View:
    """facts: what the account told, seen: what is deployed in it; None where it was not asked, and then why. unread:
    remarks about what of the deployed resources could not be read."""
    document = {
        "env": env,
        "source": loaded.source,
        "overrides": list(loaded.overrides),
        "ok": not findings,
        "findings": [finding.to_dict() for finding in findings],
        "account": {
            "checked": facts is not None,
            "why": None if facts is not None else why,
            "remarks": list(facts.remarks) if facts is not None else [],
            "told": _told(facts) if facts is not None else {},
        },
        "deployed": {
            "checked": seen is not None,
            "remarks": list(unread),
            "told": _deployed(seen) if seen is not None else {},
        },
    }

    def render() -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        not_asked = f"not checked: quotas and key of the account, and what is deployed: {why}"
        remarks = [*facts.remarks, *unread] if facts is not None else [not_asked]
        lines = [*_origin(loaded), *finding_lines(findings)]
        lines += [Text(one_line(remark), style="dim") for remark in remarks]
        lines.append(_verdict(findings, facts, seen, bool(remarks)))
        return Group(*lines)

    return View(document, render)


def finding_lines(findings: Sequence[Finding]) -> list[Text]:
    """A line each, for a screen."""
    from rich.text import Text

    return [
        Text(one_line(f"{finding.severity}: {finding.sentence}"), style=_STYLES[finding.severity])
        for finding in findings
    ]


def _verdict(findings: Sequence[Finding], facts: AccountFacts | None, seen: Observed | None, has_remarks: bool) -> Text:
    from rich.text import Text

    if facts is None:
        what = "the settings"
    elif has_remarks:
        what = "the settings and what the account told"
    elif seen is not None and any(value is not None for value in _deployed(seen).values()):
        what = "the settings, the account and what is deployed"
    else:
        what = "the settings and the account"
    if not findings:
        return Text(f"nothing to object to in {what}", style="bold green")
    errors = sum(finding.severity == "error" for finding in findings)
    style = "bold red" if errors else "bold yellow"
    return Text(f"found in {what}: errors {errors}, warnings {len(findings) - errors}", style=style)


def _told(facts: AccountFacts) -> dict[str, Any]:
    key = facts.key
    return {
        "concurrent_executions": facts.concurrency_limit,
        "unreserved_executions": facts.unreserved_concurrency,
        "own_reserved_executions": facts.own_concurrency,
        "glue_runs_per_account": facts.glue_runs_per_account,
        "glue_runs_per_job": facts.glue_runs_per_job,
        "glue_task_dpus": facts.glue_task_dpus,
        "key_state": key.state if key is not None else None,
    }


def _deployed(seen: Observed) -> dict[str, Any]:
    """Arguments by their names alone: a value may be somebody's secret."""
    names = None if seen.job_arguments is None else sorted(seen.job_arguments)
    return {**vars(seen), "job_arguments": names}


def _origin(loaded: LoadedProfile) -> list[Text]:
    from rich.text import Text

    lines = [loaded.source, *(f"with {override}" for override in loaded.overrides)]
    return [Text(one_line(f"# {line}"), style="dim") for line in lines]


def _setting(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _leaves(settings: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for name, value in settings.items():
        if isinstance(value, Mapping):
            found += _leaves(value, f"{prefix}{name}.")
        else:
            found.append((prefix + name, value))
    return found
