"""`ndjctl cost`: what it will cost."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from ndjctl.cli.durations import seconds_of
from ndjctl.cli.invocation import Invocation
from ndjctl.cli.numbers import number_of, whole_of
from ndjctl.cli.priced import out_of_window, prices_for
from ndjctl.errors import UsageError

if TYPE_CHECKING:
    from ndjctl.cost.usage import Given
    from ndjctl.forecast.rate import Rates
    from ndjctl.settings import Profile

LEAST_RATE, MOST_RATE = 0.01, 10_000.0
"""MB/s a vCPU: as load.mb_per_s_per_vcpu takes it."""
OFFLINE = "not measured: --offline was given"
NOTHING_BILLED = "not measured: the embedded cloud's speed tells nothing of Glue's"


@dataclass(frozen=True)
class Typed:
    """The options as they were typed; None for those that were not."""

    files_per_day: str | None = None
    file_size: str | None = None
    throughput: str | None = None
    run_time: str | None = None
    manifests_per_day: str | None = None
    prices: Path | None = None
    region: str | None = None


def estimate(invocation: Invocation, typed: Typed, *, explain: bool, deduct_free: bool, offline: bool) -> None:
    from ndjctl.cost.estimate import estimate as estimated
    from ndjctl.output.cost_estimate import estimate_view
    from ndjctl.prices.files import old_built_in

    profile, given = invocation.loaded.profile, _given(typed)
    today = datetime.now(timezone.utc).date()
    book, warnings = prices_for(profile, typed.region, typed.prices, invocation.data_dir, today)
    rates, remarks = _rates(invocation, typed, offline)
    found = estimated(profile, given, rates, book, alarms=alarms_of(profile), deduct_free=deduct_free)
    paid = {line.price.key for line in found.high.lines if line.price is not None and line.usd_per_month}
    warnings = (
        *warnings,
        *old_built_in(book, paid, today),
        *out_of_window(profile, round(found.high.usage.file_bytes)),
    )
    for warning in warnings:
        invocation.out.note(f"warning: {warning}")
    invocation.out.show(estimate_view(invocation.env, found, remarks, warnings, explain=explain))


def _given(typed: Typed) -> Given:
    from ndjctl.cost.usage import Given
    from ndjctl.generate.typed import parse_size

    seconds = seconds_of(typed.run_time, "--run-time")
    try:
        file_bytes = None if typed.file_size is None else parse_size(typed.file_size)
    except ValueError as error:
        raise UsageError(f"--file-size: {error}.") from error
    run_s = None if seconds is None else Decimal(repr(seconds))
    files_per_day = whole_of(typed.files_per_day, "--files-per-day", "files", 0)
    manifests_per_day = whole_of(typed.manifests_per_day, "--manifests-per-day", "manifests", 1)
    return Given(files_per_day, file_bytes, run_s, manifests_per_day)


def _rates(invocation: Invocation, typed: Typed, offline: bool) -> tuple[Rates, tuple[str, ...]]:
    """(the rates, why they are not the measured ones). What is typed comes first, then what was measured."""
    from ndjctl.forecast.rate import BILLED_START_S, PROVISIONING_S, Rate, Rates, stated

    load = invocation.loaded.profile.load
    rate = number_of(typed.throughput, "--throughput", "MB a second of one vCPU", LEAST_RATE, MOST_RATE)
    if rate is not None:
        return Rates.same(Rate(rate, BILLED_START_S, f"--throughput, {rate:g} MB/s a vCPU", wait_s=PROVISIONING_S)), ()
    if typed.run_time is not None or any(each.startswith(_RATE) for each in invocation.options.assignments):
        return stated(load), ()
    if offline:
        return stated(load), (OFFLINE,)
    return _measured(invocation)


_RATE = "load.mb_per_s_per_vcpu="


def _measured(invocation: Invocation) -> tuple[Rates, tuple[str, ...]]:
    """From the environment's recent runs, where they can be read."""
    from ndjctl.output.progress import spinner
    from ndjctl.providers import open_billed_cloud
    from ndjctl.reading import attempt
    from ndjctl.tune.measured import Measured, measure, rates_for

    profile = invocation.loaded.profile

    def read() -> Measured | None:
        cloud = open_billed_cloud(profile, invocation.data_dir, invocation.out.note)
        if cloud is None:
            return None
        return measure(cloud.client("glue"), cloud.client("dynamodb"), cloud.names, time.sleep)

    with spinner("measuring"):
        found = attempt(read, invocation.env)
    if found.why == "absent":
        return rates_for(profile, None), (f"not measured: the environment {invocation.env} is not deployed",)
    if not found.was_read:
        return rates_for(profile, None), (f"not measured: {found.sentence}",)
    return rates_for(profile, found.value), () if found.value is not None else (NOTHING_BILLED,)


def alarms_of(profile: Profile) -> int:
    """That 'deploy' makes of the profile; the account does not matter for their number."""
    from ndjctl.bundles import Code, glue_bundle, lambda_bundle
    from ndjctl.contracts import Names
    from ndjctl.deploy.desired.common import Setting
    from ndjctl.deploy.desired.watching import alarm_list

    code = Code(lambda_bundle().index, glue_bundle().index)
    return len(alarm_list(Setting(profile, Names("0" * 12), code)))
