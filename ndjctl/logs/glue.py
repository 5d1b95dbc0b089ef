"""Which runs of the job log lines are of: the groups belong to all jobs of the account, the streams to runs."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from ndjctl.aws import is_not_found
from ndjctl.contracts import JobArg, Names
from ndjctl.errors import UsageError
from ndjctl.glue_runs import ENDED
from ndjctl.logs.lines import RawEvent
from ndjctl.manifest_details import find_manifest

BASE_GROUP = "/aws-glue/jobs"
CONTINUOUS_GROUP = f"{BASE_GROUP}/logs-v2"
GROUPS = (f"{BASE_GROUP}/output", f"{BASE_GROUP}/error", CONTINUOUS_GROUP)
"""Where Glue puts what a run prints, its errors (our log lines are there), and, with continuous logging, its log
(AWS Glue developer guide, "Logging for AWS Glue jobs"). Streams are called after the run, with the worker behind it."""

_RUN_ID = re.compile(r"jr_[0-9a-f]+")
_LEAST_ID_CHARS = 67  # jr_ and 64 digits: a whole id
_SHOWN = 5
_MOST_RUNS = 20_000
_LONGEST_RUN = timedelta(days=7)
"""The most that job.timeout_min takes."""


@dataclass(frozen=True)
class Run:
    """One run, without the attempts that Glue made of it. started_at: UTC, None where Glue does not tell."""

    run_id: str
    state: str
    manifest_path: str
    started_at: datetime | None


def list_runs(glue: Any, job: str) -> Iterator[Run]:
    """Runs of the job, the newest first, each page read when asked for. At most 20,000."""
    request: dict[str, Any] = {"JobName": job, "MaxResults": 200}
    count = 0
    while True:
        answer = glue.get_job_runs(**request)
        for run in answer.get("JobRuns", []):
            yield _run(run)
            count += 1
        if not answer.get("NextToken") or count >= _MOST_RUNS:
            return
        request["NextToken"] = answer["NextToken"]


def _run(run: dict[str, Any]) -> Run:
    started = run.get("StartedOn")
    return Run(
        str(run["Id"]),
        str(run["JobRunState"]),
        str(run.get("Arguments", {}).get(f"--{JobArg.MANIFEST_PATH}", "")),
        None if started is None else started.astimezone(timezone.utc),
    )


def base_id(run_id: str) -> str:
    """Of the run itself, where it is an attempt that Glue made of it."""
    return run_id.partition("_attempt_")[0]


@dataclass
class Chosen:
    """The runs that were asked for by name, oldest first. manifest_id: where they were named by it."""

    runs: list[Run]
    manifest_id: str = ""

    @property
    def started_at(self) -> datetime | None:
        return min((run.started_at for run in self.runs if run.started_at is not None), default=None)


def choose(glue: Any, dynamodb: Any, s3: Any, names: Names, text: str) -> Chosen:
    """The run whose id begins with `text`, or all runs of the manifest whose id does. Raises UsageError for none and
    for several."""
    if not text.strip():
        raise UsageError("--run is empty: name a run of Glue or a manifest, or the beginning of its id.")
    if text.startswith("jr_"):
        return Chosen(_named_runs(glue, names.job, text))
    _, date, manifest_id = find_manifest(dynamodb, s3, names, text)
    name = f"/manifest-{manifest_id}.json"
    made = _made_at(manifest_id)
    found: dict[str, Run] = {}
    for run in list_runs(glue, names.job):
        if made is not None and run.started_at is not None and run.started_at < made:
            break
        if run.manifest_path.endswith(name):
            found[base_id(run.run_id)] = run  # of its attempts the first: it comes last
    if not found:
        raise UsageError(f"No run of the manifest {manifest_id} of {date} is known to Glue: it has no log of a run.")
    return Chosen(list(found.values())[::-1], manifest_id)


def _named_runs(glue: Any, job: str, text: str) -> list[Run]:
    if len(base_id(text)) >= _LEAST_ID_CHARS:
        run = _get(glue, job, base_id(text))
        if run is None:
            raise UsageError(f"Glue knows no run {text!r} of the job {job}.")
        return [run]
    found: dict[str, Run] = {}
    for run in list_runs(glue, job):
        if run.run_id.startswith(text):
            found[base_id(run.run_id)] = run
        if len(found) > _SHOWN:
            break
    if not found:
        raise UsageError(f"No run of the job {job} has an id that begins with {text!r}.")
    if len(found) > 1:
        raise UsageError(f"More than one run has an id that begins with {text!r}: {', '.join(list(found)[:_SHOWN])}.")
    return list(found.values())


def _get(glue: Any, job: str, run_id: str) -> Run | None:
    try:
        return _run(glue.get_job_run(JobName=job, RunId=run_id)["JobRun"])
    except Exception as error:
        if not is_not_found(error):
            raise
        return None


def _made_at(manifest_id: str) -> datetime | None:
    """A minute before the moment that the id begins with."""
    try:
        made = datetime.strptime(manifest_id[:15], "%Y%m%dT%H%M%S").replace(tzinfo=timezone.utc)
    except ValueError:
        return None
    return made - timedelta(minutes=1)


@dataclass
class Ours:
    """Tells lines of our job's runs from those of other jobs. Runs that were under way since `since` are listed once;
    one that is met and not among them is asked for, once."""

    glue: Any
    job: str
    since: datetime
    _known: dict[str, bool] = field(default_factory=dict)
    _is_listed: bool = False

    def takes(self, event: RawEvent) -> bool:
        match = _RUN_ID.match(event.stream)
        if match is None:
            return False
        if not self._is_listed:
            self._list()
        run_id = match.group()
        if run_id not in self._known:
            self._known[run_id] = _get(self.glue, self.job, run_id) is not None
        return self._known[run_id]

    def _list(self) -> None:
        for run in list_runs(self.glue, self.job):
            if run.started_at is not None and run.started_at < self.since - _LONGEST_RUN:
                break
            self._known[base_id(run.run_id)] = True
            if run.state in ENDED and run.started_at is not None and run.started_at < self.since - timedelta(days=1):
                break
        self._is_listed = True


def all_ended(glue: Any, job: str, run_ids: list[str]) -> Callable[[], bool]:
    """Whether these runs have all ended, with whatever attempts Glue made of them. Asks Glue each time it is called."""
    from ndjctl.glue_runs import attempts_of

    def ended() -> bool:
        for run_id in run_ids:
            attempts, _ = attempts_of(glue, job, base_id(run_id))
            if attempts and not attempts[-1].has_ended:
                return False
        return True

    return ended
