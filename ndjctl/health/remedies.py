"""What mends what is known to go wrong: commands that work as they are typed, in the order in which to type them.
Pure."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from ndjctl.health import catalogue as known
from ndjctl.health.cause import Cause
from ndjctl.health.model import Remedy
from ndjctl.settings import DPUS_PER_WORKER, Profile

Remedies = tuple[Remedy, ...]

DEPLOY = Remedy(("deploy",))
AS_DEPLOYED = Remedy(DEPLOY.words, hint="puts back code, settings and rights that were changed by hand")
"""What may mend a function that fails of no known cause."""
SWEEP = Remedy(("sweep",))
QUEUE = Remedy(("queue",), hint="shows what is in both queues, and why letters are dead")
REDRIVE_DLQ = Remedy(("redrive", "dlq"), hint="says what to do with messages that announce no file")
REDRIVE_DLQ_LATER = Remedy(REDRIVE_DLQ.words, hint=f"later, once they are dead letters: {REDRIVE_DLQ.hint}")
REDRIVE_FAILED = Remedy(("redrive", "failed"), hint="enters again what failed")
PROFILE_TOO = "and set it in the profile too: the next deployment goes by that"

_LONGEST_RUN_MIN = 10_080
_LONGEST_FUNCTION_S = 900
_MOST_MEMORY_MB = 10_240


def setting(path: str, value: object) -> Remedy:
    """Deploys with one setting changed."""
    return Remedy(("deploy", "--set", f"{path}={value}"), hint=PROFILE_TOO)


def larger_worker(profile: Profile) -> Remedy:
    """The next larger worker; with the largest, smaller manifests."""
    types = list(DPUS_PER_WORKER)
    place = types.index(profile.job.worker_type)
    if place + 1 < len(types):
        return setting("job.worker_type", types[place + 1])
    return setting("batching.max_files_per_manifest", max(1, profile.batching.max_files_per_manifest // 2))


def more_memory(profile: Profile) -> Remedy:
    """Of the function."""
    return setting("function.memory_mb", min(_MOST_MEMORY_MB, 2 * profile.function.memory_mb))


def longer_runs(profile: Profile) -> Remedy:
    return setting("job.timeout_min", min(_LONGEST_RUN_MIN, 2 * profile.job.timeout_min))


def longer_function(profile: Profile) -> Remedy:
    return setting("function.timeout_s", min(_LONGEST_FUNCTION_S, 2 * profile.function.timeout_s))


def logs_of_function(since: str = "1h") -> Remedy:
    return Remedy(("logs", "lambda", "--since", since), hint="see what it says")


def logs_since(moment: datetime, now: datetime) -> Remedy:
    """The function's log from a little before `moment`."""
    minutes = max(1, int((now - moment) / timedelta(minutes=1)) + 2)
    return logs_of_function(f"{minutes}m" if minutes < 120 else f"{-(-minutes // 60)}h")


def remedies_of(cause: Cause, profile: Profile, *, of_function: bool = False) -> Remedies:
    """What mends a cause. of_function: it was told by the function, not by a run or a file: then no file failed of it,
    and events that the function could not take come back by themselves, or are dead letters."""
    make = (_OF_FUNCTION if of_function else {}).get(cause.code) or _REMEDIES.get(cause.code)
    return make(profile) if make is not None else ()


def _deploy_and_redrive(_profile: Profile) -> Remedies:
    return DEPLOY, REDRIVE_FAILED


def _deploy(_profile: Profile) -> Remedies:
    return (DEPLOY,)


def _again(_profile: Profile) -> Remedies:
    return (REDRIVE_FAILED,)


def _hinted(hint: str, *then: Remedy) -> Callable[[Profile], Remedies]:
    return lambda _profile: (Remedy(hint=hint), *then)


