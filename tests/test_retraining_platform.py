"""The platform's retraining: what starts the pipeline, and that it is started once."""

import json
import shutil
import subprocess

import boto3
import pytest
from botocore.stub import ANY, Stubber

from bqx import cli
from bqx.cloud import pipeline, retraining
from bqx.monitoring.measured import Measurements
from bqx.operations import cloudwatch
from bqx.retraining import triggers
from bqx.serving import lambda_handlers, lambda_retraining

EVENT = {"id": "6a7e8feb", "detail-type": "Scheduled Event", "time": "2024-07-01T02:00:00Z"}
DRIFTED = {
    "id": "7bf73129",
    "detail-type": lambda_retraining.ALARM,
    "time": "2024-07-03T10:00:00Z",
    "detail": {"alarmName": "bqx-drift-panel", "state": {"value": "ALARM"}},
}


@pytest.fixture
def sagemaker(monkeypatch):
    """A stub of the client, and what it was asked for."""
    monkeypatch.setenv(lambda_retraining.PIPELINE, pipeline.NAME)
    monkeypatch.setenv(lambda_retraining.DEPLOY, "arn:deploy")
    client = boto3.client("sagemaker", region_name="us-east-1")
    monkeypatch.setattr(boto3, "client", lambda name: client)
    asked = []
    client.meta.events.register(
        "provide-client-params.sagemaker.StartPipelineExecution",
        lambda params, **_: asked.append(params),
    )
    with Stubber(client) as stub:
        for _ in range(2):
            stub.add_response(
                "start_pipeline_execution",
                {"PipelineExecutionArn": "arn:aws:sagemaker:us-east-1:1:pipeline/a/execution/b"},
                {
                    "PipelineName": pipeline.NAME,
                    "PipelineExecutionDescription": ANY,
                    "PipelineParameters": [{"Name": pipeline.DEPLOY, "Value": "arn:deploy"}],
                    "ClientRequestToken": ANY,
                },
            )
        yield asked


@pytest.mark.parametrize(
    ("event", "reason"), [(EVENT, "schedule"), (DRIFTED, "alarm bqx-drift-panel")]
)
def test_an_event_starts_the_pipeline_and_the_same_event_no_other(sagemaker, event, reason):
    answers = [lambda_handlers.retrain(event, None) for _ in range(2)]
    assert answers[0]["started"]
    assert answers[0]["reason"] == reason
    first, second = (call["ClientRequestToken"] for call in sagemaker)
    assert first == second
    assert 32 <= len(first) <= 128


def test_other_events_have_other_tokens(sagemaker):
    for event in (EVENT, EVENT | {"time": "2024-07-08T02:00:00Z", "id": "9"}):
        lambda_handlers.retrain(event, None)
    assert len({call["ClientRequestToken"] for call in sagemaker}) == 2


def test_an_alarm_that_is_silent_again_starts_nothing(sagemaker):
    silent = DRIFTED | {"detail": {"alarmName": "bqx-drift-panel", "state": {"value": "OK"}}}
    assert not lambda_handlers.retrain(silent, None)["started"]
    assert sagemaker == []


def test_the_template_leads_from_the_schedule_to_the_pipeline(capsys):
    assert cli.main(["cloud", "template", "retraining"]) == 0
    resources = json.loads(capsys.readouterr().out)["Resources"]
    weekly, drifted = (resources[name]["Properties"] for name in ("Weekly", "Drifted"))
    assert weekly["ScheduleExpression"] == triggers.SCHEDULE == "cron(0 2 ? * MON *)"
    assert drifted["EventPattern"]["detail"]["alarmName"] == [{"prefix": "bqx-drift"}]
    function = resources["Retrain"]["Properties"]
    verb, name = function["ImageConfig"]["Command"]
    assert (verb, name in lambda_handlers.HANDLERS) == ("lambda", True)
    assert function["Environment"]["Variables"][lambda_retraining.PIPELINE] == pipeline.NAME
    (policy,) = resources["RetrainRole"]["Properties"]["Policies"]
    started = policy["PolicyDocument"]["Statement"][0]
    assert started["Action"] == ["sagemaker:StartPipelineExecution"]
    assert started["Resource"][0]["Fn::Sub"].endswith(f":pipeline/{pipeline.NAME}")


def test_the_alarm_is_of_the_number_that_bqx_alert_hands_over():
    alarm = retraining.design()["Resources"]["DriftAlarm"]["Properties"]
    assert alarm["AlarmName"] == "bqx-drift-panel"
    assert alarm["AlarmName"].startswith(retraining.DRIFT)
    sent = cloudwatch.publish(Measurements(0.0, {"panel_drift": 1.0})).arguments
    (metric,) = sent["MetricData"]
    assert (alarm["Namespace"], alarm["MetricName"]) == (sent["Namespace"], metric["MetricName"])
    assert alarm.get("Dimensions") == metric.get("Dimensions")
    assert (alarm["Threshold"], alarm["ComparisonOperator"]) == (
        1.0,
        "GreaterThanOrEqualToThreshold",
    )


@pytest.mark.image
def test_the_template_passes_the_linter(tmp_path):
    path = tmp_path / "template.json"
    path.write_text(json.dumps(retraining.design()))
    linter = shutil.which("cfn-lint") or pytest.skip("cfn-lint is not installed")
    command = [linter, "--regions", "us-east-1", "--", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout
