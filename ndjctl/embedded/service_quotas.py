"""Service Quotas: what the embedded cloud enforces, asked of those who enforce it, under AWS's names and codes."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

from ndjctl.embedded.forward import Answer
from ndjctl.embedded.glue.errors import SERIALIZATION, UNKNOWN_OPERATION, GlueError
from ndjctl.embedded.glue.validation import RequestValidator
from ndjctl.embedded.quotas import QUOTAS, Quota

_SERVICES = {"glue": "AWS Glue", "lambda": "AWS Lambda"}
_PAGE = 100
_NO_SUCH = "NoSuchResourceException"

Values = Callable[[], Mapping[str, float]]
"""The limits in force, by their codes. May block for as long as it takes to ask. Raises OSError when nobody answers."""


class ServiceQuotas:
    """The handler that ministack is given for Service Quotas. place: (account, region) of the request being served."""

    def __init__(self, values: Values, place: Callable[[], tuple[str, str]]) -> None:
        self._values = values
        self._place = place
        self._validator: RequestValidator | None = None
        self._handlers = {
            "ListServiceQuotas": self._list,
            "GetServiceQuota": self._get,
            "ListAWSDefaultServiceQuotas": self._list_defaults,
            "GetAWSDefaultServiceQuota": self._get_default,
        }

    async def handle_request(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes, query_params: Mapping[str, Any]
    ) -> Answer:
        """(status, headers, body) of the answer; an error is one with the name that AWS has for it."""
        operation = headers.get("x-amz-target", "").rpartition(".")[2]
        account, region = self._place()
        try:
            handler = self._handlers.get(operation)
            if handler is None:
                raise GlueError(UNKNOWN_OPERATION, f"the embedded Service Quotas do not offer {operation}")
            request = self._checked(operation, body)
            document = await asyncio.to_thread(handler, request, account, region)
        except GlueError as error:
            return _answer(400, {"__type": error.code, "message": error.message})
        except OSError as error:
            return _answer(
                500, {"__type": "ServiceException", "message": f"the embedded Glue does not answer: {error}"}
            )
        return _answer(200, document)

    def _checked(self, operation: str, body: bytes) -> dict[str, Any]:
        if self._validator is None:
            import botocore.session

            self._validator = RequestValidator(botocore.session.Session().get_service_model("service-quotas"))
        try:
            request = json.loads(body or b"{}")
        except ValueError as error:
            raise GlueError(SERIALIZATION, f"the body is not JSON: {error}") from error
        return self._validator.check(operation, request)

    def _list(self, request: dict[str, Any], account: str, region: str) -> dict[str, Any]:
        quotas, token = _page(request)
        values = self._values()
        return {"Quotas": [_shown(quota, values[quota.code], account, region) for quota in quotas], **token}

    def _get(self, request: dict[str, Any], account: str, region: str) -> dict[str, Any]:
        quota = _quota(request)
        return {"Quota": _shown(quota, self._values()[quota.code], account, region)}

    def _list_defaults(self, request: dict[str, Any], account: str, region: str) -> dict[str, Any]:
        quotas, token = _page(request)
        return {"Quotas": [_shown(quota, quota.default, "", region) for quota in quotas], **token}

    def _get_default(self, request: dict[str, Any], account: str, region: str) -> dict[str, Any]:
        quota = _quota(request)
        return {"Quota": _shown(quota, quota.default, "", region)}


def _of_service(request: Mapping[str, Any]) -> list[Quota]:
    service = request["ServiceCode"]
    if service not in _SERVICES:
        raise GlueError(_NO_SUCH, f"the embedded cloud has no quotas of {service}: {', '.join(_SERVICES)} have some")
    return [quota for quota in QUOTAS if quota.service == service]


def _quota(request: Mapping[str, Any]) -> Quota:
    for quota in _of_service(request):
        if quota.code == request["QuotaCode"]:
            return quota
    raise GlueError(_NO_SUCH, f"{request['ServiceCode']} has no quota {request['QuotaCode']} in the embedded cloud")


def _page(request: Mapping[str, Any]) -> tuple[list[Quota], dict[str, str]]:
    quotas = _of_service(request)
    start = 0
    if "NextToken" in request:
        # The last code of the page before, in the letters that the model allows.
        codes = [base64.b64encode(quota.code.encode()).decode() for quota in quotas]
        if request["NextToken"] not in codes:
            raise GlueError("InvalidPaginationTokenException", "NextToken is none that this operation returned")
        start = codes.index(request["NextToken"]) + 1
    end = start + request.get("MaxResults", _PAGE)
    token = {"NextToken": base64.b64encode(quotas[end - 1].code.encode()).decode()} if end < len(quotas) else {}
    return quotas[start:end], token


def _shown(quota: Quota, value: float, account: str, region: str) -> dict[str, Any]:
    return {
        "ServiceCode": quota.service,
        "ServiceName": _SERVICES[quota.service],
        "QuotaArn": f"arn:aws:servicequotas:{region}:{account}:{quota.service}/{quota.code}",
        "QuotaCode": quota.code,
        "QuotaName": quota.name,
        "Description": quota.description,
        "Value": float(value),
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
        "QuotaAppliedAtLevel": "ACCOUNT",
    }


def _answer(status: int, document: Mapping[str, Any]) -> Answer:
    return status, {"Content-Type": "application/x-amz-json-1.1"}, json.dumps(document).encode()
