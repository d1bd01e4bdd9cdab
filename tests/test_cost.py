"""What it costs: prices have a source, designs add up, the documents' sums are done again."""

import json
import re

import boto3
import pytest
from moto import mock_aws
from test_cloud import OWN, valid

from bqx import cli
from bqx.cloud import calls, job_requests
from bqx.errors import ParameterError
from bqx.market.pairs import PAIRS
from bqx.operations.cost import budgets, designs, page
from bqx.operations.cost.claim import Claim
from bqx.operations.cost.documents import claims
from bqx.operations.cost.prices import FILE, price, prices
from bqx.operations.cost.savings import savings


@pytest.mark.parametrize("table", ["aws", "documents"])
def test_every_price_has_a_unit_a_source_and_a_date(table):
    for own in prices(table).values():
        assert own.usd >= 0
        assert len(own.source) > 5
        assert re.fullmatch(r"20\d\d-\d\d-\d\d", own.read)
        assert own.evidence in ("quoted", "estimated", "remembered", "written")
    rows = json.loads(FILE.read_text())[table]
    assert len({row["name"] for row in rows}) == len(rows)


def test_a_price_without_a_source_is_refused(tmp_path):
    content = json.loads(FILE.read_text())
    content["aws"][0]["source"] = ""
    path = tmp_path / "prices.json"
    path.write_text(json.dumps(content))
    with pytest.raises(ParameterError, match="no price"):
        prices("aws", path)
    with pytest.raises(ParameterError, match="price: none, got 'gold'"):
        price("gold")


def test_every_price_is_used_and_every_line_has_one():
    used = {(own.table, line.price) for own in designs.every() for line in own.lines}
    assert all(name in prices(table) for table, name in used)
    for own in designs.every():
        assert own.usd == pytest.approx(sum(line.usd(own.table) for line in own.lines))
        assert len({line.item for line in own.lines}) == len(own.lines)
        assert own.usd_a_pair * 28 == pytest.approx(own.usd)


def test_the_documents_design_is_theirs_and_its_real_price_is_known():
    written = designs.as_written()
    # 2.42, 3.01 and a third of 12.09; 387.36; 3.50 and 0.50; 111.06 of storage and monitoring.
    assert written.of("training") == pytest.approx(2.42 + 3.01 + 12.09 / 3, abs=0.02)
    assert written.of("endpoint") == pytest.approx(387.36, abs=0.005)
    assert written.of("requests") == pytest.approx(4.00)
    assert written.of("watching", "storage") == pytest.approx(111.06, abs=0.01)
    assert written.usd == pytest.approx(511.88, abs=0.02)
    real = {line.item: line.usd("aws") for line in designs.at_real_prices().lines}
    assert real["endpoint"] == pytest.approx(336.53, abs=0.005)
    assert real["processing"] == pytest.approx(5.53, abs=0.005)
    assert real["28 trainings"] == pytest.approx(6.88, abs=0.005)
    assert real["monitor, every 4 hours, 10 minutes"] == pytest.approx(7.00, abs=0.005)
    assert designs.at_real_prices().usd == pytest.approx(450.55, abs=0.01)


def test_designs_without_a_server_are_ten_times_cheaper():
    usd = [own.usd for own in designs.every()]
    assert 90 < usd[2] < 105
    assert usd[1] / usd[3] > 10
    assert designs.functions(provisioned=True).usd - designs.functions().usd == pytest.approx(
        2 * 730 * 3_600 * 3.3334e-6
    )
    assert min(usd) == designs.small_machine().usd < 25


def computed(document, what):
    (own,) = [c for c in claims() if (c.document, c.what) == (document, what)]
    return own


@pytest.mark.parametrize(
    ("document", "what", "stated", "expected"),
    [
        ("v2", "inference", 194.42, 197.58),
        ("v2", "total", 533.45, 533.45),
        ("v3", "baseline in its title", 475.0, 512.38),
        ("v3", "inference", 391.86, 391.36),
        ("v3", "with scaling", 703.34, 705.56),
        ("v3", "optimised: 20 % off 475", 420.0, 380.0),
        ("v3", "optimised: a savings plan", 410.0, 423.0),
        ("v3", "1.3 instances", 475.0, 628.1),
        ("v3", "peak of 2 instances", 650.0, 899.2),
        ("v3", "28 trainings", 3.39, 3.01),
        ("v3", "training a month", 9.46, 25.75),
        ("v3", "monitor", 48.60, 7.00),
        ("v3", "two functions of Lambda", 0.50, 11.08),
        ("v3", "1,000 messages of SNS", 0.50, 0.0005),
        ("v3", "change of storage and monitoring since v2", -124.42, 21.38),
        ("v2, optimised", "total of its four parts", 286.0, 291.55),
        ("phased", "endpoint", 270.0, 387.36),
        ("phased", "a month", 450.0, 450.55),
        ("phased", "a month of the first product", 350.0, 511.88),
        ("four stages", "total", 286.0, 286.0),
        ("four stages", "retraining", 10.0, 1.07),
        ("enhancement", "once", 160.0, 160.0),
        ("enhancement", "a month", 100.0, 100.0),
        ("enhancement", "return, in its table", 1_544.0, 1_544.1),
        ("enhancement", "return, its cost taken off", 1_544.0, 1_444.1),
        ("enhancement", "gain behind the 195 % of its text", 21_000.0, 48_800.0),
        ("enhancement", "payback", 24.0, 23.64),
        ("enhancement", "payback, with development", 24.0, 463.8),
        ("enhancement", "calls of Lambda a month", 2_592_000.0, 43_200.0),
    ],
)
def test_a_sum_of_the_documents_gives_what_an_independent_reading_gave(
    document, what, stated, expected
):
    own = computed(document, what)
    assert own.stated == stated
    assert own.computed == pytest.approx(expected, rel=1e-3, abs=0.011)
    assert own.holds == own.why.startswith("holds")


