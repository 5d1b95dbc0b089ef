"""Checks of the flow: what they say of files whose events wait, of a held lock, and of one file alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ndjctl.contracts import LOCKS_PARTITION
from ndjctl.health.checks import check
from ndjctl.health.facts import Facts, Sample
from ndjctl.health.model import Checked
from ndjctl.locks import Judged, judge_lease, lock_of
from tests.health_world import DAY, NOW, ago, changed, file, files, healthy, lost, open_manifests, queue, read, summary

CONVERTED = ", or they were converted and the ledger lost their items; 'explain KEY' tells."
SAMPLE = read(Sample(10, (lost("a.ndjson"), lost("b.ndjson")), True))
HINT = "leaves out what is converted"


def checked(code: str, facts: Facts) -> Checked:
    (found,) = [each for each in check(facts) if each.code == code]
    return found


def waiting(**counts: int) -> dict[str, Any]:
    """The queue as it is, with so many messages."""
    attributes = healthy().queue.value.attributes  # type: ignore[union-attr]
    told = {f"ApproximateNumberOfMessages{name.removeprefix('visible')}": str(n) for name, n in counts.items()}
    return {"queue": read(replace(queue(), attributes={**attributes, **told})), "sample": SAMPLE}


def test_lost_is_what_no_event_waits_for() -> None:
    found = checked("lost-events", healthy(sample=SAMPLE))
    assert "2 files are not in the ledger" in found.sentence
    assert found.sentence.endswith("since yesterday: their events were lost" + CONVERTED)
    assert [(each.words, each.hint) for each in found.remedies] == [(("backfill", "--date", DAY), HINT)]


@pytest.mark.parametrize(
    ("counts", "verdict"),
    [
        ({"visible": 1}, "fail"),
        ({"visible": 2}, "warn"),
        ({"NotVisible": 2}, "warn"),
        ({"visible": 1, "Delayed": 1}, "warn"),
    ],
)
def test_events_that_wait_in_the_queue_are_not_called_lost(counts: dict[str, int], verdict: str) -> None:
    found = checked("lost-events", healthy(**waiting(**counts)))
    assert "2 files are not in the ledger" in found.sentence
    assert found.sentence.endswith("wait in the queue or were lost" + CONVERTED)
    assert found.verdict == verdict
    assert [each.words for each in found.remedies] == [("backfill", "--date", DAY)]


def test_of_one_file_it_is_said_in_the_singular() -> None:
    facts = healthy(**waiting(visible=5) | {"sample": read(Sample(1, (lost("a.ndjson"),), True))})
    sentence = checked("lost-events", facts).sentence
    assert "1 file is not in the ledger" in sentence
    assert "its event waits in the queue or was lost, or it was converted and the ledger lost its item" in sentence


@pytest.mark.parametrize("broken", [{"mappings": read(())}, changed("function", reserved_concurrency=0)])
def test_where_the_delivery_fails_what_mends_it_comes_first(broken: dict[str, Any]) -> None:
    found = checked("lost-events", healthy(sample=SAMPLE, **broken))
    assert found.verdict == "fail"
    assert found.sentence.endswith("wait in the queue or were lost" + CONVERTED)
    assert [each.words for each in found.remedies] == [("deploy",), ("backfill", "--date", DAY)]


@pytest.mark.parametrize(
    ("sample", "sentence"),
    [
        (Sample(0, (), True, too_young=1), "Not to be judged yet: 1 file is younger than 20 min"),
        (Sample(0, (), True, too_young=3), "Not to be judged yet: 3 files are younger than 20 min"),
        (Sample(0, (), True), "None has come to the input bucket since yesterday."),
        (Sample(4, (), True, too_young=3), "None is lost: the ledger knows all 4 objects of the input bucket"),
    ],
)
def test_files_that_are_too_young_to_be_judged_are_told(sample: Sample, sentence: str) -> None:
    found = checked("lost-events", healthy(sample=read(sample), grace_s=1_200.0))
    assert found.verdict == "pass"
    assert found.sentence.startswith(sentence)


def test_a_lock_that_no_builder_of_ours_can_hold_comes_before_the_flush() -> None:
    item = {"date_prefix": LOCKS_PARTITION, "file_key": f"{DAY}#", "holder": "x", "fence": 7}
    lock = lock_of({**item, "expires_at": ago(-36_000).timestamp()})
    locks = read((Judged(lock, judge_lease(lock, NOW, 300)),))
    facts = healthy(locks=locks, oldest={**healthy().oldest, "pending": files(file("pending", age_s=9_000))})
    assert checked("locks", facts).verdict == "warn"
    assert "later than any of ours can" in checked("locks", facts).evidence[0]
    breaks, flush = ("locks", "break", DAY), ("sweep", "--flush")
    assert [each.words for each in checked("locks", facts).remedies] == [breaks]
    found = checked("stuck-pending", facts)
    assert [each.words for each in found.remedies] == [breaks, flush]
    assert found.sentence.startswith("1 file waits for a manifest")


def test_one_thing_is_told_in_the_singular() -> None:
    quarantined = files(file("quarantined", why="too-large: 1 bytes"))
    assert checked("quarantine", healthy(quarantined=quarantined)).sentence.startswith("1 file lies in quarantine")
    waits = healthy(open_manifests=open_manifests(summary("m1", "ready", age_s=900)))
    assert checked("starts", waits).sentence.startswith("1 manifest waits for a run, the oldest")
    left = {**healthy().oldest, "manifested": files(file("manifested", age_s=900, manifest_id="m9"))}
    assert (
        "no run will take it: its manifest is not open." in checked("stuck-manifested", healthy(oldest=left)).sentence
    )


@pytest.mark.parametrize(("messages", "told"), [(1, "1 message could not be handled and waits"), (4, "4 messages")])
def test_a_dead_letter_is_not_said_to_announce_a_file(messages: int, told: str) -> None:
    found = checked("dead-letters", healthy(dead_letters=read(queue(ApproximateNumberOfMessages=messages))))
    assert found.sentence.startswith(told)
    assert found.sentence.endswith("in the dead-letter queue.")
