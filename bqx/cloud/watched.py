"""What takes its time in AWS, followed to its end: trainings side by side, a rollout by weights."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bqx.cloud import endpoint_requests
from bqx.cloud.calls import Call, Clients, CloudError, make

STEPS = (10, 50, 100)
"""Percent of the requests of a new variant, step by step."""
POLL = 30.0
ENDED = ("Completed", "Failed", "Stopped")


@dataclass(frozen=True)
class Ended:
    """A training that has ended: ``model`` its archive, empty where it failed for ``reason``."""

    name: str
    status: str
    reason: str
    model: str
    metrics: dict[str, float]


def train_all(
    calls: Sequence[Call],
    of: Clients,
    *,
    seconds: float = 6 * 3_600.0,
    sleep: Callable[[float], None] = time.sleep,
) -> list[Ended]:
    """Start trainings side by side and wait for all; one that fails leaves the others alone.

    Raises CloudError where some have not ended after so many seconds.
    """
    waiting: list[str] = []
    ended: list[Ended] = []
    for call in calls:
        name = call.arguments["TrainingJobName"]
        try:
            make(call, of)
            waiting.append(name)
        except CloudError as error:
            ended.append(Ended(name, "Failed", str(error), "", {}))
    for _ in range(max(int(seconds / POLL), 1)):
        for name in tuple(waiting):
            job = make(Call("sagemaker", "describe_training_job", {"TrainingJobName": name}), of)
            if job["TrainingJobStatus"] in ENDED:
                waiting.remove(name)
                values = {m["MetricName"]: m["Value"] for m in job.get("FinalMetricDataList", ())}
                model = job.get("ModelArtifacts", {}).get("S3ModelArtifacts", "")
                reason = job.get("FailureReason", "")
                ended.append(Ended(name, job["TrainingJobStatus"], reason, model, values))
        if not waiting:
            return ended
        sleep(POLL)
    raise CloudError(
        f"trainings: {len(waiting)} do not end, got {seconds / 3_600:.1f} hours; expected less. "
        f"Look at {waiting[0]} in the console."
    )


def shift(
    of: Clients,
    blue: str,
    green: str,
    *,
    endpoint: str = endpoint_requests.ENDPOINT,
    alarms: Sequence[str] = (),
    bake: float = 600.0,
    sleep: Callable[[float], None] = time.sleep,
) -> bool:
    """Give a new variant 10, 50 and 100 percent of the requests, each baked so many seconds.

    Where an alarm rings, all requests go back to the old one at once; False then.
    """
    for share in STEPS:
        weights = {blue: 1.0 - share / 100.0, green: share / 100.0}
        make(endpoint_requests.weigh(weights, endpoint=endpoint), of)
        for _ in range(max(int(bake / POLL), 1)):
            sleep(min(POLL, bake))
            if _rings(of, alarms):
                make(endpoint_requests.weigh({blue: 1.0, green: 0.0}, endpoint=endpoint), of)
                return False
    return True


def serving(
    of: Clients,
    *,
    endpoint: str = endpoint_requests.ENDPOINT,
    seconds: float = 3_600.0,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Wait until an endpoint is in service, before which it cannot be scaled.

    Raises CloudError where it failed, or is not after so many seconds.
    """
    for _ in range(max(int(seconds / POLL), 1)):
        told = make(Call("sagemaker", "describe_endpoint", {"EndpointName": endpoint}), of)
        if told["EndpointStatus"] == "InService":
            return
        if told["EndpointStatus"] == "Failed":
            raise CloudError(
                f"{endpoint}: failed, got {told.get('FailureReason', 'no reason')!r:.300}; "
                "expected an endpoint in service. Delete it, mend that and run it again."
            )
        sleep(POLL)
    raise CloudError(
        f"{endpoint}: {told['EndpointStatus']} for {seconds / 60:.0f} minutes; expected it in "
        "service. See its log in CloudWatch."
    )


def _rings(of: Clients, alarms: Sequence[str]) -> bool:
    if not alarms:
        return False
    answer = make(Call("cloudwatch", "describe_alarms", {"AlarmNames": list(alarms)}), of)
    return any(alarm["StateValue"] == "ALARM" for alarm in answer["MetricAlarms"])
