"""How a load test is prepared, shown, agreed to and carried out: what `ndjctl loadtest` uses of the cloud."""

from __future__ import annotations

import secrets
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from ndjctl import __version__
from ndjctl.cli.confirm import LOOKED, confirm, confirm_name, only_looks
from ndjctl.cli.deploying import apply_quietly, aws_of, make_plan, now, target_of_profile
from ndjctl.cli.invocation import Invocation
from ndjctl.cli.missing import told_when_not_deployed
from ndjctl.errors import EXIT_FAILED, UsageError, WorkFailed

if TYPE_CHECKING:
    from ndjctl.deploy.deployment import Target
    from ndjctl.loadtest.journal import Journal
    from ndjctl.loadtest.model import LoadSettings
    from ndjctl.loadtest.running import Reporter, World
    from ndjctl.loadtest.verdict import Check


_LEAST_SETTLE_S = 600.0
_CHAOS_EVENT_LIMIT_S = 50.0
"""Longer than the events of a killed invocation stay away, see ndjctl.loadtest.chaos; then the test enters them."""


def home_of(invocation: Invocation) -> Path:
    """The folder of the environment's tests on this machine; an environment with other names has another."""
    suffix = invocation.loaded.profile.suffix
    return invocation.data_dir / "loadtests" / (f"{invocation.env}-{suffix}" if suffix else invocation.env)


def go_on(invocation: Invocation, test_id: str, keep: bool, max_cost_usd: float | None) -> None:
    """With a test that was interrupted, kept, or stopped at its budget. max_cost_usd: a new budget. Raises UsageError
    where there is none of that id."""
    from ndjctl.loadtest.journal import alone, opened
    from ndjctl.loadtest.model import is_test_id
    from ndjctl.loadtest.spending import spend_more
    from ndjctl.objects import require_parquet

    require_parquet()
    if not is_test_id(test_id):
        raise UsageError(
            f"{test_id!r} is no id of a load test, which is like 20261127T190000Z-3fa2: see "
            f"'{invocation.typed('loadtest', 'list')}'."
        )
    home = home_of(invocation)
    with alone(home):
        journal = opened(home / test_id)
        if max_cost_usd is not None:
            spend_more(journal, max_cost_usd)
        with told_when_not_deployed(invocation):
            _ = invocation.cloud.account_id
            _carry_out(invocation, journal, keep)


def prepared(
    invocation: Invocation,
    settings: LoadSettings,
    words: Sequence[str],
    *,
    may_shrink: bool,
    force: bool,
    keep: bool,
    yes: bool,
) -> None:
    """Looks, shows, asks, and carries out. The same test, interrupted, is gone on with instead. words: of the command's
    options, as they were typed. may_shrink: there are fewer bad lines where so many do not fit."""
    from ndjctl.loadtest.feeder import checked
    from ndjctl.loadtest.journal import alone, begin
    from ndjctl.loadtest.model import new_test_id
    from ndjctl.objects import require_parquet
    from ndjctl.output.loadtest import plan_view
    from ndjctl.output.progress import spinner

    require_parquet()
    asked, settings = settings, checked(settings, now().date().isoformat(), may_shrink)
    with alone(home_of(invocation)):
        interrupted = _interrupted(invocation, settings)
        if interrupted is not None:
            invocation.out.note(f"going on with the load test {interrupted.test_id}, which was interrupted")
            with told_when_not_deployed(invocation):
                _ = invocation.cloud.account_id
                _carry_out(invocation, interrupted, keep)
            return
        with spinner(f"opening the environment {invocation.env}"):
            cloud = invocation.cloud
            _ = cloud.account_id
        only_looking = only_looks(invocation, yes)
        if invocation.loaded.profile.auto_deploy and not only_looking:
            with spinner("deploying"):
                apply_quietly(invocation)
        begun_at = now()
        test_id, date = new_test_id(begun_at, secrets.token_hex(2)), begun_at.date().isoformat()
        planned, checks = _planned(invocation, settings, date, test_id, force)
        planned["remarks"] += _shrunk(asked, settings)
        again = invocation.typed("loadtest", *words, "--yes")
        refused = [check for check in checks if not check.ok]
        if only_looking or not invocation.options.json:
            invocation.out.show(plan_view(invocation.env, settings, planned, checks, again))
        if refused:
            raise WorkFailed(_refusal(invocation, refused))
        if only_looking:
            invocation.out.note(LOOKED)
            return
        if not yes and invocation.loaded.profile.asks_for_its_name:
            confirm_name(invocation.loaded.profile.environment, "Nothing was begun")
        elif not yes:
            confirm("Begin the load test?", "Nothing was begun")
        created_at = f"{begun_at:%Y-%m-%dT%H:%M:%SZ}"
        journal = begin(home_of(invocation), invocation.env, test_id, settings, date, created_at, planned)
        _carry_out(invocation, journal, keep, is_resumed=False)


