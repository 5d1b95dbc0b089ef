"""Faults planted by hand into a deployed pipeline, one at a time: what they are called by `doctor`, and how to plant
them. A table for everything that has to name, tell and mend them."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from lambda_handler.dynamo import to_item
from ndjctl.bundles import lambda_bundle
from ndjctl.contracts import (
    FUNCTION_ALIAS,
    FUNCTION_ZIP,
    Attr,
    Env,
    lock_item_key,
    split_s3_uri,
)
from tests.drift.hands import Hands
from tests.e2e.pipeline_harness import DAY, Pipeline, wait

LINES = 10
_HANDLER = "lambda_handler/handler.py"


@dataclass(frozen=True)
class Fault:
    """One way to break it. code: of the check that has to name it. plant: breaks it, and returns the key of a file that
    suffers from it. is_slow: it takes long, mostly because its remedy starts a run of the job. more: codes that may be
    named beside it: a file whose event is still under way counts as lost where every object counts as old enough."""

    name: str
    code: str
    plant: Callable[[Site], str]
    is_slow: bool = False
    more: tuple[str, ...] = ("lost-events",)


@dataclass
class Site:
    """A deployed pipeline and somebody with the AWS console open. count: files that were put so far. is_whole: whether
    nothing is known to be wrong with it."""

    pipeline: Pipeline
    hands: Hands
    count: int = 0
    is_whole: bool = False

    def put(self, body: bytes = b'{"a":1}\n' * LINES) -> str:
        """Uploads a file that nobody put before; its event goes where it goes."""
        self.count += 1
        key = f"{DAY}-health-{self.count:03d}.ndjson"
        self.pipeline.put(key, body)
        return key

    def item(self, key: str) -> dict[str, Any] | None:
        """The ledger's item of a file of today."""
        answer = self.hands.dynamodb.get_item(
            TableName=self.pipeline.names.tracking_table,
            Key=to_item({Attr.DATE_PREFIX: DAY, Attr.FILE_KEY: key}),
            ConsistentRead=True,
        )
        return dict(answer["Item"]) if answer.get("Item") else None

    def status(self, key: str) -> str:
        """Empty for a file that the ledger does not know."""
        item = self.item(key)
        return str(item[Attr.STATUS]["S"]) if item else ""

    def wait_for_status(self, key: str, *statuses: str, timeout_s: float = 60) -> None:
        wait(lambda: self.status(key) in statuses, timeout_s, lambda: f"{key} is {self.status(key) or 'unknown'}")

    def unwired(self, lost: Callable[[], str]) -> str:
        """lost() while the input bucket tells nobody of new files."""
        bucket = self.pipeline.names.input_bucket
        before = self.hands.s3.get_bucket_notification_configuration(Bucket=bucket)
        before.pop("ResponseMetadata")
        self.hands.s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
        try:
            return lost()
        finally:
            self.hands.s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=before)

    # ------------------------------------------------------------------------------------------ the function

    def publish(self) -> None:
        """What stands in $LATEST becomes live."""
        version = self.hands.lambda_.publish_version(FunctionName=self.pipeline.names.function)["Version"]
        self.hands.point(FunctionVersion=version)

    def replace_handler(self, planted: str) -> None:
        """Python that is put in place of the function's handler module; what that was is `original` beside it."""
        bundle = lambda_bundle().files[FUNCTION_ZIP]
        changed = io.BytesIO()
        with zipfile.ZipFile(io.BytesIO(bundle)) as before, zipfile.ZipFile(changed, "w") as after:
            for name in before.namelist():
                body = before.read(name)
                after.writestr("lambda_handler/original.py" if name == _HANDLER else name, body)
            after.writestr(_HANDLER, planted)
        self.hands.lambda_.update_function_code(
            FunctionName=self.pipeline.names.function, ZipFile=changed.getvalue(), Publish=False
        )
        self.publish()

    def invoke(self) -> str:
        """Asks for a sweep; what went wrong with it, as Lambda tells it."""
        answer = self.hands.lambda_.invoke(
            FunctionName=f"{self.pipeline.names.function}:{FUNCTION_ALIAS}", Payload=b'{"action":"sweep"}'
        )
        return str(answer["Payload"].read())

    # ------------------------------------------------------------------------------------------ the job

    def replace_script(self, planted: str) -> None:
        """A script in place of the job's."""
        script = self.hands.glue.get_job(JobName=self.pipeline.names.job)["Job"]["Command"]["ScriptLocation"]
        bucket, _ = split_s3_uri(script)
        self.hands.s3.put_object(Bucket=bucket, Key="planted/planted.py", Body=planted.encode())
        command = self.hands.glue.get_job(JobName=self.pipeline.names.job)["Job"]["Command"]
        self.hands.redefine(Command={**command, "ScriptLocation": f"s3://{bucket}/planted/planted.py"})

    def end_runs_of_others(self) -> None:
        """Stops runs of no manifest."""
        self._end([run["Id"] for run in self.pipeline.unfinished_runs() if "--MANIFEST_PATH" not in run["Arguments"]])

    def end_runs(self) -> None:
        """Stops what is under way."""
        self._end([run["Id"] for run in self.pipeline.unfinished_runs()])

    def _end(self, ids: list[str]) -> None:
        if ids:
            self.hands.glue.batch_stop_job_run(JobName=self.pipeline.names.job, JobRunIds=ids)
            for run_id in ids:
                self.pipeline.wait_for_state(run_id, ["STOPPED", "FAILED", "SUCCEEDED"])


