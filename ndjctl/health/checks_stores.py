"""Whether what keeps things is there: tables and buckets, without which nothing that works on them can. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from ndjctl.health.facts import Facts
from ndjctl.health.model import Checked, Remedy
from ndjctl.health.remedies import DEPLOY
from ndjctl.health.words import grace_words, passed, unread


def store_checks(facts: Facts) -> Iterator[Checked]:
    yield _tables(facts)
    yield _buckets(facts)


def _tables(facts: Facts) -> Checked:
    code, title = "tables", "tables of the ledger"
    gone = facts.missing_tables.value
    if gone is None:
        return unread(code, title, facts.missing_tables)
    if not gone:
        return passed(code, title, "They are there.")
    if facts.names.tracking_table not in gone:
        sentence = f"The table {gone[0]} is not there: what is counted for people is lost, the pipeline goes on."
        return Checked(code, title, "fail", sentence, remedies=(DEPLOY,))
    sentence = (
        f"The table {facts.names.tracking_table} is not there: the state of every file is gone, and nothing goes on."
    )
    entered = Remedy(
        ("backfill", *grace_words(facts)), hint="enters what is not converted yet; what run reports know is left out"
    )
    restored = Remedy(hint="where the table has point-in-time recovery, restore it under its name before anything else")
    return Checked(code, title, "fail", sentence, (), (restored, DEPLOY, entered), is_down=True)


def _buckets(facts: Facts) -> Checked:
    code, title = "buckets", "buckets"
    gone = facts.missing_buckets.value
    if gone is None:
        return unread(code, title, facts.missing_buckets)
    if not gone:
        return passed(code, title, "They are there.")
    names = facts.names
    told = {
        names.output_bucket: "the Parquet that was in it is gone, and no run can write",
        names.manifest_bucket: "manifests and run reports are gone, and no run can start",
        names.quarantine_bucket: "what was set aside in it is gone, and files with bad lines or of a wrong size fail",
        names.scripts_bucket: "the code is gone, and no run can start",
    }
    which = f"The bucket {gone[0]} is" if len(gone) == 1 else f"{len(gone)} buckets are"
    sentence = f"{which} not there: {told[gone[0]]}."
    lost = Remedy(("reconcile",), hint="says which files have lost rows or lines, and what to type about each")
    is_down = set(gone) != {names.quarantine_bucket}
    return Checked(code, title, "fail", sentence, gone, (DEPLOY, lost), is_down)
