"""Log groups, the alarms' topic, alarms and the dashboard, as CloudFormation has them."""

from __future__ import annotations

import json

from ndjctl.contracts import Names
from ndjctl.deploy.model import Resource
from ndjctl.deploy.template.parts import Part, Parts, document, logical_id, present, tag_list

_LOG_GROUP = {"retentionInDays": "RetentionInDays", "kmsKeyId": "KmsKeyId"}


def log_group(resource: Resource, names: Names) -> Parts:
    fields = present(resource.fields)
    properties = {"LogGroupName": resource.name, "Tags": tag_list(fields.pop("Tags"))}
    properties |= {_LOG_GROUP[key]: value for key, value in fields.items()}
    return {logical_id(resource.id, names): Part("AWS::Logs::LogGroup", properties, leaving="Delete")}


def topic(resource: Resource, names: Names) -> Parts:
    fields, own = dict(resource.fields), logical_id(resource.id, names)
    policy = {"Topics": [{"Ref": own}], "PolicyDocument": document(fields.pop("Policy"))}
    properties = {"TopicName": resource.name, **fields, "Tags": tag_list(fields["Tags"])}
    return {
        own: Part("AWS::SNS::Topic", properties),
        f"{own}Policy": Part("AWS::SNS::TopicPolicy", policy),
    }


def subscription(resource: Resource, names: Names) -> Parts:
    (topic_id,) = resource.needs
    own = logical_id(topic_id, names)
    properties = {
        "TopicArn": {"Ref": own},
        "Endpoint": resource.name.removeprefix(f"{names.alarm_topic}:"),
        **resource.fields,
    }
    return {f"{own}Subscription": Part("AWS::SNS::Subscription", properties)}


def alarm(resource: Resource, names: Names) -> Parts:
    fields = dict(resource.fields)
    fields["Dimensions"] = [{"Name": name, "Value": value} for name, value in fields["Dimensions"].items()]
    fields["Tags"] = tag_list(fields["Tags"])
    return {logical_id(resource.id, names): Part("AWS::CloudWatch::Alarm", {"AlarmName": resource.name, **fields})}


def dashboard(resource: Resource, names: Names) -> Parts:
    properties = {
        "DashboardName": resource.name,
        # Text to CloudFormation; marks in it have to stay as they are.
        "DashboardBody": json.dumps(resource.fields["Body"], ensure_ascii=False, separators=(",", ":")),
    }
    return {logical_id(resource.id, names): Part("AWS::CloudWatch::Dashboard", properties)}
