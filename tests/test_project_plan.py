"""The documents' plan: its counts, what delivers each task, and its records in Airtable."""

import json
import shlex
from collections import Counter
from pathlib import Path

import boto3
import pytest
from moto import mock_aws
from pyairtable import Api
from pyairtable.testing import MockAirtable
from requests import HTTPError, Response

from bqx import cli
from bqx.errors import BqxError, ParameterError
from bqx.project_plan import airtable, plan

ROOT = Path(__file__).parents[1]
PLAN = plan.read()
ITEMS = (*PLAN.phases, *PLAN.stages, *PLAN.tasks, *PLAN.enhancements)
BASE = "appBqx00000000000"


def test_the_plan_has_as_many_records_as_the_documents_state():
    by_version = Counter(task.version for task in PLAN.tasks)
    assert (len(PLAN.phases), len(PLAN.stages), len(PLAN.enhancements)) == (1, 6, 4)
    assert by_version["v2"] == 33
    assert by_version["v2"] + by_version["v3"] == 35
    hours = [dict(stage.facts) for stage in PLAN.stages]
    assert sum(own["hours"] for own in hours) == dict(PLAN.phases[0].facts)["hours"] == 113
    assert sum(own["hours_v3"] for own in hours) == dict(PLAN.phases[0].facts)["hours_v3"] == 128


def test_every_part_is_of_something_and_named_once():
    names = [item.id for item in ITEMS]
    assert len(set(names)) == len(names)
    assert {stage.of for stage in PLAN.stages} == {phase.id for phase in PLAN.phases}
    assert {task.of for task in PLAN.tasks} == {stage.id for stage in PLAN.stages}
    assert {name for item in ITEMS for name in item.after} <= set(names)


@pytest.mark.parametrize("command", sorted({c for item in ITEMS for c in item.commands}))
def test_every_named_command_parses(command):
    program, *words = shlex.split(command)
    assert program == "bqx"
    assert callable(cli._parser().parse_args(words).command)


@pytest.mark.parametrize("page", sorted({p for item in ITEMS for p in item.pages}))
def test_every_named_page_is_a_chapter_of_the_book(page):
    assert (ROOT / page).is_file()
    chapter = page.removeprefix("book/").rpartition(".")[0]
    assert f"file: {chapter}\n" in (ROOT / "book/_toc.yml").read_text(encoding="utf-8")


def test_every_task_but_the_undefined_one_is_delivered():
    assert [item.id for item in (*PLAN.tasks, *PLAN.enhancements) if not item.is_done] == [
        "TSK-3.5.7"
    ]


def test_the_command_prints_every_record(capsys):
    assert cli.main(["plan"]) == 0
    printed = capsys.readouterr().out
    assert all(item.id in printed for item in ITEMS)
    assert "TSK-3.5.7  open  A task that no document defines: nothing delivers it" in printed


@pytest.fixture
def pushed(monkeypatch):
    """A base of the mock, and the times of its requests."""
    now = [0.0]
    times = []

    def clock():
        return now[0]

    def sleep(seconds):
        now[0] += seconds

    paced = airtable.Paced(clock, sleep)
    wait = paced.wait
    monkeypatch.setattr(paced, "wait", lambda: (wait(), times.append(now[0]))[0])
    with MockAirtable() as mock:
        yield airtable.Base(Api("token"), BASE, paced), mock, times


def records(mock, table, key):
    return {r["fields"][key]: r for r in mock.records[(BASE, table)].values()}


def test_a_push_makes_every_record_with_links_as_arrays(pushed):
    base, mock, _ = pushed
    changes = airtable.push(PLAN, base)
    assert Counter(change.kind for change in changes) == {"created": 1 + 6 + 35 + 4}
    (phase,) = records(mock, "Phases", "Phase ID").values()
    stages, tasks = records(mock, "Stages", "Stage ID"), records(mock, "Tasks", "Task ID")
    assert {tuple(stage["fields"]["Phase"]) for stage in stages.values()} == {(phase["id"],)}
    assert tasks["TSK-3.2.3"]["fields"]["Stage"] == [stages["3.2"]["id"]]
    assert tasks["TSK-3.5.7"]["fields"]["Status"] == "Todo"
    assert stages["3.5"]["fields"]["Status"] == "In Progress"
    enhanced = records(mock, "Phase 2 Stages", "Stage")
    assert enhanced["2.19"]["fields"]["Dependencies"] == [enhanced["2.18"]["id"]]


def test_a_second_push_changes_nothing(pushed):
    base, _, _ = pushed
    airtable.push(PLAN, base)
    assert airtable.push(PLAN, base) == []


def test_a_push_mends_what_differs_and_leaves_other_fields_alone(pushed):
    base, mock, _ = pushed
    airtable.push(PLAN, base)
    task = records(mock, "Tasks", "Task ID")["TSK-3.1.2"]
    task["fields"] |= {"Status": "Todo", "Assigned To": "somebody"}
    (change,) = airtable.push(PLAN, base)
    assert (change.key, change.kind, change.fields) == ("TSK-3.1.2", "updated", {"Status": "Done"})
    mended = records(mock, "Tasks", "Task ID")["TSK-3.1.2"]
    assert (mended["id"], mended["fields"]["Assigned To"]) == (task["id"], "somebody")


def test_a_dry_run_says_the_same_and_changes_nothing(pushed):
    base, mock, _ = pushed
    told = airtable.push(PLAN, base, dry_run=True)
    assert not any(mock.records.values())
    made = airtable.push(PLAN, base)
    assert [(c.table, c.key, c.kind) for c in told] == [(c.table, c.key, c.kind) for c in made]


def test_no_more_than_five_requests_a_second(pushed):
    base, _, times = pushed
    airtable.push(PLAN, base)
    # 4 tables read to the end, and 1, 1, 4 and 4 requests of at most ten records.
    assert len(times) == 4 * 2 + 1 + 1 + 4 + 4
    assert all(later - first >= 1.0 - 1e-9 for first, later in zip(times, times[5:], strict=False))


def test_a_push_that_failed_midway_goes_on(pushed, monkeypatch):
    base, mock, _ = pushed
    upsert, calls = base.upsert, []

    def fail(table, key, rows):
        calls.append(table)
        if len(calls) == 3:
            answer = Response()
            answer.status_code = 422
            base._told(lambda: (_ for _ in ()).throw(HTTPError(response=answer)))
        return upsert(table, key, rows)

    monkeypatch.setattr(base, "upsert", fail)
    with pytest.raises(BqxError, match="got status 422; expected an answer of base app"):
        airtable.push(PLAN, base)
    monkeypatch.setattr(base, "upsert", upsert)
    assert Counter(change.table for change in airtable.push(PLAN, base)) == {
        "Tasks": 35,
        "Phase 2 Stages": 4,
    }
    assert sum(len(rows) for rows in mock.records.values()) == 46


def test_the_token_is_of_the_environment_or_the_secret(monkeypatch):
    assert airtable.token({airtable.TOKEN: " pat1 "}) == "pat1"
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    with mock_aws():
        with pytest.raises(ParameterError, match="no token, got neither BQX_AIRTABLE_TOKEN nor"):
            airtable.token({})
        secrets = boto3.client("secretsmanager")
        secrets.create_secret(Name=airtable.SECRET, SecretString="pat2")
        assert airtable.token({}) == "pat2"
        secrets.put_secret_value(SecretId=airtable.SECRET, SecretString=json.dumps({"token": "p3"}))
        assert airtable.token({}) == "p3"


def test_the_command_pushes(monkeypatch, capsys):
    monkeypatch.setenv(airtable.TOKEN, "pat1")
    monkeypatch.setattr(airtable, "PACE", 0.0)
    with MockAirtable():
        assert cli.main(["plan", "--push", BASE, "--dry-run"]) == 0
        assert "46 records would be changed" in capsys.readouterr().out
        assert cli.main(["plan", "--push", BASE]) == 0
        assert "Tasks\tTSK-3.2.3\tcreated\t" in capsys.readouterr().out
        assert cli.main(["plan", "--push", BASE]) == 0
        assert capsys.readouterr().out == "0 records changed\n"
    assert cli.main(["plan", "--dry-run"]) == 2


@pytest.mark.parametrize("base", ["", "app", "base", "app../../x", "appA?x=1", "appA B"])
def test_what_is_no_base_is_not_pushed_to(base, capsys, monkeypatch):
    monkeypatch.setenv("BQX_AIRTABLE_TOKEN", "x")
    with pytest.raises(SystemExit) as ended:
        cli.main(["plan", f"--push={base}"])
    assert ended.value.code == 2
    assert "no base, got" in capsys.readouterr().err
