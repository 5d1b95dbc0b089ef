"""Code that no deployment worth returning to uses: marked, so that a lifecycle rule removes it after some time.

By its age alone nothing can be told: what was uploaded a year ago may be what is live.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from botocore.exceptions import ClientError

from ndjctl.aws import is_not_found, told
from ndjctl.bundles import Code
from ndjctl.deploy.history import Deployment, History
from ndjctl.deploy.kinds.base import Aws, tag_map
from ndjctl.deploy.model import RETIRED_TAG
from ndjctl.errors import NdjctlError

KEPT_DEPLOYMENTS = 10
"""Deployments that were done, whose code stays to be returned to, besides that of the newest."""

MOST_LOOKED_AT = 300
"""Files of old code that are looked at after a deployment; older ones are those of deployments before."""


@dataclass(frozen=True)
class Retirement:
    """How many files were marked, and one sentence where something kept it from that."""

    files: int = 0
    remark: str = ""


def retire(aws: Aws, history: History, current: Code, environment: str) -> Retirement:
    """Marks every file of code in this stack's folder of the scripts bucket that neither `current` nor the last
    KEPT_DEPLOYMENTS deployments of the history use, whichever environment they were of. What AWS refuses is told, and
    not raised: the deployment is done."""
    count = 0
    try:
        for key in _unused(aws, history, current):
            count += _mark(aws, key)
    except NdjctlError as error:
        return Retirement(count, str(error))
    except Exception as error:
        sentence = told(error, environment)
        if sentence is None:
            raise
        return Retirement(count, str(sentence))
    return Retirement(count)


def _unused(aws: Aws, history: History, current: Code) -> list[str]:
    """Keys of code that nobody uses, the newest first; none while there is a deployment that nobody can read."""
    folder = re.compile(re.escape(aws.names.stack) + r"/([0-9a-f]{16})/[^/]+")
    files = [(found.group(1), each) for each in _files(aws) if (found := folder.fullmatch(each["Key"]))]
    used = _folders(current)
    if all(digest in used for digest, _ in files):
        return []
    used |= {digest for deployment in _kept(history) for digest in _folders(deployment.code)}
    unused = [each for digest, each in files if digest not in used]
    unused.sort(key=lambda each: each["LastModified"], reverse=True)
    return [str(each["Key"]) for each in unused[:MOST_LOOKED_AT]]


def _files(aws: Aws) -> Iterator[Mapping[str, Any]]:
    pages = aws.client("s3").get_paginator("list_objects_v2")
    for page in pages.paginate(Bucket=aws.names.scripts_bucket, Prefix=f"{aws.names.stack}/"):
        yield from page.get("Contents", [])


def _folders(code: Code) -> set[str]:
    """As desired/common.py names them."""
    return {bundle.digest[:16] for bundle in (code.function, code.job)}


def _kept(history: History) -> Iterator[Deployment]:
    """The last deployments that were done, and those between them that were not: they may be under way. Raises
    UsageError for one that cannot be read: nobody knows what it uses."""
    done = 0
    for id_ in history.ids():
        deployment = history.get(id_)
        yield deployment
        done += deployment.result == "done" and deployment.command != "destroy"
        if done > KEPT_DEPLOYMENTS:  # one is that which is being finished
            return


def _mark(aws: Aws, key: str) -> bool:
    """Whether it had no mark yet and has one now. It is copied onto itself for that: S3 counts the days of a lifecycle
    rule from when an object was written, and it may have been written long ago."""
    s3, bucket = aws.client("s3"), aws.names.scripts_bucket
    try:
        tags = tag_map(s3.get_object_tagging(Bucket=bucket, Key=key)["TagSet"])
        if RETIRED_TAG in tags:
            return False
        s3.copy_object(
            Bucket=bucket,
            Key=key,
            CopySource={"Bucket": bucket, "Key": key},
            MetadataDirective="REPLACE",  # S3 copies nothing onto itself that stays as it is
            Metadata={"ndjctl-retired": f"{aws.clock():%Y-%m-%dT%H:%M:%SZ}"},
            TaggingDirective="REPLACE",
            Tagging=urlencode({**tags, RETIRED_TAG: "true"}),
        )
    except ClientError as error:
        if not is_not_found(error):  # the rule was quicker
            raise
        return False
    return True
