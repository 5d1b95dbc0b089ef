"""How a load test looks before it begins, and what it came to."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ndjctl.loadtest.model import PHASES, LoadSettings, told_shape
from ndjctl.loadtest.verdict import PASS, Check
from ndjctl.output.base import View, one_line
from ndjctl.output.progress import counted, size
from ndjctl.output.times import lasting
from ndjctl.output.views import fact_table
from ndjctl.plain import dollars, rounded

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

_NOT_IN_THE_DOCUMENT = ("format", "version", "series")
"""Of a report: what is in its file alone."""


def plan_view(
    env: str, settings: LoadSettings, planned: Mapping[str, Any], checks: Sequence[Check], again: str
) -> View:
    """again: what to type to do it, where nobody is asked."""
    document = {
        "env": env,
        "begun": False,
        "ok": all(check.ok for check in checks),
        "phase": settings.phase,
        "settings": settings.to_dict(),
        "full_size": settings.is_full_size,
        "checks": [{"name": check.name, "ok": check.ok, "sentence": check.sentence} for check in checks],
        **{name: planned[name] for name in ("configuration", "expected", "feed", "estimated_usd", "remarks")},
        "apply": again,
    }
    return View(document, lambda: _plan_screen(env, settings, planned, checks))


def _plan_screen(
    env: str, settings: LoadSettings, planned: Mapping[str, Any], checks: Sequence[Check]
) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    expected, feed = planned["expected"], planned["feed"]
    facts = fact_table()
    smaller = "" if settings.is_full_size else f", smaller than the phase's {PHASES[settings.phase]:,} of 3.5 GB"
    facts.add_row("phase", Text(f"{settings.phase} in {one_line(env)}{smaller}"))
    facts.add_row(
        "files",
        Text(f"{settings.files:,} of {size(settings.file_size_bytes)}, {size(settings.size_bytes)} together"),
    )
    facts.add_row("records", Text(one_line(told_records(settings.to_dict()))))
    facts.add_row(
        "upload",
        Text(
            f"{counted(feed['uploads'], 'file')}, {size(feed['uploaded_bytes'])} in "
            f"{counted(feed['upload_requests'], 'request')}"
        ),
    )
    facts.add_row(
        "copy on S3",
        Text(
            f"{counted(feed['copies'], 'file')}, {size(feed['copied_bytes'])} in "
            f"{counted(feed['copy_requests'], 'request')}"
        ),
    )
    facts.add_row("pace", Text(feed["pace"]))
    facts.add_row(
        "manifests",
        Text(
            f"{expected['manifests']:,} of {counted(expected['files_per_manifest'], 'file')}, "
            f"{counted(expected['concurrent_runs'], 'run')} at once ({expected['limited_by']})"
        ),
    )
    took = f"feeding {lasting(expected['feed_s'])}, a run {lasting(expected['run_s'])}"
    facts.add_row("time", Text(f"about {lasting(expected['seconds'])}: {took}"))
    facts.add_row("cost", Text(_estimate(planned)))
    facts.add_row("basis", Text(one_line(expected["basis"]), style="dim"))
    blocks: list[RenderableType] = [facts, *(_check_line(check) for check in checks)]
    blocks += [Text(one_line(remark), style="dim") for remark in planned["remarks"]]
    return Group(*blocks)


def told_records(settings: Mapping[str, Any]) -> str:
    """What is in the files of a test, in one line. settings: of LoadSettings.to_dict()."""
    bad, drift = str(settings["bad_lines"]), str(settings["drift"])
    return (
        f"{told_shape(settings)}, seed {settings['seed']}; {_amount(bad, 'bad line')} and "
        f"{_amount(drift, 'drifted record')} in each file"
    )


def _amount(typed: str, noun: str) -> str:
    """As it was typed: a number of each file, or a share of its lines."""
    if typed == "0":
        return f"no {noun}s"
    return f"{typed} {noun}{'' if typed == '1' else 's'}"


def _estimate(planned: Mapping[str, Any]) -> str:
    usd, glue = planned["estimated_usd"], planned["expected"]["glue_usd"]
    feed = planned["feed"]
    requests = f"{counted(feed['requests'], 'S3 request')} {dollars(feed['cost_usd'])}"
    # The document has six decimals.
    per_day = dollars(feed["storage_usd_per_day"]) if feed["storage_usd_per_day"] else "less than $0.000001"
    requests += f"; its inputs {per_day} a day while they are there"
    if usd is None:
        return f"{requests}; the price of a DPU hour in this region is not known: set cost.usd_per_dpu_hour"
    hours = planned["expected"]["dpu_hours"]
    return f"{dollars(usd)} on AWS: {rounded(hours, 2)} DPU hours {dollars(glue)}, {requests}"


def _check_line(check: Check) -> Text:
    from rich.text import Text

    mark = Text("ok    " if check.ok else "FAIL  ", style="green" if check.ok else "bold red")
    return mark.append(one_line(check.sentence), style="" if check.ok else "red")


def verdict_view(
    report: Mapping[str, Any],
    paths: Mapping[str, str],
    clean_up: str | None,
    go_on: str | None = None,
    told: Collection[str] = (),
) -> View:
    """paths: of the report's files. clean_up: what to type to take a kept test away, None where that is done. go_on:
    what to type to go on with one that was stopped at its budget, None for every other. told: remarks that the screen
    has shown already."""
    document = {
        **{name: value for name, value in report.items() if name not in _NOT_IN_THE_DOCUMENT},
        "report": dict(paths),
        "clean_up": clean_up,
        "go_on": go_on,
    }
    return View(document, lambda: _verdict_screen(report, paths, clean_up, go_on, told))


def _verdict_screen(
    report: Mapping[str, Any],
    paths: Mapping[str, str],
    clean_up: str | None,
    go_on: str | None,
    told_remarks: Collection[str],
) -> RenderableType:
    from rich.console import Group
    from rich.text import Text

    latency, lines = report["latency_s"], report["lines"]
    facts = fact_table()
    facts.add_row("test", Text(f"{report['id']}, phase {report['phase']} in {one_line(report['env'])}"))
    counts = ", ".join(f"{count:,} {status}" for status, count in report["counts"].items())
    facts.add_row("files", Text(one_line(f"{report['settings']['files']:,}  ({counts})")))
    facts.add_row("lines", Text(told_lines(lines)))
    told = ", ".join(f"{name} {lasting(latency[name])}" for name in ("p50", "p95", "p99", "max"))
    facts.add_row("upload to Parquet", Text(told))
    facts.add_row(
        "time",
        Text(
            f"{lasting(report['seconds'])}, {rounded(report['mb_per_s'], 1)} MB/s, {report['files_per_hour']:,} files/h"
        ),
    )
    runs = report["runs"]
    failed = f", {runs['failed']} failed" if runs["failed"] else ""
    facts.add_row(
        "runs",
        Text(
            f"{runs['count']:,} for {counted(report['manifests'], 'manifest')}, "
            f"{report['most_runs_at_once']} at once{failed}"
        ),
    )
    facts.add_row("cost", Text(_cost(report)))
    cleanup = report["cleanup"]
    if cleanup is not None:
        done = (
            f"{counted(cleanup['inputs'], 'input')}, {counted(cleanup['parts'], 'part')}, "
            f"{counted(cleanup['items'], 'item')} and {counted(cleanup['manifests'], 'manifest')} deleted"
        )
        letters = cleanup.get("dead_letters")
        done = f"at least {done}" if cleanup.get("is_least") else done
        facts.add_row("cleanup", Text(done + (f", {counted(letters, 'dead letter')} too" if letters else "")))
        for kept in cleanup["kept"]:
            facts.add_row("", Text(one_line(f"stays: {kept}"), style="yellow"))
    facts.add_row("report", Text(one_line(paths["html"])))
    is_pass = report["verdict"] == PASS
    blocks: list[RenderableType] = [facts]
    blocks += [_check_line(Check(each["name"], each["ok"], each["sentence"])) for each in report["checks"]]
    blocks += [Text(one_line(remark), style="dim") for remark in report["remarks"] if remark not in told_remarks]
    blocks.append(Text(report["verdict"], style="bold green" if is_pass else "bold red"))
    if go_on is not None:
        blocks.append(Text(one_line(f"next: {go_on} goes on; without --max-cost it cleans up"), style="dim"))
    elif clean_up is not None:
        blocks.append(Text(one_line(f"next: {clean_up}"), style="dim"))
    return Group(*blocks)


def told_lines(lines: Mapping[str, Any]) -> str:
    """What went in and what was found: with an equals sign only where they are equal, file by file. lines: of a
    report."""
    rows, bad = counted(lines["rows"], "row"), f"{lines['bad_lines']:,} quarantined"
    if lines["lost"] or lines["duplicated"] or lines["lines_in"] != lines["rows"] + lines["bad_lines"]:
        return f"{lines['lines_in']:,} in, {rows} and {bad} found"
    return f"{lines['lines_in']:,} in = {rows} + {bad}"


def _cost(report: Mapping[str, Any]) -> str:
    cost = report["cost"]
    if cost["total_usd"] is None:
        return f"{rounded(report['dpu_hours'], 3)} DPU hours; the price of this region is not known"
    return (
        f"{dollars(cost['total_usd'], 4)} on AWS ({rounded(report['dpu_hours'], 3)} DPU hours), estimated "
        f"{dollars(cost['estimated_usd'], 4)}"
    )
