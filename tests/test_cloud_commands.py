"""The command line of the cloud, and the CloudFormation of both designs."""

import argparse
import json
import re
import subprocess
import sys

import boto3
import pytest
import yaml
from moto import mock_aws

from bqx import cli
from bqx.cloud import job_requests, shapes, template, watched
from bqx.cloud.account import Account
from bqx.cloud.calls import CloudError
from bqx.cloud.local import commands as local

ACCOUNT = """
account: "123456789012"
region: us-east-1
bucket: bqx-ml
role: arn:aws:iam::123456789012:role/bqx
"""
BARS = ("--bars", "s3://bqx-ml/bars")
DRY = {
    "process": (("p", *BARS, "--set", "profile=core"), "create_processing_job", 1),
    "train": (("v1", *BARS, "--set", "rounds=100"), "create_training_job", 28),
    "tune": (("v1", *BARS), "create_hyper_parameter_tuning_job", 3),
    "endpoint": (("v1",), "create_endpoint_config", 1),
    "canary": (("v2",), "update_endpoint", 1),
    "shift": (("old", "new"), "update_endpoint_weights_and_capacities", 3),
    "batch": (("m", "--role", "arn:aws:iam::123456789012:role/b"), "create_schedule", 1),
    "pipeline": (BARS, "create_pipeline", 1),
}


@pytest.fixture
def account(tmp_path):
    path = tmp_path / "cloud.yaml"
    path.write_text(ACCOUNT)
    return str(path)


