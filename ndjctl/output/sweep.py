"""How a sweep's report looks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ndjctl.output.base import View, one_line
from ndjctl.output.progress import counted
from ndjctl.output.times import lasting
from ndjctl.output.views import fact_table

if TYPE_CHECKING:
    from rich.console import RenderableType

_LISTED = 10


def sweep_view(
    env: str, report: Mapping[str, Any], seconds: float, again: str, flush: str, partial_age_s: float, inspect: str
) -> View:
    """report: the function's own, which the document holds whole. again, flush, inspect: what to type to sweep again,
    to take partial batches too, and to see the manifests. partial_age_s: how long these wait for more files."""
    document = {"env": env, **report, "seconds": round(seconds, 3)}

    def render() -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        facts = fact_table()
        created, started = report.get("manifests_created", []), report.get("runs_started", [])
        repaired, failed = report.get("repaired", []), report.get("failed", [])
        facts.add_row("manifests built", Text(f"{len(created):,}"))
        for manifest_id in created[:_LISTED]:
            facts.add_row("", Text(one_line(str(manifest_id)), style="dim"))
        facts.add_row("runs started", Text(f"{len(started):,}"))
        for run in started[:_LISTED]:
            facts.add_row("", Text(one_line(f"{run['run_id']} for {run['manifest_id']}"), style="dim"))
        facts.add_row("repaired", Text(f"{len(repaired):,}"))
        for manifest_id in repaired[:_LISTED]:
            facts.add_row("", Text(one_line(str(manifest_id)), style="dim"))
        facts.add_row("waiting for a run", Text(counted(int(report.get("waiting", 0)), "manifest")))
        facts.add_row("not finished", Text(counted(int(report.get("open", 0)), "manifest")))
        facts.add_row("pending", Text(counted(int(report.get("pending", 0)), "file")))
        lines: list[RenderableType] = [facts]
        for each in failed[:_LISTED]:
            kind = "given up" if each.get("given_up") else "failed, to be tried again"
            lines.append(Text(one_line(f"{kind}: {each['manifest_id']}: {each['error']}"), style="red"))
        if len(failed) > _LISTED:
            lines.append(Text(f"and {len(failed) - _LISTED:,} more (see --json)", style="red"))
        if report.get("cut_short"):
            lines.append(Text(one_line(f"The time did not suffice for all of it; next: {again}"), style="yellow"))
        elif report.get("done"):
            lines.append(Text("Nothing is pending and nothing is open.", style="green"))
        else:
            pending = int(report.get("pending", 0))
            if pending:
                who = f"{counted(pending, 'file')} {'waits' if pending == 1 else 'wait'} for a full batch"
                when = f"the sweep takes one that is {lasting(partial_age_s)} old, '{flush}' takes it now"
                lines.append(Text(one_line(f"{who}: {when}"), style="dim"))
            if report.get("open") or not pending:
                lines.append(Text(one_line(f"next: {inspect}"), style="dim"))
        return Group(*lines)

    return View(document, render)