# ---------------------------------------------------------------------------------------------- the faults


def the_function_raises(site: Site) -> str:
    site.replace_handler('def handle(event, context):\n    raise RuntimeError("planted: nothing works")\n')
    key = site.put()
    assert "planted" in site.invoke()
    return key


_DENIED = """
from botocore.client import BaseClient
from botocore.exceptions import ClientError
from lambda_handler.original import handle as original

_make = BaseClient._make_api_call

def _refusing(self, operation, arguments):
    if operation in ("UpdateItem", "PutItem", "TransactWriteItems", "Query"):
        message = "User: arn:aws:sts::1:assumed-role/r is not authorized to perform: dynamodb:" + operation
        raise ClientError({"Error": {"Code": "AccessDeniedException", "Message": message}}, operation)
    return _make(self, operation, arguments)

BaseClient._make_api_call = _refusing

def handle(event, context):
    return original(event, context)
"""


def access_is_denied(site: Site) -> str:
    """The embedded cloud does not judge policies: what AWS would answer without the statement that is taken away here,
    the function's own code answers."""
    site.hands.role_policy(site.pipeline.names.function_role, lambda statements: statements.pop("Ledger", None))
    site.replace_handler(_DENIED)
    key = site.put()
    assert "not authorized" in site.invoke()
    return key


_HUNGRY = """
import resource
resource.setrlimit(resource.RLIMIT_AS, (512 * 2**20, 512 * 2**20))
rows = bytearray(2**30)
"""


def the_job_runs_out_of_memory(site: Site) -> str:
    """A script that needs more than it may have, which no retry helps."""
    key = site.put()
    site.wait_for_status(key, "pending")
    site.replace_script(_HUNGRY)
    site.pipeline.sweep(flush=True)

    def failed() -> bool:
        site.pipeline.sweep()
        return site.status(key) == "failed"

    wait(failed, 120, lambda: f"{key} is {site.status(key)}", 0.5)
    return key


def the_job_is_gone(site: Site) -> str:
    key = site.put()
    site.wait_for_status(key, "pending")
    site.hands.glue.delete_job(JobName=site.pipeline.names.job)
    site.pipeline.sweep(flush=True)
    assert site.status(key) == "manifested"
    return key


def the_queue_is_not_wired(site: Site) -> str:
    bucket = site.pipeline.names.input_bucket
    site.hands.s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={})
    return site.put()


