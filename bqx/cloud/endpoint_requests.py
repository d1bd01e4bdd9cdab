"""Models, endpoints, autoscaling and rollouts as calls of SageMaker."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from bqx.cloud.account import Account
from bqx.cloud.calls import Call
from bqx.errors import ParameterError

ENDPOINT = "bqx-ml-multi-model-production"
VARIANT = "all"
STARTUP = 240
"""Seconds that a container may take to its first healthy ping."""
LEAST, MOST = 1, 4
TARGETS = {"cpu": 70.0, "invocations": 400.0}
"""What autoscaling holds: percent of all processors, and invocations a minute and instance."""
INSTANCE = "ml.m5.2xlarge"


def model(account: Account, name: str, *, models: str, many: bool = True) -> Call:
    """A model of SageMaker: the image, and the prefix of all archives or one archive."""
    container = {
        "Image": account.image("inference"),
        "Mode": "MultiModel" if many else "SingleModel",
        "ModelDataUrl": models,
    }
    return Call(
        "sagemaker",
        "create_model",
        {
            "ModelName": name,
            "PrimaryContainer": container,
            "ExecutionRoleArn": account.role,
            "EnableNetworkIsolation": True,
            **account.vpc,
            **account.marks,
        },
    )


def config(
    account: Account,
    name: str,
    variants: Mapping[str, float],
    *,
    instance: str = INSTANCE,
    instances: int = 1,
) -> Call:
    """An endpoint's configuration: models by the weight of their requests."""
    return Call(
        "sagemaker",
        "create_endpoint_config",
        {
            "EndpointConfigName": name,
            "ProductionVariants": [
                {
                    "VariantName": VARIANT if len(variants) == 1 else model_name,
                    "ModelName": model_name,
                    "InstanceType": instance,
                    "InitialInstanceCount": instances,
                    "InitialVariantWeight": weight,
                    "ContainerStartupHealthCheckTimeoutInSeconds": STARTUP,
                }
                for model_name, weight in variants.items()
            ],
            **account.encrypted("KmsKeyId"),
            **account.marks,
        },
    )


def create(account: Account, config_name: str, *, endpoint: str = ENDPOINT) -> Call:
    """An endpoint of a configuration."""
    arguments = {"EndpointName": endpoint, "EndpointConfigName": config_name, **account.marks}
    return Call("sagemaker", "create_endpoint", arguments)


def processors(instance: str) -> int:
    """Processors of an instance type, as the name of its size says.

    Raises ParameterError for a type that has no such name.

    >>> processors("ml.m5.2xlarge"), processors("ml.c5.large")
    (8, 2)
    """
    matched = re.fullmatch(r"ml\.[\w-]+\.(?:(\d*)xlarge|large|medium)", instance)
    if not matched:
        raise ParameterError(
            f"instance: no type, got {instance!r:.40}; expected one with its size, such as "
            f"{INSTANCE}."
        )
    if not instance.endswith("xlarge"):
        return 2 if instance.endswith("large") else 1
    return 4 * int(matched[1] or 1)


