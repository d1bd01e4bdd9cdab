"""CloudFormation of the platform's retraining: EventBridge, a function, and the pipeline it starts.

The pipeline itself is made by ``bqx cloud pipeline``; this only says when it runs.
"""

from typing import Any

from bqx.cloud import pipeline
from bqx.cloud import template_parts as parts
from bqx.cloud.template_parts import Resource, arn, ref, statement, sub
from bqx.retraining import triggers
from bqx.serving import lambda_retraining

DRIFT = "bqx-drift"
"""What the names of alarms begin with that start a retraining."""


def design() -> dict[str, Any]:
    """Mondays at 02:00 UTC, and whenever an alarm of drift rings."""
    account = "arn:${AWS::Partition}:sagemaker:${AWS::Region}:${AWS::AccountId}"
    statements = [
        statement(
            ["sagemaker:StartPipelineExecution"], [sub(f"{account}:pipeline/{pipeline.NAME}")]
        ),
        *parts.attached(),
        parts.logs("/aws/lambda/*"),
    ]
    drifted = {
        "source": ["aws.cloudwatch"],
        "detail-type": [lambda_retraining.ALARM],
        "detail": {"alarmName": [{"prefix": DRIFT}], "state": {"value": ["ALARM"]}},
    }
    resources = parts.network() | {
        "RetrainRole": parts.role("lambda", statements),
        "Retrain": {"Type": "AWS::Lambda::Function", "Properties": _function()},
        **_rule("Weekly", {"ScheduleExpression": triggers.SCHEDULE}),
        **_rule("Drifted", {"EventPattern": drifted}),
    }
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "bqx: what starts the pipeline that retrains",
        "Parameters": parts.parameters() | {"DeployFunction": {"Type": "String"}},
        "Resources": resources,
    }


def _function() -> dict[str, Any]:
    variables = {
        lambda_retraining.PIPELINE: pipeline.NAME,
        lambda_retraining.DEPLOY: ref("DeployFunction"),
    }
    return {
        "PackageType": "Image",
        "Code": {"ImageUri": ref("Image")},
        "ImageConfig": {"Command": ["lambda", "retrain"]},
        "Role": arn("RetrainRole"),
        "MemorySize": 512,
        "Timeout": 60,
        "Environment": {"Variables": variables},
        "VpcConfig": {
            "SubnetIds": ref("Subnets"),
            "SecurityGroupIds": [{"Fn::GetAtt": ["Group", "GroupId"]}],
        },
    }


def _rule(name: str, when: dict[str, Any]) -> dict[str, Resource]:
    """A rule whose events go to the function, and its right to call it."""
    target = {"Id": "retrain", "Arn": arn("Retrain"), "RetryPolicy": {"MaximumRetryAttempts": 8}}
    permission = {
        "Action": "lambda:InvokeFunction",
        "FunctionName": ref("Retrain"),
        "Principal": "events.amazonaws.com",
        "SourceArn": arn(name),
    }
    rule = {**when, "State": "ENABLED", "Targets": [target]}
    return {
        name: {"Type": "AWS::Events::Rule", "Properties": rule},
        f"{name}Permission": {"Type": "AWS::Lambda::Permission", "Properties": permission},
    }
