"""The settings that are deployed beside those that are proposed, under the same load and with the same rate. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from ndjctl.advice import AccountFacts, Finding, advise
from ndjctl.forecast.rate import Rate
from ndjctl.forecast.runs import Quotas
from ndjctl.prices import DpuPrice, dpu_key, dpu_price, dpu_price_of_profile
from ndjctl.settings import Load, Profile
from ndjctl.tune.measured import Measured, rate_for
from ndjctl.tune.model import Backlog, Forecast, forecast

_RATE = "load.mb_per_s_per_vcpu"
_DEPLOYED_NOWHERE: Any = {
    "load": True,
    "embedded": True,
    "auto_deploy": True,
    "cost": {"input_kept_days", "output_kept_days", "output_share"},
}


@dataclass(frozen=True)
class Change:
    """One setting that would be another. path: as --set takes it."""

    path: str
    now: Any
    proposed: Any


@dataclass(frozen=True)
class Prediction:
    """now_source: where the deployed settings are from. load: that both are judged under. price: None where that of the
    region is not known. quotas: of the account. remarks: what could not be asked, a sentence each. warnings: of the
    proposed settings."""

    now_source: str
    now: Forecast
    proposed: Forecast
    changes: tuple[Change, ...]
    load: Load
    rate: Rate
    measured: Measured | None
    quotas: Quotas
    backlog: Backlog | None
    price: DpuPrice | None
    region: str
    warnings: tuple[Finding, ...]
    remarks: tuple[str, ...]


def predict(
    now: Profile,
    now_source: str,
    proposed: Profile,
    assignments: Sequence[str],
    measured: Measured | None,
    facts: AccountFacts,
    backlog: Backlog | None,
    today: date,
    remarks: Sequence[str] = (),
) -> Prediction:
    """assignments: the --set that were typed. The load is the deployed one, but for what they set of it: a preset's own
    is what it is meant for, not what comes. A rate that they set wins over the measured one."""
    typed = {assignment.partition("=")[0] for assignment in assignments}
    load = now.load.model_copy(
        update={name: getattr(proposed.load, name) for name in Load.model_fields if f"load.{name}" in typed}
    )
    before, after = (profile.model_copy(update={"load": load}) for profile in (now, proposed))
    rate = rate_for(after, None if _RATE in typed else measured)
    quotas = Quotas(facts.glue_runs_per_account, facts.glue_runs_per_job, facts.glue_task_dpus)
    price_now, price = _prices(now, proposed)
    return Prediction(
        now_source=now_source,
        now=forecast(before, rate, quotas, backlog, None if price_now is None else price_now.usd),
        proposed=forecast(after, rate, quotas, backlog, None if price is None else price.usd),
        changes=tuple(changes_of(now, proposed)),
        load=load,
        rate=rate,
        measured=measured,
        quotas=quotas,
        backlog=backlog,
        price=price,
        region=proposed.region,
        warnings=tuple(advise(after, facts, None, today)),
        remarks=(*remarks, *facts.remarks),
    )


def _prices(now: Profile, proposed: Profile) -> tuple[DpuPrice | None, DpuPrice | None]:
    """Of a DPU hour with either settings. What the account pays is no matter of what is deployed; but what it pays for
    one region and Glue version says nothing of another's, unless the proposed settings say so."""
    if (now.region, dpu_key(now.job.glue_version)) == (proposed.region, dpu_key(proposed.job.glue_version)):
        return dpu_price_of_profile(proposed), dpu_price_of_profile(proposed)
    is_stated = proposed.cost.usd_per_dpu_hour != now.cost.usd_per_dpu_hour
    other = dpu_price(proposed.region, proposed.job.glue_version)
    return dpu_price_of_profile(now), dpu_price_of_profile(proposed) if is_stated or other is None else other


def changes_of(now: Profile, proposed: Profile) -> Iterator[Change]:
    """What a deployment of the proposed settings would change, in their order; the load and the embedded cloud's ports
    are deployed nowhere."""
    before, after = (_flat(profile.model_dump(mode="json", exclude=_DEPLOYED_NOWHERE)) for profile in (now, proposed))
    for path in {**before, **after}:
        if before.get(path) != after.get(path):
            yield Change(path, before.get(path), after.get(path))


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat
