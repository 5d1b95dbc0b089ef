"""The runs of the job: the real job in a process of its own for every run that Glue accepts, and what ends it early."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from glue_job import driver
from glue_job.log import Log
from glue_job.main import JobFailed, main
from glue_job.s3_store import S3Store
from ndjctl.contracts import JobArg
from tests.simulator.actors import Broken, Death, Process
from tests.simulator.glue import Run

if TYPE_CHECKING:
    from tests.simulator.world import World

TABLE, METRICS = "tracking", "metrics"
INPUT, MANIFESTS, OUTPUT, QUARANTINE = "input", "manifests", "output", "quarantine"


class JobRuns:
    """starts: (manifest path, run id) of every run that was accepted, also of those that Glue has lost since."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.starts: list[tuple[str, str]] = []

    def accepted(self, run: Run) -> None:
        self.starts.append((run["Arguments"][f"--{JobArg.MANIFEST_PATH}"], run["Id"]))
        world, draw = self._world, self._world.chance.random
        rates, now_s = world.rates, world.scheduler.now_s
        run["_known_at_s"] = now_s + (30 * draw() if draw() < rates.run_unknown else 0.0)
        if draw() < rates.run_doubled:
            arguments = dict(run["Arguments"])
            self._world.scheduler.after(60 * draw(), lambda: self._world.glue.add(arguments) and None)
        self._world.scheduler.after(1 + 20 * draw(), lambda: self.begin(run))

    def begin(self, run: Run) -> Process:
        """The process of the run, which is started unless it was."""
        if "_process" not in run:
            run["_process"] = self._work(run)
        process: Process = run["_process"]
        return process

    def _work(self, run: Run) -> Process:
        skew_s = self._world.skew()
        name = f"run-{run['Id']}"
        process: Process

        def work() -> int:
            arguments = {
                **{given.removeprefix("--"): value for given, value in run["Arguments"].items()},
                JobArg.TRACKING_TABLE: TABLE,
                JobArg.METRICS_TABLE: METRICS,
                JobArg.MANIFEST_BUCKET: MANIFESTS,
                JobArg.OUTPUT_BUCKET: OUTPUT,
                JobArg.QUARANTINE_BUCKET: QUARANTINE,
                JobArg.JOB_NAME: "job",
                JobArg.JOB_RUN_ID: run["Id"],
                JobArg.LOG_LEVEL: "DEBUG" if self._world.verbose else "ERROR",
            }

            def clock() -> datetime:
                return self._world.scheduler.clock(skew_s)

            s3 = self._world.client("s3", process)
            services = driver.Services(
                s3,
                self._world.client("dynamodb", process),
                lambda: self._world.client("glue", process),
                partial(self._do_tasks, s3),
                lambda stated: stated or 2,
                clock,
                Log(arguments[JobArg.LOG_LEVEL], _Lines(self._world.log), clock),
            )
            return main([text for given, value in arguments.items() for text in (f"--{given}", value)], services)

        process = self._world.scheduler.start(name, work, lambda result, error: self._over(run, process, result, error))
        draw = self._world.chance.random
        if draw() < self._world.rates.run_killed:
            state = self._world.chance.choice(("FAILED", "TIMEOUT", "STOPPED"))
            self._world.scheduler.after(3 * draw(), lambda: self.kill(run, process, state))
        return process

    def _do_tasks(self, s3: Any, function: Callable[..., Any], tasks: list[Any]) -> list[Any]:
        """Spark's part: every task once, some of them twice, of which the second counts."""
        results = []
        for task in tasks:
            if self._world.chance.random() < self._world.rates.task_doubled:
                function(task, store=S3Store(s3))
            results.append(function(task, store=S3Store(s3)))
        return results

    def kill(self, run: Run, process: Process, state: str) -> None:
        if not process.is_over:
            run["_state"] = state
            process.kill()
            process.resume()

    def _over(self, run: Run, process: Process, result: Any, error: BaseException | None) -> None:
        self._world.note(process, "", "ended" if error is None else f"ended by {type(error).__name__} {error}"[:200])
        if error is None:
            state, message = "SUCCEEDED", ""
        elif isinstance(error, Death):
            state, message = run.get("_state", "FAILED"), "killed"
        elif isinstance(error, JobFailed):
            state, message = "FAILED", str(error)
        else:
            raise Broken(f"{process.name}: {type(error).__name__}: {error}") from error
        draw = self._world.chance.random
        if draw() < self._world.rates.run_lost:
            self._world.glue.lose(run)
            return
        self._world.scheduler.after(20 * draw(), lambda: self._known_to_have_ended(run, state, message))

    def _known_to_have_ended(self, run: Run, state: str, message: str) -> None:
        """Glue knows now."""
        self._world.glue.end(run, state, message)
        draw = self._world.chance.random
        if self._world.tells_of_runs and draw() >= self._world.rates.sweep_missed:
            detail = {"jobName": "job", "jobRunId": run["Id"], "state": state}
            event = {"detail-type": "Glue Job State Change", "detail": detail}
            self._world.scheduler.after(5 * draw(), lambda: self._world.invoke("state", event) and None)
        if state in ("FAILED", "TIMEOUT"):
            delay_s = 25 * draw() if draw() < 0.8 else 30 + 60 * draw()
            self._world.scheduler.after(delay_s, lambda: self._world.glue.retry(run) and None)


class _Lines(io.TextIOBase):
    """A stream whose lines go to a list."""

    def __init__(self, lines: list[str]) -> None:
        self._lines = lines

    def write(self, text: str) -> int:
        self._lines.append(text.rstrip("\n"))
        return len(text)
