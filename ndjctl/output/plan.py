"""How plans and deployments look."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ndjctl.deploy.dangers import FLAGS
from ndjctl.deploy.documents import masked, plain, plan_document
from ndjctl.deploy.executor import Execution
from ndjctl.deploy.model import ABSENT, Action, FieldChange, Observed, Plan, Step
from ndjctl.output.base import View, one_line
from ndjctl.output.config import finding_lines
from ndjctl.output.progress import counted, size

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

    from ndjctl.advice import Finding

SIGNS: dict[Action, tuple[str, str, str, str]] = {
    "create": ("+", "create", "created", "green"),
    "update": ("~", "update", "updated", "yellow"),
    "replace": ("!", "replace", "replaced", "bold red"),
    "delete": ("-", "delete", "deleted", "red"),
    "keep": ("=", "keep", "kept", "dim"),
}
LONGEST_VALUE = 72
"""Characters of a value on the screen; --json has all of it."""

CONTEXT = 12
"""Characters that are shown of what two long values have in common before they differ."""


def plan_view(
    env: str,
    source: str,
    plan: Plan,
    account_id: str,
    findings: Sequence[Finding] = (),
    remarks: Sequence[str] = (),
    *,
    shows_kept: bool = False,
    next_: str | None = None,
    take_over: str | None = None,
) -> View:
    """A plan before it is carried out. next_: what to type to do that, None where nothing is to be done; where
    names are another environment's, to plan with names of its own instead. take_over: to change what is another's all
    the same, which is never the first line to copy."""
    counts = {action: sum(step.action == action for step in plan.steps) for action in SIGNS}
    document: dict[str, Any] = {
        "env": env,
        "source": masked(source, account_id),
        **{str(action): count for action, count in counts.items()},
        "dangers": sorted(plan.dangers),
        "changes": plan_document(plan, account_id),
        "left_alone": masked(_left_alone(plan), account_id),
        "owners": sorted({str(step.owner) for step in plan.foreign_owners}),
        "lost": masked(_all_lost(plan), account_id),
        "findings": masked([finding.to_dict() for finding in findings], account_id),
        "remarks": masked(list(remarks), account_id),
        "next": masked(next_, account_id) if next_ else None,
        "take_over": masked(take_over, account_id) if take_over else None,
    }

    def render() -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        steps = plan.steps if shows_kept else plan.pending
        parts: list[RenderableType] = [_steps_table(steps, verb=1)] if steps else []
        parts += _left_alone_lines(plan)
        parts += finding_lines(findings)
        parts += [Text(one_line(remark), style="dim") for remark in remarks]
        if plan.foreign_owners:
            parts.append(Text(one_line(f"  {_owned(plan)}"), style="bold red"))
        for danger in sorted(plan.dangers):
            parts.append(Text(f"  This {danger}: it needs {FLAGS[danger]}.", style="bold red"))
        parts.append(Text(one_line(f"{env}: {_summary(counts)}"), style="bold"))
        if next_:
            what = "with names of its own" if plan.foreign_owners else "to do it"
            parts.append(Text(one_line(f"{what}: {next_}"), style="cyan"))
        if take_over:
            parts.append(Text(one_line(f"or, to take these over: {take_over}"), style="dim"))
        return Group(*parts)

    return View(document, render)


def _owned(plan: Plan) -> str:
    owners = " and ".join(sorted({repr(step.owner) for step in plan.foreign_owners}))
    count = counted(len(plan.foreign_owners), "resource")
    return f"{count} of these names belong to the environment {owners}: set a suffix, or deploy needs --take-over."


def drift_view(env: str, against: str, plan: Plan, account_id: str, next_: str | None) -> View:
    """What is not as it was deployed."""
    document = {
        "env": env,
        "against": masked(against, account_id),
        "drifted": len(plan.pending),
        "changes": plan_document(plan, account_id),
        "left_alone": masked(_left_alone(plan), account_id),
        "next": masked(next_, account_id) if next_ else None,
    }

    def render() -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        left = _left_alone_lines(plan)
        if not plan.pending:
            return Group(*left, Text(one_line(f"{env}: everything is as {against} made it"), style="green"))
        return Group(
            _steps_table(plan.pending, verb=1, is_drift=True),
            *left,
            Text(one_line(f"{env}: {counted(len(plan.pending), 'resource')} not as {against} made it"), style="bold"),
            *([Text(one_line(f"to mend it: {next_}"), style="cyan")] if next_ else []),
        )

    return View(document, render)


def deployed_view(
    env: str, stack: str, execution: Execution, plan: Plan, deployment_id: str | None, account_id: str, seconds: float
) -> View:
    """What a deployment did, also where it was stopped."""
    done = [outcome.step for outcome in execution.outcomes if outcome.state == "done"]
    counts = {action: sum(step.action == action for step in done) for action in SIGNS}
    unchanged = len(plan.steps) - len(plan.pending)
    open_: list[tuple[Step, str]] = [(outcome.step, outcome.reason) for outcome in execution.failed]
    open_ += [(step, "it was not reached") for step in execution.unreached]
    resources: list[dict[str, Any]] = [
        {**_named(step), "action": SIGNS[step.action][2], "fields": [change.label for change in step.changes]}
        for step in done
    ]
    resources += [{**_named(step), "action": "not done", "reason": reason} for step, reason in open_]
    resources += [{**_named(step), "action": "unchanged"} for step in plan.steps if step.action == "keep"]
    document = {
        "env": env,
        "stack": stack,
        "id": deployment_id,
        **{SIGNS[action][2]: count for action, count in counts.items() if action != "keep"},
        "unchanged": unchanged,
        "not_done": len(open_),
        "seconds": round(seconds, 3),
        "resources": masked(resources, account_id),
    }

    def render() -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        parts: list[RenderableType] = [_steps_table(done, verb=2)] if done else []
        for step, reason in open_:
            line = f"x not done   {step.resource.kind} {step.resource.name}: {reason}"
            parts.append(Text(one_line(line), style="red"))
        said = ", ".join(f"{counts[action]} {SIGNS[action][2]}" for action in SIGNS if counts[action])
        rest = f"{counted(len(open_), 'resource')} not done, " if open_ else ""
        # A removal looks at nothing else.
        same = f"{unchanged} as they should be" if unchanged or not said else ""
        text = f"{stack} in {env}: {rest}{', '.join(part for part in (said, same) if part)} ({seconds:.1f} s)"
        return Group(*parts, Text(one_line(text), style="bold red" if open_ else "bold"))

    return View(document, render)


def _named(step: Step) -> dict[str, Any]:
    return {"kind": step.resource.kind, "name": step.resource.name}


def _left_alone(plan: Plan) -> list[dict[str, str]]:
    return [
        {"kind": step.resource.kind, "name": step.resource.name, "what": what}
        for step in plan.steps
        if step.observed is not None
        for what in step.observed.foreign
    ]


def _left_alone_lines(plan: Plan) -> list[Text]:
    from rich.text import Text

    return [
        Text(one_line(f"  left alone: {left['kind']} {left['name']}: {left['what']}"), style="dim")
        for left in _left_alone(plan)
    ]


def _summary(counts: Mapping[Action, int]) -> str:
    said = [f"{counts[action]} to {SIGNS[action][1]}" for action in SIGNS if action != "keep" and counts[action]]
    return f"{', '.join(said) or 'nothing to do'}; {counts['keep']} as they should be"


def _steps_table(steps: Sequence[Step], *, verb: int, is_drift: bool = False) -> Table:
    """A line a resource, and under it one a field."""
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for step in steps:
        sign, *words, style = SIGNS[step.action]
        word = {"create": "missing", "update": "drifted"}.get(step.action) if is_drift else None
        owner = f" (it belongs to the environment {step.owner!r})" if step.owner else ""
        name = Text(one_line(step.resource.name + owner))
        if step.action == "replace" and step.observed is not None:
            name.append(one_line(_lost(step.observed)), style="bold red")
        if step.dangers:
            name.append(f"  {', '.join(step.dangers)}", style="bold red")
        table.add_row(Text(f"{sign} {word or words[verb - 1]}", style=style), Text(step.resource.kind, "dim"), name)
        if step.action in ("update", "replace"):
            for line in _field_lines(step):
                table.add_row("", "", Padding(line, (0, 0, 0, 2)))
    return table


def _all_lost(plan: Plan) -> list[dict[str, Any]]:
    """What is in the resources that would be replaced: kind, name, items, size_bytes."""
    replaced = [step for step in plan.pending if step.action == "replace"]
    return [{**_named(step), **step.observed.facts} for step in replaced if step.observed is not None]


def _lost(observed: Observed) -> str:
    """What goes with a table that is replaced; DynamoDB counts every six hours."""
    items, size_bytes = observed.facts.get("items", 0), observed.facts.get("size_bytes", 0)
    if not items:
        return "  it is empty"
    return f"  about {counted(items, 'item')}{f', {size(size_bytes)},' if size_bytes else ''} would be lost"


def _field_lines(step: Step) -> list[Text]:
    from rich.text import Text

    if step.resource.kind == "alias":
        paths = [change.path for change in step.changes]
        fields = ", ".join(dict.fromkeys(path[-1] if path[0] == "Version" else path[0] for path in paths))
        version = step.observed.facts.get("version", "$LATEST") if step.observed else None
        return [Text(one_line(f"version {version} -> a new one ({fields})"))]
    return [_field_line(change) for change in step.changes]


def _field_line(change: FieldChange) -> Text:
    from rich.text import Text

    old, new = shortened(_value(change.old), "(removed)" if change.new is ABSENT else _value(change.new))
    text = Text(one_line(f"{change.label}: "), style="default")
    text.append(one_line("(not shown)" if change.is_hidden else old), style="red")
    text.append(" -> ")
    text.append(one_line(new), style="green")
    if change.dangers:
        text.append(f"  {', '.join(change.dangers)}", style="bold red")
    return text


def shortened(old: str, new: str) -> tuple[str, str]:
    """Both, short enough for a screen, around the first place where they differ."""
    if max(len(old), len(new)) <= LONGEST_VALUE:
        return old, new
    same = next((at for at, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    start = max(0, same - CONTEXT) if same > CONTEXT + 1 else 0
    return _cut(old, start), _cut(new, start)


def _cut(text: str, start: int) -> str:
    head = "…" if start else ""
    rest = text[start:]
    room = LONGEST_VALUE - len(head)
    return head + (rest if len(rest) <= room else f"{rest[: room - 1]}…")


def _value(value: Any) -> str:
    if value is ABSENT or value is None:
        return "(none)"
    return value if isinstance(value, str) else json.dumps(plain(value), ensure_ascii=False, sort_keys=True)
