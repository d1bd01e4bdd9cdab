"""Training and processing jobs: folders as SageMaker lays them out, the entry point as it is."""

import json
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from bqx.cloud import archive
from bqx.cloud.local import processes
from bqx.errors import ArtefactError, ParameterError
from bqx.files import copy_folder
from bqx.serving.jobs import metrics

Status = Literal["Completed", "Failed", "Stopped"]
HOUR = 3_600.0
ENDED = "status"
"""File of a job's folder that says how it ended; a failed job gives its name back."""


@dataclass(frozen=True)
class Job:
    """A job that has ended.

    ``reason`` : of a failure, or the exit message; ``metrics`` : that the platform read from what
    it printed; ``output`` : the model's archive, or the folder of a processing job.
    """

    name: str
    status: Status
    reason: str
    output: Path
    log: Path
    metrics: dict[str, float] = field(default_factory=dict)


def train(
    place: Path,
    name: str,
    hyperparameters: Mapping[str, str],
    *,
    channels: Mapping[str, Path],
    environment: Mapping[str, str] | None = None,
    seconds: float = HOUR,
) -> Job:
    """Run a training job to its end, at most so many seconds.

    Raises ParameterError for a name that was used, but by a job that failed; ArtefactError for a
    channel that is not there, in which case the name stays free.
    """
    _check_folders(channels)
    root = _new(place / "training" / name)
    _write(root / "input/config/hyperparameters.json", dict(hyperparameters))
    hosts = {"current_host": "algo-1", "hosts": ["algo-1"], "network_interface_name": "lo"}
    _write(root / "input/config/resourceconfig.json", hosts)
    named = {channel: {"TrainingInputMode": "File"} for channel in channels}
    _write(root / "input/config/inputdataconfig.json", named)
    for channel, source in channels.items():
        copy_folder(source, root / "input/data" / channel)
    for folder in ("model", "output/data", "checkpoints"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    arn = f"arn:aws:sagemaker:local:000000000000:training-job/{name}"
    variables = {"TRAINING_JOB_NAME": name, "TRAINING_JOB_ARN": arn, **(environment or {})}
    status = _run(root, ["train"], variables, seconds=seconds)
    (root / ENDED).write_text(status)
    packed = root / "model.tar.gz"
    if any((root / "model").iterdir()) and status != "Failed":
        archive.pack(root / "model", packed)
    reason = _text(root / "output/failure") if status == "Failed" else ""
    return Job(name, status, reason, packed, root / "log", _measured(root / "log"))


def process(
    place: Path,
    name: str,
    arguments: Sequence[str],
    *,
    inputs: Mapping[str, Path],
    instances: int = 1,
    environment: Mapping[str, str] | None = None,
    seconds: float = HOUR,
) -> list[Job]:
    """Run a processing job on so many instances, one after the other.

    Their outputs come together below ``processing/NAME/output`` as they do in S3.

    Raises as `train`.
    """
    _check_folders(inputs)
    base, done = _new(place / "processing" / name), list[Job]()
    hosts = [f"algo-{number + 1}" for number in range(instances)]
    for host in hosts:
        root = base / host
        _write(root / "config/resourceconfig.json", {"current_host": host, "hosts": hosts})
        processing_inputs = [
            {"InputName": key, "S3Input": {"S3DataDistributionType": "FullyReplicated"}}
            for key in inputs
        ]
        _write(root / "config/processingjobconfig.json", {"ProcessingInputs": processing_inputs})
        for key, source in inputs.items():
            copy_folder(source, root / "processing/input" / key)
        status = _run(root, ["process", *arguments], environment or {}, seconds=seconds)
        output = root / "processing/output"
        if output.is_dir():
            copy_folder(output, base / "output")
        message = _text(root / "output/message")
        done.append(Job(f"{name}/{host}", status, message, base / "output", root / "log"))
    failed = any(job.status == "Failed" for job in done)
    (base / ENDED).write_text("Failed" if failed else "Completed")
    return done


def _new(root: Path) -> Path:
    if not re.fullmatch(r"[a-zA-Z0-9](-?[a-zA-Z0-9]){0,62}", root.name):
        rule = "letters, digits and single hyphens, at most 63"
        raise ParameterError(f"job: no name, got {root.name!r:.70}; expected {rule}.")
    if _text(root / ENDED) == "Failed":
        shutil.rmtree(root)
    if root.exists():
        raise ParameterError(f"job: used already, got {root.name}; expected another name.")
    root.mkdir(parents=True)
    return root


def _write(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def _check_folders(sources: Mapping[str, Path]) -> None:
    for name, source in sources.items():
        if not source.is_dir():
            raise ArtefactError(f"{source}: no folder; expected the files of {name}.")


def _run(
    root: Path, arguments: Sequence[str], variables: Mapping[str, str], *, seconds: float
) -> Status:
    child = processes.start(root, arguments, variables, root / "log")
    try:
        return "Completed" if child.wait(seconds) == 0 else "Failed"
    except subprocess.TimeoutExpired:
        return "Stopped"
    finally:
        if child.poll() is None:
            child.terminate()
            try:
                child.wait(processes.GRACE["job"])
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _measured(log: Path) -> dict[str, float]:
    printed = log.read_text(encoding="utf-8", errors="replace")
    values = {}
    for definition in metrics.definitions():
        if matches := re.findall(definition["Regex"], printed):
            values[definition["Name"]] = float(matches[-1])
    return values
