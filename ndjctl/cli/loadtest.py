"""`ndjctl loadtest`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from ndjctl.cli.confirm import YesOption
from ndjctl.cli.durations import seconds_of
from ndjctl.cli.invocation import Invocation, command, listing
from ndjctl.cli.missing import told_when_not_deployed
from ndjctl.cli.numbers import check_numbers
from ndjctl.cli.words import given
from ndjctl.errors import UsageError

if TYPE_CHECKING:
    from ndjctl.loadtest.model import LoadSettings, Thresholds

app = typer.Typer()

_SHAPE = "events"
PATTERNS = ("steady", "burst", "ramp", "day")
T = TypeVar("T")
_BAD_LINES, _NO_DRIFT, _COST_RATIO, _P95, _FAILED_SHARE = "10", "0", 2.0, "30m", 0.01
_UNIQUE_FILES = 4
_MOST_UNIQUE_BYTES = 20_000_000_000


def loadtest(
    invocation: Invocation,
    phase: Annotated[
        int | None,
        typer.Option("--phase", help="Phase 1, 2, 3 or 4: 10, 100, 1,000 or 10,000 files of 3.5 GB.", min=1, max=4),
    ] = None,
    files: Annotated[
        int | None, typer.Option("--files", help="As many files instead.", metavar="N", min=1, max=100_000)
    ] = None,
    scale: Annotated[
        float | None,
        typer.Option("--scale", help="This share of the phase's files, such as 0.1.", metavar="SHARE", max=1.0),
    ] = None,
    file_size: Annotated[
        str | None, typer.Option("--file-size", help="Of each file, such as 200KB, 64MiB or 3.5GB.", metavar="SIZE")
    ] = None,
    unique: Annotated[
        int | None,
        typer.Option("--unique", help="Files that are made and uploaded; the rest are server-side copies.", min=1),
    ] = None,
    bad_lines: Annotated[
        str | None,
        typer.Option(
            "--bad-lines",
            help="Broken lines of every kind in turn: 25 of each file, or 0.1%; by default 10, or as many as fit.",
            metavar="N",
        ),
    ] = None,
    drift: Annotated[
        str, typer.Option("--drift", help="Records off the schema: 10 of each file, or 0.1%.", metavar="N")
    ] = _NO_DRIFT,
    shape: Annotated[
        str,
        typer.Option(
            "--shape",
            help="events, flat, wide or tweets; or a file with a schema, as 'schema infer --json' prints it.",
            metavar="SHAPE",
        ),
    ] = _SHAPE,
    seed: Annotated[int, typer.Option("--seed", help="The same seed makes the same bytes.", min=0)] = 1,
    rate: Annotated[
        str | None, typer.Option("--rate", help="Files fed: 11/s, 7000/h; else as fast as they go.", metavar="RATE")
    ] = None,
    pattern: Annotated[
        str, typer.Option("--pattern", help="Of the rate over time: steady, burst, ramp or day.", metavar="NAME")
    ] = "steady",
    max_cost: Annotated[
        float | None,
        typer.Option("--max-cost", help="The budget in USD: above it no test starts, and none goes on.", min=0),
    ] = None,
    max_cost_ratio: Annotated[
        float | None,
        typer.Option("--max-cost-ratio", help="Of the cost to its estimate, at most: 2; with --chaos any.", min=0),
    ] = None,
    max_p50: Annotated[
        str | None, typer.Option("--max-p50", help="From upload to Parquet for half of the files, such as 10m.")
    ] = None,
    max_p95: Annotated[str, typer.Option("--max-p95", help="The same for 95 of 100 files.")] = _P95,
    max_p99: Annotated[str | None, typer.Option("--max-p99", help="The same for 99 of 100 files.")] = None,
    min_throughput: Annotated[
        float | None, typer.Option("--min-throughput", help="Of input, in MB (10**6) a second, at least.", min=0)
    ] = None,
    max_dpu_hours: Annotated[float | None, typer.Option("--max-dpu-hours", help="Of all runs together.", min=0)] = None,
    max_failed: Annotated[
        float, typer.Option("--max-failed", help="Share of failed files that stops the test, such as 0.01.", min=0)
    ] = _FAILED_SHARE,
    force: Annotated[
        bool, typer.Option("--force", help="Also if the phase before was not passed with this configuration.")
    ] = False,
    resume: Annotated[
        str | None, typer.Option("--resume", help="Go on with a test that was interrupted, or clean up a kept one.")
    ] = None,
    keep: Annotated[bool, typer.Option("--keep", help="Leave files and Parquet in place; --resume ID cleans up.")] = (
        False
    ),
    chaos: Annotated[
        bool,
        typer.Option("--chaos", help="With planted faults, on the embedded cloud only; it has to pass all the same."),
    ] = False,
    yes: YesOption = False,
) -> None:
    """Put files of known content through the pipeline, prove every row, judge speed and cost, and clean up.

    Looks first whether the environment is fit for it, shows what the test will upload, take and cost, and asks. A test
    that was interrupted goes on with the same command, or with --resume. PASS is exit code 0, FAIL is 1; the report is
    kept as JSON and as a page that opens offline. With --json and without --yes it only looks.
    """
    from ndjctl.cli.loadtesting import go_on, prepared

    check_numbers(("--scale", scale), ("--max-cost", max_cost), ("--max-cost-ratio", max_cost_ratio))
    check_numbers(("--min-throughput", min_throughput), ("--max-dpu-hours", max_dpu_hours))
    check_numbers(("--max-failed", max_failed))
    if resume is not None:
        if phase is not None:
            raise UsageError("--resume goes on with a test as it was begun: leave --phase out.")
        go_on(invocation, resume, keep, max_cost)
        return
    if phase is None:
        raise UsageError(
            "Name a phase: 'ndjctl loadtest --phase 1', or --resume ID; 'ndjctl loadtest list' shows tests."
        )
    if files is not None and scale is not None:
        raise UsageError("--files and --scale exclude each other: a number, or a share of the phase's.")
    if scale is not None and not 0 < scale <= 1:
        raise UsageError("--scale takes a share above 0 and up to 1, such as 0.1.")
    if not 0 <= max_failed <= 1:
        raise UsageError("--max-failed takes a share from 0 to 1, such as 0.01.")
    from ndjctl.loadtest.model import Thresholds

    thresholds = Thresholds(
        max_p50_s=seconds_of(max_p50, "--max-p50"),
        max_p95_s=seconds_of(max_p95, "--max-p95"),
        max_p99_s=seconds_of(max_p99, "--max-p99"),
        min_mb_per_s=min_throughput,
        max_dpu_hours=max_dpu_hours,
        # The runs that --chaos kills and starts twice are paid for, and no fault of the pipeline.
        max_cost_ratio=max_cost_ratio if chaos or max_cost_ratio is not None else _COST_RATIO,
        max_failed_share=max_failed,
        max_cost_usd=max_cost,
    )
    if chaos and invocation.loaded.profile.cloud != "embedded":
        raise UsageError(
            f"--chaos kills runs and functions and loses events: it is for the embedded cloud only, and "
            f"{invocation.env} is not one."
        )
    settings = replace(
        _settings(phase, files, scale, file_size, unique, seed, thresholds),
        **_records(shape),
        bad_lines=_amount("--bad-lines", _BAD_LINES if bad_lines is None else bad_lines),
        drift=_amount("--drift", drift),
        rate_per_s=_rate(rate, pattern),
        pattern=_one_of("--pattern", pattern, PATTERNS),
        chaos=chaos,
    )
    words = given(
        ("--phase", phase),
        ("--files", files),
        ("--scale", scale),
        ("--file-size", file_size),
        ("--unique", unique),
        ("--bad-lines", bad_lines),
        ("--drift", drift if drift != _NO_DRIFT else None),
        ("--shape", shape if shape != _SHAPE else None),
        ("--seed", seed if seed != 1 else None),
        ("--rate", rate),
        ("--pattern", pattern if pattern != PATTERNS[0] else None),
        ("--max-cost", max_cost),
        ("--max-cost-ratio", max_cost_ratio),
        ("--max-p50", max_p50),
        ("--max-p95", max_p95 if max_p95 != _P95 else None),
        ("--max-p99", max_p99),
        ("--min-throughput", min_throughput),
        ("--max-dpu-hours", max_dpu_hours),
        ("--max-failed", max_failed if max_failed != _FAILED_SHARE else None),
        ("--force", force),
        ("--keep", keep),
        ("--chaos", chaos),
    )
    prepared(invocation, settings, words, may_shrink=bad_lines is None, force=force, keep=keep, yes=yes)


def _records(shape: str) -> dict[str, Any]:
    """The members of LoadSettings that say of which shape the records are: a schema is read now, and never again."""
    from ndjctl.cli.generating import schema_of_shape
    from ndjctl.generate.shapes import SCHEMA_SHAPE

    schema = schema_of_shape(shape)
    return {"shape": shape if schema is None else SCHEMA_SHAPE, "schema": schema}


def _settings(
    phase: int,
    files: int | None,
    scale: float | None,
    file_size: str | None,
    unique: int | None,
    seed: int,
    thresholds: Thresholds,
) -> LoadSettings:
    from ndjctl.generate.typed import parse_size
    from ndjctl.loadtest.model import FULL_FILE_BYTES, LoadSettings, files_of

    count = files_of(phase, files, scale)
    size_bytes = FULL_FILE_BYTES if file_size is None else _typed("--file-size", file_size, parse_size)
    if unique is None:
        unique = max(1, min(_UNIQUE_FILES, _MOST_UNIQUE_BYTES // size_bytes))
    return LoadSettings(
        phase=phase,
        files=count,
        file_size_bytes=size_bytes,
        unique_files=min(unique, count),
        seed=seed,
        thresholds=thresholds,
    )


def _typed(option: str, text: str, parse: Callable[[str], T]) -> T:
    try:
        return parse(text)
    except ValueError as error:
        raise UsageError(f"{option}: {error}.") from error


def _amount(option: str, text: str) -> str:
    """As it was typed, if it is an amount."""
    from ndjctl.generate.typed import parse_amount

    _typed(option, text, parse_amount)
    return text.strip()


def _one_of(option: str, text: str, choices: Sequence[str]) -> str:
    if text not in choices:
        raise UsageError(f"{option} takes one of {', '.join(choices)}; {text!r} is none of them.")
    return text


def _rate(text: str | None, pattern: str) -> float | None:
    from ndjctl.generate.typed import parse_rate

    if text is None and pattern in ("burst", "ramp"):
        raise UsageError(f"--pattern {pattern} needs a --rate: 11/s, 7000/h.")
    return None if text is None else _typed("--rate", text, parse_rate)


def list_(invocation: Invocation) -> None:
    """List the load tests of the environment: their phases, verdicts and figures, the newest first.

    Those of colleagues too, because reports are kept in the manifest bucket; and those on this machine that are not
    finished.
    """
    from ndjctl.cli.loadtesting import home_of
    from ndjctl.loadtest.journal import unfinished
    from ndjctl.loadtest.results import Results
    from ndjctl.output.loadtest_lists import tests_view
    from ndjctl.reading import Reading, attempt

    open_ = unfinished(home_of(invocation))
    compare_, resume = invocation.typed("loadtest", "compare"), invocation.typed("loadtest", "--resume")

    def kept() -> tuple[Results, list[str]]:
        results = Results(invocation.cloud.client("s3"), invocation.cloud.names)
        with told_when_not_deployed(invocation):
            return results, results.ids()

    # Tests of this machine are told in any case; without any, there is nothing to tell but why nothing could be read.
    found = attempt(kept, invocation.env) if open_ else Reading(kept())
    if found.value is None:
        invocation.out.note(f"the results that are kept in the cloud could not be read: {found.sentence}")
        invocation.out.stream(tests_view(invocation.env, open_, (), compare_, resume))
        return
    results, ids = found.value
    with told_when_not_deployed(invocation):
        invocation.out.stream(tests_view(invocation.env, open_, results.each(ids), compare_, resume))


def compare(
    invocation: Invocation,
    first: Annotated[str, typer.Argument(metavar="A", help="Id of a test, or enough of its beginning.")],
    second: Annotated[str, typer.Argument(metavar="B", help="Id of the other.")],
) -> None:
    """Compare two load tests figure by figure: what is better, what is worse, and by how much."""
    from ndjctl.loadtest.results import Results
    from ndjctl.output.loadtest_compare import compared_view

    cloud = invocation.cloud
    with told_when_not_deployed(invocation):
        results = Results(cloud.client("s3"), cloud.names)
        invocation.out.show(compared_view(results.get(first), results.get(second)))


listing(app)(loadtest)
command(app, "list")(list_)
command(app, "compare")(compare)
