"""python -m bench: see --help."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench import data, report
from bench.engines import BY_NAME, ENGINES, OURS, Engine
from bench.runner import EXACT, REFUSED, Result, Runner
from bench.source import SAMPLE_LINES
from ndjctl.errors import EXIT_DONE, EXIT_FAILED, EXIT_INTERRUPTED, EXIT_USAGE

_MB = 1_000
_SHARES = {
    data.EVENTS: 1.0,
    data.CRLF: 0.2,
    data.WIDE: 0.3,
    data.TWEETS: 0.3,
    data.SMALL: 0.1,
    data.DRIFT: 0.1,
    data.DIRTY: 0.2,
}
"""Sizes, as shares of --mb."""

_QUICK_MB = 40
_QUICK_SHARE = 0.25
_QUICK_SAMPLE_LINES = 1_000
_QUICK_LEAVES_OUT = ("spark", "spark-infer")
"""Spark takes as long to start as all others together to convert so little: its figures would be those of its start."""


class _Names:
    """Parses "a,b" to those of `known`, in the order of `known`."""

    def __init__(self, known: Sequence[str]) -> None:
        self._known = known

    def __call__(self, text: str) -> list[str]:
        wanted = [name.strip() for name in text.split(",") if name.strip()]
        unknown = [name for name in wanted if name not in self._known]
        if unknown or not wanted:
            raise argparse.ArgumentTypeError(f"{', '.join(unknown) or 'nothing'}; known are {', '.join(self._known)}")
        return [name for name in self._known if name in wanted]


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is no number above 0")
    return value


def _whole(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is no whole number from 1")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Converts the same NDJSON with every engine that is installed, measures each as a whole process "
        "tree, and compares what it wrote with the source. Exit code 1 if ours is not exact.",
    )
    parser.add_argument("--quick", action="store_true", help="about a minute: small sources, one core, no Spark")
    parser.add_argument(
        "--mb", type=_positive, help=f"10**6 bytes of the events; others less (default {_MB}; quick {_QUICK_MB})"
    )
    parser.add_argument("--shapes", type=_Names(data.SHAPES), help=f"of {','.join(data.SHAPES)}")
    parser.add_argument("--engines", type=_Names(tuple(BY_NAME)), help=f"of {','.join(BY_NAME)}")
    parser.add_argument("--cores", type=_Names(("1", "2", "4", "8")), help="1, 2 or both (default 1,2; quick 1)")
    parser.add_argument("--repeat", type=_whole, default=1, help="runs of each; the one of least CPU time counts")
    parser.add_argument("--sample-lines", type=_whole, help="lines of a source whose values are compared, at most")
    parser.add_argument("--timeout-s", type=_positive, default=1800.0, help="for one run of an engine (default 1800)")
    parser.add_argument("--seed", type=int, default=1, help="of the data (default 1)")
    parser.add_argument("--data-dir", type=Path, help="where sources are kept (default: in the temporary folder)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything that was found to FILE")
    return parser


def _tell(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def main(argv: Sequence[str] | None = None) -> int:
    """The exit code. Raises SystemExit for what cannot be parsed."""
    parser = _parser()
    options = parser.parse_args(argv)
    cpus = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else list(range(os.cpu_count() or 1))
    cores = [int(count) for count in options.cores or (["1"] if options.quick else ["1", "2"])]
    notes = []
    if options.cores and max(cores) > len(cpus):
        parser.error(f"--cores {max(cores)}: this process may use {len(cpus)}")
    if max(cores) > len(cpus):
        cores = [count for count in cores if count <= len(cpus)]
        notes.append(f"Only {len(cpus)} core is there.")
    engines, missing = _engines(options.engines)
    notes += missing
    if options.quick and options.engines is None:
        engines = [engine for engine in engines if engine.name not in _QUICK_LEAVES_OUT]
        notes.append(f"Left out by --quick: {', '.join(_QUICK_LEAVES_OUT)}; --engines brings them in.")
    data_dir = options.data_dir or Path(tempfile.gettempdir()) / "ndjctl-bench"
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    work_dir = Path(tempfile.mkdtemp(prefix=".run-", dir=data_dir))
    sample_lines = options.sample_lines or (_QUICK_SAMPLE_LINES if options.quick else SAMPLE_LINES)
    runner = Runner(work_dir, cpus, options.timeout_s, sample_lines, options.repeat, _tell)
    results: list[Result] = []
    is_interrupted = False
    try:
        for shape in options.shapes or data.SHAPES:
            source = data.dataset(shape, _size_mb(shape, options.mb, options.quick), options.seed, data_dir, _tell)
            results += _of_shape(runner, source, engines, cores, work_dir)
    except KeyboardInterrupt:
        # Hours may be behind it: what was measured is told.
        is_interrupted = True
        notes.append("Interrupted: the shapes that were not done are left out.")
    finally:
        shutil.rmtree(work_dir, ignore_errors=True)
    notes += report.footer(results)
    report.write_tables(results, notes, sys.stdout)
    if options.json is not None:
        told = {name: str(value) if isinstance(value, Path) else value for name, value in vars(options).items()}
        found = report.document(results, notes, told)
        options.json.write_text(json.dumps(found, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    if is_interrupted:
        return EXIT_INTERRUPTED
    ours = [result for result in results if result.engine.name == OURS]
    return EXIT_DONE if all(result.outcome == EXACT for result in ours) else EXIT_FAILED


def _engines(names: Sequence[str] | None) -> tuple[list[Engine], list[str]]:
    """Those to run, and a line for each that is not installed."""
    wanted = [engine for engine in ENGINES if names is None or engine.name in names]
    missing = [
        f"Skipped: {engine.title}; {' and '.join(engine.missing())} not installed "
        f"(pip install {' '.join(engine.missing())})"
        for engine in wanted
        if engine.missing()
    ]
    return [engine for engine in wanted if not engine.missing()], missing


def _size_mb(shape: str, mb: float | None, quick: bool) -> float:
    share = _SHARES[shape] if shape == data.EVENTS or not quick else _QUICK_SHARE
    return max(0.1, (mb or (_QUICK_MB if quick else _MB)) * share)


def _of_shape(
    runner: Runner, source: data.Dataset, engines: Sequence[Engine], cores: Sequence[int], work_dir: Path
) -> list[Result]:
    small = data.tiny(source, work_dir / f"tiny-{source.shape}")
    _read_once(source)
    results = []
    for count in cores:
        for engine in engines:
            runner.measure_startup(engine, count, small)
            result = runner.run(engine, count, source)
            results.append(result)
            # What refuses bad lines is run again with its own way around them, as a user would.
            if result.outcome == REFUSED and engine.lenient is not None:
                results.append(runner.run(engine, count, source, is_lenient=True))
    return results


def _read_once(source: data.Dataset) -> None:
    """So that the first engine finds the source in memory, as the others do."""
    for path in source.files:
        with path.open("rb") as file:
            while file.read(2**20):
                pass


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        _tell("interrupted")
        sys.exit(EXIT_INTERRUPTED)
    except OSError as error:
        _tell(f"bench: {error}")
        sys.exit(EXIT_USAGE)
