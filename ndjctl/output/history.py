"""How the history of deployments looks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ndjctl.deploy.documents import masked
from ndjctl.deploy.history import Deployment
from ndjctl.output.base import View, one_line
from ndjctl.output.plan import LONGEST_VALUE, SIGNS
from ndjctl.output.progress import counted

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.text import Text

_STYLES = {"done": "green", "failed": "red", "interrupted": "yellow", "under way": "yellow"}
MOST_KINDS = 3
"""That are named in a line of the list."""
_SHORT = 16
"""Hex digits of a digest that are shown, as in the scripts bucket."""


def history_view(
    env: str, deployments: Sequence[Deployment], unreadable: Sequence[str], total: int, account_id: str
) -> View:
    """A line a deployment, the newest first. unreadable: ids of records that this version cannot read. total: how many
    there are, also those that are not listed."""
    document = {
        "env": env,
        "total": total,
        "deployments": [masked(_document(each), account_id) for each in deployments],
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
            result = Text(each.result, style=_STYLES.get(each.result, ""))
            table.add_row(each.id, result, Text(one_line(each.by)), Text(one_line(_what(each, env))))
        lines = [
            Text(one_line(f"  {id_} cannot be read: another version of ndjctl wrote it, or it is none"), style="yellow")
            for id_ in unreadable
        ]
        older = total - len(deployments) - len(unreadable)
        rest = f"; {older} older with --limit" if older else ""
        text = f"{env}: {counted(total, 'deployment')}{rest}; 'ndjctl history ID' shows the changes of one"
        return Group(*([table] if deployments else []), *lines, Text(one_line(text), style="bold"))

    return View(document, render)


def deployment_view(env: str, deployment: Deployment, account_id: str, next_: str | None) -> View:
    """One deployment with all its changes. next_: what to type to return to it, None where that cannot be."""
    settings = masked(deployment.settings, account_id)
    document = {
        "env": env,
        **masked(_document(deployment), account_id),
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
        for name, value in _facts(deployment).items():
            facts.add_row(name, Text(one_line(value)))
        lines = [line for change in deployment.changes for line in _lines(change)]
        back = [Text(one_line(f"to return to it: {next_}"), style="cyan")] if next_ else []
        return Group(facts, *lines, *back)

    return View(document, render)


def _document(deployment: Deployment) -> dict[str, Any]:
    return {
        "id": deployment.id,
        "at": deployment.at,
        "by": deployment.by,
        "environment": deployment.environment,
        "command": deployment.command,
        "result": deployment.result,
        "not_done": list(deployment.not_done),
        "version": deployment.version,
        "source": deployment.source,
        "overrides": list(deployment.overrides),
        "function_digest": deployment.code.function.digest,
        "job_digest": deployment.code.job.digest,
        "changed": len(deployment.changes),
    }


def _what(deployment: Deployment, env: str) -> str:
    """'deploy: 34 created', 'rollback: 2 updated (function, job)'."""
    actions = [str(change.get("action")) for change in deployment.changes]
    said = [f"{actions.count(action)} {sign[2]}" for action, sign in SIGNS.items() if action in actions]
    kinds = sorted({str(change.get("kind")) for change in deployment.changes})
    about = f" ({', '.join(kinds)})" if len(kinds) <= MOST_KINDS else ""
    whose = "" if deployment.environment == env else f" (environment {deployment.environment!r})"
    left = f"; {len(deployment.not_done)} not done" if deployment.not_done else ""
    return f"{deployment.command}{whose}: {', '.join(said) or 'nothing'}{about}{left}"


def _facts(deployment: Deployment) -> dict[str, str]:
    facts = {
        "id": deployment.id,
        "at": deployment.at,
        "by": deployment.by,
        "command": deployment.command,
        "result": deployment.result,
        "ndjctl": deployment.version,
        "settings": " + ".join([deployment.source, *deployment.overrides]),
        "function code": deployment.code.function.digest[:_SHORT],
        "job code": deployment.code.job.digest[:_SHORT],
    }
    if deployment.not_done:
        facts["not done"] = ", ".join(deployment.not_done)
    return facts


def _lines(change: dict[str, Any]) -> list[Text]:
    from rich.text import Text

    action = str(change.get("action"))
    sign, _, word, style = next((each for name, each in SIGNS.items() if name == action), ("?", "", action, ""))
    head = Text(f"{sign} {word}", style=style)
    head.append(one_line(f" {change.get('kind')} {change.get('name')}"), style="default")
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
    if side not in field:
        return "(none)"
    text = field[side] if isinstance(field[side], str) else json.dumps(field[side], ensure_ascii=False)
    return text if len(text) <= LONGEST_VALUE else f"{text[: LONGEST_VALUE - 1]}…"
