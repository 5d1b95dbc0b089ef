"""How the quarantine looks: what is in it, its log, and a backtest of the size rule."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ndjctl.contracts import MALFORMED, SizeWindow
from ndjctl.output.base import StreamView, View, one_line
from ndjctl.output.progress import counted, size
from ndjctl.output.shell import typeable
from ndjctl.quarantine.backtest import FREED, NEWLY, OUTCOMES, Backtest, Tally
from ndjctl.quarantine.inventory import HELD, PURGED, RELEASED, STATES, InventoryRow
from ndjctl.quarantine.log import DONE, Logged
from ndjctl.quarantine.places import SIZE_KINDS

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

_LINE = "{:<10}  {:<9}  {:<19}  {:<8}  {:>7} {:<7} {:>9}"
"""As wide as the narrowest terminal that is cared for, 80 columns."""
_STYLES = {HELD: "yellow", PURGED: "dim"}
_LISTED_DATES = 20


def inventory_view(
    env: str,
    rows: Iterable[InventoryRow],
    typed: Callable[..., str],
    date: str | None = None,
    asked: Sequence[str] = (),
) -> StreamView:
    """typed: a command as the user would have to type it, of its words. date: the only one, if one was asked for.
    asked: the options that say which lines were asked for, as words."""
    held: Counter[str] = Counter()
    lines: Counter[str] = Counter()
    objects: Counter[str] = Counter()
    size_bytes: Counter[str] = Counter()

    def shown() -> Iterator[tuple[Any, Callable[[], Text]]]:
        for row in rows:
            (lines if row.kind == MALFORMED else objects)[row.state] += row.count
            size_bytes[row.state] += row.size_bytes
            if row.state == HELD and row.kind in SIZE_KINDS:
                held[row.kind] += row.count
            yield inventory_document(row), lambda row=row: _row(row)  # type: ignore[misc]

    def heading() -> Text:
        from rich.text import Text

        return Text(_LINE.format("date", "kind", "reason", "state", "count", "", "size"), style="bold")

    def summary() -> tuple[Mapping[str, Any], Text]:
        from rich.text import Text

        members = {
            state: {"lines": lines[state], "objects": objects[state], "bytes": size_bytes[state]} for state in STATES
        }
        if not lines and not objects:
            return {"totals": members}, Text("Nothing is in the quarantine.")
        told = [
            f"{state}: {counted(lines[state], 'line')}, {counted(objects[state], 'object')}, {size(size_bytes[state])}"
            for state in STATES
            if lines[state] or objects[state]
        ]
        text = Text("\n".join(told), style="bold")
        words: tuple[str, ...] = ()
        if lines[HELD] or lines[RELEASED]:
            words = ("quarantine", "show", *asked)
        elif held:
            ((kind, _),) = held.most_common(1)
            words = ("quarantine", "release", *(("--date", date) if date else ()), "--reason", kind)
        elif any(count[state] for count in (lines, objects) for state in (RELEASED, PURGED)):
            words = ("quarantine", "history")
        if words:
            text.append(f"\nnext: {typeable(typed(*words))}", style="dim not bold")
        return {"totals": members}, text

    return StreamView({"env": env}, "quarantine", shown(), heading, summary)


def inventory_document(row: InventoryRow) -> dict[str, Any]:
    return {
        "date": row.date,
        "kind": row.kind,
        "reason": row.reason,
        "state": row.state,
        "unit": "line" if row.kind == MALFORMED else "object",
        "count": row.count,
        "bytes": row.size_bytes,
    }


def _row(row: InventoryRow) -> Text:
    from rich.text import Text

    unit = ("line" if row.kind == MALFORMED else "object") + ("" if row.count == 1 else "s")
    facts = (one_line(row.reason), row.state, f"{row.count:,}", unit, size(row.size_bytes))
    return Text(_LINE.format(row.date, row.kind, *facts), style=_STYLES.get(row.state, "green"))


def log_view(env: str, actions: Iterable[Logged]) -> StreamView:
    count = 0

    def rows() -> Iterator[tuple[Any, Callable[[], Text]]]:
        nonlocal count
        for action in actions:
            count += 1
            yield _action_document(action), lambda action=action: _action(action)  # type: ignore[misc]

    def heading() -> Text:
        from rich.text import Text

        return Text(f"{'when':<20}  {'what':<14}  {'state':<9}  by, what was chosen, counts", style="bold")

    def summary() -> tuple[Mapping[str, Any], Text]:
        from rich.text import Text

        told = counted(count, "action") if count else "Nothing was released or purged yet."
        return {"count": count}, Text(told, style="bold")

    return StreamView({"env": env}, "actions", rows(), heading, summary)


def _action_document(action: Logged) -> dict[str, Any]:
    return {
        "id": action.action_id,
        "action": action.action,
        "state": action.state,
        "by": action.by,
        "began_at": action.began_at,
        "ended_at": action.ended_at or None,
        "what": action.what,
        "counts": dict(action.counts),
    }


def _action(action: Logged) -> Text:
    from rich.text import Text

    when = action.began_at[:19].replace("T", " ") + "Z"
    counts = ", ".join(f"{name.replace('_', ' ')} {count:,}" for name, count in action.counts.items())
    head = f"{when:<20}  {action.action:<14}  {action.state:<9}"
    text = Text(one_line(head), style="" if action.state == DONE else "yellow")
    return text.append(one_line(f"  {action.by}: {action.what or 'everything'}: {counts or 'not ended'}"))


def backtest_view(env: str, result: Backtest, current: SizeWindow, next_: str) -> View:
    """current: the window of the profile without the proposal. next_: what to type to have the rule."""
    document = {
        "env": env,
        "proposed": _window(result.window),
        "profile": _window(current),
        "files": result.totals.total,
        "files_without_size": result.without_size,
        "totals": _tally(result.totals),
        "dates": [{"date": date, **_tally(day)} for date, day in sorted(result.days.items())],
        "examples": {
            _member(outcome): [
                {"date": each.file.date, "key": each.file.key, "size_bytes": each.file.size_bytes, "why": each.why}
                for each in examples
            ]
            for outcome, examples in result.examples.items()
        },
        "next": next_,
    }

    def render() -> RenderableType:
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        window = result.window
        proposed = f"proposed: {size(window.min_bytes)} to {size(window.max_bytes)}"
        lines: list[RenderableType] = [
            Text(f"{proposed}; the profile: {size(current.min_bytes)} to {size(current.max_bytes)}")
        ]
        if not result.totals.total:
            return Group(*lines, Text("The ledger has no file whose size is recorded."))
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("date", no_wrap=True)
        table.add_column("files", justify="right")
        for outcome in OUTCOMES:
            table.add_column(outcome, justify="right")
        days = sorted(result.days.items())[-_LISTED_DATES:]
        for date, day in days:
            table.add_row(Text(date), f"{day.total:,}", *(_share(day, outcome) for outcome in OUTCOMES))
        lines.append(table)
        if len(result.days) > len(days):
            lines.append(Text(f"and {len(result.days) - len(days):,} earlier dates (see --json)", style="dim"))
        for outcome, style in ((NEWLY, "yellow"), (FREED, "green")):
            for each in result.examples[outcome]:
                file = each.file
                told = f"  {outcome}: {file.date}  {size(file.size_bytes)}  {file.key}  {each.why}"
                lines.append(Text(one_line(told), style=style))
        totals = result.totals
        told = ", ".join(f"{totals.files[outcome]:,} {outcome}" for outcome in OUTCOMES)
        lines.append(Text(f"{counted(totals.total, 'file')}: {told}", style="bold"))
        if result.without_size:
            lines.append(Text(f"{counted(result.without_size, 'file')} without a recorded size", style="dim"))
        lines.append(Text(one_line(f"next: {next_}"), style="dim"))
        return Group(*lines)

    return View(document, render)


def _window(window: SizeWindow) -> dict[str, int]:
    return {"min_bytes": window.min_bytes, "max_bytes": window.max_bytes}


def _tally(tally: Tally) -> dict[str, Any]:
    return {
        _member(outcome): {
            "files": tally.files[outcome],
            "bytes": tally.size_bytes[outcome],
            "percent": round(tally.percent(outcome), 3),
        }
        for outcome in OUTCOMES
    }


def _member(outcome: str) -> str:
    return outcome.replace(" ", "_")


def _share(day: Tally, outcome: str) -> str:
    count = day.files[outcome]
    return f"{count:,} ({day.percent(outcome):.1f} %)" if count else "0"
