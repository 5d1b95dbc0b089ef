"""What a day's work is counted in, and what that comes to: by service, and in slices of the files done."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

from ndjctl.contracts import METRICS
from tests.simulator import prices
from tests.simulator.dynamo import Billed


@dataclass
class Slice:
    """files: that came in it. done: by its end. cost: US dollars of the control path."""

    files: int
    done: int
    until_s: float
    calls: int
    read_units: float
    write_units: float
    lambda_ms: float
    cost: float


@dataclass
class Tally:
    """calls: by (who, service, operation). read_units, write_units: by (who, operation). latency_s: of the invocation
    that goes on."""

    calls: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    read_units: Counter[tuple[str, str]] = field(default_factory=Counter)
    write_units: Counter[tuple[str, str]] = field(default_factory=Counter)
    invocations: int = 0
    longest_s: float = 0.0
    billed_ms: int = 0
    slept_s: float = 0.0
    log_bytes: int = 0
    latency_s: float = 0.0
    slices: list[Slice] = field(default_factory=list)
    _before: tuple[int, int, float, float, float, float] = (0, 0, 0.0, 0.0, 0.0, 0.0)

    def count(self, service: str, operation: str, who: str) -> None:
        self.calls[who, service, operation] += 1

    def bill(self, billed: Billed, who: str) -> None:
        self.read_units[who, billed.operation] += billed.read_units  # type: ignore[assignment]
        self.write_units[who, billed.operation] += billed.write_units

    def invocation(self, duration_s: float) -> None:
        self.invocations += 1
        self.longest_s = max(self.longest_s, duration_s)
        self.billed_ms += math.ceil(duration_s * 1000)

    # --- sums

    def by_service(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for (_, service, _), count in self.calls.items():
            found[service] += count
        return found

    def of_s3(self) -> Counter[str]:
        """By operation, whoever called it."""
        found: Counter[str] = Counter()
        for (_, service, name), count in self.calls.items():
            found[name] += count if service == "s3" else 0
        return found

    def costs(self, day_s: float) -> dict[str, float]:
        """US dollars by what they are for, so far."""
        calls = self.by_service()
        idle_polls = prices.IDLE_POLLERS * prices.IDLE_POLLS_PER_MINUTE * day_s / 60
        return {
            "DynamoDB writes": self.write_units.total() * prices.DYNAMODB_WRITE,
            "DynamoDB reads": self.read_units.total() * prices.DYNAMODB_READ,
            "Lambda GB-seconds": self.billed_ms / 1000 * prices.MEMORY_GB * prices.LAMBDA_GB_SECOND,
            "Lambda requests": self.invocations * prices.LAMBDA_REQUEST,
            "SQS requests": (calls["sqs"] + idle_polls) * prices.SQS_REQUEST,
            "S3 requests": prices.s3_price(self.of_s3()),
            "CloudWatch": calls["cloudwatch"] * prices.CLOUDWATCH_PUT + len(METRICS) * prices.CLOUDWATCH_METRIC * day_s,
        }

    def cut(self, came: int, done: int, now_s: float) -> None:
        """Ends a slice: of the files that came in it, at so many done."""
        now = (
            came,
            self.calls.total(),
            float(self.read_units.total()),
            float(self.write_units.total()),
            float(self.billed_ms),
            sum(self.costs(now_s).values()),
        )
        files, calls, reads, writes, lambda_ms, cost = (new - old for new, old in zip(now, self._before, strict=True))
        self._before = now
        if files:
            self.slices.append(Slice(int(files), done, now_s, int(calls), reads, writes, lambda_ms, cost))

    # --- in words

    def told(self, files: int, day_s: float) -> str:
        lines = [f"{files} files, {self.invocations} invocations, {day_s / 3600:.1f} hours"]
        lines += ["", "calls per file"]
        for (who, service, operation), count in sorted(self.calls.items()):
            lines.append(f"  {who:9} {service + '.' + operation:32} {count:>10} {count / files:9.4f}")
        for service, count in sorted(self.by_service().items()):
            lines.append(f"  {'all':9} {service:32} {count:>10} {count / files:9.4f}")
        lines += ["", f"DynamoDB request units per file      {'read':>12} {'write':>12}"]
        for who, operation in sorted({*self.read_units, *self.write_units}):
            read, write = self.read_units[who, operation] / files, self.write_units[who, operation] / files
            lines.append(f"  {who:9} {operation:32} {read:9.4f} {write:9.4f}")
        lines.append(
            f"  all       {'':32} {self.read_units.total() / files:9.4f} {self.write_units.total() / files:9.4f}"
        )
        gb_s = self.billed_ms / 1000 * prices.MEMORY_GB
        lines += ["", f"Lambda: {gb_s:,.0f} GB-s, {self.billed_ms / max(self.invocations, 1):.0f} ms an invocation,"]
        lines += [f"  {self.longest_s:.1f} s the longest; {self.log_bytes / 1e6:.1f} MB of log"]
        lines += ["", "US dollars"]
        costs = self.costs(day_s)
        for name, cost in [*costs.items(), ("all", sum(costs.values()))]:
            lines.append(f"  {name:20} {cost:10.4f} {1000 * cost / files:10.6f} per 1,000 files")
        lines += ["", *self.table()]
        return "\n".join(lines)

    def table(self) -> list[str]:
        """The cost of a file against the files done."""
        lines = [
            f"{'files done':>10} {'hour':>6} {'calls':>9} {'reads':>9} {'writes':>9} {'Lambda ms':>10} {'USD/1000':>10}"
        ]
        for each in self.slices:
            lines.append(
                f"{each.done:>10} {each.until_s / 3600:6.1f} {each.calls / each.files:9.3f} "
                f"{each.read_units / each.files:9.3f} {each.write_units / each.files:9.3f} "
                f"{each.lambda_ms / each.files:10.2f} {1000 * each.cost / each.files:10.6f}"
            )
        return lines
