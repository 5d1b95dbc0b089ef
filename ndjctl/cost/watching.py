"""What it costs to be watched and encrypted: logs, metrics, alarms, dashboard, e-mails, a key of one's own. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from ndjctl.contracts import METRICS
from ndjctl.cost import figures
from ndjctl.cost.bill import GB, Item
from ndjctl.cost.function import each
from ndjctl.cost.line import DAYS_OF_A_MONTH, Input
from ndjctl.cost.usage import RUNS, TIME, Usage
from ndjctl.settings import Profile

CLOUDWATCH, SNS, KMS = "Amazon CloudWatch", "Amazon SNS", "AWS KMS"
_HOURS = DAYS_OF_A_MONTH * 24


def items(usage: Usage, profile: Profile, alarms: int) -> Iterator[Item]:
    """alarms: of an environment that has them on."""
    yield from _logs(usage, profile)
    yield from _metrics(usage, profile)
    dashboards = Input("dashboards", Decimal(1), "of an environment", "what 'deploy' makes")
    if profile.alarms.enabled:
        number = Input("alarms", Decimal(alarms), "of an environment", "what 'deploy' makes")
        yield Item(CLOUDWATCH, "alarms", "cloudwatch.alarm_month", number.value, "alarm months", "alarms", (number,))
    yield Item(
        CLOUDWATCH,
        "dashboard",
        "cloudwatch.dashboard_month",
        dashboards.value,
        "dashboard months",
        "dashboards",
        (dashboards,),
    )
    if profile.alarms.enabled and profile.alarms.email:
        emails = Input("emails", figures.ALARM_EMAILS_PER_MONTH, "a month", "assumed")
        yield Item(SNS, "e-mails", "sns.email_notifications", emails.value, "e-mails", "emails", (emails,))
    if profile.security.kms_key_arn is not None:
        yield from _key(usage, profile)


def _logs(usage: Usage, profile: Profile) -> Iterator[Item]:
    of_function, inputs = each(usage, "log_bytes")
    debug = "" if profile.log_level == "INFO" else f"measured at INFO; log_level is {profile.log_level}"
    yield Item(
        CLOUDWATCH,
        "function's log",
        "cloudwatch.logs_ingested_gb",
        of_function * DAYS_OF_A_MONTH / GB,
        "GB",
        "(files x per_file + minutes x per_sweep) x 30 / 2**30",
        inputs,
        debug,
    )
    runs = usage.input("manifests", "runs a day")
    size = figures.GLUE_LOG_BYTES_PER_RUN + (
        figures.GLUE_LIVE_LOG_BYTES_PER_RUN if profile.job.continuous_log else Decimal(0)
    )
    log = Input("run_log", size, "bytes a run", "assumed, not measured on Glue")
    yield Item(
        CLOUDWATCH,
        "logs of runs",
        "cloudwatch.logs_ingested_gb",
        runs.value * log.value * DAYS_OF_A_MONTH / GB,
        "GB",
        "manifests x run_log x 30 / 2**30",
        (runs, log),
        f"job.continuous_log is {'on' if profile.job.continuous_log else 'off'}",
    )
    kept = profile.retention.logs_days
    logs_days = figures.FOREVER_DAYS if kept is None else Decimal(kept)
    days = usage.kept(Input("kept_days", logs_days, "days", "retention.logs_days"), TIME)
    share = Input("stored_share", figures.STORED_LOG_SHARE, "of what came", "CloudWatch pricing, the examples")
    a_year = Input("run_days", figures.FOREVER_DAYS, "days", "Glue's groups are every job's, kept for ever: a year")
    for_ever = usage.kept(a_year, RUNS)
    function_bytes = Input("function_log", of_function, "bytes a day", "the line of the function's log")
    yield Item(
        CLOUDWATCH,
        "logs kept",
        "cloudwatch.logs_stored_gb_month",
        (function_bytes.value * days.value + runs.value * log.value * for_ever.value) * share.value / GB,
        "GB months",
        "(function_log x kept_days + manifests x run_log x run_days) x stored_share / 2**30",
        (function_bytes, days, runs, log, for_ever, share),
    )


def _metrics(usage: Usage, profile: Profile) -> Iterator[Item]:
    key, unit = "cloudwatch.metric_month", "metric months"
    own = Input("metrics", Decimal(len(METRICS)), "of the function", "ndjctl/contracts/metrics.py")
    yield Item(CLOUDWATCH, "own metrics", key, own.value, unit, "metrics", (own,))
    calls, inputs = each(usage, "metric_calls")
    formula, requests = "(files x per_file + minutes x per_sweep) x 30", "cloudwatch.api_requests"
    yield Item(CLOUDWATCH, "own requests", requests, calls * DAYS_OF_A_MONTH, "requests", formula, inputs)
    if not profile.job.metrics:
        return
    runs, page = usage.input("manifests", "runs a day"), "Glue developer guide, CloudWatch metrics"
    workers = Input("executors", Decimal(profile.job.workers - 1), "of a run", "job.workers without the driver's")
    single = Input("single", figures.JOB_METRICS, "metrics of the driver alone", page)
    repeated = Input("repeated", figures.JOB_METRICS_OF_EACH, "of driver, each executor, and all", page)
    lasting = Input("run_s", usage.run_s, "seconds of a run", "the lines of AWS Glue")
    hours = 1 + usage.run_s / 3600
    count = single.value + repeated.value * (workers.value + 2)
    yield Item(
        CLOUDWATCH,
        "job's metrics",
        key,
        runs.value * DAYS_OF_A_MONTH * count * hours / _HOURS,
        unit,
        "manifests x 30 x (single + repeated x (executors + 2)) x (1 + run_s / 3,600) / 720",
        (runs, single, repeated, workers, lasting),
        "job.metrics: Glue makes them for each run, by the hour in which it runs; at most, and not measured on Glue",
    )
    period = Input("period_s", figures.JOB_METRICS_PERIOD_S, "seconds between reports", page)
    yield Item(
        CLOUDWATCH,
        "job's requests",
        requests,
        runs.value * lasting.value / period.value * DAYS_OF_A_MONTH,
        "requests",
        "manifests x run_s / period_s x 30",
        (runs, lasting, period),
    )


def _key(usage: Usage, profile: Profile) -> Iterator[Item]:
    one = Input("keys", Decimal(1), "of yours", "security.kms_key_arn")
    yield Item(KMS, "key", "kms.key_month", one.value, "key months", "keys", (one,))
    runs = usage.input("manifests", "runs a day")
    workers = Input("workers", Decimal(profile.job.workers), "of a run", "job.workers")
    each_worker = Input("per_worker", figures.KMS_REQUESTS_PER_WORKER, "requests", "assumed: a bucket key each")
    minutes = Input("minutes", Decimal(figures.MINUTES_OF_A_DAY), "a day", "24 hours")
    each_minute = Input("per_minute", figures.KMS_REQUESTS_PER_MINUTE, "requests", "assumed: queue, tables and logs")
    yield Item(
        KMS,
        "requests",
        "kms.requests",
        (runs.value * workers.value * each_worker.value + minutes.value * each_minute.value) * DAYS_OF_A_MONTH,
        "requests",
        "(manifests x workers x per_worker + minutes x per_minute) x 30",
        (runs, workers, each_worker, minutes, each_minute),
    )
