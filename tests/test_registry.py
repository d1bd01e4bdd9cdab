import contextlib
import datetime
import fcntl
import json
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from pathlib import Path

import boto3
import pytest
from botocore.stub import ANY, Stubber
from learned import PAIR, PARAMS, learn
from moto import mock_aws

from bqx import cli
from bqx.errors import ArtefactError, ParameterError
from bqx.evaluation.reasons import Reason
from bqx.learning import bundle
from bqx.serving import registry, registry_folder
from bqx.serving.models import Models
from bqx.serving.registry import Registry, gate
from bqx.serving.registry_folder import Folder
from bqx.serving.sagemaker_packages import ModelPackages
from bqx.stages.registry import against


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    """Three bundles of one pair."""
    folder, learned = tmp_path_factory.mktemp("bundles"), learn("strong", 1)
    for number in range(3):
        made = bundle.bundle(learned.bars, learned.result.fits[-1], PARAMS, {"number": number})
        made.save(folder / str(number))
    return [str(folder / str(number)) for number in range(3)]


@pytest.fixture
def store(tmp_path):
    return Folder(tmp_path / "registry")


@pytest.fixture
def asked(store):
    return Registry(store, "a quant")


def test_versions_go_from_pending_to_approved_and_the_old_one_to_the_archive(asked, bundles):
    assert asked.latest_approved(PAIR) is None
    one, two = (asked.register(PAIR, source, {"skill": 0.02}) for source in bundles[:2])
    assert (one.number, two.number, one.status) == (1, 2, "pending")
    assert asked.latest_approved(PAIR) is None
    asked.approve(one)
    assert asked.latest_approved(PAIR).number == 1
    asked.judge(two, ())
    latest = asked.latest_approved(PAIR)
    assert latest.number == 2
    assert latest.facts == {"skill": 0.02}
    assert bundle.load(Path(latest.bundle)).metrics == {"number": 1}
    first = asked.store.versions(PAIR)[0]
    assert (first.status, *map(str, first.reasons)) == ("archived", "followed by version 2")


def test_a_rejected_version_says_why_and_is_never_served(asked, bundles):
    version = asked.register(PAIR, bundles[0], {})
    skill = Reason.check("skill", -0.1, ">", bound=0)
    reasons = gate([skill], ["a", "b"], ["b"], 35.0)
    assert [str(reason) for reason in reasons] == [
        "skill: -0.1, expected > 0",
        "missing features: 1, the first a, expected <= 0",
        "latency (ms): 35, expected <= 20",
    ]
    assert [(r.rule, r.value, r.bound, r.passed) for r in reasons] == [
        ("skill", -0.1, 0, False),
        ("missing features", 1, 0, False),
        ("latency (ms)", 35, 20, False),
    ]
    assert gate([], ["a"], ["a", "b"], 3.0) == ()
    assert str(*gate([], [], [], float("nan"))) == "latency (ms): does not exist"
    asked.judge(version, reasons)
    assert asked.latest_approved(PAIR) is None
    assert asked.store.versions(PAIR)[0].reasons == reasons
    with pytest.raises(ParameterError, match="cannot become approved, got rejected; expected one"):
        asked.approve(version)
    with pytest.raises(ParameterError, match="rejected without a reason"):
        asked.reject(version, ())
    asked.archive(version, "old")
    with pytest.raises(ParameterError, match="cannot become archived, got archived"):
        asked.archive(version, "again")


class Merging:
    """SageMaker whose update adds to the metadata that there are; moto's replaces them."""

    def __init__(self, client):
        self.client = client

    def __getattr__(self, name):
        return getattr(self.client, name)

    def update_model_package(self, **change):
        package = self.client.describe_model_package(ModelPackageName=change["ModelPackageArn"])
        merged = package.get("CustomerMetadataProperties", {}) | change.get(
            "CustomerMetadataProperties", {}
        )
        return self.client.update_model_package(**change | {"CustomerMetadataProperties": merged})


@pytest.fixture(params=["folder", "merging", "replacing"])
def any_store(request, tmp_path):
    if request.param == "folder":
        yield Folder(tmp_path / "registry")
        return
    with mock_aws():
        client = boto3.client(
            "sagemaker", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
        )
        client = Merging(client) if request.param == "merging" else client
        yield ModelPackages(client, "bqx", IMAGE)


