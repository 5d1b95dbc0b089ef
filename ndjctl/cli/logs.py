"""`ndjctl logs`."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Annotated

import typer

from ndjctl.cli.interrupts import Terminated
from ndjctl.cli.invocation import Invocation, NdjsonOption, command
from ndjctl.cli.missing import told_when_not_deployed
from ndjctl.cli.since import SinceOption, since_moment
from ndjctl.errors import EXIT_INTERRUPTED, UsageError

if TYPE_CHECKING:
    from ndjctl.logs.lines import Line, RawEvent

app = typer.Typer(no_args_is_help=True, help="Show what the function and the job log.")

_SINCE = timedelta(hours=1)
_SINCE_FOLLOWED = timedelta(minutes=5)

FollowOption = Annotated[
    bool, typer.Option("--follow", "-f", help="Go on with new lines as they come, until Ctrl-C or the run's end.")
]
GrepOption = Annotated[
    str | None,
    typer.Option(
        "--grep", help="Only lines with this text in them, literally (no pattern), in either case.", metavar="TEXT"
    ),
]
LimitOption = Annotated[
    int | None, typer.Option("--limit", "-n", help="Only the newest N of them.", min=1, max=100_000, metavar="N")
]


def lambda_(
    invocation: Invocation,
    since: SinceOption = None,
    grep: GrepOption = None,
    limit: LimitOption = None,
    follow: FollowOption = False,
    ndjson: NdjsonOption = False,
) -> None:
    """Show the log of the function, the oldest line first.

    By default the last hour, with --follow the last 5 minutes. Lines that Lambda itself writes are among them.
    """
    from ndjctl.logs.reading import read_group

    asked = _asked(invocation, since, grep, limit, follow, ndjson, _default(follow))
    cloud = invocation.cloud
    logs, group = cloud.client("logs"), cloud.names.function_log_group

    def read(start_ms: int) -> Iterator[RawEvent]:
        return read_group(logs, group, start_ms, asked.end_ms)

    _show(invocation, asked, read, {"source": "lambda", "groups": [group]}, names_runs=False)


def glue(
    invocation: Invocation,
    run: Annotated[
        str | None,
        typer.Option("--run", help="Only this run: its id or a manifest's, or enough of its beginning.", metavar="ID"),
    ] = None,
    since: SinceOption = None,
    grep: GrepOption = None,
    limit: LimitOption = None,
    follow: FollowOption = False,
    ndjson: NdjsonOption = False,
) -> None:
    """Show what runs of the job wrote: their output, their errors, and our log lines among these.

    By default the last hour of all runs; with --run all of that run, with every attempt that Glue made of it, or all
    runs of a manifest. With --follow the last 5 minutes, or the run from its beginning until it has ended.
    """
    from ndjctl.logs.glue import CONTINUOUS_GROUP, GROUPS, Ours, all_ended, base_id, choose
    from ndjctl.logs.reading import if_there, read_group, read_groups

    cloud = invocation.cloud
    logs, names = cloud.client("logs"), cloud.names
    job = cloud.client("glue")
    with told_when_not_deployed(invocation):
        job.get_job(JobName=names.job)
        found = choose(job, cloud.client("dynamodb"), cloud.client("s3"), names, run) if run is not None else None
    begun = found.started_at - timedelta(minutes=1) if found is not None and found.started_at is not None else None
    asked = _asked(invocation, since, grep, limit, follow, ndjson, begun or _default(follow))
    run_ids = [base_id(each.run_id) for each in found.runs] if found is not None else []
    ours = Ours(job, names.job, asked.start)

    def missing(group: str) -> Callable[[], None]:
        # That of continuous logging is not there where no job uses it: nothing is missing then.
        if group == CONTINUOUS_GROUP:
            return lambda: None
        return lambda: asked.remark(f"There is no log group {group} yet: Glue makes it with a run's first line.")

    def of_group(group: str, start_ms: int) -> Iterator[RawEvent]:
        if run_ids:
            of_runs = (read_group(logs, group, start_ms, asked.end_ms, stream_prefix=run_id) for run_id in run_ids)
            return if_there(read_groups(of_runs), missing(group))
        return if_there(filter(ours.takes, read_group(logs, group, start_ms, asked.end_ms)), missing(group))

    def read(start_ms: int) -> Iterator[RawEvent]:
        return read_groups([of_group(group, start_ms) for group in GROUPS])

    about = {"source": "glue", "groups": list(GROUPS), "runs": run_ids}
    has_ended = all_ended(job, names.job, run_ids) if run_ids else None
    _show(invocation, asked, read, about, names_runs=len(run_ids) != 1, has_ended=has_ended)


@dataclass
class _Asked:
    """What was asked for. end_ms: None while it is followed. remarks: told where no group had any line."""

    start: datetime
    end_ms: int | None
    grep: str | None
    limit: int | None
    is_followed: bool
    remarks: list[str] = field(default_factory=list)
    has_events: bool = False

    @property
    def start_ms(self) -> int:
        return int(self.start.timestamp() * 1000)

    def remark(self, text: str) -> None:
        if text not in self.remarks:
            self.remarks.append(text)

    def told(self) -> list[str]:
        # Runs that wrote somewhere have begun: a group that is still missing is none that they had to make.
        return [] if self.has_events else self.remarks

    def noted(self, events: Iterator[RawEvent]) -> Iterator[RawEvent]:
        for event in events:
            self.has_events = True
            yield event

    def chosen(self, events: Iterator[RawEvent]) -> Iterator[Line]:
        from ndjctl.logs.lines import has_text, line_of

        lines = map(line_of, self.noted(events))
        taken = lines if self.grep is None else (line for line in lines if has_text(line, self.grep or ""))
        return taken if self.limit is None else iter(deque(taken, self.limit))


def _default(follow: bool) -> datetime:
    return _now() - (_SINCE_FOLLOWED if follow else _SINCE)


def _now() -> datetime:
    return datetime.now(timezone.utc)


def _now_ms() -> int:
    return int(time.time() * 1000)


def _asked(
    invocation: Invocation,
    since: str | None,
    grep: str | None,
    limit: int | None,
    follow: bool,
    ndjson: bool,
    default: datetime,
) -> _Asked:
    if follow and invocation.options.json:
        raise UsageError("--json is one document, and what is followed has no end: say --ndjson with --follow.")
    if follow and limit is not None:
        raise UsageError("--limit and --follow exclude each other: --since says where following begins.")
    if grep == "":
        raise UsageError("--grep is empty: every line has that in it.")
    invocation.print_lines(ndjson)
    start = since_moment(since, _now()) or default
    return _Asked(start, None if follow else _now_ms(), grep, limit, follow)


def _show(
    invocation: Invocation,
    asked: _Asked,
    read: Callable[[int], Iterator[RawEvent]],
    about: Mapping[str, object],
    *,
    names_runs: bool,
    has_ended: Callable[[], bool] | None = None,
) -> None:
    from ndjctl.contracts import iso_utc
    from ndjctl.logs.following import follow
    from ndjctl.output.logs import logs_view

    def throttled(pause_s: float) -> None:
        invocation.out.note(f"AWS takes no more requests at the moment: the next one goes out in {pause_s:.0f} s.")

    events = (
        follow(
            read,
            asked.start_ms,
            now_ms=_now_ms,
            sleep=time.sleep,
            has_ended=has_ended or (lambda: False),
            throttled=throttled,
        )
        if asked.is_followed
        else read(asked.start_ms)
    )
    members = {"env": invocation.env, **about, "since": iso_utc(asked.start), "grep": asked.grep, "limit": asked.limit}
    view = logs_view(
        members,
        asked.chosen(events),
        names_runs=names_runs,
        is_live=asked.is_followed,
        remarks=asked.told,
    )
    try:
        with told_when_not_deployed(invocation):
            invocation.out.stream(view)
    except Terminated:
        raise
    except KeyboardInterrupt:
        if not asked.is_followed:
            raise
        # The way in which following ends: no error, and no line of its own in NDJSON.
        invocation.out.note("Stopped following.")
        raise typer.Exit(EXIT_INTERRUPTED) from None


command(app, "lambda")(lambda_)
command(app, "glue")(glue)
