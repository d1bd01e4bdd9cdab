"""CloudFormation of the two designs: a multi-model endpoint, or functions of Lambda alone.

Every role may do what its part needs and nothing else; all runs in a VPC and is encrypted.
"""

from typing import Any

from bqx.cloud import endpoint_requests, job_requests, template_scaling
from bqx.cloud import template_parts as parts
from bqx.cloud.account import Account
from bqx.cloud.template_parts import Resource, arn, of, ref, statement, sub
from bqx.monitoring.capture import SHARE
from bqx.serving import captured, lambda_places

RATE, BURST = 100, 200
"""Requests a second that the API takes."""


def endpoint() -> dict[str, Any]:
    """The multi-model endpoint, scaled from one to four instances, and the daily batch.

    The batch is of one archive, as a job names no target model: it begins once the stack is
    updated with the archive's key, which lies in a bucket that the stack makes.
    """
    resources = parts.storage() | parts.network()
    resources |= {
        "JobRole": parts.role(
            "sagemaker",
            [
                *parts.reading("bars", "datasets", "models", "requests"),
                *parts.writing("datasets", "trainings", "tunings", "predictions"),
                # Outputs name the key.
                statement(["kms:Encrypt"], [arn("Key")]),
                *parts.on_instances("/aws/sagemaker/*"),
            ],
        ),
        "EndpointRole": parts.role(
            "sagemaker",
            [
                *parts.reading("models"),
                *parts.on_instances("/aws/sagemaker/Endpoints/*"),
            ],
        ),
        "Model": of("SageMaker::Model", _model("EndpointRole", "MultiModel", "")),
        "Config": of("SageMaker::EndpointConfig", _config()),
        "Endpoint": of(
            "SageMaker::Endpoint",
            {"EndpointConfigName": {"Fn::GetAtt": ["Config", "EndpointConfigName"]}},
        ),
        **template_scaling.scaling(),
        **template_scaling.alarms(),
        **{name: part | {"Condition": "HasArchive"} for name, part in _daily().items()},
        "Predictions": parts.predictions(),
    }
    has_archive = {"Fn::Not": [{"Fn::Equals": [ref("BatchArchive"), ""]}]}
    document = _document("bqx: a multi-model endpoint", resources, _asked())
    return document | {
        "Conditions": {"HasArchive": has_archive},
        "Mappings": {"Targets": template_scaling.targets()},
    }


FUNCTIONS = (("precompute", 2_048, 300), ("predict", 1_024, 30), ("features", 1_024, 30))
"""Functions by handler, each with its memory, MB, and longest time, seconds."""
ROUTES = ("predict", "features")
"""Functions that the API asks, as ``POST /NAME``."""


def functions() -> dict[str, Any]:
    """Forecasts of every minute made in advance, and an API that reads them.

    What a function is told of places, and may do with them, is what its handler reads and writes.
    """
    # A week of the market, the widest look back, is ten days at most.
    resources = parts.storage({lambda_places.FEED.prefix: 14}) | parts.network()
    for name, memory, seconds in FUNCTIONS:
        read, written = lambda_places.READ[name], lambda_places.WRITTEN[name]
        statements = [
            *parts.reading(*(place.prefix for place in read)),
            *(parts.writing(*(place.prefix for place in written)) if written else []),
            *parts.attached(),
            parts.logs("/aws/lambda/*"),
            statement(["xray:PutTraceSegments"], ["*"]),
        ]
        places = dict.fromkeys((*read, *written))
        variables: dict[str, Any] = {
            place.variable: sub(f"s3://${{Bucket}}/{place.path}") for place in places
        }
        if lambda_places.CAPTURE in places:
            variables[captured.SHARE] = str(SHARE)
        resources[f"{name.title()}Role"] = parts.role("lambda", statements)
        properties = _function(name, memory, seconds) | {"Environment": {"Variables": variables}}
        resources[name.title()] = of("Lambda::Function", properties)
    # Two at a time would each write the state without the other's bars.
    resources["Precompute"]["Properties"]["ReservedConcurrentExecutions"] = 1
    resources |= {
        "ScheduleRole": parts.role(
            "scheduler", [statement(["lambda:InvokeFunction"], [arn("Precompute")])]
        ),
        "EveryMinute": of(
            "Scheduler::Schedule",
            {
                "ScheduleExpression": "rate(1 minute)",
                "FlexibleTimeWindow": {"Mode": "OFF"},
                "Target": {"Arn": arn("Precompute"), "RoleArn": arn("ScheduleRole")},
            },
        ),
        **_api(),
    }
    return _document("bqx: forecasts by functions alone", resources, {})


DESIGNS = {"endpoint": endpoint, "lambda": functions}


def _document(
    about: str, resources: dict[str, Resource], own: dict[str, Resource]
) -> dict[str, Any]:
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": about,
        "Parameters": parts.parameters() | own,
        "Resources": resources,
    }


