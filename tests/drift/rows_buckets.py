"""Rows about buckets and what they tell the queue."""

from __future__ import annotations

from tests.drift.hands import Hands
from tests.drift.row import row

INPUT, MANIFESTS, NOTIFICATION = (
    "bucket/{n.input_bucket}",
    "bucket/{n.manifest_bucket}",
    "notification/{n.input_bucket}",
)
RULES, NOTIFY = "s3:PutBucketLifecycleConfiguration", "s3:PutBucketNotificationConfiguration"
BLOCKED = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


def block(hands: Hands, **flags: bool) -> None:
    hands.s3.put_public_access_block(
        Bucket=hands.names.input_bucket,
        PublicAccessBlockConfiguration={**dict.fromkeys(BLOCKED, True), **flags},
    )


def encrypt(hands: Hands, algorithm: str) -> None:
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": algorithm}, "BucketKeyEnabled": False}
    hands.s3.put_bucket_encryption(Bucket=hands.names.input_bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})


def suffixes(hands: Hands, **rules: str) -> None:
    filter_rules = [{"Name": name, "Value": value} for name, value in rules.items()]
    hands.notify(lambda queues: queues["ndjctl-file-events"].update(Filter={"Key": {"FilterRules": filter_rules}}))


ROWS = [
    row(
        "one public access block off",
        INPUT,
        "PublicAccessBlock.BlockPublicPolicy",
        "s3:PutPublicAccessBlock",
        lambda h: block(h, BlockPublicPolicy=False),
    ),
    row(
        "public access block removed",
        INPUT,
        tuple(f"PublicAccessBlock.{flag}" for flag in BLOCKED),
        "s3:PutPublicAccessBlock",
        lambda h: h.s3.delete_public_access_block(Bucket=h.names.input_bucket),
    ),
    row("encryption", INPUT, "Encryption.SSEAlgorithm", "s3:PutBucketEncryption", lambda h: encrypt(h, "aws:kms")),
    row(
        "ownership",
        INPUT,
        "ObjectOwnership",
        "s3:PutBucketOwnershipControls",
        lambda h: h.s3.put_bucket_ownership_controls(
            Bucket=h.names.input_bucket, OwnershipControls={"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
        ),
    ),
    row(
        "bucket's statement",
        INPUT,
        "Policy.NdjctlTlsOnly.Action",
        "s3:PutBucketPolicy",
        lambda h: h.bucket_policy(h.names.input_bucket, lambda s: s["NdjctlTlsOnly"].update(Action="s3:PutObject")),
    ),
    row(
        "bucket's statement removed",
        INPUT,
        "Policy.NdjctlTlsOnly",
        "s3:PutBucketPolicy",
        lambda h: h.bucket_policy(h.names.input_bucket, lambda s: s.pop("NdjctlTlsOnly")),
    ),
    row(
        "bucket's tag",
        MANIFESTS,
        "Tags.team",
        "s3:PutBucketTagging",
        lambda h: h.s3.put_bucket_tagging(
            Bucket=h.names.manifest_bucket,
            Tagging={
                "TagSet": [
                    tag
                    for tag in h.s3.get_bucket_tagging(Bucket=h.names.manifest_bucket)["TagSet"]
                    if tag["Key"] != "team"
                ]
            },
        ),
    ),
    row(
        "lifecycle rule with other days",
        MANIFESTS,
        "Lifecycle.ndjctl-manifests.Expiration.Days",
        RULES,
        lambda h: h.lifecycle(h.names.manifest_bucket, lambda r: r["ndjctl-manifests"]["Expiration"].update(Days=8)),
    ),
    row(
        "lifecycle rule about more",
        MANIFESTS,
        "Lifecycle.ndjctl-manifests.Prefix",
        RULES,
        lambda h: h.lifecycle(h.names.manifest_bucket, lambda r: r["ndjctl-manifests"].update(Filter={"Prefix": ""})),
    ),
    row(
        "lifecycle rule off",
        MANIFESTS,
        "Lifecycle.ndjctl-unfinished-uploads.Status",
        RULES,
        lambda h: h.lifecycle(
            h.names.manifest_bucket, lambda r: r["ndjctl-unfinished-uploads"].update(Status="Disabled")
        ),
    ),
    row(
        "lifecycle rule removed",
        MANIFESTS,
        "Lifecycle.ndjctl-temporary",
        RULES,
        lambda h: h.lifecycle(h.names.manifest_bucket, lambda r: r.pop("ndjctl-temporary")),
    ),
    row(
        "lifecycle rule that must not be there",
        "bucket/{n.quarantine_bucket}",
        "Lifecycle.ndjctl-quarantine",
        RULES,
        lambda h: h.lifecycle(
            h.names.quarantine_bucket,
            lambda r: r.update(
                x={"ID": "ndjctl-quarantine", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 1}}
            ),
        ),
    ),
    row("notification removed", NOTIFICATION, "", NOTIFY, lambda h: h.notify(lambda q: q.pop("ndjctl-file-events"))),
    row(
        "other events",
        NOTIFICATION,
        "Events",
        NOTIFY,
        lambda h: h.notify(lambda q: q["ndjctl-file-events"].update(Events=["s3:ObjectCreated:Put"])),
    ),
    row("other suffix", NOTIFICATION, "Filter.suffix", NOTIFY, lambda h: suffixes(h, Suffix=".json")),
    row(
        "a prefix as well", NOTIFICATION, "Filter.prefix", NOTIFY, lambda h: suffixes(h, Suffix=".ndjson", Prefix="in/")
    ),
    row(
        "other queue",
        NOTIFICATION,
        "QueueArn",
        NOTIFY,
        lambda h: h.notify(lambda q: q["ndjctl-file-events"].update(QueueArn=h.arn("sqs", "theirs"))),
    ),
]
