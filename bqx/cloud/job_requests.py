"""Processing, training, tuning and batch jobs as calls of SageMaker."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from bqx.cloud.account import Account
from bqx.cloud.calls import Call
from bqx.errors import ParameterError
from bqx.learning.models import model_class
from bqx.serving.jobs import metrics

HOUR = 3_600
TUNED = "xgboost"
PARALLEL = 3
"""Trials of a search at a time: each learns from those that have ended."""


def processing(
    account: Account,
    name: str,
    arguments: Sequence[str],
    *,
    bars: str = "",
    secret: str = "",
    instance: str = "ml.m5.2xlarge",
    instances: int = 4,
) -> Call:
    """Datasets of all pairs on some instances, each with its share of the pairs.

    ``bars`` : address of the bar files; without one they come from the database of a secret.
    """
    cluster = {"InstanceCount": instances, "InstanceType": instance, "VolumeSizeInGB": 30}
    return Call(
        "sagemaker",
        "create_processing_job",
        {
            "ProcessingJobName": name,
            "RoleArn": account.role,
            "AppSpecification": {
                "ImageUri": account.image("processing"),
                "ContainerEntrypoint": ["python", "-m", "bqx.serving"],
                "ContainerArguments": ["process", *arguments],
            },
            "ProcessingInputs": [_bars(bars)] if bars else [],
            "ProcessingOutputConfig": {
                "Outputs": [_dataset(account.uri("datasets", name))],
                **account.encrypted("KmsKeyId"),
            },
            "ProcessingResources": {"ClusterConfig": cluster | account.encrypted("VolumeKmsKeyId")},
            "Environment": {"BQX_DATABASE_SECRET": secret} if secret else {},
            "NetworkConfig": {"EnableInterContainerTrafficEncryption": True, **account.vpc},
            "StoppingCondition": {"MaxRuntimeInSeconds": 4 * HOUR},
            **account.marks,
        },
    )


def _bars(address: str) -> dict[str, Any]:
    return {
        "InputName": "bars",
        "S3Input": {
            "S3Uri": address,
            "LocalPath": "/opt/ml/processing/input/bars",
            "S3DataType": "S3Prefix",
            "S3InputMode": "File",
            # Features of a pair read other pairs: which are whose, the job decides.
            "S3DataDistributionType": "FullyReplicated",
        },
    }


def _dataset(address: str) -> dict[str, Any]:
    local = "/opt/ml/processing/output"
    output = {"S3Uri": address, "LocalPath": local, "S3UploadMode": "EndOfJob"}
    return {"OutputName": "dataset", "S3Output": output}


def _definition(account: Account, bars: Any, output: str, *, instance: str) -> dict[str, Any]:
    """What training jobs and those of a search share."""
    source = {
        "ChannelName": "bars",
        "DataSource": {
            "S3DataSource": {
                "S3DataType": "S3Prefix",
                "S3Uri": bars,
                "S3DataDistributionType": "FullyReplicated",
            }
        },
    }
    cluster = {"InstanceCount": 1, "InstanceType": instance, "VolumeSizeInGB": 30}
    return {
        "RoleArn": account.role,
        "AlgorithmSpecification": {
            "TrainingImage": account.image("training"),
            "TrainingInputMode": "File",
            "MetricDefinitions": metrics.definitions(),
        },
        "InputDataConfig": [source],
        "OutputDataConfig": {"S3OutputPath": output, **account.encrypted("KmsKeyId")},
        "ResourceConfig": cluster | account.encrypted("VolumeKmsKeyId"),
        # A job that was interrupted starts again: it is shorter than a checkpoint is worth.
        "EnableManagedSpotTraining": True,
        "StoppingCondition": {"MaxRuntimeInSeconds": HOUR, "MaxWaitTimeInSeconds": 4 * HOUR},
        "RetryStrategy": {"MaximumRetryAttempts": 3},
        "EnableNetworkIsolation": True,
        **account.vpc,
    }


def training(
    account: Account,
    pair: str,
    version: str,
    hyperparameters: Mapping[str, str],
    *,
    bars: Any,
    instance: str = "ml.m5.xlarge",
) -> Call:
    """A training of a pair on spot instances; its model lies under the job's name for good.

    ``bars`` : address of the bar files of all pairs that its columns read.
    """
    definition = _definition(account, bars, account.uri("trainings"), instance=instance)
    texts = {key: str(value) for key, value in hyperparameters.items()} | {"pair": pair}
    name = {"TrainingJobName": f"bqx-{pair}-{version}"}
    call = {**name, "HyperParameters": texts, **definition, **_marks(account, pair)}
    return Call("sagemaker", "create_training_job", call)


def _marks(account: Account, pair: str) -> dict[str, Any]:
    """Tags by which the bill tells a pair's costs apart."""
    return {"Tags": [*account.marks["Tags"], {"Key": "pair", "Value": pair}]}


