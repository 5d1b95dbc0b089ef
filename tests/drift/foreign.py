"""What others have put into the environment's resources, and how AWS gives it back: it must never change."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from tests.drift.hands import Hands

TAG = {"cost-centre": "4711"}
AS_LIST = [{"Key": key, "Value": value} for key, value in TAG.items()]
BARE = {"Effect": "Allow", "Principal": {"AWS": "999999999999"}, "Action": "s3:GetObject", "Resource": "*"}
RULE = "ndjctl-theirs"
"""A lifecycle rule whose id begins as ours do: that alone makes it none of ours."""
SETTINGS = ("function.keep_variables=[THEIRS_*]",)
"""What a profile has to say so that a variable of others is kept."""


def put_foreign(hands: Hands) -> None:
    """Everything that somebody else may have in an environment, all of it at once."""
    names = hands.names
    _tag(hands)
    hands.vary(THEIRS_TOKEN="secret")
    hands.configure(Description="theirs")
    hands.point(FunctionVersion=hands.lambda_.publish_version(FunctionName=names.function)["Version"])
    hands.redefine(Description="theirs")
    hands.argue(theirs="1")
    hands.set_queue(names.queue, DelaySeconds="3")
    hands.queue_policy(lambda statements: statements.update(theirs=_queue_statement(hands)))
    for bucket in names.buckets:
        statement = {**BARE, "Resource": f"arn:aws:s3:::{bucket}/theirs/*"}  # without a Sid
        hands.put_first(bucket, statement)
        rule = {"ID": RULE, "Status": "Enabled", "Filter": {"Prefix": "theirs/"}, "Expiration": {"Days": 9}}
        hands.lifecycle(bucket, lambda rules, mine=rule: rules.update(theirs=mine))
    hands.sqs.create_queue(QueueName="theirs")
    theirs = {"Id": "theirs", "QueueArn": hands.arn("sqs", "theirs"), "Events": ["s3:ObjectRemoved:*"]}
    hands.notify(lambda queues: queues.update(theirs=theirs))
    index = {
        "IndexName": "theirs",
        "KeySchema": [{"AttributeName": "batch_id", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "KEYS_ONLY"},
    }
    hands.table(
        AttributeDefinitions=[{"AttributeName": "batch_id", "AttributeType": "S"}],
        GlobalSecondaryIndexUpdates=[{"Create": index}],
    )
    document = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "s3:*", "Resource": "*"}]}
    for role in (names.function_role, names.job_role):
        hands.iam.put_role_policy(RoleName=role, PolicyName="theirs", PolicyDocument=json.dumps(document))
        managed = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"
        hands.iam.attach_role_policy(RoleName=role, PolicyArn=managed)
    for rule_name in (names.sweep_rule, names.run_state_rule):
        target = {"Id": "theirs", "Arn": hands.arn("sqs", "theirs"), "Input": '{"a":1}'}
        hands.events.put_targets(Rule=rule_name, Targets=[target])
    hands.topic_policy(lambda statements: statements.update(theirs=_topic_statement(hands)))
    topic = hands.arn("sns", names.alarm_topic)
    hands.sns.subscribe(TopicArn=topic, Protocol="email", Endpoint="theirs@example.com")
    hands.alarm("dead-letters", InsufficientDataActions=[hands.arn("sns", "theirs")])
    hands.lambda_.add_permission(
        FunctionName=names.function,
        Qualifier="live",
        StatementId="theirs",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
    )


def _tag(hands: Hands) -> None:
    names = hands.names
    for bucket in names.buckets:
        there = hands.s3.get_bucket_tagging(Bucket=bucket)["TagSet"]
        hands.s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": [*there, *AS_LIST]})
    for queue in (names.queue, names.dead_letter_queue):
        hands.sqs.tag_queue(QueueUrl=hands.url(queue), Tags=TAG)
    for table in (names.tracking_table, names.metrics_table):
        hands.dynamodb.tag_resource(ResourceArn=hands.arn("dynamodb", f"table/{table}"), Tags=AS_LIST)
    for role in (names.function_role, names.job_role):
        hands.iam.tag_role(RoleName=role, Tags=AS_LIST)
    hands.lambda_.tag_resource(Resource=hands.arn("lambda", f"function:{names.function}"), Tags=TAG)
    hands.glue.tag_resource(ResourceArn=hands.arn("glue", f"job/{names.job}"), TagsToAdd=TAG)
    hands.logs.tag_resource(resourceArn=hands.arn("logs", f"log-group:{names.function_log_group}"), tags=TAG)
    hands.sns.tag_resource(ResourceArn=hands.arn("sns", names.alarm_topic), Tags=AS_LIST)
    for rule in (names.sweep_rule, names.run_state_rule):
        hands.events.tag_resource(ResourceARN=hands.arn("events", f"rule/{rule}"), Tags=AS_LIST)
    alarm = hands.arn("cloudwatch", f"alarm:{names.alarm('dead-letters')}")
    hands.cloudwatch.tag_resource(ResourceARN=alarm, Tags=AS_LIST)


def _queue_statement(hands: Hands) -> dict[str, Any]:
    return {
        "Sid": "theirs",
        "Effect": "Allow",
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": hands.arn("sqs", hands.names.queue),
    }


def _topic_statement(hands: Hands) -> dict[str, Any]:
    topic = hands.arn("sns", hands.names.alarm_topic)
    return {**_queue_statement(hands), "Action": "sns:Publish", "Resource": topic}


def _function(hands: Hands) -> Any:
    function = hands.lambda_.get_function(FunctionName=hands.names.function)
    configuration = function["Configuration"]
    live = hands.lambda_.get_function_configuration(FunctionName=hands.names.function, Qualifier="live")
    policy = hands.lambda_.get_policy(FunctionName=hands.names.function, Qualifier="live")["Policy"]
    kept = [each["Environment"]["Variables"]["THEIRS_TOKEN"] for each in (configuration, live)]
    return configuration["Description"], kept, function["Tags"]["cost-centre"], _theirs(policy)


def _job(hands: Hands) -> Any:
    job = hands.glue.get_job(JobName=hands.names.job)["Job"]
    return job["Description"], job["DefaultArguments"]["--theirs"]


def _queue(hands: Hands) -> Any:
    url = hands.url(hands.names.queue)
    attributes = hands.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return attributes["DelaySeconds"], _theirs(attributes["Policy"])


def _buckets(hands: Hands) -> Any:
    return {bucket: _bucket(hands, bucket) for bucket in (hands.names.input_bucket, hands.names.manifest_bucket)}


def _notification(hands: Hands) -> Any:
    told = hands.s3.get_bucket_notification_configuration(Bucket=hands.names.input_bucket)["QueueConfigurations"]
    (theirs,) = [each for each in told if each["Id"] == "theirs"]
    return theirs


def _index(hands: Hands) -> Any:
    table = hands.dynamodb.describe_table(TableName=hands.names.tracking_table)["Table"]
    (theirs,) = [index for index in table["GlobalSecondaryIndexes"] if index["IndexName"] == "theirs"]
    return theirs["KeySchema"], theirs["Projection"]


def _roles(hands: Hands) -> Any:
    return [_role(hands, role) for role in (hands.names.function_role, hands.names.job_role)]


def _targets(hands: Hands) -> Any:
    return [_target(hands, rule) for rule in (hands.names.sweep_rule, hands.names.run_state_rule)]


def _topic(hands: Hands) -> Any:
    topic = hands.arn("sns", hands.names.alarm_topic)
    policy = hands.sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"]
    told = hands.sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    (theirs,) = [each["Endpoint"] for each in told if each["Endpoint"].startswith("theirs")]
    return theirs, _theirs(policy)


def _alarm(hands: Hands) -> Any:
    (alarm,) = hands.cloudwatch.describe_alarms(AlarmNames=[hands.names.alarm("dead-letters")])["MetricAlarms"]
    return alarm["InsufficientDataActions"]


_READ: dict[str, Callable[[Hands], Any]] = {
    **dict.fromkeys(("function", "alias", "permission"), _function),
    "job": _job,
    "queue": _queue,
    "bucket": _buckets,
    "notification": _notification,
    "table": _index,
    "role": _roles,
    "rule": _targets,
    **dict.fromkeys(("topic", "subscription"), _topic),
    "alarm": _alarm,
}

KINDS = tuple(_READ)


def foreign_state(hands: Hands, kinds: Iterable[str] = KINDS) -> dict[str, Any]:
    """What others have in resources of these kinds, as AWS gives it back. Tags are not in it: a look
    at the resource shows them all."""
    return {kind: _READ[kind](hands) for kind in kinds}


def _theirs(policy: str) -> list[Any]:
    return [one for one in json.loads(policy)["Statement"] if one.get("Sid", "theirs") == "theirs"]


def _bucket(hands: Hands, bucket: str) -> Any:
    rules = hands.s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    return (
        _theirs(hands.s3.get_bucket_policy(Bucket=bucket)["Policy"]),
        [rule for rule in rules if rule["ID"] == RULE],
        [tag for tag in hands.s3.get_bucket_tagging(Bucket=bucket)["TagSet"] if tag in AS_LIST],
    )


def _role(hands: Hands, role: str) -> Any:
    attached = hands.iam.list_attached_role_policies(RoleName=role)["AttachedPolicies"]
    return attached, hands.iam.get_role_policy(RoleName=role, PolicyName="theirs")["PolicyDocument"]


def _target(hands: Hands, rule: str) -> Any:
    targets = hands.events.list_targets_by_rule(Rule=rule)["Targets"]
    return [target for target in targets if target["Id"] == "theirs"]