def test_one_goes_back_to_what_was_approved_and_to_nothing_else(any_store, bundles):
    asked = Registry(any_store, "a quant")
    facts = {"skill": "0.02"}
    one, two, three = (asked.register(PAIR, source, facts) for source in bundles)
    for version in (one, two):
        asked.approve(version)
    asked.reject(three, ["slow"])
    asked.archive(three, "old")
    got = "archived that was never approved"
    with pytest.raises(ParameterError, match=f"cannot become approved, got {got}; expected one"):
        asked.approve(three, ["I like it"])
    again = asked.approve(any_store.versions(PAIR)[0], ["two is worse"])
    assert (again.number, *map(str, again.reasons)) == (1, "two is worse")
    assert asked.latest_approved(PAIR).number == 1
    versions = any_store.versions(PAIR)
    assert [v.status for v in versions] == ["approved", "archived", "archived"]
    assert [v.passed for v in versions] == [True, True, False]
    assert [v.facts for v in versions] == [facts] * 3
    asked.approve(versions[1])
    assert [v.status for v in any_store.versions(PAIR)] == ["archived", "approved", "archived"]


def test_a_store_names_the_pairs_that_have_versions(asked, bundles, store):
    asked.register(PAIR, bundles[0], {})
    assert store.pairs() == (PAIR,)


def test_registries_lie_beside_the_runs_a_market_each(tmp_path):
    run = tmp_path / "runs" / "demo"
    run.mkdir(parents=True)
    assert (
        registry_folder.beside(run, "planted").folder == tmp_path / "runs" / "registry" / "planted"
    )
    assert (
        registry_folder.beside(run, "files").folder != registry_folder.beside(run, "planted").folder
    )


