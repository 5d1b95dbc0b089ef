"""What IAM would check for a request: the actions, each on its resource.

ministack knows most of it (it can enforce policies itself); what it has wrong or leaves out for the calls of the
pipeline and its deployment is put right here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import unquote

from ndjctl.embedded import call_checks_s3

_RPC_PATH = re.compile(r"/service/[^/]+/operation/([^/]+)")

# The operations that have no action of their own.
_SQS_BATCHES = {
    "SendMessageBatch": "SendMessage",
    "DeleteMessageBatch": "DeleteMessage",
    "ChangeMessageVisibilityBatch": "ChangeMessageVisibility",
}
_LAMBDA_ACTIONS = {"Invoke": "InvokeFunction", "InvokeWithResponseStream": "InvokeFunction"}
_IN_A_LOG_STREAM = ("CreateLogStream", "DeleteLogStream", "PutLogEvents", "GetLogEvents")
_WITHOUT_RESOURCE = {
    "cloudwatch": ("PutMetricData", "GetMetricData", "GetMetricStatistics", "ListMetrics", "ListDashboards"),
    "logs": ("DescribeLogGroups",),
}
_GLUE_LISTS = ("GetJobs", "ListJobs")
_GLUE_CONNECTIONS = ("CreateConnection", "UpdateConnection", "GetConnection", "GetConnections", "DeleteConnection")


@dataclass(frozen=True)
class Request:
    """One HTTP request. service: ministack's name for it. path: decoded, with the bucket first for S3. headers: names
    in lower case. query: of the URL, or of a form in the body. body: empty where it is of no interest."""

    service: str
    method: str
    path: str
    headers: Mapping[str, str]
    query: Mapping[str, list[str]]
    body: bytes
    account: str
    region: str

    def field(self, name: str) -> str:
        """A text at the top of a JSON body; empty when there is none."""
        return _text(self.document().get(name))

    def document(self) -> dict[str, Any]:
        """The JSON object in the body; empty when it is none."""
        try:
            found = json.loads(self.body or b"{}")
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


@dataclass(frozen=True)
class Check:
    """One thing that a policy has to allow. action: `s3:GetObject`. resource: an ARN, or `*`."""

    action: str
    resource: str


def operation_of(request: Request) -> str:
    """The name that the API has for it: `CopyObject`. Empty where it cannot be told."""
    target = request.headers.get("x-amz-target", "").rpartition(".")[2]
    rpc = _RPC_PATH.fullmatch(request.path)
    if target or rpc:
        return target or (rpc[1] if rpc else "")
    if request.service == "s3":
        return call_checks_s3.operation(request.method, request.path, request.headers, request.query)
    if request.query.get("Action"):
        return request.query["Action"][0]
    if request.service == "lambda":
        return _lambda_operation(request.method, request.path)
    return _of_ministack(request)[0].rpartition(":")[2]


def checks_of(request: Request) -> list[Check]:
    """Every check that IAM makes for it, in the order of the request."""
    operation = operation_of(request)
    if request.service == "s3":
        found = call_checks_s3.checks(request.method, request.path, request.headers, request.query, request.body)
        return [Check(action, resource) for action, resource in found]
    if request.service == "dynamodb":
        return _dynamodb(request, operation)
    if request.service == "sqs":
        action = _SQS_BATCHES.get(operation, operation)
        return [Check(f"sqs:{action}", _of_ministack(request)[1])]
    if request.service == "lambda":
        return [Check(f"lambda:{_LAMBDA_ACTIONS.get(operation, operation)}", _function_arn(request))]
    if request.service == "events" and _rule_of(request, operation):
        return [Check(f"events:{operation}", _rule_of(request, operation))]
    action, resource = _of_ministack(request)
    namespace = action.partition(":")[0]
    if operation in _WITHOUT_RESOURCE.get(namespace, ()):
        resource = "*"
    elif request.service == "logs" and operation in _IN_A_LOG_STREAM:
        resource = f"{resource}:log-stream:{request.field('logStreamName')}"
    return [Check(f"{namespace}:{operation}" if operation else action, resource)]


def glue_checks(operation: str, body: Any, *, account: str, region: str) -> list[Check]:
    """As checks_of, for an operation of Glue and its parsed body."""
    body = body if isinstance(body, dict) else {}
    prefix = f"arn:aws:glue:{region}:{account}"
    action = f"glue:{operation}"
    if operation in _GLUE_LISTS:
        return [Check(action, "*")]
    if operation in _GLUE_CONNECTIONS:
        given = body.get("ConnectionInput")
        name = body.get("Name") or body.get("ConnectionName") or (given.get("Name") if isinstance(given, dict) else "")
        # The catalog that a connection is in is checked with it.
        return [Check(action, f"{prefix}:catalog"), Check(action, f"{prefix}:connection/{_text(name) or '*'}")]
    if operation == "BatchGetJobs":
        names = body.get("JobNames")
        return [Check(action, f"{prefix}:job/{_text(name)}") for name in names] if isinstance(names, list) else []
    if "ResourceArn" in body:
        return [Check(action, _text(body["ResourceArn"]))]
    job = _text(body.get("JobName") or body.get("Name"))
    return [Check(action, f"{prefix}:job/{job}" if job else "*")]


def _dynamodb(request: Request, operation: str) -> list[Check]:
    from ministack.core import iam_actions

    # A transaction is no action itself: each of its items is checked as if it came alone.
    items = iam_actions.dynamodb_transaction_checks(
        f"dynamodb:{operation}", request.body, request.region, request.account
    )
    if items:
        return [Check(action, resource) for action, resource in items]
    action = f"dynamodb:{operation}"
    tables = iam_actions.dynamodb_resource_arns(request.body, request.region, request.account)
    return [Check(action, table) for table in tables or [request.field("ResourceArn") or "*"]]


def _rule_of(request: Request, operation: str) -> str:
    """The ARN of the rule that a request names; empty when it names none. On the default bus it has no bus in it."""
    name = request.field("Rule") or (request.field("Name") if operation.endswith("Rule") else "")
    bus = request.field("EventBusName").rpartition("/")[2]
    path = name if bus in ("", "default") else f"{bus}/{name}"
    return f"arn:aws:events:{request.region}:{request.account}:rule/{path}" if name else ""


def _function_arn(request: Request) -> str:
    arn = _of_ministack(request)[1]
    if arn == "*" and request.path.rstrip("/").endswith("/functions") and request.field("FunctionName"):
        return f"arn:aws:lambda:{request.region}:{request.account}:function:{request.field('FunctionName')}"
    qualifier = (request.query.get("Qualifier") or [""])[0]
    return f"{arn}:{qualifier}" if qualifier and arn.count(":") == 6 else arn


def _lambda_operation(method: str, path: str) -> str:
    """ministack's own answer for Lambda knows one action a path, and few of them."""
    fitting = [
        (specificity, name)
        for route_method, route, name, specificity, _ in _lambda_routes()
        if route_method == method and route.match(path.rstrip("/"))
    ]
    return max(fitting)[1] if fitting else ""


@cache
def _lambda_routes() -> list[Any]:
    from ministack.core import iam_actions

    return list(iam_actions._load_botocore_routes("lambda"))


def _of_ministack(request: Request) -> tuple[str, str]:
    """(action, resource) as ministack has them; an action that it does not know is made of the service's name."""
    from ministack.core import iam_actions

    given = (request.service, request.method, request.path, dict(request.headers), request.body, dict(request.query))
    action = iam_actions.extract_iam_action(*given) or f"{request.service}:"
    try:
        resource = iam_actions.extract_resource_arn(*given, request.region, request.account)
    except Exception:
        # It is made for requests that are well formed, and this one may be anything.
        resource = "*"
    return action, unquote(resource)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""
