"""The pipeline that retrains: process, train, judge, register, deploy; as SageMaker's JSON."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from bqx.cloud import job_requests
from bqx.cloud.account import Account
from bqx.cloud.calls import Call
from bqx.files import digest
from bqx.market.pairs import check

NAME = "bqx-ml-retraining"
GROUP = "bqx-ml-models"
LEAST_SKILL = "LeastSkill"
DEPLOY = "DeployFunction"

Step = dict[str, Any]


def definition(
    account: Account,
    pairs: Sequence[str],
    hyperparameters: Mapping[str, str],
    *,
    bars: str,
    arguments: Sequence[str] = (),
) -> dict[str, Any]:
    """Definition of the pipeline: bars are processed once, every pair is trained by itself.

    A pair's training judges its own test rows; its model is registered, and deployed by the
    function that a parameter names, where the skill is above another parameter.
    """
    processing = job_requests.processing(account, "pipeline", arguments, bars=bars).arguments
    for output in processing["ProcessingOutputConfig"]["Outputs"]:
        # Executions may overlap, and none is to read another's files.
        place = [output["S3Output"]["S3Uri"], {"Get": "Execution.PipelineExecutionId"}]
        output["S3Output"]["S3Uri"] = {"Std:Join": {"On": "/", "Values": place}}
    steps = [_step("Process", "Processing", processing, drop="ProcessingJobName")]
    for pair in pairs:
        steps += _of_pair(account, check(pair), hyperparameters)
    return {
        "Version": "2020-12-01",
        "Metadata": {},
        "Parameters": [
            {"Name": LEAST_SKILL, "Type": "Float", "DefaultValue": 0.0},
            {"Name": DEPLOY, "Type": "String"},
        ],
        "Steps": steps,
    }


def _of_pair(account: Account, pair: str, hyperparameters: Mapping[str, str]) -> list[Step]:
    processed = {"Get": "Steps.Process.ProcessingOutputConfig.Outputs['dataset'].S3Output.S3Uri"}
    bars = {"Std:Join": {"On": "/", "Values": [processed, "bars"]}}
    call = job_requests.training(account, pair, "pipeline", hyperparameters, bars=bars)
    train, register = f"Train-{pair}", f"Register-{pair}"
    model = {"Get": f"Steps.{train}.ModelArtifacts.S3ModelArtifacts"}
    package = {
        "ModelPackageGroupName": f"{GROUP}-{pair}",
        "ModelApprovalStatus": "PendingManualApproval",
        "InferenceSpecification": {
            "Containers": [{"Image": account.image("inference"), "ModelDataUrl": model}],
            "SupportedContentTypes": ["application/json"],
            "SupportedResponseMIMETypes": ["application/json"],
        },
    }
    deploy = {
        "Name": f"Deploy-{pair}",
        "Type": "Lambda",
        "FunctionArn": {"Get": f"Parameters.{DEPLOY}"},
        "Arguments": {"pair": pair, "model": model},
        "OutputParameters": [{"OutputName": "key", "OutputType": "String"}],
        "DependsOn": [register],
    }
    above = {
        "Type": "GreaterThan",
        "LeftValue": {"Get": f"Steps.{train}.FinalMetricDataList['skill'].Value"},
        "RightValue": {"Get": f"Parameters.{LEAST_SKILL}"},
    }
    chosen = [_step(register, "RegisterModel", package), deploy]
    judged = {"Conditions": [above], "IfSteps": chosen, "ElseSteps": []}
    return [
        _step(train, "Training", call.arguments, drop="TrainingJobName"),
        _step(f"Judge-{pair}", "Condition", judged),
    ]


def _step(name: str, kind: str, arguments: dict[str, Any], drop: str = "") -> Step:
    step_arguments = {key: value for key, value in arguments.items() if key != drop}
    return {"Name": name, "Type": kind, "Arguments": step_arguments}


def create(account: Account, content: Mapping[str, Any]) -> Call:
    """What creates the pipeline of a definition."""
    return Call(
        "sagemaker",
        "create_pipeline",
        {
            "PipelineName": NAME,
            "PipelineDefinition": json.dumps(content),
            "RoleArn": account.role,
            # The same definition again, after a lost answer, makes no second pipeline.
            "ClientRequestToken": digest(content)[:64],
            "ParallelismConfiguration": {"MaxParallelExecutionSteps": 28},
            **account.marks,
        },
    )
