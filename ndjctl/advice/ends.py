"""When Lambda runtimes and Glue versions end. Dated data; a date that AWS has not told is not here, and not guessed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from ndjctl.advice.findings import Finding, Observed
from ndjctl.settings import Profile

NEAR_DAYS = 180
"""How long before an end it is worth a warning: as long as AWS itself promises to tell of a runtime's end."""


@dataclass(frozen=True)
class End:
    """unsupported: from here on there are no security patches. unusable: from here on AWS refuses it: a function gets
    neither new code nor new settings, a run of Glue does not start."""

    unsupported: date
    unusable: date


# Source: AWS Lambda developer guide, "Lambda runtimes" (docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html),
# columns "Deprecation date" and "Block function update", as of August 2026. AWS moves the second one, always later.
RUNTIMES = {
    "python3.8": End(date(2024, 10, 14), date(2027, 3, 3)),
    "python3.9": End(date(2025, 12, 15), date(2027, 3, 3)),
    "python3.10": End(date(2026, 10, 31), date(2027, 3, 3)),
    "python3.11": End(date(2027, 6, 30), date(2027, 8, 31)),
    "python3.12": End(date(2028, 10, 31), date(2029, 1, 10)),
    "python3.13": End(date(2029, 6, 30), date(2029, 8, 31)),
    "python3.14": End(date(2029, 6, 30), date(2029, 8, 31)),
}

# Source: AWS Glue developer guide, "AWS Glue version support policy" (docs.aws.amazon.com/glue/latest/dg/
# glue-version-support-policy.html), columns "End of support" and "End of life", as of August 2026. 1.0 is that of
# Python 3. For 3.0 and later AWS has told no date.
GLUE_VERSIONS = {
    "0.9": End(date(2022, 6, 1), date(2026, 4, 1)),
    "1.0": End(date(2022, 9, 30), date(2026, 4, 1)),
    "2.0": End(date(2024, 1, 31), date(2026, 4, 1)),
}


def end_findings(profile: Profile, observed: Observed, today: date) -> Iterator[Finding]:
    """Of what is set, and of what is deployed where that is something else."""
    runtime, version = profile.function.runtime, profile.job.glue_version
    for code, path, wanted, deployed, ends, refused in (
        ("runtime-end", "function.runtime", runtime, observed.function_runtime, RUNTIMES, "changes of the function"),
        ("glue-version-end", "job.glue_version", version, observed.job_glue_version, GLUE_VERSIONS, "runs of the job"),
    ):
        fact, remedy = f"{path} is {wanted}", f"set {path} to a newer one"
        yield from _ending(code, path, fact, ends.get(wanted), refused, today, remedy)
        if deployed is not None and deployed != wanted:
            fact, remedy = f"{path} is {wanted}, but deployed is {deployed}", f"a deployment sets {wanted}"
            yield from _ending(code, path, fact, ends.get(deployed), refused, today, remedy)


def _ending(
    code: str, path: str, fact: str, end: End | None, refused: str, today: date, remedy: str
) -> Iterator[Finding]:
    if end is None or (end.unsupported - today).days > NEAR_DAYS:
        return
    if today >= end.unusable:
        yield Finding(code, "error", path, f"{fact}, and AWS refuses {refused} since {end.unusable}: {remedy}")
        return
    verb = "got its last security patches on" if today >= end.unsupported else "gets no security patches from"
    sentence = f"{fact}, which {verb} {end.unsupported}, and AWS refuses {refused} from {end.unusable} on: {remedy}"
    yield Finding(code, "warning", path, sentence)
