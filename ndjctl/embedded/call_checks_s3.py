"""What IAM would check for a request to S3. Keys are taken as they are: `a//b/` is a key."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote

Query = Mapping[str, list[str]]

_OBJECT = {"GET": "GetObject", "HEAD": "HeadObject", "PUT": "PutObject", "DELETE": "DeleteObject"}
_BUCKET = {"GET": "ListObjects", "HEAD": "HeadBucket", "PUT": "CreateBucket", "DELETE": "DeleteBucket"}

# (method, is an object) -> query parameter -> operation; the first that is there counts.
_SUB_OPERATIONS: dict[tuple[str, bool], dict[str, str]] = {
    ("POST", True): {"uploads": "CreateMultipartUpload", "uploadId": "CompleteMultipartUpload"},
    ("PUT", True): {"uploadId": "UploadPart", "tagging": "PutObjectTagging"},
    ("GET", True): {"uploadId": "ListParts", "tagging": "GetObjectTagging", "attributes": "GetObjectAttributes"},
    ("DELETE", True): {"uploadId": "AbortMultipartUpload", "tagging": "DeleteObjectTagging"},
    ("POST", False): {"delete": "DeleteObjects"},
    ("GET", False): {
        "list-type": "ListObjectsV2",
        "versions": "ListObjectVersions",
        "uploads": "ListMultipartUploads",
    },
}


def operation(method: str, path: str, headers: Mapping[str, str], query: Query) -> str:
    """The name that the API has for a request: `UploadPartCopy`; that of the action where it has no short rule."""
    bucket, key = _split(path)
    if not bucket:
        return "ListBuckets"
    if method == "PUT" and key and "x-amz-copy-source" in headers:
        return "UploadPartCopy" if "uploadId" in query else "CopyObject"
    for parameter, name in _SUB_OPERATIONS.get((method, bool(key)), {}).items():
        if parameter in query:
            return name
    action = _action(method, bucket, key, query)
    plain = _action(method, bucket, key, {})
    if action != plain:
        return action  # a subresource
    return (_OBJECT if key else _BUCKET).get(method, action)


def checks(method: str, path: str, headers: Mapping[str, str], query: Query, body: bytes) -> list[tuple[str, str]]:
    """(action, resource) of every check, in order."""
    bucket, key = _split(path)
    if not bucket:
        return [("s3:ListAllMyBuckets", "*")]
    arn = f"arn:aws:s3:::{bucket}"
    if not key:
        if method == "POST" and "delete" in query:
            return _deletions(bucket, body)
        return [(f"s3:{_action(method, bucket, key, query)}", arn)]
    found = [(f"s3:{_action(method, bucket, key, query)}", f"{arn}/{key}")]
    name = operation(method, path, headers, query)
    if name in ("CopyObject", "UploadPartCopy"):
        found = [*_of_source(headers, takes_tags=name == "CopyObject"), *found]
    if name in ("PutObject", "CopyObject", "CreateMultipartUpload"):
        found += [
            (f"s3:{action}", f"{arn}/{key}")
            for header, action in (("x-amz-tagging", "PutObjectTagging"), ("x-amz-acl", "PutObjectAcl"))
            if header in headers
        ]
    if name == "GetObjectAttributes":
        found.append(("s3:GetObject", f"{arn}/{key}"))
    return found


def _split(path: str) -> tuple[str, str]:
    bucket, _, key = path.removeprefix("/").partition("/")
    return bucket, key


def _action(method: str, bucket: str, key: str, query: Query) -> str:
    from ministack.core import iam_actions

    # It counts the parts of the path, and takes empty ones for none.
    shape = f"/{bucket}/key" if key else f"/{bucket}"
    return str(iam_actions._s3_action(method, shape, dict(query)) or "")


def _of_source(headers: Mapping[str, str], *, takes_tags: bool) -> list[tuple[str, str]]:
    source, _, version = unquote_source(headers["x-amz-copy-source"])
    arn = f"arn:aws:s3:::{source}"
    suffix = "Version" if version else ""
    found = [(f"s3:GetObject{suffix}", arn)]
    # Tags are copied unless others are given; IAM asks for them where the object has any, which is not known here.
    if takes_tags and headers.get("x-amz-tagging-directive", "COPY").upper() != "REPLACE":
        found.append((f"s3:GetObject{suffix}Tagging", arn))
    return found


def unquote_source(header: str) -> tuple[str, str, str]:
    """(bucket/key, `?` or empty, version id) of x-amz-copy-source. A `?` of the key itself comes encoded."""
    path, mark, query = header.partition("?")
    version = next((pair[len("versionId=") :] for pair in query.split("&") if pair.startswith("versionId=")), "")
    return unquote(path).removeprefix("/"), mark, version


def _deletions(bucket: str, body: bytes) -> list[tuple[str, str]]:
    from ministack.core import iam_actions

    return [
        ("s3:DeleteObjectVersion" if version else "s3:DeleteObject", arn)
        for arn, version in iam_actions._s3_batch_delete_targets(bucket, body)
    ]