@pytest.fixture
def offline(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("a dry run made a client")

    monkeypatch.setattr(boto3, "client", refuse)


@pytest.mark.parametrize("command", DRY)
def test_without_make_a_command_prints_its_calls_and_makes_none(account, offline, capsys, command):
    arguments, method, count = DRY[command]
    assert cli.main(["cloud", command, "--account", account, *arguments]) == 0
    printed = capsys.readouterr().out
    assert printed.count(f'.{method}": ') == count


def test_with_make_the_calls_are_made(account, capsys, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    with mock_aws():
        command = ["cloud", "process", "--account", account, "p1", *BARS, "--make"]
        assert cli.main(command) == 0
        jobs = boto3.client("sagemaker", "us-east-1").list_processing_jobs()
    assert [job["ProcessingJobName"] for job in jobs["ProcessingJobSummaries"]] == ["p1"]
    assert "ProcessingJobArn" in capsys.readouterr().out


class Starting:
    """SageMaker and the scaling of an endpoint that takes its time, and what they were asked."""

    def __init__(self, *states):
        self.states, self.asked = list(states), []

    def __getattr__(self, method):
        def answer(**arguments):
            self.asked.append(method)
            if method != "describe_endpoint":
                return {}
            return {"EndpointStatus": self.states.pop(0), "FailureReason": "no memory"}

        return answer


def test_an_endpoint_is_scaled_once_it_is_in_service(account, monkeypatch):
    client, slept = Starting("Creating", "Creating", "InService"), []
    monkeypatch.setattr(boto3, "client", lambda *_, **__: client)
    monkeypatch.setitem(watched.serving.__kwdefaults__, "sleep", slept.append)
    assert cli.main(["cloud", "endpoint", "v1", "--account", account, "--make"]) == 0
    first = client.asked.index("describe_endpoint")
    assert client.asked[first - 1] == "create_endpoint"
    assert client.asked[first : first + 4] == ["describe_endpoint"] * 3 + [
        "register_scalable_target"
    ]
    assert len(slept) == 2


@pytest.mark.parametrize(
    ("states", "text"),
    [(("Creating", "Failed"), "failed, got 'no memory'"), (("Creating",) * 2, "Creating for 1 m")],
)
def test_an_endpoint_that_does_not_start_is_told(states, text):
    client = Starting(*states)
    with pytest.raises(CloudError, match=text):
        watched.serving(lambda _: client, seconds=60, sleep=lambda _: None)


def test_a_canary_is_of_a_configuration_that_the_command_makes(account, capsys):
    asked = ["cloud", "canary", "v2", "--account", account, "--instance", "ml.m5.large"]
    assert cli.main(asked) == 0
    decoder, text, calls = json.JSONDecoder(), capsys.readouterr().out.strip(), {}
    while text:
        call, end = decoder.raw_decode(text)
        calls, text = calls | call, text[end:].strip()
    assert [*calls] == [
        f"sagemaker.{method}" for method in ("create_model", "create_endpoint_config")
    ] + ["sagemaker.update_endpoint"]
    model, config, update = calls.values()
    (variant,) = config["ProductionVariants"]
    assert variant["ModelName"] == model["ModelName"]
    assert variant["InstanceType"] == "ml.m5.large"
    assert update["EndpointConfigName"] == config["EndpointConfigName"]
    # What scaling made of the number of instances stays.
    assert update["RetainAllVariantProperties"]


def test_packages_are_registered_approved_and_listed(account, capsys, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")

    def packages(action, *rest):
        status = cli.main(["cloud", "packages", action, "--account", account, "eurusd", *rest])
        out, err = capsys.readouterr()
        return status, out + err

    with mock_aws():
        assert "eurusd\t1\tpending" in packages("register", "s3://bqx-ml/models/1.tar.gz")[1]
        assert "eurusd\t2\tpending" in packages("register", "s3://bqx-ml/models/2.tar.gz")[1]
        assert "approved" in packages("approve", "1", "--reason", "looked at")[1]
        assert "rejected" in packages("reject", "2", "--reason", "no skill")[1]
        listed = packages("list")[1].splitlines()
        assert [line.split("\t")[2] for line in listed] == ["approved", "rejected"]
        status, printed = packages("approve", "9", "--reason", "x")
    assert status == 2
    assert "no version, got eurusd 9; expected one of 1, 2" in printed


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("train", "x", "--bars", "none", "--set", "rounds"), "expected KEY=VALUE"),
        (("train", "x", "--bars", ".", "--set", "pair=eurusd", "rouns=9"), "unknown, got 'rouns'"),
        (("process", "x", "--bars", ".", "--set", "rouns=9"), "unknown parameter, got 'rouns'"),
        (("train", "x", "--bars", "none", "--set", "pair=eurusd"), "none: no folder"),
        (("deploy", "x", "a=none.tar.gz"), "expected VARIANT=model.tar.gz"),
        (("invoke", "x", "request.json"), "request.json"),
        (("scale", "nobody"), "endpoint: not there"),
        (("heal", "nobody"), "endpoint: not there"),
    ],
)
def test_a_local_command_that_cannot_is_one_line(tmp_path, capsys, monkeypatch, arguments, text):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["cloud", "local", *arguments]) == 2
    printed = capsys.readouterr().err
    assert text in printed
    assert printed.count("\n") == 1


REFUSED = [
    ("process", "a b", *BARS),
    ("process", "p/\u00fc", *BARS),
    ("process", "x" * 64, *BARS),
    ("process", "p", "--bars", "/tmp/bars"),
    ("process", "p", "--bars", "s3://"),
    ("process", "p"),
    ("process", "p", *BARS, "--secret", "s"),
    ("train", "v 1", *BARS),
    ("train", "v1"),
    ("train", "v1", *BARS, "--pairs", "eurusd,eurusd"),
    ("train", "v1", *BARS, "--pairs", "usdeur"),
    ("tune", "v1", "--bars", "bars"),
    ("tune", "x" * 30, *BARS),
    ("endpoint", "v 1"),
    ("endpoint", ""),
    ("endpoint", "v1", "--instance", "m5"),
    ("endpoint", "x" * 99),
    ("canary", "v/2"),
    ("shift", "old", "old"),
    ("shift", "old", "n w"),
    ("batch", "m", "--role", "nobody"),
    ("pipeline", "--bars", "bars"),
]