def test_the_command_line_moves_versions_and_writes_who_and_why(asked, store, bundles, capsys):
    asked.register(PAIR, bundles[0], {"skill": 1})
    folder = str(store.folder)
    approve = ["registry", "approve", folder, PAIR, "1", "--reason", "tried it", "--by", "a quant"]
    assert cli.main(approve) == 0
    assert cli.main(["registry", "list", folder]) == 0
    assert capsys.readouterr().out == f"{PAIR} version 1: approved\n{PAIR}\t1\tapproved\ttried it\n"
    assert cli.main(["registry", "archive", folder, PAIR, "1", "--reason", "old"]) == 0
    capsys.readouterr()
    assert cli.main(["registry", "show", folder, PAIR, "1"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["status"], shown["facts"], shown["passed"]) == ("archived", {"skill": 1}, True)
    assert [line["status"] for line in shown["log"]] == ["pending", "approved", "archived"]
    assert shown["log"][1]["by"] == "a quant"
    assert cli.main(["registry", "reject", folder, PAIR, "1", "--reason", "no"]) == 2
    assert cli.main(["registry", "show", folder, PAIR, "2"]) == 2
    assert cli.main(["registry", "list", f"{folder}-absent"]) == 2
    assert "runs/registry/files" in capsys.readouterr().err
    assert cli.main(["registry", "list", folder, "--pair", "usdjpx"]) == 2
    assert f"got 'usdjpx'; expected one of {PAIR}." in capsys.readouterr().err
    assert cli.main(["registry", "list", str(store.folder.parent)]) == 2
    assert f"above the registries {store.folder.name};" in capsys.readouterr().err


def test_a_server_takes_what_is_approved_and_says_what_is_not(asked, store, bundles):
    version = asked.register(PAIR, bundles[0], {"horizons": [15]})
    with pytest.raises(ArtefactError, match="nothing to serve, got eurusd pending"):
        Models(store.folder)
    standing = Models(store.folder, PAIR, unapproved=True).ready[PAIR].standing
    assert standing == {"version": 1, "status": "pending", "approved_horizons": []}
    asked.approve(version)
    later = asked.register(PAIR, bundles[1], {})
    asked.reject(later, ["slow"])
    for pair in ("", PAIR):
        (ready,) = Models(store.folder, pair, unapproved=True).ready.values()
        assert ready.standing == {"version": 1, "status": "approved", "approved_horizons": [15]}
        assert ready.bundle.metrics == {"number": 0}
    with pytest.raises(ArtefactError, match="nothing to serve"):
        Models(store.folder, "gbpusd")
    alone = Models(Path(bundles[0]), unapproved=True).ready[PAIR]
    assert alone.standing["status"] == "unregistered"
    with pytest.raises(ArtefactError, match="no bundle of gbpusd"):
        Models(Path(bundles[0]), "gbpusd", unapproved=True)
    with pytest.raises(ArtefactError, match="no registry knows; expected a registry"):
        Models(Path(bundles[0]))


def test_the_same_bundle_is_the_same_version(asked, bundles):
    first = asked.register(PAIR, bundles[0], {"skill": 1})
    assert asked.register(PAIR, bundles[0], {"skill": 2}) == first


def test_other_pairs_and_damaged_bundles_are_refused(asked, bundles, tmp_path):
    with pytest.raises(ArtefactError, match="another pair, got eurusd; expected gbpusd"):
        asked.register("gbpusd", bundles[0], {})
    with pytest.raises(ArtefactError, match="is absent"):
        asked.register(PAIR, str(tmp_path), {})
    assert asked.store.versions(PAIR) == []


def test_every_step_stands_in_the_log_and_no_line_can_be_changed(asked, store, bundles):
    version = asked.register(PAIR, bundles[0], {})
    asked.reject(version, ["too little skill"])
    lines = store.log()
    assert [(line["status"], line["by"]) for line in lines] == [
        ("pending", "a quant"),
        ("rejected", "a quant"),
    ]
    path = store.folder / registry_folder.LOG
    kept = path.read_text()
    first, second = kept.splitlines()
    for text in (kept.replace("rejected", "approved"), second + "\n", first + "\nx\n"):
        path.write_text(text)
        with pytest.raises(ArtefactError, match=r"audit\.jsonl line [12]: altered"):
            store.versions(PAIR)
    path.write_text(kept)
    assert len(store.log()) == 2


def test_what_a_killed_attempt_left_is_replaced(asked, store, bundles):
    (store.folder / PAIR / "0001" / "bundle").mkdir(parents=True)
    assert asked.register(PAIR, bundles[0], {}).number == 1
    assert asked.store.versions(PAIR)[0].status == "pending"


def test_facts_tie_a_version_to_catalog_and_bytes(bundles):
    one, other = (registry_folder.facts_of(Path(source)) for source in bundles[:2])
    assert one["features"] == PARAMS.selected
    assert one["columns_hash"] == other["columns_hash"]
    assert one["bundle_hash"] != other["bundle_hash"]


GROUP, IMAGE, URL = "bqx-eurusd", "image:1", "s3://models/eurusd.tar.gz"
NOW = datetime.datetime(2024, 1, 1, tzinfo=datetime.UTC)


def arn(number):
    return f"arn:aws:sagemaker:us-east-1:123456789012:model-package/{GROUP}/{number}"


def package(number, approval, facts=None, description=None):
    out = {
        "ModelPackageName": GROUP, "ModelPackageArn": arn(number), "ModelPackageVersion": number,
        "CreationTime": NOW, "ModelPackageStatus": "Completed",
        "ModelPackageStatusDetails": {"ValidationStatuses": []},
        "ModelApprovalStatus": approval,
        "InferenceSpecification": {"Containers": [{"Image": IMAGE, "ModelDataUrl": URL}]},
        "CustomerMetadataProperties": facts or {},
    }  # fmt: skip
    return out | ({"ApprovalDescription": description} if description else {})


@pytest.fixture
def aws():
    client = boto3.client(
        "sagemaker", region_name="us-east-1", aws_access_key_id="x", aws_secret_access_key="x"
    )
    with Stubber(client) as stub:
        yield Registry(ModelPackages(client, "bqx", IMAGE), "a quant"), stub
        stub.assert_no_pending_responses()


def listed(stub, *numbers, token=None, given=None):
    summary = [
        {"ModelPackageArn": arn(n), "ModelPackageVersion": n, "CreationTime": NOW,
         "ModelPackageStatus": "Completed"}
        for n in numbers
    ]  # fmt: skip
    answer = {"ModelPackageSummaryList": summary} | ({"NextToken": token} if token else {})
    asked = {"ModelPackageGroupName": GROUP} | ({"NextToken": given} if given else {})
    stub.add_response("list_model_packages", answer, asked)


def described(stub, number, *rest):
    stub.add_response(
        "describe_model_package", package(number, *rest), {"ModelPackageName": arn(number)}
    )


def test_sagemaker_registers_the_first_version_of_a_pair(aws):
    asked, stub = aws
    stub.add_client_error("list_model_packages", "ValidationException", "group does not exist")
    stub.add_response(
        "create_model_package_group",
        {"ModelPackageGroupArn": arn(0)},
        {"ModelPackageGroupName": GROUP},
    )
    stub.add_response(
        "create_model_package",
        {"ModelPackageArn": arn(1)},
        {
            "ModelPackageGroupName": GROUP, "ModelPackageDescription": ANY,
            "InferenceSpecification": ANY, "ModelApprovalStatus": "PendingManualApproval",
            "CustomerMetadataProperties": {"skill": "0.02"}, "ClientToken": ANY,
        },
    )  # fmt: skip
    described(stub, 1, "PendingManualApproval", {"skill": "0.02"})
    version = asked.register(PAIR, URL, {"skill": 0.02})
    assert (version.number, version.status, version.bundle) == (1, "pending", URL)
    listed(stub, 1)
    described(stub, 1, "PendingManualApproval", {"skill": "0.02"})
    assert asked.register(PAIR, URL, {"skill": 0.02}) == version


def test_sagemaker_approves_and_archives(aws):
    asked, stub = aws
    version = registry.Version(PAIR, 2, "pending", URL, {})
    listed(stub, 2, token="more")
    listed(stub, 1, given="more")
    described(stub, 1, "Approved")
    described(stub, 2, "PendingManualApproval")
    listed(stub, 1, 2)
    stub.add_response(
        "update_model_package",
        {"ModelPackageArn": arn(2)},
        {"ModelPackageArn": arn(2), "ModelApprovalStatus": "Approved",
         "ApprovalDescription": "a quant: no reason against it",
         "CustomerMetadataProperties": {"passed": "true"}},
    )  # fmt: skip
    listed(stub, 1, 2)
    stub.add_response(
        "update_model_package",
        {"ModelPackageArn": arn(1)},
        {"ModelPackageArn": arn(1), "ModelApprovalStatus": "Rejected",
         "ApprovalDescription": "a quant: followed by version 2",
         "CustomerMetadataProperties": {"archived": "true", "passed": "true"}},
    )  # fmt: skip
    assert asked.approve(version).status == "approved"
    listed(stub, 1, 2)
    described(stub, 1, "Rejected", {"archived": "true"}, "a quant: followed by version 2")
    described(stub, 2, "Approved")
    assert asked.latest_approved(PAIR).number == 2
    listed(stub, 1)
    described(stub, 1, "Rejected", {"skill": "0"}, "a quant: one; other")
    rejected = asked.store.versions(PAIR)[0]
    assert (rejected.status, *map(str, rejected.reasons)) == ("rejected", "one", "other")


def test_other_errors_of_sagemaker_are_not_hidden(aws):
    asked, stub = aws
    stub.add_client_error("list_model_packages", "AccessDeniedException", "no")
    with pytest.raises(asked.store.client.exceptions.ClientError, match="AccessDenied"):
        asked.latest_approved(PAIR)


def test_names_of_pairs_are_checked(asked):
    with pytest.raises(ParameterError, match="eurxxx"):
        asked.latest_approved("eurxxx")


def test_reasons_are_told_by_what_they_are_about():
    skill = Reason.check("skill", -0.1, ">", bound=0)
    late = Reason.check("latency (ms)", 35.0, "<=", bound=20)
    reasons = [asdict(reason) for reason in (skill.at(15), skill.at(30), late)]
    assert str(Reason.of(reasons[0])) == "15 min: skill: -0.1, expected > 0"
    found = against([{"pair": PAIR, "reasons": reasons}, {"pair": "gbpusd", "reasons": []}])
    assert found.values.tolist() == [
        [PAIR, "skill", "15, 30", "-0.1, expected > 0"],
        [PAIR, "latency (ms)", "all", "35, expected <= 20"],
    ]


def test_a_line_that_was_cut_off_was_never_said(asked, store, bundles, capsys):
    first = asked.register("eurusd", str(bundles[0]), {})
    log = store.folder / registry_folder.LOG
    end = store.folder / "audit.end.json"
    before, shorter = log.read_bytes(), end.read_bytes()
    asked.approve(first)
    whole = log.read_bytes()
    log.write_bytes(whole[:-40])
    end.write_bytes(shorter)
    assert [v.status for v in store.versions("eurusd")] == ["pending"]
    asked.approve(first)
    assert "a line that was cut off is removed" in capsys.readouterr().err
    assert log.read_bytes().startswith(before)
    assert store.versions("eurusd")[0].status == "approved"


def test_the_last_line_cannot_be_taken_out(asked, store, bundles):
    asked.reject(asked.register("eurusd", str(bundles[0]), {}), ["too weak"])
    log = store.folder / registry_folder.LOG
    lines = log.read_text().splitlines(keepends=True)
    log.write_text("".join(lines[:-1]))
    with pytest.raises(ArtefactError, match=r"lines are missing at its end, got 1; expected 2"):
        store.versions("eurusd")
    log.unlink()
    with pytest.raises(ArtefactError, match=r"lines are missing at its end, got 0; expected 2"):
        Models(store.folder)


def test_a_kill_between_a_line_and_its_end_leaves_the_line(asked, store, bundles):
    version = asked.register("eurusd", str(bundles[0]), {})
    end = (store.folder / "audit.end.json").read_bytes()
    asked.approve(version)
    (store.folder / "audit.end.json").write_bytes(end)
    assert asked.latest_approved("eurusd").number == version.number


def test_a_full_disk_changes_nothing(asked, store, bundles, monkeypatch):
    version = asked.register("eurusd", str(bundles[0]), {})
    before = (store.folder / registry_folder.LOG).read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(ArtefactError, match="No space left on device.*Nothing was changed"):
            asked.approve(version)
    assert (store.folder / registry_folder.LOG).read_bytes() == before
    assert store.versions("eurusd")[0].status == "pending"


def test_a_registry_that_could_not_be_cleared_is_locked_the_next_time(store, monkeypatch):
    (store.folder / "eurusd").mkdir(parents=True)
    (store.folder / "eurusd" / ".left.tmp").touch()
    with monkeypatch.context() as patch:
        # As in a folder that another user owns.
        patch.setattr(Path, "unlink", refused)
        with pytest.raises(ArtefactError, match="Permission denied"), store.locked():
            pass
    with (
        store.locked(),
        (store.folder / ".lock").open("a") as other,
        pytest.raises(BlockingIOError),
    ):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)


