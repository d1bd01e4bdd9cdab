"""Calls of AWS, against moto where it knows them, else against botocore's shapes."""

import json

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import Stubber
from moto import mock_aws

from bqx import cli
from bqx.cloud import (
    account,
    artefacts,
    calls,
    endpoint_requests,
    job_requests,
    pipeline,
    watched,
)
from bqx.cloud.account import Account
from bqx.cloud.calls import Call, CloudError
from bqx.errors import ParameterError
from bqx.learning.tuning import PRIORITY
from bqx.market.pairs import PAIRS
from bqx.serving.jobs import metrics

REGION = "us-east-1"
ROLE = "arn:aws:iam::123456789012:role/bqx"
OWN = Account(
    "123456789012",
    REGION,
    "bqx-ml",
    ROLE,
    subnets=("subnet-1",),
    security_groups=("sg-1",),
    key="arn:aws:kms:us-east-1:123456789012:key/k",
)
BARS = "s3://bqx-ml/bars"


@pytest.fixture
def aws(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    with mock_aws():
        yield calls.clients(REGION)


def stubbed(service):
    keys = {"aws_access_key_id": "x", "aws_secret_access_key": "x"}
    client = boto3.client(service, region_name=REGION, **keys)
    return client, Stubber(client)


def valid(call):
    """Whether botocore's own shapes take a call."""
    client, _ = stubbed(call.service)
    name = client.meta.method_to_api_mapping[call.method]
    client._convert_to_request_dict(
        call.arguments, client.meta.service_model.operation_model(name), "https://x", {}
    )
    return True


def every_call():
    models = {"blue": 0.9, "green": 0.1}
    return [
        job_requests.processing(OWN, "p", ["profile=core"], bars=BARS),
        job_requests.processing(OWN, "p", [], secret="bqx-ml/aurora-credentials"),
        job_requests.training(OWN, "eurusd", "v1", {"model": "ridge"}, bars=BARS),
        job_requests.tuning(OWN, "eurusd", "v1", {}, bars=BARS),
        job_requests.transform(OWN, "t", "m", source="s3://bqx-ml/requests"),
        job_requests.daily_transform(OWN, "m", role=ROLE),
        endpoint_requests.model(OWN, "m", models=OWN.uri("models/")),
        endpoint_requests.config(OWN, "c", models, instances=2),
        endpoint_requests.create(OWN, "c"),
        *endpoint_requests.autoscaling(),
        *endpoint_requests.alarms(),
        endpoint_requests.canary("c2", ["a"]),
        endpoint_requests.weigh(models),
        pipeline.create(OWN, pipeline.definition(OWN, PAIRS, {}, bars=BARS)),
    ]


@pytest.mark.parametrize("call", every_call(), ids=lambda call: call.method)
def test_every_call_has_the_shape_that_aws_takes(call):
    assert valid(call)


def test_a_dry_run_prints_the_calls_and_makes_none(capsys):
    assert calls.make_all(every_call(), None) == []
    printed = capsys.readouterr().out
    assert '"sagemaker.create_training_job"' in printed
    assert '"sagemaker.update_endpoint"' in printed


def test_jobs_are_encrypted_isolated_and_in_the_network():
    training = job_requests.training(OWN, "eurusd", "v1", {}, bars=BARS).arguments
    assert training["OutputDataConfig"]["KmsKeyId"] == OWN.key
    assert training["ResourceConfig"]["VolumeKmsKeyId"] == OWN.key
    assert training["VpcConfig"] == {"SecurityGroupIds": ["sg-1"], "Subnets": ["subnet-1"]}
    assert training["EnableNetworkIsolation"]
    assert training["EnableManagedSpotTraining"]
    limits = training["StoppingCondition"]
    assert limits["MaxWaitTimeInSeconds"] >= limits["MaxRuntimeInSeconds"]
    assert 1 <= training["RetryStrategy"]["MaximumRetryAttempts"] <= 30
    assert {"Key": "pair", "Value": "eurusd"} in training["Tags"]
    definitions = training["AlgorithmSpecification"]["MetricDefinitions"]
    assert definitions == metrics.definitions()
    assert len(definitions) <= 40


def test_hyperparameters_are_texts():
    call = job_requests.training(OWN, "eurusd", "v1", {"depth": 3}, bars=BARS)
    assert call.arguments["HyperParameters"] == {"pair": "eurusd", "depth": "3"}


def test_a_job_is_of_the_pair_and_model_in_its_name():
    others = {"pair": "usdjpy", "model": "ridge"}
    training = job_requests.training(OWN, "eurusd", "v1", others, bars=BARS).arguments
    assert training["HyperParameters"] == {"pair": "eurusd", "model": "ridge"}
    definition = job_requests.tuning(OWN, "eurusd", "v1", others, bars=BARS).arguments[
        "TrainingJobDefinition"
    ]
    assert definition["StaticHyperParameters"] == {"pair": "eurusd", "model": "xgboost"}


def test_a_search_is_bayesian_over_the_models_own_ranges():
    call = job_requests.tuning(OWN, "gbpusd", "v1", {"lags": "[60]"}, bars=BARS)
    config = call.arguments["HyperParameterTuningJobConfig"]
    assert config["Strategy"] == "Bayesian"
    assert config["HyperParameterTuningJobObjective"]["MetricName"] == "validation_skill"
    integers = {r["Name"]: r for r in config["ParameterRanges"]["IntegerParameterRanges"]}
    continuous = {r["Name"]: r for r in config["ParameterRanges"]["ContinuousParameterRanges"]}
    assert set(integers) == {"max_depth", "n_estimators"}
    assert continuous["learning_rate"]["ScalingType"] == "Logarithmic"
    # What is searched must not be fixed too.
    fixed = call.arguments["TrainingJobDefinition"]["StaticHyperParameters"]
    assert fixed == {"pair": "gbpusd", "model": "xgboost", "lags": "[60]"}


def test_twenty_eight_trainings_start_and_one_that_fails_leaves_the_rest(aws):
    requests = [job_requests.training(OWN, pair, "v1", {}, bars=BARS) for pair in PAIRS]
    taken = requests[5].arguments["TrainingJobName"]

    class Refusing:
        def __getattr__(self, name):
            return getattr(aws("sagemaker"), name)

        def create_training_job(self, **arguments):
            if arguments["TrainingJobName"] == taken:
                error = {"Error": {"Code": "ResourceInUse", "Message": "taken"}}
                raise ClientError(error, "CreateTrainingJob")
            return aws("sagemaker").create_training_job(**arguments)

    ended = watched.train_all(requests, lambda _: Refusing(), sleep=lambda _: None)
    status = {job.name: job.status for job in ended}
    assert len(status) == 28
    failed = [job for job in ended if job.status == "Failed"]
    assert [job.name for job in failed] == [taken]
    assert "create_training_job: refused" in failed[0].reason
    assert all(job.model.startswith("s3://") for job in ended if job.status == "Completed")


def test_trainings_that_never_end_are_given_up():
    client, stub = stubbed("sagemaker")
    request = job_requests.training(OWN, "eurusd", "v1", {}, bars=BARS)
    stub.add_response("create_training_job", {"TrainingJobArn": f"{ROLE}"})
    for _ in range(2):
        stub.add_response("describe_training_job", described("InProgress"))
    with stub, pytest.raises(CloudError, match="1 do not end"):
        watched.train_all([request], lambda _: client, seconds=60, sleep=lambda _: None)


def described(status):
    return {
        "TrainingJobName": "n",
        "TrainingJobArn": "arn:aws:sagemaker:us-east-1:123456789012:training-job/n",
        "ModelArtifacts": {"S3ModelArtifacts": "s3://b/model.tar.gz"},
        "TrainingJobStatus": status,
        "SecondaryStatus": "Training",
        "StoppingCondition": {},
        "CreationTime": "2026-01-01T00:00:00Z",
    }


def test_processing_tuning_batch_and_pipeline_run_against_moto(aws):
    made = [
        job_requests.processing(OWN, "p", [], bars=BARS),
        *(job_requests.tuning(OWN, pair, "v1", {}, bars=BARS) for pair in PRIORITY),
        job_requests.transform(OWN, "t", "m", source="s3://bqx-ml/requests"),
        job_requests.daily_transform(OWN, "m", role=ROLE),
        pipeline.create(OWN, pipeline.definition(OWN, PRIORITY, {}, bars=BARS)),
    ]
    assert len(calls.make_all(made, aws)) == 7
    schedule = aws("scheduler").get_schedule(Name="bqx-daily-batch")
    assert schedule["ScheduleExpression"] == "cron(0 0 * * ? *)"
    assert schedule["ScheduleExpressionTimezone"] == "UTC"
    job = json.loads(schedule["Target"]["Input"])
    assert "execution-id" in job["TransformJobName"]
    assert "execution-id" in job["TransformOutput"]["S3OutputPath"]
    assert aws("sagemaker").start_pipeline_execution(PipelineName=pipeline.NAME)


def deployed(aws, weights):
    for name in weights:
        calls.make(endpoint_requests.model(OWN, name, models=OWN.uri("models/")), aws)
    made = [
        endpoint_requests.config(OWN, "c", weights, instance="ml.m5.large", instances=2),
        endpoint_requests.create(OWN, "c"),
    ]
    calls.make_all(made, aws)


def weights_of(aws):
    variants = aws("sagemaker").describe_endpoint(EndpointName=endpoint_requests.ENDPOINT)
    return {v["VariantName"]: v["DesiredWeight"] for v in variants["ProductionVariants"]}


def test_an_endpoint_scales_from_one_to_four(aws):
    deployed(aws, {"one": 1.0})
    calls.make_all(endpoint_requests.autoscaling(), aws)
    service = aws("application-autoscaling")
    (target,) = service.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (1, 4)
    policies = service.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"]
    held = [p["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] for p in policies]
    # 70 percent of each of eight processors.
    assert sorted(held) == [400.0, 560.0]


@pytest.mark.parametrize(
    ("instance", "count"),
    [
        ("ml.m8g.medium", 1),
        ("ml.m5.large", 2),
        ("ml.c7g.xlarge", 4),
        ("ml.m5.12xlarge", 48),
        ("ml.p6-b200.48xlarge", 192),
    ],
)
def test_the_processors_held_are_those_of_the_instance(instance, count):
    assert endpoint_requests.processors(instance) == count
    cpu = endpoint_requests.autoscaling(instance=instance)[1].arguments
    assert cpu["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 70.0 * count


def test_every_instance_that_serves_has_processors():
    model = boto3.client("sagemaker", region_name=REGION).meta.service_model
    hosting = model.shape_for("ProductionVariantInstanceType").enum
    assert all(endpoint_requests.processors(instance) > 0 for instance in hosting)
    with pytest.raises(ParameterError, match="instance: no type, got 'm5'"):
        endpoint_requests.processors("m5")


def test_weights_go_ten_fifty_hundred_and_back_when_an_alarm_rings(aws):
    deployed(aws, {"blue": 1.0, "green": 0.0})
    calls.make_all(endpoint_requests.alarms(variant="green"), aws)
    alarms = [call.arguments["AlarmName"] for call in endpoint_requests.alarms(variant="green")]
    seen = []

    def look(_):
        seen.append(weights_of(aws)["green"])

    assert watched.shift(aws, "blue", "green", alarms=alarms, bake=30, sleep=look)
    assert seen == [0.1, 0.5, 1.0]

    def ring(_):
        if weights_of(aws)["green"] == 0.5:
            aws("cloudwatch").set_alarm_state(
                AlarmName=alarms[0], StateValue="ALARM", StateReason="errors"
            )

    assert not watched.shift(aws, "blue", "green", alarms=alarms, bake=30, sleep=ring)
    assert weights_of(aws) == {"blue": 1.0, "green": 0.0}


def test_a_guarded_update_bakes_a_tenth_and_rolls_back_by_itself():
    call = endpoint_requests.canary("c2", ["errors", "latency"], bake=300)
    client, stub = stubbed("sagemaker")
    stub.add_response(
        "update_endpoint",
        {"EndpointArn": "arn:aws:sagemaker:us-east-1:123456789012:endpoint/e"},
        call.arguments,
    )
    with stub:
        calls.make(call, lambda _: client)
    deployment = call.arguments["DeploymentConfig"]
    policy = deployment["BlueGreenUpdatePolicy"]
    assert policy["TrafficRoutingConfiguration"]["CanarySize"]["Value"] == 10
    assert 600 <= policy["MaximumExecutionTimeoutInSeconds"] <= 28_800
    assert 1 <= len(deployment["AutoRollbackConfiguration"]["Alarms"]) <= 10


def test_a_key_is_never_overwritten(aws, tmp_path):
    aws("s3").create_bucket(Bucket=OWN.bucket)
    (tmp_path / "a").write_bytes(b"one")
    (tmp_path / "b").write_bytes(b"two")
    key = artefacts.upload(OWN, "eurusd", "1", packed=tmp_path / "a", of=aws)
    assert key == "s3://bqx-ml/models/eurusd/1.tar.gz"
    with pytest.raises(CloudError, match="there already"):
        artefacts.upload(OWN, "eurusd", "1", packed=tmp_path / "b", of=aws)
    stored = aws("s3").get_object(Bucket=OWN.bucket, Key="models/eurusd/1.tar.gz")
    assert stored["Body"].read() == b"one"
    assert stored["ServerSideEncryption"] == "aws:kms"


def test_the_pipeline_goes_from_bars_to_deployment():
    content = pipeline.definition(OWN, PAIRS, {"model": "ridge"}, bars=BARS)
    steps = {step["Name"]: step for step in content["Steps"]}
    assert len(steps) == 1 + 2 * 28
    assert steps["Process"]["Type"] == "Processing"
    # Every execution has files of its own.
    (output,) = steps["Process"]["Arguments"]["ProcessingOutputConfig"]["Outputs"]
    assert output["S3Output"]["S3Uri"]["Std:Join"] == {
        "On": "/",
        "Values": ["s3://bqx-ml/datasets/pipeline", {"Get": "Execution.PipelineExecutionId"}],
    }
    train = steps["Train-eurusd"]["Arguments"]
    assert "TrainingJobName" not in train
    uri = train["InputDataConfig"][0]["DataSource"]["S3DataSource"]["S3Uri"]
    assert uri["Std:Join"]["Values"][1] == "bars"
    judge = steps["Judge-eurusd"]["Arguments"]
    (condition,) = judge["Conditions"]
    assert condition["LeftValue"]["Get"] == "Steps.Train-eurusd.FinalMetricDataList['skill'].Value"
    register, deploy = judge["IfSteps"]
    assert register["Arguments"]["ModelApprovalStatus"] == "PendingManualApproval"
    assert deploy["DependsOn"] == [register["Name"]]
    # The platform takes no more than 10 MB; and every step has a name of its own.
    assert len(json.dumps(content)) < 10_000_000


def test_a_refusal_is_one_line(aws):
    call = Call("sagemaker", "describe_training_job", {"TrainingJobName": "none"})
    with pytest.raises(CloudError, match=r"^sagemaker.describe_training_job: refused, got .*\.$"):
        calls.make(call, aws)


def test_no_credentials_are_one_line(monkeypatch):
    client, _ = stubbed("sagemaker")
    with pytest.raises(CloudError, match="not made"):
        calls.make(Call("sagemaker", "describe_endpoint", {"EndpointNme": "x"}), lambda _: client)


ACCOUNT = 'account: "123456789012"\nregion: us-east-1\nbucket: bqx-ml\nrole: arn:x\n'


def test_packages_without_credentials_are_one_line(tmp_path, monkeypatch, capsys):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    # What a test before it has signed in with.
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    path = tmp_path / "cloud.yaml"
    path.write_text(ACCOUNT)
    assert cli.main(["cloud", "packages", "list", "eurusd", "--account", str(path)]) == 2
    told = capsys.readouterr().err
    assert told.startswith("bqx: packages list: not made, got Unable to locate credentials;")
    assert told.count("\n") == 1


def test_an_endpoint_has_an_instance(capsys):
    asked = ["cloud", "endpoint", "one", "--account", "cloud.yaml", "--instances", "-5"]
    with pytest.raises(SystemExit):
        cli.main(asked)
    assert "--instances: no such number, got '-5'; expected 1 to 100" in capsys.readouterr().err


def test_an_account_is_read_from_a_file(tmp_path):
    path = tmp_path / "cloud.yaml"
    path.write_text(ACCOUNT + "subnets: [a, b]\n")
    own = Account.read(path)
    assert own.subnets == ("a", "b")
    assert own.image("inference") == (
        "123456789012.dkr.ecr.us-east-1.amazonaws.com/bqx-ml-inference:latest"
    )
    assert len(set(account.REPOSITORIES.values())) == 3


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("", "no account"),
        (ACCOUNT.replace("bucket", "bukcet"), "unknown bukcet"),
        (ACCOUNT.replace('"123456789012"', "1234"), "12 digits"),
        ("[", "cannot be read"),
    ],
)
def test_an_account_that_is_none_is_refused(tmp_path, text, rule):
    path = tmp_path / "cloud.yaml"
    path.write_text(text)
    with pytest.raises(ParameterError, match=rule):
        Account.read(path)
