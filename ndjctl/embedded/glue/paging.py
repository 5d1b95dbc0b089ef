"""The tokens that lists of the Glue API go on with."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from ndjctl.embedded.glue.errors import INVALID_INPUT, GlueError


def token(position: str | int) -> str:
    """NextToken for a list that goes on behind `position`."""
    return base64.urlsafe_b64encode(json.dumps(position).encode()).decode()


def position_of(request: Mapping[str, Any], kind: type, first: Any) -> Any:
    """Where the list of a request goes on; `first` where it begins. Raises GlueError for a token of nobody's."""
    text = request.get("NextToken")
    if not text:
        return first
    try:
        position = json.loads(base64.urlsafe_b64decode(text.encode()))
    except ValueError:
        position = None
    if type(position) is not kind or (isinstance(position, int) and not 0 <= position < 2**62):
        raise GlueError(INVALID_INPUT, "NextToken is none that this operation returned")
    return position