def refused(path, **_):
    raise PermissionError(13, "Permission denied", str(path))


def test_two_at_once_leave_one_approved(store, bundles):
    numbers = [Registry(store, "me").register("eurusd", str(b), {}) for b in bundles]

    def approve(version):
        Registry(Folder(store.folder), "one of two").approve(version)

    for _ in range(5):
        with ThreadPoolExecutor(len(numbers)) as pool:
            for future in [pool.submit(approve, version) for version in numbers]:
                with contextlib.suppress(ParameterError):  # approved or archived meanwhile
                    future.result()
        states = [version.status for version in store.versions("eurusd")]
        assert states.count("approved") == 1, states


def test_another_bundle_in_a_versions_folder_is_not_served(asked, store, bundles):
    versions = [asked.register("eurusd", str(bundle), {}) for bundle in bundles[:2]]
    asked.approve(versions[1])
    target = Path(versions[1].bundle)
    shutil.rmtree(target)
    shutil.copytree(versions[0].bundle, target)
    with pytest.raises(ArtefactError, match="exchanged or damaged, got another hash"):
        Models(store.folder)


def test_a_folder_above_a_registry_is_not_served(asked, store, bundles):
    asked.reject(asked.register("eurusd", str(bundles[0]), {}), ["too weak"])
    with pytest.raises(ArtefactError, match="a folder above a registry"):
        Models(store.folder.parent)