_REMEDIES: dict[str, Callable[[Profile], Remedies]] = {
    known.OUT_OF_MEMORY.code: lambda profile: (larger_worker(profile), REDRIVE_FAILED),
    known.EXECUTOR_LOST.code: lambda profile: (larger_worker(profile), REDRIVE_FAILED),
    known.DISK_FULL.code: lambda profile: (larger_worker(profile), REDRIVE_FAILED),
    known.KEY.code: _hinted(
        "enable the key (or cancel its deletion) and let both roles use it: 'config check' says what it lacks",
        REDRIVE_FAILED,
    ),
    known.ACCESS_DENIED.code: _deploy_and_redrive,
    known.CREDENTIALS.code: _again,
    known.FUNCTION_TIMED_OUT.code: lambda profile: (longer_function(profile), REDRIVE_DLQ),
    known.RUN_TIMED_OUT.code: lambda profile: (longer_runs(profile), REDRIVE_FAILED),
    known.CONCURRENCY.code: lambda profile: (
        setting("job.max_concurrent_runs", min(1000, 2 * profile.job.max_concurrent_runs)),
    ),
    known.QUOTA.code: lambda _profile: (
        Remedy(hint="ask AWS for a higher quota: 'config check' names it and how much is needed"),
    ),
    known.NO_CAPACITY.code: _again,
    known.JOB_MISSING.code: lambda _profile: (DEPLOY, SWEEP),
    known.BUCKET_MISSING.code: _deploy_and_redrive,
    known.INPUT_GONE.code: _hinted(
        "put the object back (an older version of the bucket, a backup) if its rows are wanted", REDRIVE_FAILED
    ),
    known.INPUT_CHANGED.code: _again,
    known.ARCHIVED.code: _hinted("restore the object from its archive class", REDRIVE_FAILED),
    known.DAMAGED.code: _hinted("upload the file again, whole: its event enters it anew"),
    known.BAD_LINES.code: _hinted(
        "upload a mended file, or raise job.max_bad_lines and job.max_bad_percent in the profile and deploy",
        REDRIVE_FAILED,
    ),
    known.DRIFT_REFUSED.code: lambda _profile: (
        setting("job.on_drift", "rescue"),
        REDRIVE_FAILED,
    ),
    known.SCRIPT_MISSING.code: _deploy_and_redrive,
    known.IMPORT_ERROR.code: _deploy_and_redrive,
    known.CONFIGURATION.code: _deploy_and_redrive,
    known.SLOW_DOWN.code: _again,
    known.THROTTLED.code: _again,
    known.NETWORK.code: _hinted(
        "look at network.subnets, their routes and VPC endpoints, if the profile has any", REDRIVE_FAILED
    ),
    known.STOPPED.code: _again,
    known.KILLED.code: _again,
    known.RUN_UNKNOWN.code: _again,
    known.VERIFICATION.code: _again,
    known.TAKEN_OVER.code: lambda _profile: (SWEEP,),
    known.MESSAGE.code: lambda _profile: (QUEUE, REDRIVE_DLQ_LATER),
    known.ITEM_CONTENDED.code: lambda _profile: (SWEEP,),
}

_OF_FUNCTION: dict[str, Callable[[Profile], Remedies]] = {
    known.OUT_OF_MEMORY.code: lambda profile: (more_memory(profile), REDRIVE_DLQ),
    known.DISK_FULL.code: _deploy,
    known.ACCESS_DENIED.code: lambda _profile: (DEPLOY, SWEEP),
    known.CREDENTIALS.code: lambda _profile: (SWEEP,),
    known.CONFIGURATION.code: lambda _profile: (DEPLOY, REDRIVE_DLQ),
    known.IMPORT_ERROR.code: lambda _profile: (DEPLOY, REDRIVE_DLQ),
    known.BUCKET_MISSING.code: lambda _profile: (DEPLOY, REDRIVE_DLQ),
    known.THROTTLED.code: lambda _profile: (SWEEP,),
    known.SLOW_DOWN.code: lambda _profile: (SWEEP,),
    known.NETWORK.code: _hinted(
        "look at network.subnets, their routes and VPC endpoints, if the profile has any", SWEEP
    ),
}
