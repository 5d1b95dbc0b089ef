"""How the embedded cloud knows which function or run a request comes from.

On AWS, functions and runs sign with a session of their role. Here the session token, which nothing checks, says whose
it is: every AWS SDK sends it with each request.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

OTHER = {"kind": "other"}

_PREFIX = "ndj."


def function_caller(name: str) -> dict[str, str]:
    """A Lambda function."""
    return {"kind": "lambda", "function": name}


def run_caller(job: str, run_id: str, *, by: str) -> dict[str, str]:
    """A Glue run. by: `script` for what its script asks for, `service` for what Glue does for it with the job's role
    (fetching the script, shipping the logs)."""
    return {"kind": "glue", "job": job, "run": run_id, "by": by}


def session_token(caller: Mapping[str, str]) -> str:
    """A session token that names the caller."""
    return _PREFIX + base64.urlsafe_b64encode(json.dumps(dict(caller)).encode()).decode()


def caller_of(token: str) -> dict[str, str]:
    """The caller that a session token names; OTHER for any other token and for none."""
    if token.startswith(_PREFIX):
        try:
            caller = json.loads(base64.urlsafe_b64decode(token.removeprefix(_PREFIX).encode()))
        except ValueError:
            return OTHER
        if isinstance(caller, dict) and all(isinstance(value, str) for value in caller.values()) and "kind" in caller:
            return caller
    return OTHER


def naming_functions(credentials: Callable[[dict[str, Any]], dict[str, str]]) -> Callable[[Any], dict[str, str]]:
    """ministack's way to the credentials of a function (by its configuration), with a session token that names it."""

    def named(config: dict[str, Any]) -> dict[str, str]:
        token = session_token(function_caller(str(config.get("FunctionName", ""))))
        return {**credentials(config), "AWS_SESSION_TOKEN": token}

    return named