def a_lock_of_the_dead(site: Site) -> str:
    """As an invocation leaves it that was killed an hour ago."""
    key = site.put()
    site.wait_for_status(key, "pending")
    expired = datetime.now(timezone.utc) - timedelta(hours=1)
    site.hands.dynamodb.update_item(
        TableName=site.pipeline.names.tracking_table,
        Key=to_item(lock_item_key(DAY)),
        UpdateExpression="SET #holder = :dead, #expires = :expired ADD #fence :one",
        ExpressionAttributeNames={"#holder": Attr.HOLDER, "#expires": Attr.EXPIRES_AT, "#fence": Attr.FENCE},
        ExpressionAttributeValues=to_item(
            {":dead": "00000000-dead", ":expired": Decimal(str(expired.timestamp())), ":one": 1}
        ),
    )
    return key


def dead_letters(site: Site) -> str:
    """The event of a file, given up after too many deliveries."""
    key = site.unwired(site.put)
    head = site.hands.s3.head_object(Bucket=site.pipeline.names.input_bucket, Key=key)
    record = {
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "eventTime": f"{head['LastModified']:%Y-%m-%dT%H:%M:%S}.000Z",
        "s3": {
            "bucket": {"name": site.pipeline.names.input_bucket},
            "object": {"key": key, "size": head["ContentLength"], "eTag": head["ETag"].strip('"'), "sequencer": "00"},
        },
    }
    url = site.hands.url(site.pipeline.names.dead_letter_queue)
    site.hands.sqs.send_message(QueueUrl=url, MessageBody=json.dumps({"Records": [record]}))
    return key


def the_size_rule_is_wrong(site: Site) -> str:
    """Somebody set the limit in the console."""
    site.hands.vary(**{Env.MAX_FILE_SIZE_MB: "0.00001"})
    site.publish()
    key = site.put(b'{"a":"' + b"x" * 20_000 + b'"}\n')
    site.wait_for_status(key, "quarantined")
    return key


_SLEEPER = "import time\ntime.sleep(600)\n"


def no_concurrency_is_left(site: Site) -> str:
    """A run of somebody else takes the only slot that is left."""
    command = site.hands.glue.get_job(JobName=site.pipeline.names.job)["Job"]["Command"]
    key = site.put()
    site.wait_for_status(key, "pending")
    site.replace_script(_SLEEPER)
    site.hands.glue.start_job_run(JobName=site.pipeline.names.job)
    site.hands.redefine(Command=command, ExecutionProperty={"MaxConcurrentRuns": 1})
    site.pipeline.sweep(flush=True)
    assert site.status(key) == "manifested"
    return key


def an_event_is_lost(site: Site) -> str:
    return site.unwired(site.put)


def the_mapping_is_disabled(site: Site) -> str:
    site.hands.feed(Enabled=False)
    return site.put()


def the_schedule_is_disabled(site: Site) -> str:
    site.hands.rule(site.pipeline.names.sweep_rule, State="DISABLED")
    return site.put()


def the_function_is_switched_off(site: Site) -> str:
    site.hands.lambda_.put_function_concurrency(
        FunctionName=site.pipeline.names.function, ReservedConcurrentExecutions=0
    )
    return site.put()


FAULTS = (
    Fault("function raising", "function-errors", the_function_raises),
    Fault("access denied", "access-denied", access_is_denied, is_slow=True),
    Fault("queue not wired", "notification", the_queue_is_not_wired),
    Fault("lock of the dead", "locks", a_lock_of_the_dead),
    Fault("dead letters", "dead-letters", dead_letters),
    Fault("size rule wrong", "size-rule", the_size_rule_is_wrong, more=("quarantine", "lost-events")),
    Fault("event lost", "lost-events", an_event_is_lost, more=()),
    Fault("mapping disabled", "mapping", the_mapping_is_disabled, is_slow=True),
    Fault("schedule disabled", "schedule", the_schedule_is_disabled, is_slow=True),
    Fault("function switched off", "function", the_function_is_switched_off, is_slow=True),
    Fault("job not there", "job", the_job_is_gone, is_slow=True, more=("job-missing", "lost-events")),
    Fault("job out of memory", "out-of-memory", the_job_runs_out_of_memory, is_slow=True),
    Fault("concurrency exhausted", "concurrency", no_concurrency_is_left, is_slow=True),
)
"""A clock that is off is planted by tests.e2e.skewed_clock: it is none of the pipeline's."""
