"""Somebody with the AWS console open."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ndjctl.aws import Cloud
from ndjctl.contracts import Names
from ndjctl.deploy.policies import to_json


@dataclass(frozen=True)
class Hands:
    """Clients and names of the environment, and the calls that only change one thing of a resource."""

    cloud: Cloud

    def __getattr__(self, service: str) -> Any:
        """The client of a service: hands.sqs, hands.lambda_."""
        return self.cloud.client(service.rstrip("_"))

    @property
    def names(self) -> Names:
        return self.cloud.names

    def arn(self, service: str, rest: str) -> str:
        return f"arn:aws:{service}:{self.cloud.region}:{self.names.account_id}:{rest}"

    # ---------------------------------------------------------------------------------------------- the function

    def configure(self, **settings: Any) -> None:
        self.lambda_.update_function_configuration(FunctionName=self.names.function, **settings)

    @property
    def variables(self) -> dict[str, str]:
        configuration = self.lambda_.get_function_configuration(FunctionName=self.names.function)
        return dict(configuration["Environment"]["Variables"])

    def vary(self, *gone: str, **variables: str) -> None:
        """Sets variables of the function, and takes some away."""
        kept = {name: value for name, value in self.variables.items() if name not in gone}
        self.configure(Environment={"Variables": {**kept, **variables}})

    def published(self, **settings: Any) -> str:
        """A version of the function with other settings; the function itself is as it was."""
        before = self.lambda_.get_function_configuration(FunctionName=self.names.function)
        self.configure(**settings)
        version = str(self.lambda_.publish_version(FunctionName=self.names.function)["Version"])
        self.configure(**{name: before[name] for name in settings})
        return version

    def point(self, **where: Any) -> None:
        self.lambda_.update_alias(FunctionName=self.names.function, Name="live", **where)

    @property
    def mapping(self) -> str:
        """The id of the environment's event source mapping."""
        listed = self.lambda_.list_event_source_mappings(EventSourceArn=self.arn("sqs", self.names.queue))
        (one,) = listed["EventSourceMappings"]
        return str(one["UUID"])

    def feed(self, **settings: Any) -> None:
        self.lambda_.update_event_source_mapping(UUID=self.mapping, **settings)

    # ---------------------------------------------------------------------------------------------- the job

    def redefine(self, **settings: Any) -> None:
        """Changes the job's definition. What is not named stays, which an update alone would not see to."""
        job = self.glue.get_job(JobName=self.names.job)["Job"]
        derived = ("Name", "CreatedOn", "LastModifiedOn", "AllocatedCapacity", "MaxCapacity", "JobMode", "ProfileName")
        kept = {key: value for key, value in job.items() if key not in derived}
        self.glue.update_job(JobName=self.names.job, JobUpdate={**kept, **settings})

    def argue(self, *gone: str, **arguments: str) -> None:
        """Sets arguments of the job, which are named without their hyphens, and takes some away."""
        there = self.glue.get_job(JobName=self.names.job)["Job"]["DefaultArguments"]
        kept = {name: value for name, value in there.items() if name not in gone}
        given = {f"--{name}": value for name, value in arguments.items()}
        self.redefine(DefaultArguments={**kept, **given})

    # ---------------------------------------------------------------------------------------------- queues, tables

    def url(self, queue: str) -> str:
        return str(self.sqs.get_queue_url(QueueName=queue)["QueueUrl"])

    def set_queue(self, queue: str, **attributes: str) -> None:
        self.sqs.set_queue_attributes(QueueUrl=self.url(queue), Attributes=attributes)

    def queue_policy(self, edit: Edit) -> None:
        queue = self.names.queue
        text = self.sqs.get_queue_attributes(QueueUrl=self.url(queue), AttributeNames=["Policy"])["Attributes"]
        self.set_queue(queue, Policy=edited(text["Policy"], edit))

    def table(self, **settings: Any) -> None:
        self.dynamodb.update_table(TableName=self.names.tracking_table, **settings)

    # ---------------------------------------------------------------------------------------------- roles, buckets

    def role_policy(self, role: str, edit: Edit) -> None:
        document = self.iam.get_role_policy(RoleName=role, PolicyName="ndjctl")["PolicyDocument"]
        self.iam.put_role_policy(RoleName=role, PolicyName="ndjctl", PolicyDocument=edited(json.dumps(document), edit))

    def trust(self, role: str, edit: Callable[[list[dict[str, Any]]], Any]) -> None:
        document = self.iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
        edit(document["Statement"])
        self.iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(document))

    def bucket_policy(self, bucket: str, edit: Edit) -> None:
        text = self.s3.get_bucket_policy(Bucket=bucket)["Policy"]
        self.s3.put_bucket_policy(Bucket=bucket, Policy=edited(text, edit))

    def put_first(self, bucket: str, statement: dict[str, Any]) -> None:
        """Puts a statement without a Sid before those of a bucket's policy: its place is all the name it has."""
        document = json.loads(self.s3.get_bucket_policy(Bucket=bucket)["Policy"])
        document["Statement"].insert(0, statement)
        self.s3.put_bucket_policy(Bucket=bucket, Policy=to_json(document))

    def lifecycle(self, bucket: str, edit: Callable[[dict[str, Any]], Any]) -> None:
        """Changes a bucket's rules, by their ids."""
        there = self.s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
        rules = {rule["ID"]: rule for rule in there}
        edit(rules)
        configuration = {"Rules": list(rules.values())}
        self.s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration=configuration)

    def notify(self, edit: Callable[[dict[str, Any]], Any]) -> None:
        """Changes what the input bucket tells queues, by ids."""
        bucket = self.names.input_bucket
        there = self.s3.get_bucket_notification_configuration(Bucket=bucket)
        there.pop("ResponseMetadata")
        queues = {each["Id"]: each for each in there["QueueConfigurations"]}
        edit(queues)
        wanted = {**there, "QueueConfigurations": list(queues.values())}
        self.s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration=wanted)

    # ---------------------------------------------------------------------------------------------- events, alarms

    def rule(self, rule: str, **settings: Any) -> None:
        """Puts a rule again with other settings; PutRule forgets what it is not given."""
        there = self.events.describe_rule(Name=rule)
        kept = {key: there[key] for key in _OF_RULE if there.get(key)}
        self.events.put_rule(**{**kept, **settings})

    def aim(self, rule: str, **settings: Any) -> None:
        """Changes our target of a rule."""
        targets = self.events.list_targets_by_rule(Rule=rule)["Targets"]
        (ours,) = [target for target in targets if target["Id"] == "manifest-builder"]
        self.events.put_targets(Rule=rule, Targets=[{**ours, **settings}])

    def alarm(self, about: str, **settings: Any) -> None:
        (there,) = self.cloudwatch.describe_alarms(AlarmNames=[self.names.alarm(about)])["MetricAlarms"]
        kept = {key: there[key] for key in _OF_ALARM if there.get(key) is not None}
        self.cloudwatch.put_metric_alarm(**{**kept, **settings})

    def topic_policy(self, edit: Edit) -> None:
        arn = self.arn("sns", self.names.alarm_topic)
        text = self.sns.get_topic_attributes(TopicArn=arn)["Attributes"]["Policy"]
        self.sns.set_topic_attributes(TopicArn=arn, AttributeName="Policy", AttributeValue=edited(text, edit))

    def dashboard(self, edit: Callable[[dict[str, Any]], Any]) -> None:
        name = self.names.dashboard
        body = json.loads(self.cloudwatch.get_dashboard(DashboardName=name)["DashboardBody"])
        edit(body)
        self.cloudwatch.put_dashboard(DashboardName=name, DashboardBody=json.dumps(body))

    # ---------------------------------------------------------------------------------------------- code

    def files(self, ending: str) -> str:
        """The key of the deployed file of that name. There is one: the account was empty."""
        (key,) = [key for key in self.code if key.endswith(ending)]
        return str(key)

    @property
    def code(self) -> Iterable[str]:
        listed = self.s3.list_objects_v2(Bucket=self.names.scripts_bucket)["Contents"]
        return [each["Key"] for each in listed if "/deployments/" not in each["Key"]]


_OF_RULE = ("Name", "ScheduleExpression", "EventPattern", "State", "Description", "RoleArn")
_OF_ALARM = (
    *("AlarmName", "AlarmDescription", "ActionsEnabled", "OKActions", "AlarmActions", "InsufficientDataActions"),
    *("MetricName", "Namespace", "Statistic", "Dimensions", "Period", "EvaluationPeriods", "DatapointsToAlarm"),
    *("Threshold", "ComparisonOperator", "TreatMissingData"),
)

Edit = Callable[[dict[str, Any]], Any]
"""Changes a policy's statements, by their Sids."""


def edited(text: str, edit: Edit) -> str:
    """A policy with its statements changed. One without a Sid is called by its number."""
    document: Mapping[str, Any] = json.loads(text)
    statements = {str(one.get("Sid", number)): one for number, one in enumerate(document["Statement"])}
    edit(statements)
    return to_json({**document, "Statement": list(statements.values())})