def test_what_holds_is_said_to_hold_and_nothing_else():
    for own in claims():
        assert own.holds == own.why.startswith("holds"), own.what
    assert not Claim("", "", 1.00, 1.02, "").holds
    assert Claim("", "", 24.0, 23.6, "").holds
    assert Claim("", "", 10.0, 14.9, "", to=15.0).holds


def test_two_alarms_ring_with_one_instance_and_all_with_more():
    rung = [step for step in budgets.STEPS if designs.as_written().usd > step]
    assert rung == [450.0, 500.0]
    assert designs.as_written(instances=1.3).usd > max(budgets.STEPS)


def test_savings_are_those_of_the_design():
    known = {own.what: own.usd for own in savings()}
    real = designs.at_real_prices()
    assert all(0 < usd < real.usd for usd in known.values())
    # A plan of SageMaker's covers the endpoint, jobs and monitor: 336.53, 14.72 and 7.00.
    assert known["a savings plan of 20 %"] == pytest.approx(0.2 * 358.25, abs=0.01)
    assert known["the endpoint closed with the market"] == pytest.approx(336.53 * 2 / 7, abs=0.01)
    assert known["training on spot"] == pytest.approx(0.65 * 14.72, abs=0.01)
    assert list(known.values()) == sorted(known.values(), reverse=True)


def test_budgets_are_made_with_their_alarms_topics_and_tags(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    every = budgets.calls(OWN)
    assert all(valid(call) for call in every)
    with mock_aws():
        known = [call for call in every if call.service != "ce"]
        calls.make_all(known, calls.clients("us-east-1"))
        topics = boto3.client("sns", "us-east-1").list_topics()["Topics"]
        arns = {own["TopicArn"] for own in topics}
        alarms = boto3.client("cloudwatch", "us-east-1").describe_alarms()["MetricAlarms"]
        made = boto3.client("budgets", "us-east-1").describe_budgets(
            AccountId=OWN.account, MaxResults=100
        )["Budgets"]
    assert {own.rpartition(":")[2] for own in arns} == {
        "bqx-ml-critical",
        "bqx-ml-warning",
        "bqx-ml-info",
    }
    for call in every[:3]:
        policy = json.loads(call.arguments["Attributes"]["Policy"])
        services = policy["Statement"][1]["Principal"]["Service"]
        assert "budgets.amazonaws.com" in services
        assert {own["Resource"] for own in policy["Statement"]} <= arns
    assert {own["Threshold"] for own in alarms} == {450.0, 500.0, 550.0, 600.0}
    assert all(set(own["AlarmActions"]) <= arns for own in alarms)
    limits = {own["BudgetName"]: float(own["BudgetLimit"]["Amount"]) for own in made}
    assert limits.pop("bqx") == 500.0
    assert set(limits) == {f"bqx-{pair}" for pair in PAIRS}
    assert sum(limits.values()) == pytest.approx(500.0, abs=0.2)
    (tags,) = [call for call in every if call.service == "ce"]
    active = {own["TagKey"] for own in tags.arguments["CostAllocationTagsStatus"]}
    for request in (job_requests.training, job_requests.tuning):
        call = request(OWN, "eurusd", "v1", {"model": "ridge"}, bars="s3://b/bars")
        marks = {own["Key"]: own["Value"] for own in call.arguments["Tags"]}
        assert active <= set(marks)
        assert marks["pair"] == "eurusd"


def test_the_commands_print_what_the_page_shows(tmp_path, capsys):
    for kind, text in (
        ("designs", "450.55"),
        ("documents", "1,544.12"),
        ("savings", "the endpoint closed with the market"),
        ("prices", "Price List API"),
    ):
        assert cli.main(["cost", kind]) == 0
        assert text in capsys.readouterr().out
        assert text in page.page()
    account = tmp_path / "cloud.yaml"
    account.write_text("{account: '123456789012', region: us-east-1, bucket: b, role: r}")
    assert cli.main(["cost", "budgets", "--account", str(account)]) == 0
    assert capsys.readouterr().out.count("budgets.create_budget") == 29


def test_the_page_begins_with_what_it_costs():
    text = page.page()
    assert "**4,380,000 forecasts a month" in text
    assert "cost 20 USD on one small machine, 27 as functions" in text
    tables = [block for block in text.split("\n\n") if block.startswith("|")]
    for table in tables:
        rows = [line for line in table.splitlines() if line.startswith("|")]
        assert len({row.count(" | ") for row in rows}) == 1