def _shrunk(asked: LoadSettings, settings: LoadSettings) -> list[str]:
    """What is to be said where there are fewer bad lines than a test has by default."""
    from ndjctl.output.progress import counted, size

    if asked.bad_lines == settings.bad_lines:
        return []
    told = counted(int(settings.bad_lines), "bad line")
    return [f"{told} in each file, not {asked.bad_lines}: no more fit into {size(settings.file_size_bytes)}"]


def _refusal(invocation: Invocation, refused: Sequence[Check]) -> str:
    what = {
        "drift": f"'{invocation.typed('deploy')}' brings it in line",
        "queue": "wait until it is empty",
        "idle": f"'{invocation.typed('monitor')}' shows them, wait until they are done",
        "size": "name another --file-size, or set size_rule.* and deploy",
        "quotas": f"'{invocation.typed('config', 'check')}' tells more",
        "phase": "pass it first, or say --force",
        "budget": "raise --max-cost, or make the test smaller with --files or --file-size",
        "room": "or make the test smaller with --files or --file-size",
    }
    first = refused[0]
    more = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
    return f"The load test was not begun: {first.sentence}{more}; {what.get(first.name, 'see above')}."


def _interrupted(invocation: Invocation, settings: LoadSettings) -> Journal | None:
    """The unfinished test of the same settings; None where none is unfinished. Raises UsageError for one of other
    settings, whose files may still be there."""
    from ndjctl.loadtest.journal import REPORTED, unfinished
    from ndjctl.loadtest.spending import is_over_budget

    for journal in unfinished(home_of(invocation)):
        resume = invocation.typed("loadtest", "--resume", journal.test_id)
        if is_over_budget(journal):
            more = invocation.typed("loadtest", "--resume", journal.test_id, "--max-cost", "USD")
            raise UsageError(
                f"The load test {journal.test_id} was stopped at its budget: '{more}' goes on with it, '{resume}' "
                f"cleans up."
            )
        if journal.has(REPORTED) and journal.noted("kept"):
            continue
        if journal.settings == settings:
            return journal
        raise UsageError(f"The load test {journal.test_id} is not finished: '{resume}' goes on with it and cleans up.")
    return None


def configuration_of(target: Target) -> str:
    """The hash of a profile's configuration with its code."""
    from ndjctl.loadtest.configuration import configuration_hash

    return configuration_hash(target.profile, target.code.function.digest + target.code.job.digest)


def tell_passed_phases(invocation: Invocation, target: Target) -> None:
    """Says on stderr which phases were passed with the configuration that is about to be deployed, where the
    environment is a protected one."""
    from ndjctl.loadtest.results import Results, passed, told_phases
    from ndjctl.reading import attempt

    if not target.profile.asks_for_its_name:
        return
    cloud, configuration = invocation.cloud, configuration_of(target)
    found = attempt(lambda: passed(Results(cloud.client("s3"), cloud.names).all(), configuration), invocation.env)
    told = told_phases(found.value or {}) if found.was_read or found.why == "absent" else found.sentence
    invocation.out.note(f"load tests of this configuration ({configuration}): {told}")


def _planned(
    invocation: Invocation, settings: LoadSettings, date: str, test_id: str, force: bool
) -> tuple[dict[str, Any], list[Check]]:
    """(what the journal keeps of the plan, every check of the environment)."""
    from glue_job.pin import SchemaStore
    from ndjctl.advice import advise
    from ndjctl.advice.account import ask_account
    from ndjctl.forecast.runs import Quotas
    from ndjctl.lifting import read_budget
    from ndjctl.loadtest.feeder import feed_plan_of, pace_of
    from ndjctl.loadtest.model import PHASES, told_shape
    from ndjctl.loadtest.planning import expect
    from ndjctl.loadtest.preflight import check_before, check_budget, check_day, check_room, read_before
    from ndjctl.loadtest.reporting import total_usd
    from ndjctl.loadtest.results import Results, is_allowed, passed
    from ndjctl.output.progress import spinner
    from ndjctl.prices import dpu_price_of_profile
    from ndjctl.reading import attempt
    from ndjctl.tune.measured import measure, rate_for

    cloud, profile = invocation.cloud, invocation.loaded.profile
    target = target_of_profile(invocation)
    pending = [step.resource.id for step in make_plan(invocation, target, aws_of(invocation)).pending]
    with told_when_not_deployed(invocation), spinner("looking whether the environment is fit for it"):
        configuration = configuration_of(target)
        latest = SchemaStore(cloud.client("s3"), cloud.names.manifest_bucket, profile.job.dataset, now).versions()
        before = read_before(cloud.client, cloud.names, pending, latest[-1] if latest else 0, time.sleep)
        facts = ask_account(cloud.client, profile, cloud.names.function)
        day = read_budget(cloud.client("dynamodb"), cloud.names, now())
        results = Results(cloud.client("s3"), cloud.names)
        done = passed(results.all(), configuration) if settings.phase > min(PHASES) and not force else {}
        measured = attempt(
            lambda: measure(cloud.client("glue"), cloud.client("dynamodb"), cloud.names, time.sleep), invocation.env
        )
    share = settings.files / PHASES[settings.phase]
    shape = told_shape(settings.to_dict())
    allowed = None if force else is_allowed(settings.phase, settings.file_size_bytes, share, shape, done)
    checks = check_before(before, profile, settings, advise(profile, facts, None, now().date()), allowed)
    quotas = Quotas(facts.glue_runs_per_account, facts.glue_runs_per_job, facts.glue_task_dpus)
    price = dpu_price_of_profile(profile)
    feed = feed_plan_of(settings, cloud.names.input_bucket, date, test_id)
    expected = expect(profile, settings, feed, rate_for(profile, measured.value), quotas, price)
    estimated_usd = total_usd(expected.glue_usd, feed.cost_usd)
    budget = check_budget(estimated_usd, settings.thresholds.max_cost_usd)
    more = (budget, check_day(day, profile, expected.glue_usd), check_room(cloud.check_room, settings.size_bytes))
    checks += [check for check in more if check is not None]
    remarks = list(facts.remarks)
    if before.schema_version:
        remarks.append(
            f"a schema of {profile.job.dataset} is pinned already (version {before.schema_version}): what the test's "
            f"files add to it is taken back with the cleanup"
        )
    planned = {
        "configuration": {"hash": configuration, "source": invocation.loaded.source},
        "expected": expected.to_dict(),
        "feed": {**feed.to_dict(), "pace": pace_of(settings).describe()},
        "estimated_usd": estimated_usd,
        "dead_letters": before.dead_letters,
        "schema_version": before.schema_version,
        "forced": force,
        "remarks": remarks,
    }
    return planned, checks


