"""What CloudWatch is told of an invocation: gathered on the way, sent in one call when all work is done, best
effort."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ndjctl.contracts import FAILED_RUNS, GIVEN_UP_MANIFESTS, METRIC_NAMESPACE, Metric, metric_dimensions

if TYPE_CHECKING:
    from lambda_handler.services import Invocation

_OCCURRENCES = (FAILED_RUNS, GIVEN_UP_MANIFESTS)


class Signals:
    """Things that happened are counted as they happen; how things stand is measured once, by a sweep."""

    def __init__(self) -> None:
        self._values: dict[Metric, float] = {}
        self._measured_at: datetime | None = None

    def add(self, metric: Metric, count: int = 1) -> None:
        self._values[metric] = self._values.get(metric, 0.0) + count

    def observe(self, moment: datetime, values: Mapping[Metric, float]) -> None:
        """How things stand at `moment`. What has not happened by then is told, too: as 0, so that an alarm that went
        off is over."""
        self._measured_at = moment
        self._values = {**dict.fromkeys(_OCCURRENCES, 0.0), **self._values, **values}

    def publish(self, inv: Invocation) -> None:
        """One call, if there is anything to tell. A failure is a warning and costs the values, nothing else."""
        values, self._values = self._values, {}
        if not values or not inv.settings.stack:
            return
        if inv.short_of_time():
            inv.log.warning("metrics_not_published", why="the invocation has little time left")
            return
        try:
            moment = self._measured_at or inv.now()
            data = [_datum(metric, value, inv.settings.stack, moment) for metric, value in values.items()]
            inv.services.cloudwatch.put_metric_data(Namespace=METRIC_NAMESPACE, MetricData=data)
        except Exception as error:
            inv.log.warning("metrics_not_published", why=f"{type(error).__name__}: {error}")


def _datum(metric: Metric, value: float, stack: str, moment: datetime) -> dict[str, Any]:
    return {
        "MetricName": metric.name,
        "Dimensions": metric_dimensions(stack),
        "Timestamp": moment,
        "Value": value,
        "Unit": metric.unit,
    }
