"""Everything that an account holds, read through the services' own APIs: by no code that a deployment uses."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import ClientError

from ndjctl.aws import Cloud, is_not_found

OF_THE_MOMENT = frozenset(
    {
        *("ResponseMetadata", "CreationDate", "CreationDateTime", "CreateDate", "CreatedOn", "CreatedTimestamp"),
        *("creationTime", "LastModified", "LastModifiedOn", "LastModifiedTimestamp", "LastUpdatedTime"),
        *("AlarmConfigurationUpdatedTimestamp", "StateUpdatedTimestamp", "StateTransitionedTimestamp"),
        *("StateReason", "StateReasonData", "StateValue", "RoleLastUsed", "LastStatus", "LastStatusChangeDateTime"),
        *("LastDecreaseDateTime", "LastIncreaseDateTime", "LastUpdateToPayPerRequestDateTime"),
        *("LatestRestorableDateTime", "EarliestRestorableDateTime", "LastProcessingResult", "Size", "storedBytes"),
        *("ItemCount", "TableSizeBytes", "IndexSizeBytes", "ApproximateNumberOfMessages"),
        *("ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesDelayed"),
    }
)
"""Times, states and counts: of the moment, and not of what was asked for."""

IDS = frozenset({"RevisionId", "UUID", "EventSourceMappingArn", "TableId", "RoleId", "SubscriptionArn"})
"""What a service makes up for each resource. Two accounts differ in them; one resource that stays keeps them."""

Dump = dict[str, Any]
"""'kind/name' -> what the APIs say of it."""


def dump(cloud: Cloud, *, with_ids: bool = False, with_data: bool = False) -> Dump:
    """All resources of the kinds that a deployment makes, with their settings and tags, whoever made them; without
    `with_ids` the account's id is {account}. with_data: also every object, item and message. Records of deployments are
    in it `with_data` alone."""
    found: Dump = {}
    for read in (_buckets, _queues, _tables, _roles, _logs, _glue, _functions, _rules, _topics, _alarms):
        found |= read(cloud)
    if with_data:
        found |= data(cloud)
    left_out = OF_THE_MOMENT if with_ids else OF_THE_MOMENT | IDS
    text = json.dumps(_lasting(found, left_out), sort_keys=True, default=str)
    result: Dump = json.loads(text if with_ids else text.replace(cloud.account_id, "{account}"))
    return result


def different(one: Dump, other: Dump) -> dict[str, tuple[Any, Any]]:
    """What two dumps do not share, by 'kind/name'; to be compared with {}, which shows what it is."""
    return {
        key: (one.get(key, "(not there)"), other.get(key, "(not there)"))
        for key in sorted({*one, *other})
        if one.get(key) != other.get(key)
    }


def data(cloud: Cloud) -> Dump:
    """Every version of every object (its ETag), every item and every message that nobody has taken."""
    s3, dynamodb, sqs = cloud.client("s3"), cloud.client("dynamodb"), cloud.client("sqs")
    found: Dump = {}
    for bucket in s3.list_buckets()["Buckets"]:
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket["Name"]):
            for each in (*page.get("Versions", []), *page.get("DeleteMarkers", [])):
                found[f"object/{bucket['Name']}/{each['Key']}@{each['VersionId']}"] = each.get("ETag", "deleted")
    for table in dynamodb.list_tables()["TableNames"]:
        found[f"items/{table}"] = sorted(dynamodb.scan(TableName=table)["Items"], key=str)
    for url in sqs.list_queues().get("QueueUrls", []):
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
        found[f"messages/{url.rsplit('/', 1)[-1]}"] = sum(int(count) for count in counts.values())
    return found


def _lasting(value: Any, left_out: frozenset[str]) -> Any:
    if isinstance(value, Mapping):
        return {key: _lasting(inner, left_out) for key, inner in value.items() if key not in left_out}
    if isinstance(value, (list, tuple)):
        return [_lasting(inner, left_out) for inner in value]
    return value


def _or_none(call: Callable[..., Any], /, **arguments: Any) -> Any:
    try:
        answer = call(**arguments)
    except ClientError as error:
        if not is_not_found(error):
            raise
        return None
    return {key: value for key, value in answer.items() if key != "ResponseMetadata"}


def _document(text: str | None) -> Any:
    """A policy as data, so that two spellings of it are one."""
    return json.loads(text) if text else text


def _buckets(cloud: Cloud) -> Dump:
    s3 = cloud.client("s3")
    found: Dump = {}
    for bucket in s3.list_buckets()["Buckets"]:
        name = bucket["Name"]
        settings = {
            about: _or_none(getattr(s3, f"get_{about}"), Bucket=name)
            for about in (
                "public_access_block",
                "bucket_encryption",
                "bucket_ownership_controls",
                "bucket_policy",
                "bucket_lifecycle_configuration",
                "bucket_tagging",
                "bucket_versioning",
                "bucket_notification_configuration",
            )
        }
        if settings["bucket_policy"]:
            settings["bucket_policy"] = _document(settings["bucket_policy"]["Policy"])
        if settings["bucket_tagging"]:
            settings["bucket_tagging"] = sorted(settings["bucket_tagging"]["TagSet"], key=str)
        if settings["bucket_lifecycle_configuration"]:
            settings["bucket_lifecycle_configuration"]["Rules"].sort(key=str)
        keys = [each["Key"] for each in s3.list_objects_v2(Bucket=name).get("Contents", [])]
        code = {key: s3.head_object(Bucket=name, Key=key)["ETag"] for key in keys if key.endswith((".zip", ".py"))}
        found[f"bucket/{name}"] = {**settings, "code": code}
    return found


def _queues(cloud: Cloud) -> Dump:
    sqs = cloud.client("sqs")
    found: Dump = {}
    for url in sqs.list_queues().get("QueueUrls", []):
        attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
        documents = {about: _document(attributes.get(about)) for about in ("Policy", "RedrivePolicy")}
        tags = sqs.list_queue_tags(QueueUrl=url).get("Tags", {})
        found[f"queue/{url.rsplit('/', 1)[-1]}"] = {**attributes, **documents, "Tags": tags}
    return found


def _tables(cloud: Cloud) -> Dump:
    dynamodb = cloud.client("dynamodb")
    found: Dump = {}
    for name in dynamodb.list_tables()["TableNames"]:
        table = dynamodb.describe_table(TableName=name)["Table"]
        table["AttributeDefinitions"] = sorted(table["AttributeDefinitions"], key=str)
        found[f"table/{name}"] = {
            "table": table,
            "ttl": dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"],
            "backups": dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"],
            "tags": sorted(dynamodb.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"], key=str),
        }
    return found


def _roles(cloud: Cloud) -> Dump:
    iam = cloud.client("iam")
    found: Dump = {}
    for role in iam.list_roles()["Roles"]:
        name = role["RoleName"]
        inline = iam.list_role_policies(RoleName=name)["PolicyNames"]
        found[f"role/{name}"] = {
            "role": iam.get_role(RoleName=name)["Role"],
            "inline": {each: iam.get_role_policy(RoleName=name, PolicyName=each)["PolicyDocument"] for each in inline},
            "attached": iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"],
            "tags": sorted(iam.list_role_tags(RoleName=name)["Tags"], key=str),
        }
    return found


def _logs(cloud: Cloud) -> Dump:
    logs = cloud.client("logs")
    found: Dump = {}
    for group in logs.describe_log_groups()["logGroups"]:
        arn = f"arn:aws:logs:{cloud.region}:{cloud.account_id}:log-group:{group['logGroupName']}"
        tags = logs.list_tags_for_resource(resourceArn=arn).get("tags", {})
        found[f"log-group/{group['logGroupName']}"] = {**group, "tags": tags}
    return found


def _glue(cloud: Cloud) -> Dump:
    glue = cloud.client("glue")
    found: Dump = {}
    for name in glue.list_jobs()["JobNames"]:
        arn = f"arn:aws:glue:{cloud.region}:{cloud.account_id}:job/{name}"
        found[f"job/{name}"] = {**glue.get_job(JobName=name)["Job"], "Tags": glue.get_tags(ResourceArn=arn)["Tags"]}
    return found


def _functions(cloud: Cloud) -> Dump:
    """An alias is what it points at: the number of its version is made up by the service."""
    lambda_ = cloud.client("lambda")
    found: Dump = {}
    for function in lambda_.list_functions()["Functions"]:
        name = function["FunctionName"]
        whole = lambda_.get_function(FunctionName=name)
        aliases = {}
        for alias in lambda_.list_aliases(FunctionName=name)["Aliases"]:
            version = lambda_.get_function_configuration(FunctionName=name, Qualifier=alias["Name"])
            policy = _or_none(lambda_.get_policy, FunctionName=name, Qualifier=alias["Name"]) or {}
            aliases[alias["Name"]] = {
                "version": {key: version[key] for key in version if key not in ("Version", "FunctionArn")},
                "policy": sorted(_document(policy.get("Policy", "{}")).get("Statement", []), key=str),
                "weights": alias.get("RoutingConfig", {}).get("AdditionalVersionWeights", {}),
            }
        found[f"function/{name}"] = {
            "configuration": whole["Configuration"],
            "concurrency": whole.get("Concurrency"),
            "tags": whole.get("Tags", {}),
            "aliases": aliases,
        }
    for mapping in lambda_.list_event_source_mappings()["EventSourceMappings"]:
        found.setdefault(f"mapping/{mapping['EventSourceArn'].rsplit(':', 1)[-1]}", []).append(mapping)
    return found


def _rules(cloud: Cloud) -> Dump:
    events = cloud.client("events")
    found: Dump = {}
    for rule in events.list_rules()["Rules"]:
        found[f"rule/{rule['Name']}"] = {
            "rule": events.describe_rule(Name=rule["Name"]),
            "targets": sorted(events.list_targets_by_rule(Rule=rule["Name"])["Targets"], key=str),
            "tags": sorted(events.list_tags_for_resource(ResourceARN=rule["Arn"])["Tags"], key=str),
        }
    return found


def _topics(cloud: Cloud) -> Dump:
    sns = cloud.client("sns")
    found: Dump = {}
    for topic in sns.list_topics()["Topics"]:
        arn = topic["TopicArn"]
        attributes = sns.get_topic_attributes(TopicArn=arn)["Attributes"]
        found[f"topic/{arn.rsplit(':', 1)[-1]}"] = {
            **attributes,
            "Policy": _document(attributes.get("Policy")),
            "subscriptions": sns.list_subscriptions_by_topic(TopicArn=arn)["Subscriptions"],
            "tags": sorted(sns.list_tags_for_resource(ResourceArn=arn)["Tags"], key=str),
        }
    return found


def _alarms(cloud: Cloud) -> Dump:
    cloudwatch = cloud.client("cloudwatch")
    found: Dump = {}
    for alarm in cloudwatch.describe_alarms()["MetricAlarms"]:
        tags = cloudwatch.list_tags_for_resource(ResourceARN=alarm["AlarmArn"])["Tags"]
        dimensions = sorted(alarm.get("Dimensions", []), key=str)
        found[f"alarm/{alarm['AlarmName']}"] = {**alarm, "Dimensions": dimensions, "tags": sorted(tags, key=str)}
    for board in cloudwatch.list_dashboards()["DashboardEntries"]:
        body = cloudwatch.get_dashboard(DashboardName=board["DashboardName"])["DashboardBody"]
        found[f"dashboard/{board['DashboardName']}"] = _document(body)
    return found
