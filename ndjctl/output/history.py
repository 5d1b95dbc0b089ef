"""How the history of deployments looks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ndjctl.deploy.documents import masked
from ndjctl.deploy.history import Deployment, Status
from ndjctl.deploy.model import label_of
from ndjctl.output.base import View, one_line
from ndjctl.output.plan import LONGEST_VALUE, SIGNS
from ndjctl.output.progress import counted

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

_STYLES = {
    "done": "green",
    "failed": "red",
    "interrupted": "yellow",
    "under way": "yellow",
    "killed or still under way": "red",
}
MOST_KINDS = 3
"""Kinds, or resources that are not done, that are named in a line of the list."""
_BY_ACTION: dict[str, tuple[str, str, str, str]] = {str(action): signs for action, signs in SIGNS.items()}
_SHORT = 16
"""Hex digits of a digest that are shown, as in the scripts bucket."""


def history_view(
    env: str,
    region: str,
    deployments: Sequence[Deployment],
    unreadable: Sequence[str],
    ids: Sequence[str],
    now: datetime,
    account_id: str,
) -> View:
    """A line a deployment, the newest first. unreadable: ids of records that this version cannot read. ids: of all
    there are, also those that are not listed, the newest first."""
    total = len(ids)
    statuses = {each.id: each.status(ids[0], now) for each in deployments}
    document = {
        "env": env,
        "total": total,
        "deployments": [masked(_document(each, statuses[each.id]), account_id) for each in deployments],
        "unreadable": list(unreadable),
    }

    def render() -> RenderableType:
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        if not total:
            return Text(one_line(f"{env}: nothing was deployed yet, as far as the history tells"))
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for heading in ("id", "result", "by", "what"):
            table.add_column(heading, no_wrap=heading in ("id", "result"), overflow="fold")
        for each in deployments:
            status = statuses[each.id]
            result = Text(status, style=_STYLES[status])
            table.add_row(each.id, result, Text(one_line(each.by)), Text(one_line(_what(each, env, region))))
        lines = [
            Text(one_line(f"  {id_} cannot be read: another version of ndjctl wrote it, or it is none"), style="yellow")
            for id_ in unreadable
        ]
        older = total - len(deployments) - len(unreadable)
        rest = f"; {older} older with --limit" if older else ""
        text = f"{env}: {counted(total, 'deployment')}{rest}; 'ndjctl history ID' shows the changes of one"
        return Group(*([table] if deployments else []), *lines, Text(one_line(text), style="bold"))

    return View(document, render)


def deployment_view(env: str, deployment: Deployment, status: Status, account_id: str, next_: str | None) -> View:
    """One deployment with all its changes. next_: what to type to return to it, None where that cannot be."""
    settings = masked(deployment.settings, account_id)
    document = {
        "env": env,
        **masked(_document(deployment, status), account_id),
        "changes": masked(deployment.changes, account_id),
        "settings": settings,
        "next": next_,
    }

    def render() -> RenderableType:
        from rich.console import Group
        from rich.table import Table
        from rich.text import Text

        facts = Table(box=None, show_header=False, pad_edge=False)
        facts.add_column(style="cyan", no_wrap=True)
        facts.add_column(overflow="fold")
        for name, value in _facts(deployment, status).items():
            facts.add_row(name, Text(one_line(value)))
        lines = [line for change in deployment.changes for line in _lines(change, deployment)]
        back = [Text(one_line(f"to return to it: {next_}"), style="cyan")] if next_ else []
        return Group(facts, *lines, *back)

    return View(document, render)


def _document(deployment: Deployment, status: Status) -> dict[str, Any]:
    return {
        "id": deployment.id,
        "at": deployment.at,
        "by": deployment.by,
        "environment": deployment.environment,
        "command": deployment.command,
        "result": status,
        "planned": deployment.planned,
        "done": deployment.done,
        "not_done": list(deployment.not_done),
        "version": deployment.version,
        "source": deployment.source,
        "overrides": list(deployment.overrides),
        "function_digest": deployment.code.function.digest,
        "job_digest": deployment.code.job.digest,
    }


def _what(deployment: Deployment, env: str, region: str) -> str:
    """'deploy: 34 created', 'rollback: 2 updated (function, job)', 'deploy: 31 of 34 done; not done: alarm/x, ...'."""
    head = f"{deployment.command}{_whose(deployment, env, region)}"
    if deployment.not_done or deployment.result in ("failed", "interrupted"):
        return f"{head}: {deployment.done} of {deployment.planned} done{_open(deployment)}"
    actions = [str(change.get("action")) for change in deployment.changes]
    is_done = deployment.result == "done"
    said = [
        f"{actions.count(action)} {sign[2] if is_done else f'to {sign[1]}'}"
        for action, sign in SIGNS.items()
        if action in actions
    ]
    kinds = sorted({str(change.get("kind")) for change in deployment.changes})
    about = f" ({', '.join(kinds)})" if len(kinds) <= MOST_KINDS else ""
    return f"{head}: {', '.join(said) or 'nothing'}{about}"


def _whose(deployment: Deployment, env: str, region: str) -> str:
    """Of another environment under the same names, or of the same one elsewhere."""
    where = str(deployment.settings.get("region") or region)
    if (deployment.environment, where) == (env, region):
        return ""
    return f" (environment {deployment.environment!r}{'' if where == region else f' in {where}'})"


def _open(deployment: Deployment) -> str:
    names = [label_of(id_) for id_ in deployment.not_done[:MOST_KINDS]]
    more = len(deployment.not_done) - len(names)
    return f"; not done: {', '.join(names)}{f' and {more} more' if more else ''}" if names else ""


def _facts(deployment: Deployment, status: Status) -> dict[str, str]:
    done = "nobody wrote down what was done" if deployment.done is None else f"{deployment.done} done"
    facts = {
        "id": deployment.id,
        "at": deployment.at,
        "by": deployment.by,
        "command": deployment.command,
        "result": status,
        "changes": f"{deployment.planned} planned, {done}",
        "ndjctl": deployment.version,
        "settings": " + ".join([deployment.source, *deployment.overrides]),
        "function code": deployment.code.function.digest[:_SHORT],
        "job code": deployment.code.job.digest[:_SHORT],
    }
    if deployment.not_done:
        facts["not done"] = ", ".join(label_of(id_) for id_ in deployment.not_done)
    return facts


def _lines(change: dict[str, Any], deployment: Deployment) -> list[Text]:
    """What was done with one resource, or not done, or was to be done where nobody wrote down what was."""
    from rich.text import Text

    action = str(change.get("action"))
    name = f"{change.get('kind')} {change.get('name')}"
    is_open = f"{change.get('kind')}/{change.get('name')}" in deployment.not_done
    sign, verb, word, style = _BY_ACTION.get(action, ("?", action, action, ""))
    if is_open:
        head = Text(f"x not done: {verb}", style="red")
    else:
        head = Text(f"{sign} {word if deployment.done is not None else f'to {verb}'}", style=style)
    head.append(one_line(f" {name}"), style="default")
    if action == "create":
        return [head]
    lines = [head]
    for field in change.get("fields", []):
        line = Text(one_line(f"    {field.get('path')}: "))
        line.append(one_line(_told(field, "old")), style="red")
        line.append(" -> ")
        line.append(one_line(_told(field, "new")), style="green")
        lines.append(line)
    return lines


def _told(field: dict[str, Any], side: str) -> str:
    if side == "old" and "old_hidden" in field:
        return "(not shown)"
    if field.get(side) is None:
        return "(none)"
    text = field[side] if isinstance(field[side], str) else json.dumps(field[side], ensure_ascii=False)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"
