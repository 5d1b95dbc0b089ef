"""How locks look."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ndjctl.contracts import iso_utc
from ndjctl.locks import Breaking, Judged, Lock
from ndjctl.output.base import StreamView, View, one_line
from ndjctl.output.progress import counted
from ndjctl.output.times import lasting, shown, told

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

_LINE = "{:<36}  {:<5}  {:>11}  {:<20}"
"""Fits a terminal of 80 columns; who holds it, and why, is in a line below."""


def locks_view(env: str, judged: Iterable[Judged], include_free: bool, break_: str) -> StreamView:
    """include_free: free locks too; they are counted either way. break_: what to type to break one, without its
    name."""
    free = held = dead = 0
    subject = ""

    def rows() -> Iterator[tuple[Any, Callable[[], Text]]]:
        nonlocal free, held, dead, subject
        for each in judged:
            free += each.lock.is_free
            held += not each.lock.is_free
            dead += each.verdict.is_dead
            subject = subject or (named(each.lock) if each.verdict.is_dead else "")
            if include_free or not each.lock.is_free:
                yield judged_document(each), lambda each=each: _line(each)  # type: ignore[misc]

    def heading() -> Text:
        from rich.text import Text

        return Text(_LINE.format("lock", "state", "age", "expires").rstrip(), style="bold")

    def summary() -> tuple[Mapping[str, Any], Text]:
        from rich.text import Text

        text = Text(f"{counted(held, 'lock')} held, {dead:,} of them by the dead; {free:,} free", style="bold")
        if subject:
            text.append(f"\nnext: {one_line(break_)} {one_line(subject)}", style="dim not bold")
        return {"held": held, "dead": dead, "free": free}, text

    return StreamView({"env": env}, "locks", rows(), heading, summary)


def named(lock: Lock) -> str:
    """What `locks break` takes for it."""
    return lock.sort_key.removesuffix("#")


def judged_document(judged: Judged) -> dict[str, Any]:
    lock, verdict = judged.lock, judged.verdict
    return {
        "lock": named(lock),
        "kind": lock.kind,
        "subject": lock.subject,
        "holder": lock.holder or None,
        "taken_at": told(lock.taken_at) if lock.holder else None,
        "age_s": _age_s(lock, verdict.aws_time),
        "expires_at": told(lock.expires_at),
        "fence": lock.fence,
        "dead": verdict.is_dead,
        "why": verdict.why,
        "breakable_from": told(verdict.until),
        "aws_time": told(verdict.aws_time),
    }


def _age_s(lock: Lock, aws_time: datetime | None) -> float | None:
    if not lock.holder or lock.taken_at is None or aws_time is None:
        return None
    return max(0.0, (aws_time - lock.taken_at).total_seconds())


def _line(judged: Judged) -> Text:
    from rich.text import Text

    lock, verdict = judged.lock, judged.verdict
    state = "free" if lock.is_free else "dead" if verdict.is_dead else "held"
    age = lasting(_age_s(lock, verdict.aws_time))
    line = _LINE.format(one_line(named(lock)), state, age, shown(lock.expires_at)).rstrip()
    fence = "" if lock.fence is None else f"fence {lock.fence:,}; "
    who = "nobody holds it" if lock.is_free else f"held by {lock.holder}, {verdict.why}"
    line += "\n" + one_line(f"  {fence}{who}")
    return Text(line, style={"dead": "red", "free": "dim"}.get(state, ""))


def breaking_view(env: str, subject: str, breaking: Breaking) -> View:
    lock, verdict = breaking.lock, breaking.verdict
    sentence = told_breaking(subject, breaking)
    document = {
        "env": env,
        "lock": subject,
        "broken": breaking.is_broken,
        "held": lock is not None and not lock.is_free and not breaking.is_broken,
        "message": sentence,
        "holder": lock.holder or None if lock is not None else None,
        "fence": breaking.fence if breaking.is_broken or lock is None else lock.fence,
        "expires_at": told(lock.expires_at) if lock is not None else None,
        "breakable_from": told(verdict.until) if verdict is not None else None,
        "aws_time": told(verdict.aws_time) if verdict is not None else None,
    }

    def render() -> RenderableType:
        from rich.text import Text

        style = "green" if breaking.is_broken else "" if verdict is None else "red"
        return Text(one_line(sentence), style=style)

    return View(document, render)


def told_breaking(subject: str, breaking: Breaking) -> str:
    """What became of it, in one sentence, or two."""
    lock, verdict = breaking.lock, breaking.verdict
    if lock is None or verdict is None:
        return f"Nobody holds the lock {subject}: there is nothing to break."
    if breaking.changed:
        return f"The lock {subject} changed hands while it was looked at: its holder is alive, and nothing was broken."
    if breaking.is_broken:
        fence = "" if breaking.fence is None else f"; its fence is {breaking.fence} now"
        return f"The lock {subject} was taken from {lock.holder} ({verdict.why}){fence}."
    text = f"The lock {subject} was left as it is: {lock.holder} holds it, and {verdict.why}."
    if verdict.until is None:
        return text
    left = "" if verdict.aws_time is None else f", in {lasting((verdict.until - verdict.aws_time).total_seconds() + 1)}"
    return f"{text} It can be broken after {iso_utc(verdict.until)}{left}, if it is not released by then."
