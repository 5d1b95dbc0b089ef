"""A client of one process: every call of it is where others have their turn, and where faults happen."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from botocore.exceptions import ClientError

from tests.lambda_model import client_error
from tests.simulator import faults
from tests.simulator.actors import Broken, Death, Process, Scheduler
from tests.simulator.faults import Fault, Faults
from tests.simulator.s3 import PAGINATED

Record = Callable[[Process, str, str], None]
"""Told of every call: the process, its name, and what became of it."""


class Client:
    """service: s3, dynamodb, glue or cloudwatch. model: what does the work. process: whose call it is."""

    def __init__(
        self, service: str, model: Any, scheduler: Scheduler, process: Process, chosen: Faults, record: Record
    ) -> None:
        self._service, self._model, self._scheduler = service, model, scheduler
        self._process, self._faults, self._record = process, chosen, record

    @property
    def meta(self) -> Any:
        return self._model.meta

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        if operation.startswith("_"):
            raise AttributeError(operation)
        return lambda **kwargs: self._call(operation, kwargs)

    def get_paginator(self, operation: str) -> _Paginator:
        return _Paginator(self, operation)

    def copy(
        self, CopySource: Any, Bucket: str, Key: str, ExtraArgs: dict[str, Any] | None = None, Config: Any = None
    ) -> None:
        """boto3's managed copy: looks at the object first, and copies a large one in parts."""
        given = {name: value for name, value in (ExtraArgs or {}).items() if name == "CopySourceIfMatch"}
        condition = {"IfMatch": given["CopySourceIfMatch"]} if given else {}
        size = self.head_object(**CopySource, **condition)["ContentLength"]
        target = {"Bucket": Bucket, "Key": Key}
        part_bytes = Config.multipart_threshold
        if size < part_bytes:
            self.copy_object(**target, CopySource=CopySource, **given)
            return
        upload = {**target, "UploadId": self.create_multipart_upload(**target)["UploadId"]}
        parts = []
        try:
            for number, start in enumerate(range(0, size, part_bytes), 1):
                last = min(start + part_bytes, size) - 1
                answer = self.upload_part_copy(
                    **upload, PartNumber=number, CopySource=CopySource, CopySourceRange=f"bytes={start}-{last}", **given
                )
                parts.append({"PartNumber": number, "ETag": answer["CopyPartResult"]["ETag"]})
            self.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
        except ClientError:
            self.abort_multipart_upload(**upload)
            raise

    def _call(self, operation: str, kwargs: dict[str, Any]) -> Any:
        process, name = self._process, f"{self._service}.{operation}"
        if process.is_dead:
            raise Death
        act = getattr(self._model, operation, None)
        if act is None:
            raise Broken(f"the simulator does not model {name}")
        process.calls += 1
        fault = self._faults.of_call(process.name, process.calls, name) or Fault("")
        process.pause(self._faults.latency_s() + (fault.seconds if fault.kind == faults.SLOW_BEFORE else 0.0))
        outcome = "died"
        try:
            answer = self._effect(process, act, operation, kwargs, fault)
            outcome = fault.kind or "done"
            return answer
        except ClientError as error:
            outcome = f"{fault.kind or 'refused'}: {error.response['Error']['Code']}"
            raise
        except (Death, Broken):
            raise
        except Exception as error:
            raise Broken(f"{name}: {type(error).__name__}: {error}") from error
        finally:
            self._record(process, name, outcome)

    def _effect(self, process: Process, act: Any, operation: str, kwargs: dict[str, Any], fault: Fault) -> Any:
        kind = fault.kind
        if kind == faults.DEATH_BEFORE:
            self._die(process)
        if kind == faults.ERROR_BEFORE:
            raise client_error(fault.code, operation, _status(fault.code))
        if kind == faults.CONFLICT:
            codes = ["None"] * len(kwargs["TransactItems"])
            codes[-1] = "TransactionConflict"
            reasons = [{"Code": code} for code in codes]
            raise client_error("TransactionCanceledException", operation, CancellationReasons=reasons)
        try:
            answer = act(**kwargs)
        except ClientError:
            if kind == faults.DEATH_AFTER:
                self._die(process)
            raise
        if kind == faults.DEATH_AFTER:
            self._die(process)
        if kind == faults.ERROR_AFTER:
            raise client_error(fault.code, operation, _status(fault.code))
        if kind == faults.SENT_TWICE and operation != "transact_write_items":
            # boto3 sends again what it got no answer to, and hears of the second time alone. A transaction carries a
            # token of the client's and is applied once.
            process.pause(0.05)
            answer = act(**kwargs)
        if kind == faults.SLOW_AFTER:
            process.pause(fault.seconds)
        return answer

    @staticmethod
    def _die(process: Process) -> None:
        process.kill()
        raise Death


def _status(code: str) -> int:
    if code == "SlowDown":
        return 503
    return 500 if code.startswith("Internal") else 400


class _Paginator:
    def __init__(self, client: Client, operation: str) -> None:
        self._client, self._operation = client, operation

    def paginate(self, **request: Any) -> Iterator[dict[str, Any]]:
        while True:
            answer = getattr(self._client, self._operation)(**request)
            yield answer
            if not answer["IsTruncated"]:
                return
            for theirs, ours in PAGINATED[self._operation].items():
                request[ours] = answer[theirs]