@pytest.mark.parametrize("words", REFUSED, ids=" ".join)
def test_a_dry_run_prints_no_call_that_aws_refuses(account, offline, capsys, words):
    assert cli.main(["cloud", words[0], "--account", account, *words[1:]]) == 2
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)


@pytest.mark.parametrize(
    "altered",
    [
        {"role": "bqx"},
        {"subnets": ["subnet 1"], "security_groups": ["sg"]},
        {"subnets": 5},
        {"subnets": "subnet-1"},
        {"security_groups": {"sg-1": "x"}},
        {"tags": ["a"]},
        {"tags": {"a": 1}},
        {"region": 1},
        {"bucket": ["b"]},
        {"account": 12},
    ],
    ids=str,
)
def test_an_account_with_names_that_are_none_is_told(tmp_path, offline, capsys, altered):
    path = tmp_path / "cloud.yaml"
    path.write_text(json.dumps(yaml.safe_load(ACCOUNT) | altered))
    assert cli.main(["cloud", "process", "--account", str(path), "p", *BARS]) == 2
    assert "expected" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["process", "train", "tune", "pipeline"])
def test_a_dry_run_refuses_what_the_job_would(account, capsys, command):
    given = [command, *DRY[command][0], "--set", "rouns=100", "--account", account]
    assert cli.main(["cloud", *given]) == 2
    printed = capsys.readouterr()
    assert "rouns" in printed.err
    assert (printed.out, printed.err.count("\n")) == ("", 1)


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("train", "pair=usdjpy"),
        ("tune", "pair=usdjpy"),
        ("tune", "model=ridge"),
        ("pipeline", "pair=usdjpy"),
    ],
)
def test_what_a_command_says_of_each_job_is_not_set_otherwise(
    account, offline, capsys, command, said
):
    given = [command, *DRY[command][0], "--set", said, "--account", account]
    assert cli.main(["cloud", *given]) == 2
    out, err = capsys.readouterr()
    key, _, value = said.partition("=")
    assert f"--set: {key} is not to be set here, got '{value}'; expected" in err
    assert (out, err.count("\n")) == ("", 1)


@pytest.mark.parametrize("said", ["max_depth=3", "depth=3", "learning_rate=0.1"])
def test_what_a_search_chooses_is_not_set(account, offline, capsys, said):
    assert cli.main(["cloud", "tune", *DRY["tune"][0], "--set", said, "--account", account]) == 2
    out, err = capsys.readouterr()
    key, _, value = said.partition("=")
    assert f"--set: {key} is chosen by the search, got '{value}'; expected none of" in err
    assert (out, err.count("\n")) == ("", 1)


def test_variants_have_models_and_weights(tmp_path):
    (tmp_path / "a.tar.gz").touch()
    told = {"BQX_CAPTURE": "/a"}
    one, many = local._variants([f"one={tmp_path / 'a.tar.gz'}:0.25", f"all={tmp_path}"], told)
    assert (one.name, one.weight, one.many) == ("one", 0.25, False)
    assert (many.name, many.weight, many.many) == ("all", 1.0, True)
    assert one.variables == many.variables == told


def test_containers_are_told_where_to_capture_and_what_is_approved(tmp_path):
    named = {"capture": tmp_path / "a", "registry": tmp_path / "b"}
    assert local._variables(argparse.Namespace(**named)) == {
        "BQX_CAPTURE": str(tmp_path / "a"),
        "BQX_CAPTURE_SHARE": "1",
        "BQX_REGISTRY": str(tmp_path / "b"),
    }
    assert local._variables(argparse.Namespace(capture=None, registry=None)) == {}


@pytest.fixture(params=sorted(template.DESIGNS))
def design(request):
    return template.DESIGNS[request.param]()


