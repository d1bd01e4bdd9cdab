"""How the stack of the endpoint scales and is watched, as CloudFormation."""

from bqx.cloud import endpoint_requests
from bqx.cloud.calls import Call
from bqx.cloud.template_parts import Resource, of, ref

INSTANCES = tuple(
    f"ml.{family}.{size}"
    for family in ("m5", "m6i", "c6i", "m7i", "c7i")
    for size in ("large", "xlarge", "2xlarge", "4xlarge")
)
"""Instance types that the stack may be made of: they serve and transform, and have no GPU."""
_CONFIGURATION = "TargetTrackingScalingPolicyConfiguration"


def targets() -> dict[str, dict[str, float]]:
    """What each policy holds on each instance type, by the last part of the policy's name."""
    return {
        instance: {
            _held(policy): policy.arguments[_CONFIGURATION]["TargetValue"]
            for policy in endpoint_requests.autoscaling(instance=instance)[1:]
        }
        for instance in INSTANCES
    }


def scaling() -> dict[str, Resource]:
    """The endpoint as a target that is scaled, and a policy of each metric."""
    name = {"Fn::GetAtt": ["Endpoint", "EndpointName"]}
    target, *policies = endpoint_requests.autoscaling("ENDPOINT")
    resource = {
        "Fn::Join": ["/", ["endpoint", name, "variant", endpoint_requests.VARIANT]],
    }
    properties = target.arguments | {"ResourceId": resource}
    out = {"Scaled": of("ApplicationAutoScaling::ScalableTarget", properties)}
    for policy in policies:
        config = dict(policy.arguments[_CONFIGURATION])
        if custom := config.get("CustomizedMetricSpecification"):
            dimensions = [custom["Dimensions"][0] | {"Value": name}, *custom["Dimensions"][1:]]
            config["CustomizedMetricSpecification"] = custom | {"Dimensions": dimensions}
        held = _held(policy)
        config["TargetValue"] = {"Fn::FindInMap": ["Targets", ref("Instance"), held]}
        out[f"Scaled{held.title()}"] = of(
            "ApplicationAutoScaling::ScalingPolicy",
            {
                "PolicyName": policy.arguments["PolicyName"],
                "PolicyType": "TargetTrackingScaling",
                "ScalingTargetId": ref("Scaled"),
                _CONFIGURATION: config,
            },
        )
    return out


def alarms() -> dict[str, Resource]:
    """The alarms of the endpoint."""
    name = {"Fn::GetAtt": ["Endpoint", "EndpointName"]}
    out = {}
    for call in endpoint_requests.alarms("ENDPOINT"):
        alarm_name = call.arguments["AlarmName"].rpartition("-")[2]
        properties = {key: call.arguments[key] for key in call.arguments if key != "AlarmName"}
        for metric in properties["Metrics"]:
            if "MetricStat" in metric:
                metric["MetricStat"]["Metric"]["Dimensions"][0]["Value"] = name
        out[f"Alarm{alarm_name.title()}"] = of("CloudWatch::Alarm", properties)
    return out


def _held(policy: Call) -> str:
    name: str = policy.arguments["PolicyName"]
    return name.rpartition("-")[2]