def _carry_out(invocation: Invocation, journal: Journal, keep: bool, is_resumed: bool = True) -> None:
    """Does what is left of the test and shows the verdict. is_resumed: its plan was not shown just now."""
    from ndjctl.loadtest.journal import PLANNED
    from ndjctl.loadtest.running import carry_on
    from ndjctl.loadtest.spending import is_over_budget
    from ndjctl.loadtest.verdict import PASS
    from ndjctl.output.loadtest import verdict_view
    from ndjctl.output.loadtest_progress import load_progress

    resume = invocation.typed("loadtest", "--resume", journal.test_id)
    invocation.interrupted_note = f"Interrupted: nothing is lost; to go on: {resume}"
    settings, bucket = journal.settings, journal.of(PLANNED)["feed"]["bucket"]
    if bucket != invocation.cloud.names.input_bucket:
        raise UsageError(
            f"The load test {journal.test_id} feeds {bucket}, and this environment has "
            f"{invocation.cloud.names.input_bucket}: use the account and the settings that it was begun with."
        )
    sent_bytes = settings.unique_files * settings.file_size_bytes
    told = () if is_resumed else tuple(journal.of(PLANNED)["remarks"])
    with load_progress(settings.files, settings.unique_files, sent_bytes) as reporter:
        report = carry_on(_world(invocation, journal, reporter), journal, keep)
    paths = page_paths(journal)
    clean_up = resume if report["cleanup"] is None else None
    more = invocation.typed("loadtest", "--resume", journal.test_id, "--max-cost", "USD")
    go_on = more if clean_up and is_over_budget(journal) else None
    invocation.out.show(verdict_view(report, paths, clean_up, go_on, told))
    if report["verdict"] != PASS:
        raise typer.Exit(EXIT_FAILED)


def page_paths(journal: Journal) -> dict[str, str]:
    from ndjctl.loadtest.journal import PAGE_FILE, REPORT_FILE

    return {"json": str(journal.folder / REPORT_FILE), "html": str(journal.folder / PAGE_FILE)}


def _world(invocation: Invocation, journal: Journal, reporter: Reporter) -> World:
    import json
    from datetime import datetime, timezone

    from ndjctl.loadtest.following import EVENT_LIMIT_S
    from ndjctl.loadtest.journal import PAGE_FILE, REPORT_FILE, write_whole
    from ndjctl.loadtest.running import World
    from ndjctl.output.loadtest_page import page
    from ndjctl.prices.stated import stated_prices
    from ndjctl.providers import killer_of

    cloud, profile = invocation.cloud, invocation.loaded.profile

    def keep_report(report: dict[str, Any]) -> None:
        write_whole(journal.folder / REPORT_FILE, (json.dumps(report, indent=1) + "\n").encode())
        write_whole(journal.folder / PAGE_FILE, page(report).encode())

    return World(
        client=cloud.client,
        names=cloud.names,
        region=cloud.region,
        stated=stated_prices(profile),
        dataset=profile.job.dataset,
        settle_s=max(_LEAST_SETTLE_S, 60.0 * profile.job.timeout_min),
        now=lambda: datetime.now(timezone.utc),
        clock=time.monotonic,
        sleep=time.sleep,
        version=__version__,
        reporter=reporter,
        keep_report=keep_report,
        killer=killer_of(profile, invocation.data_dir),
        reserved=profile.function.reserved_concurrency,
        visibility_s=profile.visibility_s,
        event_limit_s=_CHAOS_EVENT_LIMIT_S if journal.settings.chaos else EVENT_LIMIT_S,
    )