def references(value):
    """Names that a template's part refers to."""
    if isinstance(value, dict):
        if "Ref" in value:
            yield value["Ref"]
        if "Fn::GetAtt" in value:
            yield value["Fn::GetAtt"][0]
        if "Fn::Sub" in value:
            for name in re.findall(r"\$\{([\w:.]+)\}", value["Fn::Sub"]):
                yield name.split(".")[0]
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def test_what_a_template_refers_to_is_there(design):
    known = {*design["Resources"], *design["Parameters"]}
    named = {name for name in references(design["Resources"]) if not name.startswith("AWS::")}
    assert named <= known
    assert set(design["Parameters"]) <= named


IN_VPC = {
    *(f"ec2:{name}NetworkInterface" for name in ("Create", "Delete")),
    *(f"ec2:{name}NetworkInterfacePermission" for name in ("Create", "Delete")),
    *("ec2:DescribeDhcpOptions", "ec2:DescribeNetworkInterfaces", "ec2:DescribeSecurityGroups"),
    *("ec2:DescribeSubnets", "ec2:DescribeVpcs"),
}
WITHOUT_RESOURCE = {
    *("cloudwatch:PutMetricData", "ecr:GetAuthorizationToken", "xray:PutTraceSegments"),
    *IN_VPC,
}
"""Actions for which AWS knows no narrower resource."""
ON_INSTANCES = {
    *("cloudwatch:PutMetricData", "ecr:GetAuthorizationToken", "s3:GetObject", "s3:ListBucket"),
    *("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"),
    *("logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams"),
    *("logs:PutLogEvents", "kms:CreateGrant", "kms:Decrypt"),
}
"""What the page sagemaker-roles of AWS's guide asks for a model under a key of its own."""


