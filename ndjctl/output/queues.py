"""How the two queues look, and the messages of the dead-letter queue that were looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ndjctl.listing.queues import QueueState
from ndjctl.output.base import StreamView, one_line
from ndjctl.output.dlq import letter_document
from ndjctl.output.times import lasting

if TYPE_CHECKING:
    from rich.text import Text

    from ndjctl.redrive.messages import Letter

_LINE = "{:<9}  {}"


def queues_view(
    env: str, queue: QueueState, dead_letters: QueueState, letters: Iterable[Letter], redrive: str
) -> StreamView:
    """letters: of the dead-letter queue, those that were looked at. redrive: what to type to send them back."""
    seen = 0

    def rows() -> Iterator[tuple[Any, Callable[[], Text]]]:
        nonlocal seen
        for letter in letters:
            seen += 1
            yield letter_document(letter), lambda letter=letter: _letter_line(letter)  # type: ignore[misc]

    def heading() -> Text:
        from rich.text import Text

        return Text("dead letters: times received, what they announce, why they are there", style="bold")

    def summary() -> tuple[Mapping[str, Any], Text]:
        from rich.text import Text

        text = Text()
        for state in (queue, dead_letters):
            text.append("\n" if text else "").append(_state_text(state))
        left = dead_letters.messages - seen
        if seen and left > 0:
            text.append(f"\nabout {left:,} more dead letters were not looked at (--peek)", style="dim")
        if dead_letters.messages:
            text.append(f"\nnext: {one_line(redrive)}", style="dim")
        return {"count": seen}, text

    members = {"env": env, "queue": queue_document(queue), "dead_letter_queue": queue_document(dead_letters)}
    return StreamView(members, "dead_letters", rows(), heading, summary)


def queue_document(state: QueueState) -> dict[str, Any]:
    return {
        "name": state.name,
        "messages": state.messages,
        "visible": state.depth,
        "in_flight": state.in_flight,
        "delayed": state.delayed,
        "approximate": True,
        "oldest_age_s": state.age.value,
        "oldest_age_unknown": None if state.age.was_read else state.age.sentence,
        "settings": {
            "visibility_timeout_s": state.visibility_s,
            "retention_s": state.retention_s,
            "delay_s": state.delay_s,
            "receive_wait_s": state.wait_s,
            "max_receives": state.max_receives,
            "encrypted": state.is_encrypted,
        },
    }


def _state_text(state: QueueState) -> Text:
    from rich.text import Text

    text = Text(f"{one_line(state.name)}\n", style="bold")
    counts = f"about {state.depth:,} waiting, {state.in_flight:,} in flight, {state.delayed:,} delayed"
    lines = [f"  messages  {counts}", f"  oldest    {_age(state)}", f"  settings  {', '.join(_settings(state))}"]
    return text.append(_one_line_each(lines), style="not bold")


def _one_line_each(lines: Sequence[str]) -> str:
    return "\n".join(one_line(line) for line in lines)


def _age(state: QueueState) -> str:
    if not state.age.was_read:
        return f"not known: {state.age.sentence}"
    if state.age.value is None:
        return "CloudWatch has nothing of the last 15 minutes"
    return lasting(state.age.value)


def _settings(state: QueueState) -> list[str]:
    told = [f"hidden for {lasting(state.visibility_s)} when received", f"kept for {lasting(state.retention_s)}"]
    if state.max_receives is not None:
        told.append(f"dead after {state.max_receives} receives")
    if state.delay_s:
        told.append(f"delayed by {lasting(state.delay_s)}")
    return [*told, "encrypted" if state.is_encrypted else "not encrypted"]


def _letter_line(letter: Letter) -> Text:
    from rich.text import Text

    what = ", ".join(found.key for found in letter.objects) or repr(letter.begins[:60])
    return Text(_LINE.format(f"read {letter.receives}x", one_line(what))).append(
        f"  {one_line(letter.why)}", style="yellow"
    )