def autoscaling(
    endpoint: str = ENDPOINT, variant: str = VARIANT, *, instance: str = INSTANCE
) -> list[Call]:
    """One to four instances, by processors and by invocations, whichever asks for more."""
    scaled = {
        "ServiceNamespace": "sagemaker",
        "ResourceId": f"endpoint/{endpoint}/variant/{variant}",
        "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    }
    service = "application-autoscaling"
    bounds = {"MinCapacity": LEAST, "MaxCapacity": MOST}
    calls = [Call(service, "register_scalable_target", scaled | bounds)]
    # The metric is the sum over processors: four that are busy are 400 percent.
    scales = {"cpu": processors(instance), "invocations": 1}
    for name, value in TARGETS.items():
        policy = {
            "TargetValue": value * scales[name],
            **_metric(name, endpoint, variant),
            "ScaleOutCooldown": 60,
            "ScaleInCooldown": 300,
        }
        named = {
            "PolicyName": f"bqx-{name}",
            "PolicyType": "TargetTrackingScaling",
            "TargetTrackingScalingPolicyConfiguration": policy,
        }
        calls.append(Call(service, "put_scaling_policy", scaled | named))
    return calls


def _metric(name: str, endpoint: str, variant: str) -> dict[str, Any]:
    if name == "invocations":
        kind = "SageMakerVariantInvocationsPerInstance"
        return {"PredefinedMetricSpecification": {"PredefinedMetricType": kind}}
    return {
        "CustomizedMetricSpecification": {
            "Namespace": "/aws/sagemaker/Endpoints",
            "MetricName": "CPUUtilization",
            "Dimensions": _dimensions(endpoint, variant),
            "Statistic": "Average",
            "Unit": "Percent",
        }
    }


def _dimensions(endpoint: str, variant: str) -> list[dict[str, str]]:
    values = {"EndpointName": endpoint, "VariantName": variant}
    return [{"Name": key, "Value": value} for key, value in values.items()]


def alarms(endpoint: str = ENDPOINT, variant: str = VARIANT) -> list[Call]:
    """Alarms that roll back: 5 percent of errors, and 500 ms at the 99th percentile."""

    def stat(key: str, metric: str, statistic: str, returned: bool = False) -> dict[str, Any]:
        cloud_metric = {"Namespace": "AWS/SageMaker", "MetricName": metric}
        cloud_metric |= {"Dimensions": _dimensions(endpoint, variant)}  # type: ignore[dict-item]
        measured = {"Metric": cloud_metric, "Period": 60, "Stat": statistic}
        return {"Id": key, "MetricStat": measured, "ReturnData": returned}

    errors = [
        stat("bad", "Invocation4XXErrors", "Sum"),
        stat("worse", "Invocation5XXErrors", "Sum"),
        stat("calls", "Invocations", "Sum"),
        {"Id": "share", "Expression": "(bad + worse) / calls", "ReturnData": True},
    ]
    slowest = [stat("slowest", "ModelLatency", "p99", True)]
    return [
        Call(
            "cloudwatch",
            "put_metric_alarm",
            {
                "AlarmName": f"{endpoint}-{variant}-{name}",
                "Metrics": metrics,
                "Threshold": bound,
                "ComparisonOperator": "GreaterThanThreshold",
                "EvaluationPeriods": 2,
                "DatapointsToAlarm": 2,
                "TreatMissingData": "notBreaching",
            },
        )
        # Latencies are in microseconds.
        for name, metrics, bound in (("errors", errors, 0.05), ("latency", slowest, 500_000.0))
    ]


def canary(
    config_name: str, alarm_names: Sequence[str], *, endpoint: str = ENDPOINT, bake: int = 600
) -> Call:
    """A guarded update: a tenth of a second fleet first, and back by itself when an alarm rings.

    A fleet of one instance has no tenth: it needs two or more. How many there are at present stays,
    whatever the configuration says.
    """
    routing = {
        "Type": "CANARY",
        "WaitIntervalInSeconds": bake,
        "CanarySize": {"Type": "CAPACITY_PERCENT", "Value": 10},
    }
    policy = {
        "TrafficRoutingConfiguration": routing,
        "TerminationWaitInSeconds": bake,
        "MaximumExecutionTimeoutInSeconds": max(4 * bake, 3_600),
    }
    guard = {"Alarms": [{"AlarmName": name} for name in alarm_names]}
    return Call(
        "sagemaker",
        "update_endpoint",
        {
            "EndpointName": endpoint,
            "EndpointConfigName": config_name,
            "RetainAllVariantProperties": True,
            "DeploymentConfig": {
                "BlueGreenUpdatePolicy": policy,
                "AutoRollbackConfiguration": guard,
            },
        },
    )


def weigh(weights: Mapping[str, float], *, endpoint: str = ENDPOINT) -> Call:
    """Share the requests of an endpoint between its variants."""
    desired = [{"VariantName": name, "DesiredWeight": share} for name, share in weights.items()]
    return Call(
        "sagemaker",
        "update_endpoint_weights_and_capacities",
        {"EndpointName": endpoint, "DesiredWeightsAndCapacities": desired},
    )