def test_an_empty_reason_is_none(asked, bundles):
    with pytest.raises(ParameterError, match="rejected without a reason"):
        asked.reject(asked.register("eurusd", str(bundles[0]), {}), ["  "])


@pytest.mark.parametrize("reason", ["", "  ", "\n"])
@pytest.mark.parametrize("action", ["approve", "reject", "archive"])
def test_no_status_is_changed_without_words(asked, store, bundles, action, reason, capsys):
    asked.register(PAIR, bundles[0], {})
    command = ["registry", action, str(store.folder), PAIR, "1", "--reason", reason]
    assert cli.main(command) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert [version.status for version in store.versions(PAIR)] == ["pending"]


def test_a_user_id_without_a_name_is_named_by_its_number(
    asked, store, bundles, monkeypatch, capsys
):
    def nameless(*_: object) -> None:
        raise KeyError("getpwuid(): uid not found: 4321")

    monkeypatch.setattr("getpass.getuser", nameless)
    monkeypatch.setattr(os, "getuid", lambda: 4321)
    asked.register(PAIR, bundles[0], {})
    command = ["registry", "approve", str(store.folder), PAIR, "1", "--reason", "tried"]
    assert cli.main(command) == 0
    assert store.log()[-1]["by"] == "user 4321"


def test_a_missing_version_folder_blocks_only_itself(asked, store, bundles):
    first, second = (asked.register(PAIR, source, {}) for source in bundles[:2])
    asked.approve(second)
    shutil.rmtree(Path(first.bundle).parent)
    (ready,) = Models(store.folder).ready.values()
    assert ready.version.number == 2
    assert asked.register(PAIR, bundles[1], {}).number == 2
    asked.register(PAIR, bundles[2], {})
    # What is lost may be registered again, as another version.
    assert asked.register(PAIR, bundles[0], {}).number == 4
    assert asked.archive(first, "lost").status == "archived"
    assert len(store.versions(PAIR)) == 4


