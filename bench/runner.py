"""Runs engines on sources, one after the other, and has what they wrote checked. Stays small itself: readers, engines
and checks live in processes of their own."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.check import Verdict, parquet_files
from bench.data import Dataset
from bench.engines import Engine
from bench.meter import Usage, run_measured

ROOT = Path(__file__).resolve().parents[1]

EXACT, INEXACT, REFUSED = "exact", "inexact", "refused"

_FOREIGN = ("SPARK_HOME", "PYSPARK_SUBMIT_ARGS", "PYSPARK_PYTHON", "JAVA_TOOL_OPTIONS", "_JAVA_OPTIONS", "PYTHONPATH")
"""Variables that would give an engine another installation or other options than the bench means."""


@dataclass(frozen=True)
class Result:
    """One engine on one source. option: the engine's option for bad lines, if it was used. usage: of the whole process
    tree, start-up included. startup: of the same engine on ten lines, None if that failed. error: why there is no
    output, in one line. output_bytes: of the Parquet."""

    shape: str
    engine: Engine
    option: str | None
    cores: int
    size_bytes: int
    usage: Usage
    startup: Usage | None
    output_bytes: int = 0
    error: str | None = None
    verdict: Verdict = field(default_factory=Verdict)

    @property
    def outcome(self) -> str:
        if self.error is not None:
            return REFUSED
        return INEXACT if self.verdict.findings() else EXACT

    @property
    def cpu_s_per_gb(self) -> float:
        return self.usage.cpu_s / (self.size_bytes / 1e9)

    def text(self) -> str:
        return self.verdict.text() if self.error is None else f"refused: {self.error}"


class Runner:
    """work_dir: empty; what is in it afterwards can go. tell: called with a line on what is under way."""

    def __init__(
        self,
        work_dir: Path,
        cpus: list[int],
        timeout_s: float,
        sample_lines: int,
        repeat: int,
        tell: Callable[[str], None],
    ) -> None:
        self._work_dir = work_dir
        self._cpus = cpus
        self._timeout_s = timeout_s
        self._sample_lines = sample_lines
        self._repeat = repeat
        self._tell = tell
        self._startups: dict[tuple[str, int], Usage | None] = {}
        self._count = 0

    def measure_startup(self, engine: Engine, cores: int, on: Dataset) -> None:
        """Once for an engine and a number of cores; run() gives it with every result."""
        if (engine.name, cores) in self._startups:
            return
        self._tell(f"{engine.name} on {cores}: start-up")
        usage, error, place = self._job(engine, cores, on, is_lenient=False)
        shutil.rmtree(place)
        self._startups[engine.name, cores] = usage if error is None else None

    def run(self, engine: Engine, cores: int, on: Dataset, is_lenient: bool = False) -> Result:
        """Of several runs, the one that took the least CPU time."""
        self._tell(f"{engine.name} on {cores}: {on.shape}{f', {engine.lenient}' if is_lenient else ''}")
        runs: list[tuple[Usage, Path]] = []
        for _ in range(self._repeat):
            usage, error, place = self._job(engine, cores, on, is_lenient)
            runs = sorted([*runs, (usage, place)], key=lambda run: run[0].cpu_s)
            for _, other in runs if error is not None else runs[1:]:
                shutil.rmtree(other)
            if error is not None:
                return self._result(engine, cores, on, is_lenient, usage, error=error)
            runs = runs[:1]
        usage, place = runs[0]
        output_dir = place / "output"
        output_bytes = sum(path.stat().st_size for path in parquet_files(output_dir))
        verdict = self._check(on, output_dir, place)
        shutil.rmtree(place)
        return self._result(engine, cores, on, is_lenient, usage, output_bytes=output_bytes, verdict=verdict)

    def _result(self, engine: Engine, cores: int, on: Dataset, is_lenient: bool, usage: Usage, **more: Any) -> Result:
        option = engine.lenient if is_lenient else None
        size_bytes = sum(path.stat().st_size for path in on.files)
        startup = self._startups.get((engine.name, cores))
        return Result(on.shape, engine, option, cores, size_bytes, usage, startup, **more)

    def _job(self, engine: Engine, cores: int, on: Dataset, is_lenient: bool) -> tuple[Usage, str | None, Path]:
        """(usage, error, folder of the run, with its output)."""
        self._count += 1
        place = self._work_dir / f"{self._count:04}-{engine.name}"
        for name in ("output", "scratch"):
            (place / name).mkdir(parents=True)
        usage, result = self._process(
            "bench.worker",
            place,
            {
                "engine": engine.name,
                "cores": cores,
                "cpus": self._cpus[:cores],
                "files": [str(path) for path in on.files],
                "folder": str(on.folder),
                "schema": on.schema,
                "is_lenient": is_lenient,
                "output_dir": str(place / "output"),
                "scratch_dir": str(place / "scratch"),
            },
        )
        if usage.timed_out:
            return usage, f"not done after {self._timeout_s:g} s", place
        if result is None:
            return usage, f"its process ended with {usage.exit_code}: {_last_line(place)}", place
        return usage, result["error"], place

    def _check(self, on: Dataset, output_dir: Path, place: Path) -> Verdict:
        spec = {"facts": str(on.facts), "sample_lines": self._sample_lines, "output_dir": str(output_dir)}
        usage, result = self._process("bench.check", place, spec)
        if result is None:
            return Verdict(unreadable=f"the check ended with {usage.exit_code}: {_last_line(place)}")
        return Verdict(**result)

    def _process(self, module: str, place: Path, spec: Mapping[str, Any]) -> tuple[Usage, dict[str, Any] | None]:
        result = place / f"{module}.result.json"
        path = place / f"{module}.json"
        path.write_text(json.dumps({**spec, "result": str(result)}), encoding="utf-8")
        environment = {name: value for name, value in os.environ.items() if name not in _FOREIGN}
        usage = run_measured(
            [sys.executable, "-m", module, str(path)],
            cwd=ROOT,
            environment={**environment, "TZ": "UTC"},
            log=place / "log",
            timeout_s=self._timeout_s,
        )
        return usage, json.loads(result.read_text(encoding="utf-8")) if result.exists() else None


def _last_line(place: Path) -> str:
    lines = (place / "log").read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "no word")
