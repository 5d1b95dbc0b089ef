"""Remedies as the user would have to type them here."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from ndjctl.cli.invocation import Invocation

if TYPE_CHECKING:
    from ndjctl.health.model import Remedy


def typed_remedy(invocation: Invocation, remedy: Remedy) -> str:
    """The command line; empty for a remedy that is only a hint. Its own --set come last, where they win over those that
    the user typed."""
    if remedy.other:
        return shlex.join(remedy.other)
    if not remedy.words:
        return ""
    words, settings = list[str](), list[str]()
    rest = iter(remedy.words)
    for word in rest:
        if word == "--set":
            settings += [word, next(rest)]
        else:
            words.append(word)
    return " ".join(filter(None, [invocation.typed(*words), shlex.join(settings)]))