def test_facts_that_were_changed_are_no_facts(asked, store, bundles):
    version = asked.register(PAIR, bundles[0], {"horizons": [15]})
    asked.approve(version)
    path = Path(version.bundle).parent / registry_folder.FACTS
    path.write_text(path.read_text().replace("15", "75"))
    assert store.versions(PAIR)[0].facts == {}
    with pytest.raises(ArtefactError, match="exchanged or damaged"):
        Models(store.folder)


def test_another_pairs_bundle_is_not_read(asked, store, bundles):
    version = asked.register(PAIR, bundles[0], {})
    with pytest.raises(ArtefactError, match="another pair, got eurusd; expected gbpusd"):
        store.read(replace(version, pair="gbpusd"))


@pytest.mark.parametrize("removed", [["audit.jsonl"], ["audit.end.json"], ["audit.*"]])
def test_a_removed_log_is_no_empty_registry(asked, store, bundles, removed):
    asked.reject(asked.register(PAIR, bundles[0], {}), ["too weak"])
    for pattern in removed:
        for path in store.folder.glob(pattern):
            path.unlink()
    with pytest.raises(ArtefactError, match=r"missing at its end|absent or damaged|was removed"):
        Models(store.folder)
    with pytest.raises(ArtefactError, match=r"missing at its end|absent or damaged|was removed"):
        asked.register(PAIR, bundles[1], {})


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"lines": "x", "hash": ""}'])
def test_an_end_that_is_none_is_one_line(asked, store, bundles, content):
    asked.register(PAIR, bundles[0], {})
    (store.folder / "audit.end.json").write_text(content)
    with pytest.raises(ArtefactError, match=r"audit\.end\.json: absent or damaged"):
        store.versions(PAIR)


def test_an_end_that_cannot_be_written_does_not_undo_its_line(
    asked, store, bundles, monkeypatch, capsys
):
    version = asked.register(PAIR, bundles[0], {})

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("bqx.runs.chained_log.write_json", full)
        assert asked.approve(version).status == "approved"
    assert "not written (No space left on device), the lines were" in capsys.readouterr().err
    assert asked.latest_approved(PAIR).number == 1
    asked.reject(version, ["worse"])
    assert [line["status"] for line in store.log()] == ["pending", "approved", "rejected"]


def test_a_full_disk_leaves_nothing_of_a_new_version(asked, store, bundles, monkeypatch):
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(ArtefactError, match="No space left on device.*Nothing was changed"):
            asked.register(PAIR, bundles[0], {})
    assert store.versions(PAIR) == []
    assert asked.register(PAIR, bundles[0], {}).number == 1
    assert not [*store.folder.glob("**/.*.tmp")]


