"""Rows about the function with what feeds and wakes it, the job, and the code of both."""

from __future__ import annotations

import io
import zipfile

from tests.drift.hands import Hands
from tests.drift.row import row

FUNCTION, ALIAS, MAPPING = "function/{n.function}", "alias/{n.live_function}", "mapping/{n.function}"
JOB, SCRIPT = "job/{n.job}", "artifact/{script}"
SWEEP_PERMISSION = "permission/{n.live_function}:ndjctl-sweep-live"
CONFIGURE, FEED = "lambda:UpdateFunctionConfiguration", "lambda:UpdateEventSourceMapping"
MOVE = "lambda:PublishVersion lambda:UpdateAlias"
GRANT = "lambda:RemovePermission lambda:AddPermission"
REDEFINE = "glue:UpdateJob"


def other_code() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("lambda_handler/handler.py", "def handle(event, context):\n    return None\n")
    return buffer.getvalue()


def regrant(hands: Hands, statement: str, **grant: str) -> None:
    """Gives a permission of ours again, in other words."""
    about = {"FunctionName": hands.names.function, "Qualifier": "live", "StatementId": statement}
    hands.lambda_.remove_permission(**about)
    words = {"Action": "lambda:InvokeFunction", "Principal": "events.amazonaws.com"}
    hands.lambda_.add_permission(**about, **words, **grant)


def reserve(hands: Hands, count: int) -> None:
    hands.lambda_.put_function_concurrency(FunctionName=hands.names.function, ReservedConcurrentExecutions=count)


def put_code(hands: Hands, ending: str) -> None:
    hands.s3.put_object(Bucket=hands.names.scripts_bucket, Key=hands.files(ending), Body=b"print('theirs')\n")


ROWS = [
    row("memory", FUNCTION, "MemorySize", CONFIGURE, lambda h: h.configure(MemorySize=777)),
    row("timeout", FUNCTION, "Timeout", CONFIGURE, lambda h: h.configure(Timeout=9)),
    row("runtime", FUNCTION, "Runtime", CONFIGURE, lambda h: h.configure(Runtime="python3.11")),
    row("handler", FUNCTION, "Handler", CONFIGURE, lambda h: h.configure(Handler="other.handle")),
    row("role", FUNCTION, "Role", CONFIGURE, lambda h: h.configure(Role=h.arn("iam", "role/other"))),
    row(
        "variable's value",
        FUNCTION,
        "Environment.Variables.LOG_LEVEL",
        CONFIGURE,
        lambda h: h.vary(LOG_LEVEL="ERROR"),
    ),
    row(
        "variable removed",
        FUNCTION,
        "Environment.Variables.MAX_BATCH_SIZE_GB",
        CONFIGURE,
        lambda h: h.vary("MAX_BATCH_SIZE_GB"),
    ),
    row("variable added", FUNCTION, "Environment.Variables.DEBUG", CONFIGURE, lambda h: h.vary(DEBUG="1")),
    row(
        "network",
        FUNCTION,
        ("VpcConfig.SubnetIds", "VpcConfig.SecurityGroupIds"),
        CONFIGURE,
        lambda h: h.configure(VpcConfig={"SubnetIds": ["subnet-1"], "SecurityGroupIds": ["sg-1"]}),
    ),
    row(
        "reserved concurrency",
        FUNCTION,
        "ReservedConcurrentExecutions",
        "lambda:PutFunctionConcurrency",
        lambda h: reserve(h, 3),
    ),
    row(
        "reserved concurrency taken away",
        FUNCTION,
        "ReservedConcurrentExecutions",
        "lambda:PutFunctionConcurrency",
        lambda h: h.lambda_.delete_function_concurrency(FunctionName=h.names.function),
    ),
    row(
        "code",
        FUNCTION,
        "CodeSha256",
        "lambda:UpdateFunctionCode",
        lambda h: h.lambda_.update_function_code(FunctionName=h.names.function, ZipFile=other_code()),
    ),
    row(
        "function's tag",
        FUNCTION,
        "Tags.team",
        "lambda:TagResource",
        lambda h: h.lambda_.tag_resource(Resource=h.arn("lambda", f"function:{h.names.function}"), Tags={"team": "x"}),
    ),
    row(
        "alias on another version",
        ALIAS,
        "Version.MemorySize",
        MOVE,
        lambda h: h.point(FunctionVersion=h.published(MemorySize=888)),
    ),
    row(
        "alias on the unpublished code",
        ALIAS,
        "Published",
        MOVE,
        lambda h: h.point(FunctionVersion="$LATEST"),
        is_alone=True,  # any change of the function is live at once
    ),
    row(
        "alias shared by two versions",
        ALIAS,
        "Weights.1",
        MOVE,
        lambda h: h.point(RoutingConfig={"AdditionalVersionWeights": {"1": 0.25}}),
    ),
    row("batch size", MAPPING, "BatchSize", FEED, lambda h: h.feed(BatchSize=3)),
    row(
        "batch window",
        MAPPING,
        "MaximumBatchingWindowInSeconds",
        FEED,
        lambda h: h.feed(MaximumBatchingWindowInSeconds=9),
    ),
    row("mapping disabled", MAPPING, "Enabled", FEED, lambda h: h.feed(Enabled=False)),
    row(
        "mapping to the unpublished code", MAPPING, "FunctionArn", FEED, lambda h: h.feed(FunctionName=h.names.function)
    ),
    row("partial failures off", MAPPING, "FunctionResponseTypes", FEED, lambda h: h.feed(FunctionResponseTypes=[])),
    row(
        "concurrency of the mapping",
        MAPPING,
        "ScalingConfig.MaximumConcurrency",
        FEED,
        lambda h: h.feed(ScalingConfig={"MaximumConcurrency": 2}),
    ),
    row(
        "mapping deleted",
        MAPPING,
        "",
        "lambda:CreateEventSourceMapping",
        lambda h: h.lambda_.delete_event_source_mapping(UUID=h.mapping),
    ),
    row(
        "permission removed",
        SWEEP_PERMISSION,
        "",
        "lambda:AddPermission",
        lambda h: h.lambda_.remove_permission(
            FunctionName=h.names.function, Qualifier="live", StatementId="ndjctl-sweep-live"
        ),
    ),
    row(
        "permission for another rule",
        SWEEP_PERMISSION,
        "Condition.ArnLike.AWS:SourceArn",
        GRANT,
        lambda h: regrant(h, "ndjctl-sweep-live", SourceArn=h.arn("events", "rule/other")),
    ),
    row(
        "permission with one condition more",
        SWEEP_PERMISSION,
        "Condition.StringEquals",
        GRANT,
        lambda h: regrant(
            h,
            "ndjctl-sweep-live",
            SourceArn=h.arn("events", f"rule/{h.names.sweep_rule}"),
            SourceAccount="999999999999",
        ),
    ),
    row("workers", JOB, "NumberOfWorkers", REDEFINE, lambda h: h.redefine(NumberOfWorkers=2)),
    row("worker type", JOB, "WorkerType", REDEFINE, lambda h: h.redefine(WorkerType="G.8X")),
    row("job's timeout", JOB, "Timeout", REDEFINE, lambda h: h.redefine(Timeout=5)),
    row("retries", JOB, "MaxRetries", REDEFINE, lambda h: h.redefine(MaxRetries=0)),
    row("Glue version", JOB, "GlueVersion", REDEFINE, lambda h: h.redefine(GlueVersion="5.0")),
    row(
        "concurrent runs",
        JOB,
        "ExecutionProperty.MaxConcurrentRuns",
        REDEFINE,
        lambda h: h.redefine(ExecutionProperty={"MaxConcurrentRuns": 1}),
    ),
    row(
        "script",
        JOB,
        "Command.ScriptLocation",
        REDEFINE,
        lambda h: h.redefine(Command={"Name": "glueetl", "ScriptLocation": "s3://theirs/job.py", "PythonVersion": "3"}),
    ),
    row("job's role", JOB, "Role", REDEFINE, lambda h: h.redefine(Role=h.arn("iam", "role/other"))),
    row("argument", JOB, "DefaultArguments.--OUTPUT_BUCKET", REDEFINE, lambda h: h.argue(OUTPUT_BUCKET="theirs")),
    row("argument removed", JOB, "DefaultArguments.--DATASET", REDEFINE, lambda h: h.argue("--DATASET")),
    row(
        "switch whose presence counts",
        JOB,
        "DefaultArguments.--enable-continuous-cloudwatch-log",
        REDEFINE,
        lambda h: h.argue(**{"enable-continuous-cloudwatch-log": "false"}),
    ),
    row("switch removed", JOB, "DefaultArguments.--enable-metrics", REDEFINE, lambda h: h.argue("--enable-metrics")),
    row("Spark's settings", JOB, "DefaultArguments.--conf", REDEFINE, lambda h: h.argue(conf="spark.x=1")),
    row(
        "job's tag",
        JOB,
        "Tags.team",
        "glue:TagResource",
        lambda h: h.glue.untag_resource(ResourceArn=h.arn("glue", f"job/{h.names.job}"), TagsToRemove=["team"]),
    ),
    row("job's script overwritten", SCRIPT, "Sha256", "s3:PutObject", lambda h: put_code(h, "/glue_batch_job.py")),
    row("library overwritten", "artifact/{library}", "Sha256", "s3:PutObject", lambda h: put_code(h, "/glue_job.zip")),
    row(
        "function's zip deleted",
        "artifact/{zip}",
        "",
        "s3:PutObject",
        lambda h: h.s3.delete_object(Bucket=h.names.scripts_bucket, Key=h.files("/function.zip")),
    ),
]
