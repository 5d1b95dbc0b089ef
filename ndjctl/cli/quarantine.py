"""`ndjctl quarantine`: what is set aside."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ndjctl.cli.dates import DateOption, checked_date
from ndjctl.cli.invocation import Invocation, NdjsonOption, command
from ndjctl.cli.missing import told_when_not_deployed
from ndjctl.cli.moving import ReasonOption, now, parts_of
from ndjctl.cli.quarantine_moves import as_argument, purge, release
from ndjctl.cli.remedies import mend_told
from ndjctl.cli.words import given
from ndjctl.errors import UsageError

if TYPE_CHECKING:
    from ndjctl.quarantine.showing import Lines
    from ndjctl.redrive.choice import Choice

SHOWN_LINES = 20
_READERS = 16
_RULE = "size_rule.max_file_size_mb=MB (or another setting of size_rule)"

app = typer.Typer(no_args_is_help=True, help="Look at what is set aside, release it, purge it, try another size rule.")


def list_(
    invocation: Invocation, date: DateOption = None, reason: ReasonOption = None, ndjson: NdjsonOption = False
) -> None:
    """List what is in the quarantine by date and reason, and what of it was released or purged since.

    Files of a size that the rule does not take (too-large, too-small), lines that are no records (malformed), and
    objects that belonged to no output (orphaned). Of lines every object is read.
    """
    from ndjctl.output.moving import progress_beside_rows
    from ndjctl.output.quarantine import inventory_view
    from ndjctl.quarantine.inventory import Inventory
    from ndjctl.redrive.choice import Choice

    invocation.print_lines(ndjson)
    choice = Choice(reason, checked_date(date))
    cloud = invocation.cloud
    with told_when_not_deployed(invocation), ThreadPoolExecutor(_READERS) as readers:
        inventory = Inventory(cloud.client("s3"), cloud.names, parts_of(invocation).tracking, readers)
        asked = given(("--date", date), ("--reason", reason))
        with progress_beside_rows("looking", "object") as progress:
            rows = inventory.rows(choice, progress)
            invocation.out.stream(inventory_view(invocation.env, rows, invocation.typed, choice.date, asked))


def show(
    invocation: Invocation,
    key: Annotated[
        str | None,
        typer.Argument(metavar="KEY", help="A file's S3 key, or an object of quarantined lines; or the URI of either."),
    ] = None,
    date: DateOption = None,
    reason: ReasonOption = None,
    limit: Annotated[
        int | None, typer.Option("--limit", help="Lines at most; 20, with --save all.", min=1, metavar="N")
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option("--save", help="Instead, write the lines as they were into a new file.", metavar="FILE"),
    ] = None,
    ndjson: NdjsonOption = False,
) -> None:
    """Show quarantined lines: where each comes from, what is wrong with it, and a caret under the place.

    With --save they are in a file, to be mended there and sent back with 'quarantine release --mended FILE'. What is
    released already is left out of it, and so are lines of which only the beginning was kept.
    """
    from ndjctl.output.quarantine_lines import lines_view
    from ndjctl.output.shell import typeable
    from ndjctl.quarantine.showing import Lines
    from ndjctl.redrive.choice import Choice

    invocation.print_lines(ndjson)
    if save is not None and ndjson:
        raise UsageError("--save and --ndjson exclude each other: --save writes the lines as they were.")
    choice = Choice(reason, checked_date(date))
    cloud = invocation.cloud
    with told_when_not_deployed(invocation), mend_told(invocation):
        parts = parts_of(invocation)
        lines = Lines(cloud.client("s3"), cloud.names, parts.tracking, now())
        if save is not None:
            _save(invocation, lines, key, choice, limit, save)
        else:
            options = given(("--date", date), ("--reason", reason))
            words = invocation.typed("quarantine", "show", *([key] if key else []), *options, "--save", "FILE")
            invocation.out.stream(
                lines_view(invocation.env, lines.of(key, choice), SHOWN_LINES if limit is None else limit, words)
            )
        for entry in lines.set_aside:
            there = parts.mover.facts(entry)
            size_bytes = entry.size_bytes if there is None else there.size_bytes
            is_taken = invocation.loaded.profile.size_rule.window.verdict(size_bytes) is None
            place = as_argument(entry.key, cloud.names.input_bucket)
            exception = given(("--ignore-size-rule", not is_taken))
            text = typeable(invocation.typed("quarantine", "release", place, *exception))
            invocation.out.note(f"{entry.key} is set aside as a whole ({entry.reason}); '{text}' sends it back")


def _save(invocation: Invocation, lines: Lines, key: str | None, choice: Choice, limit: int | None, save: Path) -> None:
    from collections import Counter

    from ndjctl.output.quarantine_lines import saved_view
    from ndjctl.paths import shown
    from ndjctl.quarantine.saved import SavedLines, origin_path

    left: Counter[str] = Counter()
    with SavedLines(save, invocation.env, invocation.cloud.names.quarantine_bucket) as saved:
        for each in lines.of(key, choice):
            if each.is_released:
                left["released already"] += 1
            elif each.line.is_cut:
                left["only the beginning was kept; the file itself has them whole"] += 1
            else:
                saved.put(each)
                if limit is not None and saved.count >= limit:
                    break
    next_ = invocation.typed("quarantine", "release", "--mended", str(save))
    invocation.out.show(saved_view(saved.count, left, shown(save), shown(origin_path(save)), next_))


def history(invocation: Invocation, ndjson: NdjsonOption = False) -> None:
    """List who released or purged what, and when: the newest first, as the ledger has it."""
    from ndjctl.output.quarantine import log_view
    from ndjctl.quarantine.log import history as actions

    invocation.print_lines(ndjson)
    cloud = invocation.cloud
    with told_when_not_deployed(invocation):
        found = actions(cloud.client("dynamodb"), cloud.names.tracking_table)
        invocation.out.stream(log_view(invocation.env, found))


def backtest(invocation: Invocation, date: DateOption = None) -> None:
    """Replay the recorded sizes against a proposed size rule: what it would quarantine, and what it would free.

    The rule is that of --set size_rule.PATH=VALUE, which is needed. What is quarantined now is what the ledger says, of
    every file that it remembers. Nothing is changed.
    """
    from dataclasses import replace

    from ndjctl.output.moving import counting
    from ndjctl.output.quarantine import backtest_view
    from ndjctl.quarantine.backtest import backtest as replay

    day = checked_date(date)
    assignments = invocation.options.assignments
    # Others may say which environment is meant, as `suffix` does.
    kept = tuple(each for each in assignments if not each.startswith("size_rule."))
    if kept == assignments:
        raise UsageError(f"No rule is proposed: say it with --set {_RULE}.")
    window = invocation.loaded.profile.size_rule.window
    current = Invocation(replace(invocation.options, assignments=kept)).loaded.profile.size_rule.window
    if window == current:
        invocation.out.note(f"the rule is the profile's own: propose another with --set {_RULE}")
    cloud = invocation.cloud
    with told_when_not_deployed(invocation), counting("reading", "file") as progress:
        result = replay(cloud.client("dynamodb"), cloud.names.tracking_table, window, day, progress)
    next_ = invocation.typed("deploy")
    invocation.out.show(backtest_view(invocation.env, result, current, next_))


for name, function in (
    ("list", list_),
    ("show", show),
    ("release", release),
    ("purge", purge),
    ("history", history),
    ("backtest", backtest),
):
    command(app, name)(function)