def test_what_is_approved_or_rejected_later_is_noticed(asked, store, bundles, capsys):
    first, second = (asked.register(PAIR, source, {"horizons": [15]}) for source in bundles[:2])
    asked.approve(first)
    models = Models(store.folder)
    assert models.current()[PAIR].version.number == 1
    bundle_of_first = models.current()[PAIR].bundle
    # As from another process, whose registry this one knows nothing of.
    other = Registry(Folder(store.folder), "another")
    other.register(PAIR, bundles[2], {})
    assert models.current()[PAIR].bundle is bundle_of_first
    capsys.readouterr()
    other.approve(second)
    assert models.current()[PAIR].standing["version"] == 2
    assert models.current()[PAIR].bundle.metrics == {"number": 1}
    assert capsys.readouterr().err == f"{PAIR}: version 2, approved, from now on\n"
    other.reject(second, ["worse"])
    assert models.current() == {}
    assert capsys.readouterr().err == f"{PAIR}: no more served\n"
    other.approve(first)
    assert models.current()[PAIR].standing["version"] == 1


def test_a_damaged_version_or_log_is_noticed_and_takes_nothing_else_along(
    asked, store, bundles, capsys
):
    first, second = (asked.register(PAIR, source, {}) for source in bundles[:2])
    asked.approve(first)
    models = Models(store.folder)
    shutil.rmtree(Path(second.bundle))
    asked.approve(second)
    assert models.current() == {}
    assert "exchanged or damaged" in models.faults[PAIR]
    assert "exchanged or damaged" in capsys.readouterr().err
    asked.approve(first)
    assert models.current()[PAIR].version.number == 1
    log = store.folder / registry_folder.LOG
    log.write_text(log.read_text().replace("a quant", "another"))
    for _ in range(2):
        with pytest.raises(ArtefactError, match="altered"):
            models.current()


def test_unapproved_serves_the_latest_and_says_what_it_is(asked, store, bundles):
    first, second = (asked.register(PAIR, source, {"horizons": [15]}) for source in bundles[:2])
    asked.reject(second, ["too weak"])
    with pytest.raises(
        ArtefactError, match="nothing to serve, got eurusd rejected; .*--unapproved"
    ):
        Models(store.folder)
    with pytest.raises(ArtefactError, match="nothing to serve"):
        Models(store.folder, PAIR)
    (ready,) = Models(store.folder, unapproved=True).ready.values()
    assert ready.notice == f"{PAIR}: version 2 is rejected, NOT approved (too weak)"
    assert ready.standing == {"version": 2, "status": "rejected", "approved_horizons": []}
    asked.approve(first)
    (ready,) = Models(store.folder, unapproved=True).ready.values()
    assert ready.standing == {"version": 1, "status": "approved", "approved_horizons": [15]}


SCRIPT = Path(__file__).parent / "registry_operations.py"


def operations(count, seed, source, place, *before):
    """Counts of `registry_operations`, which fails where a registry was in a wrong state."""
    command = [*before, sys.executable, str(SCRIPT), str(place), source, str(count), str(seed)]
    environment = os.environ | {"PYTHONPATH": str(SCRIPT.parents[1])}
    ran = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert ran.returncode == 0, ran.stderr[-2_000:]
    return json.loads(ran.stdout)


def test_kills_and_full_disks_leave_one_approved_and_a_log_that_tells_all(bundles, tmp_path):
    counts = operations(120, 1, bundles[0], tmp_path / "registries")
    assert min(counts[what] for what in ("moved", "refused", "full", "killed")) > 3


@pytest.mark.fuzz
def test_ten_thousand_operations_by_four_processes(bundles, tmp_path):
    counts = operations(8_000, 2, bundles[0], tmp_path / "registries")
    print(counts)
    assert counts["killed"] > 500
    # A filesystem of this size, which is filled for good now and then.
    place = tmp_path / "full"
    place.mkdir()
    mounted = f'mount -t tmpfs -o size=12m none {place} && exec "$@"'
    counts = operations(
        2_000, 3, bundles[0], place / "registries", "unshare", "-rm", "sh", "-c", mounted, "sh"
    )
    print(counts)
    assert counts["full"] > 100
