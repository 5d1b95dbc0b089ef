"""Remedies as the user would have to type them here."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from ndjctl.cli.invocation import Invocation
from ndjctl.errors import WorkFailed

if TYPE_CHECKING:
    from ndjctl.damage import Damage
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


def typed_mend(invocation: Invocation, damage: Damage) -> str:
    """What writes the object again; of one that no manifest gives, what says how it is to be removed."""
    if damage.manifest_id:
        return invocation.typed("reprocess", "--manifest", damage.manifest_id)
    return invocation.typed("reconcile")


@contextmanager
def mend_told(invocation: Invocation) -> Iterator[None]:
    """Says behind what is wrong with an object of bad lines what writes it again."""
    from ndjctl.contracts import split_s3_uri
    from ndjctl.damage import Damage, Damaged
    from ndjctl.output.damage import none_readable
    from ndjctl.quarantine.places import manifest_id_of

    try:
        yield
    except Damaged as error:
        damage = Damage(error.uri, error.why, manifest_id_of(split_s3_uri(error.uri)[1]))
        if not damage.manifest_id:
            raise
        raise WorkFailed(none_readable([damage], partial(typed_mend, invocation))) from error
