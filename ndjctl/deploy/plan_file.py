"""A plan saved, and carried out later: exactly that one, or none."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ndjctl.deploy.documents import digest, masked, plan_document, unmasked
from ndjctl.deploy.model import Plan
from ndjctl.errors import UsageError, WorkFailed

FORMAT = 1
_ROUNDS = 200_000  # an account id has twelve digits: a plain digest of it could be guessed


@dataclass(frozen=True)
class SavedPlan:
    """What a file holds. settings: the profile's values. overrides: what was laid over the file (a preset, --set).
    steps: plan_document() of it, with `salt`."""

    environment: str
    region: str
    made_at: str
    version: str
    salt: str
    account_check: str
    settings: dict[str, Any]
    source: str
    overrides: tuple[str, ...]
    steps: list[dict[str, Any]]

    def settings_for(self, account_id: str) -> dict[str, Any]:
        """The settings with the account's id back in its places. Raises UsageError for another account."""
        if _account_check(account_id, self.salt) != self.account_check:
            raise UsageError(
                f"This plan was made for another account than the one that these credentials are of: sign in to that "
                f"one, or make a plan for this one ('ndjctl plan --env {self.environment} --out FILE')."
            )
        settings: dict[str, Any] = unmasked(self.settings, account_id)
        return settings


def write_plan(
    path: Path,
    plan: Plan,
    *,
    account_id: str,
    settings: dict[str, Any],
    source: str,
    overrides: tuple[str, ...],
    made_at: str,
    version: str,
    salt: str,
) -> None:
    """Saves a plan. salt: random text, new for each plan. Raises UsageError where the file cannot be written."""
    document = {
        "format": FORMAT,
        "environment": settings["environment"],
        "region": settings["region"],
        "made_at": made_at,
        "version": version,
        "salt": salt,
        "account_check": _account_check(account_id, salt),
        "settings": masked(settings, account_id),
        "source": source,
        "overrides": masked(list(overrides), account_id),
        "steps": plan_document(plan, account_id, salt=salt),
    }
    document["digest"] = digest(document)
    try:
        path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"The plan cannot be written to {path} ({error.strerror}): name another file.") from error


def read_plan(path: Path) -> SavedPlan:
    """A saved plan. Raises UsageError where the file is none."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise UsageError(f"The plan {path} cannot be read ({reason}): name a file of 'ndjctl plan --out'.") from error
    try:
        document = json.loads(text)
        if document["format"] != FORMAT:
            raise UsageError(
                f"The plan {path} has the format {document['format']}, and this version of ndjctl reads {FORMAT}: "
                f"make it again with 'ndjctl plan --out'."
            )
        if document.pop("digest") != digest(document):
            raise UsageError(f"The plan {path} is not as it was saved: make it again with 'ndjctl plan --out'.")
        return SavedPlan(
            environment=str(document["environment"]),
            region=str(document["region"]),
            made_at=str(document["made_at"]),
            version=str(document["version"]),
            salt=str(document["salt"]),
            account_check=str(document["account_check"]),
            settings=dict(document["settings"]),
            source=str(document["source"]),
            overrides=tuple(document["overrides"]),
            steps=list(document["steps"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UsageError(f"{path} is not a saved plan: name a file of 'ndjctl plan --out'.") from error


def check_same(saved: SavedPlan, plan: Plan, account_id: str) -> None:
    """Raises WorkFailed unless `plan`, made now, is the saved one: nothing less, nothing more, nothing else."""
    now = {f"{step['kind']}/{step['name']}": step for step in plan_document(plan, account_id, salt=saved.salt)}
    then = {f"{step['kind']}/{step['name']}": step for step in saved.steps}
    moved = [name for name in {**then, **now} if now.get(name) != then.get(name)]
    if moved and not now:
        raise WorkFailed(
            f"The saved plan of {saved.made_at} does not fit any more: all is as it should be already, and there is "
            f"nothing to do."
        )
    if moved:
        shown = ", ".join(moved[:5]) + (f" and {len(moved) - 5} more" if len(moved) > 5 else "")
        raise WorkFailed(
            f"The saved plan of {saved.made_at} does not fit any more, and nothing was changed: since then {shown} "
            f"changed. Make a plan again."
        )


def _account_check(account_id: str, salt: str) -> str:
    return hashlib.pbkdf2_hmac("sha256", account_id.encode(), salt.encode(), _ROUNDS).hex()
