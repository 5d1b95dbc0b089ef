"""How the dead-letter queue looks: what would be sent or deleted, and what was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ndjctl.estimate import Estimate
from ndjctl.output.base import View, one_line
from ndjctl.output.progress import counted, size
from ndjctl.output.redrive import LISTED, add_cost, told_entered, told_next, told_reasons
from ndjctl.output.views import fact_table

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

    from ndjctl.redrive.dlq import DlqOutcome, DlqPreview
    from ndjctl.redrive.garbage import Deleted
    from ndjctl.redrive.messages import Letter


def dlq_view(
    seen: DlqPreview, done: DlqOutcome | None, cost: Estimate, flush: str, delete: str, next_: str | None
) -> View:
    """flush, delete: what to type for a sweep of partial batches too, and for what announces no file. next_: what to
    type now."""
    garbage = done.garbage if done else seen.garbage
    document = {
        "kind": "dlq",
        **_counts(seen),
        "messages_chosen": seen.chosen,
        "files": seen.files,
        "bytes": seen.size_bytes,
        "estimate": cost.to_dict(),
        "reasons": dict(seen.reasons.counts.most_common()),
        "examples": [letter_document(each) for each in seen.examples],
        "not_events": [letter_document(each) for each in garbage],
        "done": done is not None,
        "moved": done.messages if done else 0,
        "moved_files": done.files if done else 0,
        "moved_bytes": done.size_bytes if done else 0,
        "left_in_both": done.twice if done else 0,
        "left": [{**letter_document(letter), "error": why} for letter, why in done.refused] if done else [],
        "next": next_,
    }

    def render() -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        lines: list[RenderableType] = []
        if done is not None:
            lines += [_letter_line(letter, f"not taken: {why}", "red") for letter, why in done.refused[:LISTED]]
            told = f"{counted(done.messages, 'message')} ({counted(done.files, 'file')}, {size(done.size_bytes)})"
            lines.append(Text(f"{told} sent back to the queue", style="bold green"))
            if done.twice:
                lines.append(Text(f"{done.twice:,} of them are still here too, which does no harm", style="yellow"))
            if done.messages:
                lines.append(told_entered(flush, "the function enters them, "))
            return Group(*lines)
        lines += _garbage_lines(garbage[:LISTED], seen.garbage_count, "stays: ")
        if garbage:
            lines.append(Text(one_line(f"those announce no file; to save and delete them: {delete}"), style="yellow"))
        facts = _facts(seen)
        facts.add_row("to be sent", f"{counted(seen.chosen, 'message')} about {counted(seen.files, 'file')}")
        if seen.chosen:
            facts.add_row("bytes", size(seen.size_bytes))
            add_cost(facts, cost)
        lines += [facts, *told_reasons(seen.reasons, seen.chosen)]
        lines += [_letter_line(each, each.why, "dim") for each in seen.examples[:LISTED]]
        if next_:
            lines.append(told_next(next_))
        return Group(*lines)

    return View(document, render)


def garbage_view(seen: DlqPreview, done: Deleted | None, file: str, next_: str | None) -> View:
    """file: where the messages are saved. next_: what to type now."""
    document = {
        "kind": "garbage",
        **_counts(seen),
        "not_events": [letter_document(each) for each in seen.garbage],
        "file": file,
        "done": done is not None,
        "deleted": done.messages if done else 0,
        "left": [{**letter_document(letter), "error": why} for letter, why in done.kept] if done else [],
        "not_met": done.not_met if done else [],
        "next": next_,
    }

    def render() -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        lines: list[RenderableType] = []
        if done is None:
            # What is deleted is what was shown: all of it.
            lines += [*_garbage_lines(seen.garbage, seen.garbage_count, ""), _facts(seen)]
            if not seen.garbage:
                lines.append(Text("No message is to be deleted.", style="green"))
        else:
            lines += [_letter_line(letter, f"saved and not deleted: {why}", "red") for letter, why in done.kept]
            if done.not_met:
                gone = counted(len(done.not_met), "message")
                lines.append(Text(f"{gone} not met again: out of view, or gone; look again in some minutes"))
            deleted = counted(done.messages, "message")
            lines.append(Text(one_line(f"{deleted} deleted, saved in {file}"), style="bold green"))
        if next_:
            lines.append(told_next(next_))
        return Group(*lines)

    return View(document, render)


def _counts(seen: DlqPreview) -> dict[str, Any]:
    return {
        "messages": seen.messages,
        "messages_seen": seen.seen,
        "messages_not_chosen": seen.not_chosen,
        "messages_not_events": seen.garbage_count,
        "approximate": True,
    }


def _facts(seen: DlqPreview) -> Any:
    facts = fact_table()
    facts.add_row("messages", f"about {seen.messages:,} in the dead-letter queue, {seen.seen:,} looked at")
    if seen.not_chosen:
        facts.add_row("not matching", f"{counted(seen.not_chosen, 'message')}, of other reasons or dates")
    return facts


def _garbage_lines(shown: Sequence[Letter], count: int, head: str) -> list[RenderableType]:
    from rich.text import Text

    lines: list[RenderableType] = [
        _letter_line(each, f"{each.why} (message {each.message_id})", "yellow", head) for each in shown
    ]
    if count > len(shown):
        lines.append(Text(f"  {head}and {count - len(shown):,} more", style="yellow"))
    return lines


def letter_document(each: Letter) -> dict[str, Any]:
    return {
        "message_id": each.message_id,
        "reason": each.why,
        "receives": each.receives,
        "objects": [
            {"date": found.date, "key": found.key, "bytes": found.size_bytes, "etag": found.etag or None}
            for found in each.objects
        ],
        "begins": each.begins or None,
    }


def _letter_line(each: Letter, told: str, style: str, head: str = "") -> Text:
    from rich.text import Text

    what = ", ".join(found.key for found in each.objects) or repr(each.begins[:60])
    return Text(one_line(f"  {head}{what}  {told}"), style=style)