def test_a_role_may_do_what_it_needs_and_nothing_else(design):
    roles = {n: r for n, r in design["Resources"].items() if r["Type"] == "AWS::IAM::Role"}
    assert len(roles) == 3 + ("Features" in design["Resources"])
    for role in roles.values():
        assert "ManagedPolicyArns" not in role["Properties"]
        for statement in role["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]:
            assert all("*" not in action for action in statement["Action"])
            assert set(statement["Action"]) <= WITHOUT_RESOURCE or "*" not in statement["Resource"]
    # A service assumes a role for this account alone.
    trust = [r["Properties"]["AssumeRolePolicyDocument"]["Statement"][0] for r in roles.values()]
    assert all(statement["Condition"]["StringEquals"] for statement in trust)


def allowed(role):
    """Actions that a role may take."""
    policy = role["Properties"]["Policies"][0]["PolicyDocument"]
    return {action for statement in policy["Statement"] for action in statement["Action"]}


def test_roles_of_sagemaker_may_what_aws_asks_of_them_in_a_vpc_and_under_a_key():
    resources = template.endpoint()["Resources"]
    assert allowed(resources["EndpointRole"]) == ON_INSTANCES | IN_VPC
    written = {"s3:PutObject", "kms:GenerateDataKey", "kms:Encrypt"}
    assert allowed(resources["JobRole"]) == ON_INSTANCES | IN_VPC | written
    # A function needs fewer of them.
    function = allowed(template.functions()["Resources"]["PredictRole"])
    assert len(IN_VPC & function) == 3


def test_all_is_encrypted_and_in_the_network(design):
    kinds = {r["Type"].removeprefix("AWS::"): r["Properties"] for r in design["Resources"].values()}
    assert kinds["S3::Bucket"]["BucketEncryption"]
    assert all(kinds["S3::Bucket"]["PublicAccessBlockConfiguration"].values())
    assert kinds["KMS::Key"]["EnableKeyRotation"]
    for name in {"SageMaker::Model", "Lambda::Function"} & set(kinds):
        assert kinds[name]["VpcConfig"]
    if "SageMaker::EndpointConfig" in kinds:
        assert kinds["SageMaker::EndpointConfig"]["KmsKeyId"]


def test_the_stack_scales_by_the_processors_of_its_instances():
    design = template.endpoint()
    targets = design["Mappings"]["Targets"]
    held = {
        name: resource["Properties"]["TargetTrackingScalingPolicyConfiguration"]["TargetValue"]
        for name, resource in design["Resources"].items()
        if resource["Type"] == "AWS::ApplicationAutoScaling::ScalingPolicy"
    }
    assert held["ScaledCpu"] == {"Fn::FindInMap": ["Targets", {"Ref": "Instance"}, "cpu"]}
    assert targets["ml.m5.2xlarge"] == {"cpu": 560.0, "invocations": 400.0}
    assert targets["ml.m5.large"] == {"cpu": 140.0, "invocations": 400.0}
    instance = design["Parameters"]["Instance"]
    assert {*targets} == {*instance["AllowedValues"]} >= {instance["Default"]}
    model = boto3.client("sagemaker", region_name="us-east-1").meta.service_model
    for shape in ("ProductionVariantInstanceType", "TransformInstanceType"):
        assert {*targets} <= {*model.shape_for(shape).enum}


def filled(text):
    """A text of CloudFormation with names for what it refers to."""
    values = {"AWS::Region": "us-east-1", "AWS::AccountId": "1" * 12, "Instance": "ml.m5.xlarge"}
    values["Key.Arn"] = "arn:aws:kms:us-east-1:111111111111:key/k"
    return re.sub(r"\$\{([\w.:]+)\}", lambda found: values.get(found[1], "x"), text)


def granted(role, action):
    """Objects of the bucket of which a role may have something."""
    return [
        resource["Fn::Sub"].removeprefix("${Bucket.Arn}/")
        for statement in role["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
        if action in statement["Action"]
        for resource in statement["Resource"]
    ]


def test_the_daily_batch_is_a_job_that_sagemaker_takes_and_its_role_can_do():
    resources = template.endpoint()["Resources"]
    batch, model = (resources[name]["Properties"] for name in ("Batch", "BatchModel"))
    assert batch["ScheduleExpression"] == "cron(0 0 * * ? *)"
    text = batch["Target"]["Input"]["Fn::Sub"]
    execution = "0f3b9b7e-3c1d-4a53-9a0e-8d6f5e0c7b1a"
    job = json.loads(filled(text).replace("<aws.scheduler.execution-id>", execution))
    shapes.check("sagemaker", "create_transform_job", job)
    own = Account("1" * 12, "us-east-1", "x", "", key=filled("${Key.Arn}"))
    name, source = f"bqx-batch-{execution}", "s3://x/requests/daily"
    sizes = {"instance": "ml.m5.xlarge", "instances": 1}
    assert job == job_requests.transform(own, name, "x", source=source, **sizes).arguments
    # A job has no target model, and the role of its model.
    assert "${BatchModel.ModelName}" in text
    assert model["PrimaryContainer"]["Mode"] == "SingleModel"
    assert model["PrimaryContainer"]["ModelDataUrl"] == {
        "Fn::Sub": "s3://${Bucket}/models/${BatchArchive}"
    }
    role = resources[model["ExecutionRoleArn"]["Fn::GetAtt"][0]]
    assert {"models/*", "requests/*"} <= set(granted(role, "s3:GetObject"))
    assert "predictions/*" in granted(role, "s3:PutObject")
    # The bucket is made with the stack, and empty then.
    for name in ("BatchModel", "BatchRole", "Batch"):
        assert resources[name]["Condition"] in template.endpoint()["Conditions"]


@pytest.mark.parametrize("name", sorted(template.DESIGNS))
def test_a_template_passes_the_linter(name, tmp_path):
    path = tmp_path / "template.json"
    path.write_text(json.dumps(template.DESIGNS[name]()))
    linter = "from cfnlint.runner.cli import main; main()"
    command = [sys.executable, "-c", linter, "--regions", "us-east-1", "--", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout
