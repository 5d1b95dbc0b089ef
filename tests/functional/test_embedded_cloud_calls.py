"""The record of AWS calls: what each call needs of a policy, and who made it."""

from __future__ import annotations

import gzip
import io
import json
import os
import textwrap
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from ndjctl.contracts import parse_iso_utc
from ndjctl.embedded import CloudStatus, EmbeddedCloud
from ndjctl.errors import CloudError
from tests.functional.test_glue_endpoint import JOB, NETWORK, finished

pytest.importorskip("psutil")
pytest.importorskip("ministack")

ACCOUNT = "111122223333"
SECRET = "only-in-a-body"
TABLE = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/files"
OTHER_TABLE = f"arn:aws:dynamodb:us-east-1:{ACCOUNT}:table/other"
QUEUE = f"arn:aws:sqs:us-east-1:{ACCOUNT}:events"
GROUP = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/aws/x"
FUNCTION = f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:f"
RULE = f"arn:aws:events:us-east-1:{ACCOUNT}:rule/r"
GLUE = f"arn:aws:glue:us-east-1:{ACCOUNT}"
ODD = "a//é +&?/b "
"""A key that a careless reader of URLs would change."""


class Recorded:
    """A cloud that records, and what it recorded since last looked at."""

    def __init__(self, status: CloudStatus, path: Path) -> None:
        self._url = status.endpoint_url
        self.path = path
        self._seen = 0

    def client(self, service: str, **options: Any) -> Any:
        return boto3.client(
            service,
            endpoint_url=self._url,
            region_name="us-east-1",
            aws_access_key_id=ACCOUNT,
            aws_secret_access_key="test",
            **options,
        )

    def lines(self) -> list[dict[str, Any]]:
        found = [json.loads(line) for line in self.path.read_text().splitlines()]
        new, self._seen = found[self._seen :], len(found)
        return new

    def checks(self) -> list[tuple[str, str, str]]:
        return [(line["operation"], line["action"], line["resource"]) for line in self.lines()]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorded]:
    folder = tmp_path_factory.mktemp("calls")
    path = folder / "calls.jsonl"
    cloud = EmbeddedCloud(folder / "c", environ={**os.environ, "NDJ_CALL_LOG": str(path)})
    recorded = Recorded(cloud.ensure_started(), path)
    prepare(recorded)
    yield recorded
    cloud.stop()
    assert SECRET not in path.read_text()


def prepare(recorded: Recorded) -> None:
    s3, dynamodb = recorded.client("s3"), recorded.client("dynamodb")
    s3.create_bucket(Bucket="inputs")
    s3.create_bucket(Bucket="outputs")
    s3.put_object(Bucket="inputs", Key=ODD, Body=b"x")
    for table in ("files", "other"):
        dynamodb.create_table(
            TableName=table,
            AttributeDefinitions=[{"AttributeName": k, "AttributeType": "S"} for k in ("k", "s")],
            KeySchema=[{"AttributeName": "k", "KeyType": "HASH"}],
            GlobalSecondaryIndexes=[
                {
                    "IndexName": "by-s",
                    "KeySchema": [{"AttributeName": "s", "KeyType": "HASH"}],
                    "Projection": {"ProjectionType": "ALL"},
                }
            ],
            BillingMode="PAY_PER_REQUEST",
        )
    recorded.client("sqs").create_queue(QueueName="events")
    logs = recorded.client("logs")
    logs.create_log_group(logGroupName="/aws/x")
    logs.create_log_stream(logGroupName="/aws/x", logStreamName="s/1")


def multipart(recorded: Recorded) -> None:
    s3 = recorded.client("s3")
    name = {"Bucket": "outputs", "Key": "big"}
    upload = {**name, "UploadId": s3.create_multipart_upload(**name)["UploadId"]}
    etag = s3.upload_part(**upload, PartNumber=1, Body=b"1" * 6 * 2**20)["ETag"]
    s3.upload_part_copy(**upload, PartNumber=2, CopySource={"Bucket": "inputs", "Key": ODD})
    s3.list_parts(**upload)
    s3.complete_multipart_upload(**upload, MultipartUpload={"Parts": [{"ETag": etag, "PartNumber": 1}]})
    again = s3.create_multipart_upload(**name)["UploadId"]
    s3.list_multipart_uploads(Bucket="outputs")
    s3.abort_multipart_upload(**name, UploadId=again)


def item(key: str, table: str = "files") -> dict[str, Any]:
    return {"TableName": table, "Key": {"k": {"S": key}}}


def transaction(recorded: Recorded) -> None:
    update = {"UpdateExpression": "SET v = :v", "ExpressionAttributeValues": {":v": {"S": SECRET}}}
    recorded.client("dynamodb").transact_write_items(
        TransactItems=[
            {"Put": {"TableName": "files", "Item": {"k": {"S": "1"}}}},
            {"Update": {**item("2"), **update}},
            {"ConditionCheck": {**item("3"), "ConditionExpression": "attribute_not_exists(k)"}},
            {"Delete": item("4", "other")},
        ]
    )


def metrics(recorded: Recorded, count: int) -> None:
    data = [{"MetricName": f"m{number}{'x' * 200}", "Value": 1.0} for number in range(count)]
    recorded.client("cloudwatch").put_metric_data(Namespace="n", MetricData=data)


def queue_url(recorded: Recorded) -> str:
    url = str(recorded.client("sqs").get_queue_url(QueueName="events")["QueueUrl"])
    recorded.lines()
    return url


def batches(recorded: Recorded) -> None:
    sqs, url = recorded.client("sqs"), queue_url(recorded)
    sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": str(n), "MessageBody": SECRET} for n in range(2)])
    messages = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    receipts = [{"Id": str(n), "ReceiptHandle": each["ReceiptHandle"]} for n, each in enumerate(messages)]
    sqs.change_message_visibility_batch(QueueUrl=url, Entries=[{**each, "VisibilityTimeout": 9} for each in receipts])
    sqs.delete_message_batch(QueueUrl=url, Entries=receipts)


def arn_of(bucket: str, key: str = "") -> str:
    return f"arn:aws:s3:::{bucket}/{key}" if key else f"arn:aws:s3:::{bucket}"


CALLS: dict[str, tuple[Callable[[Recorded], Any], list[tuple[str, str, str]]]] = {
    "get": (
        lambda r: r.client("s3").get_object(Bucket="inputs", Key=ODD, Range="bytes=0-0"),
        [("GetObject", "s3:GetObject", arn_of("inputs", ODD))],
    ),
    "head": (
        lambda r: r.client("s3").head_object(Bucket="inputs", Key=ODD),
        [("HeadObject", "s3:GetObject", arn_of("inputs", ODD))],
    ),
    "put": (
        lambda r: r.client("s3").put_object(Bucket="outputs", Key=ODD, Body=SECRET.encode()),
        [("PutObject", "s3:PutObject", arn_of("outputs", ODD))],
    ),
    "put with tags": (
        lambda r: r.client("s3").put_object(Bucket="outputs", Key="k", Body=b"", Tagging="a=b"),
        [
            ("PutObject", "s3:PutObject", arn_of("outputs", "k")),
            ("PutObject", "s3:PutObjectTagging", arn_of("outputs", "k")),
        ],
    ),
    "tags": (
        lambda r: r.client("s3").get_object_tagging(Bucket="inputs", Key=ODD),
        [("GetObjectTagging", "s3:GetObjectTagging", arn_of("inputs", ODD))],
    ),
    "copy": (
        lambda r: r.client("s3").copy_object(Bucket="outputs", Key="c//d", CopySource={"Bucket": "inputs", "Key": ODD}),
        [
            ("CopyObject", "s3:GetObject", arn_of("inputs", ODD)),
            ("CopyObject", "s3:GetObjectTagging", arn_of("inputs", ODD)),
            ("CopyObject", "s3:PutObject", arn_of("outputs", "c//d")),
        ],
    ),
    "copy without tags": (
        lambda r: r.client("s3").copy_object(
            Bucket="outputs",
            Key="c",
            CopySource={"Bucket": "inputs", "Key": ODD},
            TaggingDirective="REPLACE",
            Tagging="a=b",
        ),
        [
            ("CopyObject", "s3:GetObject", arn_of("inputs", ODD)),
            ("CopyObject", "s3:PutObject", arn_of("outputs", "c")),
            ("CopyObject", "s3:PutObjectTagging", arn_of("outputs", "c")),
        ],
    ),
    "multipart": (
        multipart,
        [
            ("CreateMultipartUpload", "s3:PutObject", arn_of("outputs", "big")),
            ("UploadPart", "s3:PutObject", arn_of("outputs", "big")),
            ("UploadPartCopy", "s3:GetObject", arn_of("inputs", ODD)),
            ("UploadPartCopy", "s3:PutObject", arn_of("outputs", "big")),
            ("ListParts", "s3:ListMultipartUploadParts", arn_of("outputs", "big")),
            ("CompleteMultipartUpload", "s3:PutObject", arn_of("outputs", "big")),
            ("CreateMultipartUpload", "s3:PutObject", arn_of("outputs", "big")),
            ("ListMultipartUploads", "s3:ListBucketMultipartUploads", arn_of("outputs")),
            ("AbortMultipartUpload", "s3:AbortMultipartUpload", arn_of("outputs", "big")),
        ],
    ),
    "list": (
        lambda r: r.client("s3").list_objects_v2(Bucket="inputs", Prefix="a/"),
        [("ListObjectsV2", "s3:ListBucket", arn_of("inputs"))],
    ),
    "delete": (
        lambda r: r.client("s3").delete_object(Bucket="outputs", Key="k"),
        [("DeleteObject", "s3:DeleteObject", arn_of("outputs", "k"))],
    ),
    "delete many": (
        lambda r: r.client("s3").delete_objects(Bucket="outputs", Delete={"Objects": [{"Key": "k"}, {"Key": ODD}]}),
        [
            ("DeleteObjects", "s3:DeleteObject", arn_of("outputs", "k")),
            ("DeleteObjects", "s3:DeleteObject", arn_of("outputs", ODD)),
        ],
    ),
    "bucket": (
        lambda r: (
            r.client("s3").head_bucket(Bucket="inputs"),
            r.client("s3").get_bucket_versioning(Bucket="inputs"),
            r.client("s3").list_object_versions(Bucket="inputs"),
            r.client("s3").list_buckets(),
        ),
        [
            ("HeadBucket", "s3:ListBucket", arn_of("inputs")),
            ("GetBucketVersioning", "s3:GetBucketVersioning", arn_of("inputs")),
            ("ListObjectVersions", "s3:ListBucketVersions", arn_of("inputs")),
            ("ListBuckets", "s3:ListAllMyBuckets", "*"),
        ],
    ),
    "transaction": (
        transaction,
        [
            ("TransactWriteItems", "dynamodb:PutItem", TABLE),
            ("TransactWriteItems", "dynamodb:UpdateItem", TABLE),
            ("TransactWriteItems", "dynamodb:ConditionCheckItem", TABLE),
            ("TransactWriteItems", "dynamodb:DeleteItem", OTHER_TABLE),
        ],
    ),
    "transaction of reads": (
        lambda r: r.client("dynamodb").transact_get_items(TransactItems=[{"Get": item("1")}, {"Get": item("2")}]),
        [("TransactGetItems", "dynamodb:GetItem", TABLE)] * 2,
    ),
    "batch of reads": (
        lambda r: r.client("dynamodb").batch_get_item(
            RequestItems={name: {"Keys": [{"k": {"S": "1"}}, {"k": {"S": "2"}}]} for name in ("files", "other")}
        ),
        [("BatchGetItem", "dynamodb:BatchGetItem", TABLE), ("BatchGetItem", "dynamodb:BatchGetItem", OTHER_TABLE)],
    ),
    "query of an index": (
        lambda r: r.client("dynamodb").query(
            TableName="files",
            IndexName="by-s",
            KeyConditionExpression="s = :s",
            ExpressionAttributeValues={":s": {"S": "x"}},
        ),
        [("Query", "dynamodb:Query", f"{TABLE}/index/by-s")],
    ),
    "items": (
        lambda r: (
            r.client("dynamodb").get_item(**item("1")),
            r.client("dynamodb").scan(TableName="files"),
            r.client("dynamodb").list_tags_of_resource(ResourceArn=TABLE),
        ),
        [
            ("GetItem", "dynamodb:GetItem", TABLE),
            ("Scan", "dynamodb:Scan", TABLE),
            ("ListTagsOfResource", "dynamodb:ListTagsOfResource", TABLE),
        ],
    ),
    "queue": (
        batches,
        [
            ("SendMessageBatch", "sqs:SendMessage", QUEUE),
            ("ReceiveMessage", "sqs:ReceiveMessage", QUEUE),
            ("ChangeMessageVisibilityBatch", "sqs:ChangeMessageVisibility", QUEUE),
            ("DeleteMessageBatch", "sqs:DeleteMessage", QUEUE),
        ],
    ),
    "logs": (
        lambda r: r.client("logs").put_log_events(
            logGroupName="/aws/x",
            logStreamName="s/1",
            logEvents=[{"timestamp": int(time.time() * 1000), "message": SECRET}],
        ),
        [("PutLogEvents", "logs:PutLogEvents", f"{GROUP}:log-stream:s/1")],
    ),
    "metrics": (lambda r: metrics(r, 1), [("PutMetricData", "cloudwatch:PutMetricData", "*")]),
    "metrics that boto3 compresses": (lambda r: metrics(r, 200), [("PutMetricData", "cloudwatch:PutMetricData", "*")]),
    "rules": (
        lambda r: (
            r.client("events").put_rule(Name="r", ScheduleExpression="rate(1 minute)"),
            r.client("events").put_targets(Rule="r", Targets=[{"Id": "1", "Arn": QUEUE}]),
            r.client("events").list_rule_names_by_target(TargetArn=QUEUE),
            r.client("events").describe_rule(Name="r", EventBusName="default"),
        ),
        [
            ("PutRule", "events:PutRule", RULE),
            ("PutTargets", "events:PutTargets", RULE),
            ("ListRuleNamesByTarget", "events:ListRuleNamesByTarget", "*"),
            ("DescribeRule", "events:DescribeRule", RULE),
        ],
    ),
    "who": (
        lambda r: r.client("sts").get_caller_identity(),
        [("GetCallerIdentity", "sts:GetCallerIdentity", "*")],
    ),
    "glue": (
        lambda r: (
            r.client("glue").create_job(Name="j", **JOB),
            r.client("glue").get_job_runs(JobName="j"),
            r.client("glue").list_jobs(),
            r.client("glue").get_tags(ResourceArn=f"{GLUE}:job/j"),
            r.client("glue").create_connection(ConnectionInput=NETWORK),
        ),
        [
            ("CreateJob", "glue:CreateJob", f"{GLUE}:job/j"),
            ("GetJobRuns", "glue:GetJobRuns", f"{GLUE}:job/j"),
            ("ListJobs", "glue:ListJobs", "*"),
            ("GetTags", "glue:GetTags", f"{GLUE}:job/j"),
            ("CreateConnection", "glue:CreateConnection", f"{GLUE}:catalog"),
            ("CreateConnection", "glue:CreateConnection", f"{GLUE}:connection/into-the-vpc"),
        ],
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_is_recorded_as_what_iam_checks(recorded: Recorded, name: str) -> None:
    call, expected = CALLS[name]
    recorded.lines()
    call(recorded)
    assert recorded.checks() == expected


def test_a_line_says_when_where_and_what_came_of_it(recorded: Recorded) -> None:
    recorded.lines()
    before = time.time()
    recorded.client("s3").copy_object(Bucket="outputs", Key="c", CopySource={"Bucket": "inputs", "Key": ODD})
    with pytest.raises(ClientError):
        recorded.client("s3").get_object(Bucket="inputs", Key="absent")
    with pytest.raises(ClientError):
        recorded.client("glue").get_job(JobName="absent")
    *copied, absent, no_job = recorded.lines()
    assert {line["request"] for line in copied} == {copied[0]["request"]} != {absent["request"]}
    assert (absent["status"], no_job["status"]) == (404, 400) and {line["status"] for line in copied} == {200}
    for line in (*copied, absent, no_job):
        assert (line["version"], line["account"], line["region"]) == (1, ACCOUNT, "us-east-1")
        assert before - 1 <= parse_iso_utc(line["time"]).timestamp() <= time.time()
        assert line["caller"] == {"kind": "other"}
        assert line["service"] == line["action"].partition(":")[0]


def test_functions_and_runs_are_told_apart(recorded: Recorded) -> None:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as bundle:
        bundle.writestr(
            "h.py",
            "import boto3, os\n"
            "def f(event, context):\n"
            "    boto3.client('s3').head_bucket(Bucket='inputs')\n"
            "    boto3.client('glue').get_job_runs(JobName='told')\n"
            "    return os.environ.get('NDJ_CALL_LOG')\n",
        )
    functions, glue, s3 = (recorded.client(service) for service in ("lambda", "glue", "s3"))
    role = recorded.client("iam").create_role(RoleName="r", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    code = {"ZipFile": archive.getvalue()}
    functions.create_function(FunctionName="f", Runtime="python3.12", Role=role, Handler="h.f", Code=code)
    functions.publish_version(FunctionName="f")
    functions.create_alias(FunctionName="f", Name="live", FunctionVersion="1")
    script = """
        import boto3
        boto3.client("s3").head_bucket(Bucket="outputs")
        boto3.client("glue").get_job(JobName="told")
        print("seen")
    """
    s3.put_object(Bucket="inputs", Key="job.py", Body=textwrap.dedent(script).encode())
    command = {**JOB["Command"], "ScriptLocation": "s3://inputs/job.py"}
    glue.create_job(Name="told", **{**JOB, "Command": command})
    created = [line for line in recorded.lines() if line["service"] == "lambda"]
    assert [(line["action"], line["resource"]) for line in created] == [
        ("lambda:CreateFunction", FUNCTION),
        ("lambda:PublishVersion", FUNCTION),
        ("lambda:CreateAlias", FUNCTION),
    ]

    answer = functions.invoke(FunctionName="f", Qualifier="live")
    assert json.loads(answer["Payload"].read()) is None
    run_id = glue.start_job_run(JobName="told")["JobRunId"]
    assert finished(glue, "told", run_id)["JobRunState"] == "SUCCEEDED"
    lines = recorded.lines()

    def of(**caller: str) -> list[tuple[str, str]]:
        wanted = caller.items()
        return [(line["operation"], line["resource"]) for line in lines if wanted <= line["caller"].items()]

    assert of(kind="lambda", function="f") == [("HeadBucket", arn_of("inputs")), ("GetJobRuns", f"{GLUE}:job/told")]
    run = {"kind": "glue", "job": "told", "run": run_id}
    assert of(**run, by="script") == [("HeadBucket", arn_of("outputs")), ("GetJob", f"{GLUE}:job/told")]
    by_service = of(**run, by="service")
    assert by_service[0] == ("GetObject", arn_of("inputs", "job.py"))
    group = f"arn:aws:logs:us-east-1:{ACCOUNT}:log-group:/aws-glue/jobs/output"
    assert ("PutLogEvents", f"{group}:log-stream:{run_id}") in by_service
    assert ("Invoke", f"{FUNCTION}:live") in of(kind="other")
    invoked = next(line for line in lines if line["operation"] == "Invoke")
    assert invoked["action"] == "lambda:InvokeFunction"
    assert {line["caller"]["kind"] for line in lines} == {"other", "lambda", "glue"}


def test_a_request_for_a_bucket_by_its_host_is_for_that_bucket(recorded: Recorded) -> None:
    import http.client
    from urllib.parse import urlsplit

    address = urlsplit(str(recorded._url))
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=5)
    recorded.lines()
    credential = f"AWS4-HMAC-SHA256 Credential={ACCOUNT}/20260131/us-east-1/s3/aws4_request"
    connection.request("GET", "/job%2Fx", headers={"Host": "inputs.localhost", "Authorization": credential})
    connection.getresponse().read()
    assert recorded.checks() == [("GetObject", "s3:GetObject", arn_of("inputs", "job/x"))]


def test_a_record_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    environ = {**os.environ, "NDJ_CALL_LOG": str(tmp_path / "absent" / "calls")}
    with pytest.raises(CloudError, match=r"NDJ_CALL_LOG is .*absent/calls, which cannot be written"):
        EmbeddedCloud(tmp_path / "c", environ=environ).ensure_started()


def test_bodies_that_mean_nothing_do_not_stop_it(recorded: Recorded) -> None:
    import http.client
    from urllib.parse import urlsplit

    address = urlsplit(str(recorded._url))
    recorded.lines()
    credential = f"AWS4-HMAC-SHA256 Credential={ACCOUNT}/20260131/us-east-1/dynamodb/aws4_request"
    for target in ("DynamoDB_20120810.TransactWriteItems", "AmazonSQS.SendMessage", "Logs_20140328.PutLogEvents"):
        for body in (b"", b"[]", b"{", b'{"TransactItems": 3, "QueueUrl": 7}', b"\xff", gzip.compress(b"x")[:9]):
            connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=5)
            connection.request("POST", "/", body, {"X-Amz-Target": target, "Authorization": credential})
            connection.getresponse().read()
            connection.close()
    lines = recorded.lines()
    assert len(lines) == 18 and not [line for line in lines if line["action"] == "unknown"]
