"""The function that begins the platform's retraining: an event in, the pipeline started once."""

import os
from collections.abc import Mapping
from typing import Any

from bqx.files import digest

PIPELINE = "BQX_PIPELINE"
"""Variable with the pipeline's name."""
DEPLOY = "BQX_DEPLOY_FUNCTION"
"""Variable with the ARN of the function that deploys."""
ALARM = "CloudWatch Alarm State Change"


def retrain(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Start the pipeline for an event of EventBridge: its schedule, or an alarm that rings.

    An event that is delivered twice starts it once, since the token of the execution is its own.
    """
    detail = event.get("detail") or {}
    is_alarm = event.get("detail-type") == ALARM
    if is_alarm and (detail.get("state") or {}).get("value") != "ALARM":
        return {"started": False, "reason": f"{detail.get('alarmName', '')} does not ring"}
    reason = f"alarm {detail.get('alarmName', '')}" if is_alarm else "schedule"
    import boto3

    answer = boto3.client("sagemaker").start_pipeline_execution(
        PipelineName=os.environ[PIPELINE],
        PipelineExecutionDescription=reason[:3_072],
        PipelineParameters=[{"Name": "DeployFunction", "Value": os.environ[DEPLOY]}],
        ClientRequestToken=digest([event.get("id"), event.get("time")])[:64],
    )
    return {"started": True, "reason": reason, "execution": answer["PipelineExecutionArn"]}