def _asked() -> dict[str, Resource]:
    """What whoever creates the endpoint's stack says of it."""
    archive = "of the daily batch, such as eurusd/0001.tar.gz below models/; none, no batch"
    return {
        "Instance": {
            "Type": "String",
            "Default": endpoint_requests.INSTANCE,
            "AllowedValues": [*template_scaling.INSTANCES],
        },
        "BatchArchive": {"Type": "String", "Default": "", "Description": archive},
    }


def _model(role: str, mode: str, key: str) -> dict[str, Any]:
    container = {
        "Image": ref("Image"),
        "Mode": mode,
        "ModelDataUrl": sub(f"s3://${{Bucket}}/models/{key}"),
    }
    return {
        "ExecutionRoleArn": arn(role),
        "PrimaryContainer": container,
        "EnableNetworkIsolation": True,
        "VpcConfig": {"Subnets": ref("Subnets"), "SecurityGroupIds": [arn_of_group()]},
    }


def arn_of_group() -> dict[str, list[str]]:
    """Identity of the security group."""
    return {"Fn::GetAtt": ["Group", "GroupId"]}


def _config() -> dict[str, Any]:
    variant = {
        "VariantName": endpoint_requests.VARIANT,
        "ModelName": {"Fn::GetAtt": ["Model", "ModelName"]},
        "InstanceType": ref("Instance"),
        "InitialInstanceCount": endpoint_requests.LEAST,
        "InitialVariantWeight": 1.0,
        "ContainerStartupHealthCheckTimeoutInSeconds": endpoint_requests.STARTUP,
    }
    return {"KmsKeyId": arn("Key"), "ProductionVariants": [variant]}


def _daily() -> dict[str, Resource]:
    """The daily batch: its model, whose role the job has, and the schedule that starts it."""
    job = "arn:${AWS::Partition}:sagemaker:${AWS::Region}:${AWS::AccountId}:transform-job/bqx-*"
    # A job that has tags is created by who may add them.
    started = statement(["sagemaker:CreateTransformJob", "sagemaker:AddTags"], [sub(job)])
    return {
        "BatchModel": of("SageMaker::Model", _model("JobRole", "SingleModel", "${BatchArchive}")),
        "BatchRole": parts.role("scheduler", [started]),
        "Batch": of("Scheduler::Schedule", _batch()),
    }


def _batch() -> dict[str, Any]:
    """The schedule that `bqx cloud batch` makes, with what the stack calls its own."""
    stack = Account("${AWS::AccountId}", "${AWS::Region}", "${Bucket}", role="", key="${Key.Arn}")
    schedule = job_requests.daily_transform(
        stack, "${BatchModel.ModelName}", role="", instance="${Instance}", instances=1
    ).arguments
    target = {
        "Arn": sub(schedule["Target"]["Arn"].replace("arn:aws:", "arn:${AWS::Partition}:")),
        "RoleArn": arn("BatchRole"),
        "Input": sub(schedule["Target"]["Input"]),
    }
    return {key: schedule[key] for key in schedule if key != "Name"} | {"Target": target}


def _function(name: str, memory: int, seconds: int) -> dict[str, Any]:
    return {
        "PackageType": "Image",
        "Code": {"ImageUri": ref("Image")},
        "ImageConfig": {"Command": ["lambda", name]},
        "Role": arn(f"{name.title()}Role"),
        "MemorySize": memory,
        "Timeout": seconds,
        "TracingConfig": {"Mode": "Active"},
        "VpcConfig": {"SubnetIds": ref("Subnets"), "SecurityGroupIds": [arn_of_group()]},
    }


def _api() -> dict[str, Resource]:
    account = "arn:${AWS::Partition}:execute-api:${AWS::Region}:${AWS::AccountId}"
    settings = {"ThrottlingRateLimit": RATE, "ThrottlingBurstLimit": BURST}
    stage = {
        "ApiId": ref("Api"),
        "StageName": "prod",
        "AutoDeploy": True,
        "DefaultRouteSettings": settings,
    }
    return {
        "Api": of("ApiGatewayV2::Api", {"Name": "bqx", "ProtocolType": "HTTP"}),
        "Stage": of("ApiGatewayV2::Stage", stage),
        **{name: resource for route in ROUTES for name, resource in _route(route, account).items()},
    }


def _route(name: str, account: str) -> dict[str, Resource]:
    """What leads ``POST /NAME`` to the function of that name."""
    function = name.title()
    integration = {
        "ApiId": ref("Api"),
        "IntegrationType": "AWS_PROXY",
        "IntegrationUri": arn(function),
        "PayloadFormatVersion": "2.0",
    }
    route = {
        "ApiId": ref("Api"),
        "RouteKey": f"POST /{name}",
        "Target": sub(f"integrations/${{{function}Integration}}"),
        "AuthorizationType": "AWS_IAM",
    }
    permission = {
        "Action": "lambda:InvokeFunction",
        "FunctionName": ref(function),
        "Principal": "apigateway.amazonaws.com",
        "SourceArn": sub(f"{account}:${{Api}}/*/POST/{name}"),
    }
    return {
        f"{function}Integration": of("ApiGatewayV2::Integration", integration),
        f"{function}Route": of("ApiGatewayV2::Route", route),
        f"{function}Permission": of("Lambda::Permission", permission),
    }
