"""Settings of the function, read once from its environment variables."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from ndjctl.contracts import MIB, Env, SizeWindow

GIB = 1024 * MIB
LOG_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


class ConfigError(Exception):
    """The environment cannot be used; str() is one sentence that names every bad variable."""


@dataclass(frozen=True)
class Settings:
    """Checked settings: names are not empty, numbers are finite and in range."""

    tracking_table: str
    metrics_table: str
    lock_table: str
    manifest_bucket: str
    quarantine_bucket: str
    output_bucket: str
    glue_job_name: str
    max_files_per_manifest: int
    max_batch_bytes: int
    size_window: SizeWindow
    max_partial_age_s: float
    lock_ttl_s: float
    max_lock_wait_s: float
    max_attempts: int
    log_level: str
    stack: str = ""
    """What the function's CloudWatch metrics are told apart by; empty for one that publishes none."""
    max_dpu_s_per_day: Decimal | None = None
    """Of all runs that start on a UTC date; from then on no run is started. None: they are never held."""
    run_dpus: Decimal = Decimal(0)
    """Of a run with all its workers; told where runs may be held."""
    max_waiting_manifests: int = 100
    """Manifests that may wait for a run before no more are built. Twice the most concurrent runs of a preset (50): all
    slots can free between two sweeps and be filled at once. Beyond that a file is better off pending, where it still
    joins a full batch and takes its newest version."""
    page_items: int = 500
    """Items asked for in one page of a query."""


class _Reader:
    """Takes variables one by one and remembers what was wrong with each."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.problems: list[str] = []

    def text(self, name: str, default: str | None = None) -> str:
        value = self._environ.get(name, "").strip() or default
        if value is None:
            self.problems.append(f"{name} is not set")
        return value or ""

    def number(self, name: str, least: float, default: float | None = None, above: bool = False) -> float:
        value = self.optional_number(name, least, above)
        if value is not None:
            return value
        if default is None and not self._environ.get(name, "").strip():
            self.problems.append(f"{name} is not set")
        return least if default is None else default

    def optional_number(self, name: str, least: float, above: bool = False) -> float | None:
        text = self._environ.get(name, "").strip()
        if not text:
            return None
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or value < least or (above and value == least):
            self.problems.append(f"{name}={text!r} is not a number {'above' if above else 'of at least'} {least:g}")
            return None
        return value

    def optional_decimal(self, name: str) -> Decimal | None:
        """Exactly what is written; above 0."""
        text = self._environ.get(name, "").strip()
        if not text or self.optional_number(name, 0, above=True) is None:
            return None
        try:
            return Decimal(text)
        except ArithmeticError:  # what float() takes and Decimal does not
            self.problems.append(f"{name}={text!r} is not a number above 0")
            return None

    def count(self, name: str, default: int | None = None) -> int:
        value = self.number(name, 1, default)
        if value != int(value):
            self.problems.append(f"{name}={value:g} is not a whole number")
        return int(value)


def settings_from(environ: Mapping[str, str]) -> Settings:
    """The settings in `environ`. Raises ConfigError naming everything that is missing or out of range."""
    read = _Reader(environ)
    window = SizeWindow(
        expected_mb=read.number(Env.EXPECTED_FILE_SIZE_MB, 0, above=True),
        tolerance_percent=read.number(Env.SIZE_TOLERANCE_PERCENT, 0),
        min_mb=read.optional_number(Env.MIN_FILE_SIZE_MB, 0),
        max_mb=read.optional_number(Env.MAX_FILE_SIZE_MB, 0),
    )
    settings = Settings(
        tracking_table=read.text(Env.TRACKING_TABLE),
        metrics_table=read.text(Env.METRICS_TABLE),
        lock_table=read.text(Env.LOCK_TABLE),
        manifest_bucket=read.text(Env.MANIFEST_BUCKET),
        quarantine_bucket=read.text(Env.QUARANTINE_BUCKET),
        output_bucket=read.text(Env.OUTPUT_BUCKET),
        glue_job_name=read.text(Env.GLUE_JOB_NAME),
        max_files_per_manifest=read.count(Env.MAX_FILES_PER_MANIFEST),
        max_batch_bytes=round(read.number(Env.MAX_BATCH_SIZE_GB, 0, above=True) * GIB),
        size_window=window,
        max_partial_age_s=read.number(Env.MAX_PARTIAL_AGE_SECONDS, 0, 600),
        lock_ttl_s=read.number(Env.LOCK_TTL_SECONDS, 0, 300, above=True),
        max_lock_wait_s=read.number(Env.MAX_LOCK_WAIT_SECONDS, 0, 10),
        max_attempts=read.count(Env.MAX_ATTEMPTS, 3),
        max_waiting_manifests=read.count(Env.MAX_WAITING_MANIFESTS, Settings.max_waiting_manifests),
        max_dpu_s_per_day=read.optional_decimal(Env.MAX_DPU_SECONDS_PER_DAY),
        run_dpus=read.optional_decimal(Env.RUN_DPUS) or Decimal(0),
        log_level=read.text(Env.LOG_LEVEL, "INFO").upper(),
        stack=read.text(Env.STACK, ""),
    )
    if settings.log_level not in LOG_LEVELS:
        read.problems.append(f"{Env.LOG_LEVEL}={settings.log_level!r} is none of {', '.join(LOG_LEVELS)}")
    if not read.problems and window.min_bytes > window.max_bytes:
        read.problems.append(f"the size window is empty: {window.min_bytes} to {window.max_bytes} bytes")
    if read.problems:
        raise ConfigError("the function's environment cannot be used: " + "; ".join(read.problems))
    return settings
