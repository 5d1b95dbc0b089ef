"""A test's report as one HTML file: it opens offline, asks for nothing and runs nothing. All of it is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from ndjctl.loadtest.model import PHASES
from ndjctl.loadtest.verdict import PASS
from ndjctl.output.loadtest import told_records
from ndjctl.output.loadtest_charts import Series, bars, lines, stacked
from ndjctl.output.loadtest_style import STYLE
from ndjctl.output.progress import size
from ndjctl.output.times import lasting
from ndjctl.plain import counted, dollars, rounded

_STATUSES = ("completed", "processing", "manifested", "pending", "unseen", "quarantined", "failed")
"""As they are stacked, from the bottom."""


def page(report: Mapping[str, Any]) -> str:
    """report: of ndjctl.loadtest.reporting.report_of()."""
    title = f"Load test {report['id']}: {report['verdict']}"
    blocks = [
        _head(report),
        _tiles(report),
        _reasons(report),
        _charts(report),
        _section("Checks", _checks(report)),
        _section("Figures", _figures(report)),
        _section("How it was made", _settings(report)),
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head>"
        f"<body><main>{''.join(blocks)}</main></body></html>\n"
    )


def _head(report: Mapping[str, Any]) -> str:
    settings, verdict = report["settings"], report["verdict"]
    each = size(settings["file_size_bytes"])
    total = size(settings["files"] * settings["file_size_bytes"])
    smaller = "" if settings["files"] >= PHASES[report["phase"]] else f" of its {PHASES[report['phase']]:,}"
    told = (
        f"Phase {report['phase']} in {report['env']}: {settings['files']:,}{smaller} files of {each}, {total} in all. "
        f"Begun {str(report['begun_at'] or '-')[:16].replace('T', ' ')} UTC."
    )
    kind = "pass" if verdict == PASS else "fail"
    return (
        f'<header><span class="verdict {kind}">{escape(verdict)}</span>'
        f"<div><h1>Load test {escape(str(report['id']))}</h1><p>{escape(told)}</p></div></header>"
    )


def _tiles(report: Mapping[str, Any]) -> str:
    latency, cost, counts = report["latency_s"], report["cost"], report["counts"]
    usd = "not known" if cost["total_usd"] is None else _usd(cost["total_usd"])
    estimated = "" if cost["estimated_usd"] is None else f"estimated {_usd(cost['estimated_usd'])}"
    tiles = [
        ("files completed", f"{counts.get('completed', 0):,}", f"of {report['settings']['files']:,}"),
        (
            "rows proven",
            f"{report['lines']['rows']:,}",
            f"and {counted(report['lines']['bad_lines'], 'bad line')} quarantined",
        ),
        ("upload to Parquet, p95", lasting(latency["p95"]), f"p50 {lasting(latency['p50'])}"),
        (
            "throughput",
            f"{rounded(report['mb_per_s'], 1)} MB/s",
            f"{counted(report['files_per_hour'], 'file')} an hour",
        ),
        ("time", lasting(report["seconds"]), "first upload to last Parquet"),
        ("cost on AWS", usd, estimated),
    ]
    inside = "".join(
        f'<div class="tile"><b>{escape(name)}</b><strong>{escape(value)}</strong><span>{escape(more)}</span></div>'
        for name, value, more in tiles
    )
    return f'<div class="tiles">{inside}</div>'


def _reasons(report: Mapping[str, Any]) -> str:
    if not report["reasons"]:
        return ""
    inside = "".join(f"<li>{escape(reason)}</li>" for reason in report["reasons"])
    return f'<div class="why"><h2>Why it failed</h2><ul>{inside}</ul></div>'


def _charts(report: Mapping[str, Any]) -> str:
    series, latency = report["series"], report["latency_s"]
    samples = series["samples"]
    by_status = [
        Series(status, f"s-{status}", [(each["at_s"], each["counts"].get(status, 0)) for each in samples])
        for status in _STATUSES
        if any(each["counts"].get(status) for each in samples)
    ]
    marks = [(f"{name} {lasting(latency[name])}", latency[name]) for name in ("p50", "p95", "p99") if latency[name]]
    unit, usd = "s", [Series("cost", "c5", _points(series["usd"]))]
    figures = [
        ("Files by status over time", stacked(by_status, unit, "files"), [(s.name, s.color) for s in by_status]),
        ("Upload to Parquet", bars([tuple(each) for each in series["latency_s"]], unit, "files", marks), []),
        ("Throughput", lines([Series("input", "c2", _points(series["mb_per_s"]))], unit, "MB/s", area=True), []),
        (
            "Runs of the job under way",
            lines([Series("runs", "c3", _points(series["runs_at_once"]))], unit, "runs", steps=True, area=True),
            [],
        ),
        ("Cost so far of the runs", lines(usd, unit, "USD", area=True), []),
        ("Files fed", lines([Series("fed", "c4", [(e["at_s"], e["fed"]) for e in samples])], unit, "files"), []),
    ]
    inside = "".join(
        f"<figure><figcaption>{escape(title)}{_legend(keys)}</figcaption>{svg}</figure>" for title, svg, keys in figures
    )
    return f'<div class="charts">{inside}</div>'


def _legend(keys: Iterable[tuple[str, str]]) -> str:
    inside = "".join(f'<span><i class="{color}"></i>{escape(name)}</span>' for name, color in keys)
    return f'<span class="legend">{inside}</span>' if inside else ""


def _points(points: Sequence[Sequence[float]]) -> list[tuple[float, float]]:
    return [(each[0], each[1]) for each in points]


def _section(title: str, inside: str) -> str:
    return f"<section><h2>{escape(title)}</h2>{inside}</section>"


def _checks(report: Mapping[str, Any]) -> str:
    rows = "".join(
        f'<tr><td class="{"good" if each["ok"] else "bad"}">{"ok" if each["ok"] else "FAIL"}</td>'
        f'<td class="name">{escape(each["name"].replace("_", " "))}</td><td>{escape(each["sentence"])}</td></tr>'
        for each in report["checks"]
    )
    return f"<table>{rows}</table>"


def _figures(report: Mapping[str, Any]) -> str:
    lines_, runs, cost, latency = report["lines"], report["runs"], report["cost"], report["latency_s"]
    found = [
        ("lines in", f"{lines_['lines_in']:,}"),
        ("rows in the Parquet", f"{lines_['rows']:,} of {lines_['rows_expected']:,}"),
        ("lines quarantined", f"{lines_['bad_lines']:,} of {lines_['bad_lines_expected']:,}"),
        ("lost, more than once", f"{lines_['lost']:,}, {lines_['duplicated']:,}"),
        ("Parquet", f"{counted(lines_['parts'], 'part')}, {size(lines_['parquet_bytes'])}"),
        ("upload to Parquet", ", ".join(f"{name} {lasting(latency[name])}" for name in ("p50", "p95", "p99", "max"))),
        ("manifests", f"{report['manifests']:,}"),
        ("runs", f"{runs['count']:,}, {runs['failed']:,} failed, {report['most_runs_at_once']} at once"),
        ("DPU hours", rounded(report["dpu_hours"], 4)),
        ("S3 requests of the feeder", f"{report['feed']['requests']:,} ({dollars(cost['requests_usd'], 4)})"),
        ("not in the cost", str(cost["not_counted"])),
        ("dead letters", f"{report['dead_letters']:,}"),
    ]
    return _table(found)


def _settings(report: Mapping[str, Any]) -> str:
    settings, expected, cleanup = report["settings"], report["expected"], report["cleanup"]
    found = [
        ("configuration", f"{report['configuration']['hash']}, {report['configuration']['source']}"),
        ("records", told_records(settings)),
        (
            "fed",
            f"{counted(report['feed']['uploads'], 'file')} uploaded, "
            f"{counted(report['feed']['copies'], 'file')} copied, {report['feed']['pace']}",
        ),
        (
            "expected",
            f"{counted(expected['manifests'], 'manifest')}, {lasting(expected['seconds'])}, "
            f"{rounded(expected['dpu_hours'], 4)} DPU hours; {expected['basis']}",
        ),
        ("ndjctl", str(report["tool_version"])),
    ]
    found += [("planted fault", each) for each in report["faults"]]
    if cleanup is not None:
        found.append(
            (
                "cleaned up",
                f"{counted(cleanup['inputs'], 'input')}, {counted(cleanup['parts'], 'part')}, "
                f"{counted(cleanup['items'], 'item')}, {counted(cleanup['manifests'], 'manifest')}",
            )
        )
        found += [("stays", each) for each in cleanup["kept"]]
    found += [("remark", each) for each in report["remarks"]]
    return _table(found)


def _usd(usd: float) -> str:
    return dollars(usd, 2 if usd >= 1 else 4)


def _table(rows: Iterable[tuple[str, str]]) -> str:
    inside = "".join(f"<tr><th>{escape(name)}</th><td>{escape(value)}</td></tr>" for name, value in rows)
    return f"<table>{inside}</table>"
