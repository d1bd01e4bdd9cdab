"""CloudFormation of the platform's retraining: EventBridge, a function, and the pipeline it starts.

The pipeline itself is made by ``bqx cloud pipeline``; this only says when it runs.
"""

from typing import Any

from bqx.cloud import pipeline
from bqx.cloud import template_parts as parts
from bqx.cloud.template_parts import Resource, arn, of, ref, statement, sub
from bqx.retraining import triggers
from bqx.serving import lambda_retraining

DRIFT = "bqx-drift"
"""What the names of alarms begin with that start a retraining."""
NAMESPACE = "bqx"
"""Where CloudWatch keeps what `bqx alert` hands over, without dimensions."""


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
        "DriftAlarm": of("CloudWatch::Alarm", _alarm()),
        **_rule("Weekly", {"ScheduleExpression": triggers.SCHEDULE}),
        **_rule("Drifted", {"EventPattern": drifted}),
    }
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "bqx: what starts the pipeline that retrains",
        "Parameters": parts.parameters() | {"DeployFunction": {"Type": "String"}},
        "Resources": resources,
    }


def _alarm() -> dict[str, Any]:
    """The alarm that rings when the panel of inputs has drifted."""
    bounds = {name: bound for name, _, bound in triggers.BOUNDS}
    return {
        "AlarmName": f"{DRIFT}-panel",
        "Namespace": NAMESPACE,
        "MetricName": "panel_drift",
        "Statistic": "Maximum",
        "Threshold": bounds["panel_drift"],
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        # Checks are an hour apart at most.
        "Period": 3_600,
        "EvaluationPeriods": 1,
        # It stays as it is until the next check: a silent hour rings no second time.
        "TreatMissingData": "ignore",
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