def ranges(model: str) -> dict[str, list[dict[str, Any]]]:
    """``ParameterRanges`` of a model: those of its own search."""
    out: dict[str, list[dict[str, Any]]] = {
        "IntegerParameterRanges": [],
        "ContinuousParameterRanges": [],
    }
    for name, interval in model_class(model).SPACE.items():
        kind = "Integer" if isinstance(interval.low, int) else "Continuous"
        entry = {
            "Name": name,
            "MinValue": str(interval.low),
            "MaxValue": str(interval.high),
            "ScalingType": "Logarithmic" if interval.log else "Linear",
        }
        out[f"{kind}ParameterRanges"].append(entry)
    return out


def tuning(
    account: Account,
    pair: str,
    version: str,
    hyperparameters: Mapping[str, str],
    *,
    bars: str,
    trials: int = 30,
    instance: str = "ml.m5.xlarge",
) -> Call:
    """A Bayesian search for the settings of a pair, by the skill on validation rows.

    Raises ParameterError for a hyperparameter that the search chooses.
    """
    definition = _definition(account, bars, account.uri("tunings"), instance=instance)
    fixed = {k: str(v) for k, v in hyperparameters.items()} | {"pair": pair, "model": TUNED}
    searched = ranges(TUNED)
    names = [entry["Name"] for entries in searched.values() for entry in entries]
    # Of a run's parameters too, which the search's choice would win over.
    chosen = [*names, *(key for name, key in model_class(TUNED).RUN_KEYS.items() if name in names)]
    if said := [key for key in dict.fromkeys(chosen) if key in fixed]:
        raise ParameterError(
            f"--set: {said[0]} is chosen by the search, got {fixed[said[0]]!r:.60}; expected none "
            f"of {', '.join(dict.fromkeys(chosen))}. Remove it, or use `bqx cloud train`."
        )
    definition["StaticHyperParameters"] = fixed
    objective = {"Type": "Maximize", "MetricName": metrics.OBJECTIVE}
    limits = {"MaxNumberOfTrainingJobs": trials, "MaxParallelTrainingJobs": PARALLEL}
    return Call(
        "sagemaker",
        "create_hyper_parameter_tuning_job",
        {
            "HyperParameterTuningJobName": f"bqx-{pair}-{version}",
            "HyperParameterTuningJobConfig": {
                "Strategy": "Bayesian",
                "HyperParameterTuningJobObjective": objective,
                "ResourceLimits": limits,
                "ParameterRanges": searched,
            },
            "TrainingJobDefinition": definition,
            **_marks(account, pair),
        },
    )


def transform(
    account: Account,
    name: str,
    model: str,
    *,
    source: str,
    instance: str = "ml.m5.2xlarge",
    instances: int = 4,
) -> Call:
    """Forecasts of a batch of requests, JSON lines, by a model of SageMaker."""
    data = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": source}}
    resources = {"InstanceType": instance, "InstanceCount": instances}
    return Call(
        "sagemaker",
        "create_transform_job",
        {
            "TransformJobName": name,
            "ModelName": model,
            "BatchStrategy": "MultiRecord",
            "MaxPayloadInMB": 10,
            "MaxConcurrentTransforms": 8,
            "ModelClientConfig": {"InvocationsTimeoutInSeconds": 600, "InvocationsMaxRetries": 3},
            "TransformInput": {
                "DataSource": data,
                "ContentType": "application/jsonlines",
                "SplitType": "Line",
            },
            "TransformOutput": {
                "S3OutputPath": account.uri("predictions", "batch", name),
                "Accept": "application/jsonlines",
                "AssembleWith": "Line",
                **account.encrypted("KmsKeyId"),
            },
            "TransformResources": resources | account.encrypted("VolumeKmsKeyId"),
            **account.marks,
        },
    )


def daily_transform(account: Account, model: str, *, role: str, **size: Any) -> Call:
    """The batch of every day at 00:00 UTC, by a schedule whose role may do nothing else.

    ``size`` : ``instance`` and ``instances`` of `transform`.
    """
    # Each day's job has a name and an output of its own.
    name = "bqx-batch-<aws.scheduler.execution-id>"
    source = account.uri("requests", "daily")
    job = transform(account, name, model, source=source, **size)
    target = {
        "Arn": "arn:aws:scheduler:::aws-sdk:sagemaker:createTransformJob",
        "RoleArn": role,
        "Input": json.dumps(job.arguments),
    }
    return Call(
        "scheduler",
        "create_schedule",
        {
            "Name": "bqx-daily-batch",
            "ScheduleExpression": "cron(0 0 * * ? *)",
            "ScheduleExpressionTimezone": "UTC",
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": target,
        },
    )
