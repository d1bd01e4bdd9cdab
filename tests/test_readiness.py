"""Readiness: the checklist, load by the clock, backups that come back, and a signed rollout."""

import http.server
import json
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hostile_clients import serving
from learned import PAIR, PARAMS, learn
from postgres import fresh
from sqlalchemy import URL

from bqx import cli
from bqx.database.connect import URL_NAME
from bqx.errors import ArtefactError, BqxError, ParameterError
from bqx.files import digest, write_json
from bqx.learning import bundle
from bqx.market import simulated
from bqx.market.pairs import PAIRS
from bqx.monitoring.capture import lot
from bqx.readiness import checklist, drill, load, rollout
from bqx.readiness.check import Evidence
from bqx.readiness.rollout import PHASES, Rollout
from bqx.serving import live

MONDAY = 28_401_120 - 120
"""Epoch minute at which a Monday's trading day begins, 2024."""


@pytest.fixture
def answering() -> Iterator[str]:
    class Answer(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 5

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["content-length"]))
            self.send_response(200 if self.path == "/good" else 503)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *words: object) -> None:
            pass

    own = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    own.daemon_threads = True
    thread = threading.Thread(target=own.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{own.server_port}"
    own.shutdown()
    own.server_close()
    thread.join(5)


def test_load_counts_answers_and_faults(answering: str, tmp_path: Path) -> None:
    good = load.press(f"{answering}/good", [b"{}"], 60.0, seconds=1.0)
    assert (good.sent, good.failed) == (60, 0)
    assert 0.0 < good.p50 <= good.p99 < 5_000.0
    assert good.reached <= 61.0
    assert load.press(f"{answering}/bad", [b"{}"], 20.0, seconds=0.5).failed == 10
    good.write(tmp_path)
    check = checklist.load_test(Evidence(records=tmp_path))
    assert check.outcome == "fail"
    assert "60 a second for 1 s" in check.measured


def test_load_of_nobody_fails_in_time(answering: str) -> None:
    start = time.perf_counter()
    found = load.press("http://127.0.0.1:9/", [], 10.0, seconds=0.5)
    assert found.failed == 5
    assert time.perf_counter() - start < 30.0
    with pytest.raises(ParameterError, match="no address"):
        load.press("127.0.0.1", [], 1.0)
    with pytest.raises(ParameterError, match="nothing to send"):
        load.press(answering, [], 0.1, seconds=1.0)


def folder_of(path: Path) -> Path:
    for name, content in {"a/log.jsonl": "one\n", "b.json": "{}", "lock": ""}.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(content)
    return path


def test_what_was_backed_up_comes_back_and_what_came_later_is_counted(tmp_path: Path) -> None:
    folder, place = folder_of(tmp_path / "registry"), tmp_path / "backup"
    assert drill.backup(folder, place) == 2
    assert drill.backup(folder, place) == 0
    whole = drill.drill(folder, place, tmp_path / "first")
    assert (whole.files, whole.lost, whole.rpo, whole.whole) == (2, 0, 0.0, True)
    (folder / "a/log.jsonl").write_text("one\ntwo\n")
    later = json.loads((place / drill.MANIFEST).read_text())["at"] + 90.0
    os.utime(folder / "a/log.jsonl", (later, later))
    found = drill.drill(folder, place, tmp_path / "second")
    assert (found.lost, found.whole) == (1, True)
    assert found.rpo == pytest.approx(90.0)
    assert (tmp_path / "second/a/log.jsonl").read_text() == "one\n"
    found.write(tmp_path, "registry")
    assert checklist.disaster(Evidence(records=tmp_path)).outcome == "pass"
    with pytest.raises(ArtefactError, match="not empty"):
        drill.drill(folder, place, tmp_path / "second")


@pytest.mark.parametrize("what", ["content", "list", "name", "absolute", "no hash"])
def test_a_damaged_backup_is_refused(tmp_path: Path, what: str) -> None:
    folder, place = folder_of(tmp_path / "registry"), tmp_path / "backup"
    drill.backup(folder, place)
    listed = json.loads((place / drill.MANIFEST).read_text())
    if what == "content":
        own = listed["files"]["b.json"]
        (place / "contents" / own[:2] / own).write_text("[]")
    else:
        names = {"name": "../evil", "absolute": str(tmp_path / "evil")}
        own = "../contents" if what == "no hash" else listed["files"]["b.json"]
        listed["files"] |= {names.get(what, "b.json"): "0" * 64 if what == "list" else own}
        if what != "list":
            listed["hash"] = digest(listed["files"])
        write_json(place / drill.MANIFEST, listed)
    with pytest.raises(ArtefactError, match="damaged"):
        drill.restore(place, tmp_path / "back")
    assert not (tmp_path / "evil").exists()


@pytest.mark.parametrize(
    "content", [b"", b"[]", b"null", b'{"files": []}', b'{"files": {}, "hash": 1}', b"\xff", b"{"]
)
def test_a_list_of_another_kind_is_refused_in_words(tmp_path: Path, content: bytes) -> None:
    (tmp_path / drill.MANIFEST).write_bytes(content)
    with pytest.raises(ArtefactError, match=r"damaged|cannot be read"):
        drill.restore(tmp_path, tmp_path / "back")
    with pytest.raises(ArtefactError, match="no backup"):
        drill.restore(tmp_path / "back", tmp_path / "back")


def test_a_mistyped_folder_leaves_the_last_backup(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, place = folder_of(tmp_path / "registry"), tmp_path / "backup"
    drill.backup(folder, place)
    before = (place / drill.MANIFEST).read_bytes()
    (tmp_path / "empty").mkdir()
    wrong = {"typo": "no folder", "registry/b.json": "no folder", "empty": "nothing to copy"}
    for name, text in wrong.items():
        assert cli.main(["ready", "backup", str(tmp_path / name), str(place)]) == 2
        assert text in capsys.readouterr().err
    for inside in (folder, folder / "backup"):
        assert cli.main(["ready", "backup", str(folder), str(inside)]) == 2
        assert "within the folder" in capsys.readouterr().err
    # What was written since the backup is not known of a folder that is not there.
    assert cli.main(["ready", "drill", str(tmp_path / "typo"), str(place)]) == 2
    assert (place / drill.MANIFEST).read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == ["a", "b.json", "lock"]


def test_a_lost_folder_is_restored_and_no_other_one_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, place = folder_of(tmp_path / "registry"), tmp_path / "backup"
    drill.backup(folder, place)
    restore = ["ready", "restore", str(place), str(tmp_path / "back")]
    assert cli.main(restore) == cli.main(restore) == 0
    assert "2 files are back" in capsys.readouterr().out
    assert (tmp_path / "back/a/log.jsonl").read_text() == "one\n"
    (tmp_path / "back/b.json").write_text("[newer]")
    assert cli.main(restore) == 2
    assert "not of the backup" in capsys.readouterr().err
    assert (tmp_path / "back/b.json").read_text() == "[newer]"


def test_a_content_that_was_damaged_is_copied_anew(tmp_path: Path) -> None:
    folder, place = folder_of(tmp_path / "registry"), tmp_path / "backup"
    drill.backup(folder, place)
    own = json.loads((place / drill.MANIFEST).read_text())["files"]["b.json"]
    (place / "contents" / own[:2] / own).write_text("")
    assert drill.backup(folder, place) == 1
    assert drill.drill(folder, place, tmp_path / "work").whole


LOAD = ["ready", "load"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("http://127.0.0.1:9/", "--seconds", "nan"),
        ("http://127.0.0.1:9/", "--seconds", "inf"),
        ("http://127.0.0.1:9/", "--rate", "inf"),
        ("http://127.0.0.1:9/", "--rate", "1e12"),
        ("http://127.0.0.1:9/", "--rate", "10000", "--seconds", "86400"),
        ("http://127.0.0.1:9/", "--key", "a\nb"),
        ("http://127.0.0.1:9/", "--body", "pipe"),
        ("http://127.0.0.1:9/", "--body", "."),
        ("http://127.0.0.1:9/", "--records", "file"),
        ("http://127.0.0.1:99999/",),
        ("http://127.0.0.1:x/",),
        ("http://[::1/",),
        ("http://127.0.0.1:9/\u00e4",),
        ("http://127.0.0.1:9/a b",),
        ("file:///etc/passwd",),
    ],
)
def test_a_load_that_cannot_be_is_refused_before_it_begins(
    arguments: tuple[str, ...],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(load, "_run", lambda *_: pytest.fail("requests were sent"))
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()
    try:
        status = cli.main([*LOAD, *arguments])
    except SystemExit as error:
        status = int(error.code or 0)
    assert status == 2
    assert "got" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("load.json", {"rate": "x", "seconds": 600}),
        ("load.json", {}),
        ("load.json", {"at": 1}),
        ("load.json", []),
        ("drill.json", {"store": 1}),
        ("verdict.json", {"information": None, "ledger": []}),
        ("benchmarks.json", {"a": [1]}),
    ],
)
def test_a_record_of_another_kind_fails_its_line_alone(
    name: str, content: object, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_json(tmp_path / name, content)
    place = str(tmp_path)
    checked = ["ready", "check", "--records", place, "--run", place, "--book", place]
    assert cli.main(checked) == 1
    printed = capsys.readouterr().out
    assert len(printed.splitlines()) == len(checklist.QUESTIONS) + 1
    if content:
        assert "altered, got" in printed or "no record, got" in printed


@pytest.mark.parametrize("option", ["--run", "--registry", "--book", "--capture"])
def test_a_named_folder_that_is_not_there_is_told(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["ready", "check", option, str(tmp_path / "typo")]) == 2
    assert f"{option}: no folder" in capsys.readouterr().err


def test_a_captured_pipe_does_not_stop_the_rollout(tmp_path: Path) -> None:
    day = tmp_path / "minutes" / "2024-03-04"
    day.mkdir(parents=True)
    os.mkfifo(day / "0000.parquet")
    with pytest.raises(ArtefactError, match="cannot be read"):
        rollout.captured(tmp_path, 0.0)


def test_a_backup_that_was_cut_off_is_the_one_before(tmp_path: Path) -> None:
    folder, place = folder_of(tmp_path / "registry"), tmp_path / "backup"
    drill.backup(folder, place)
    before = (place / drill.MANIFEST).read_bytes()
    (folder / "b.json").write_text("[1]")
    drill.backup(folder, place)
    (place / drill.MANIFEST).write_bytes(before)
    drill.restore(place, tmp_path / "back")
    assert (tmp_path / "back/b.json").read_text() == "{}"


END = (MONDAY + 5 * 1_440) * 60.0


def capture(
    folder: Path,
    days: int,
    pairs: tuple[str, ...],
    *,
    status: int = 200,
    ms: float = 20.0,
    late: int = 1,
    share: float = 0.2,
    hours: int = 24,
) -> pd.DataFrame:
    """Captured minutes of a share of them: the first hours of some days, all pairs forecast so many
    minutes after the bar's open, an answer a minute."""
    for day in range(days):
        first = MONDAY + 1_440 * day
        minutes = [m for m in range(first, first + 60 * hours) if lot(m) < share]
        asked = [(m, (m + late) * 60 * 10**9) for m in minutes]
        rows = [("forecast", pair, m, at, 0, np.nan) for m, at in asked for pair in pairs]
        rows += [("answer", None, None, at, status, ms) for _, at in asked]
        names = ["kind", "pair", "minute", "at", "status", "ms"]
        frame = pd.DataFrame(rows, columns=names).astype({"minute": "Int64", "status": "Int32"})
        path = folder / "minutes" / str(day) / "0000.parquet"
        path.parent.mkdir(parents=True)
        pq.write_table(pa.Table.from_pandas(frame, preserve_index=False), path)
    return rollout.captured(folder, MONDAY * 60.0)


def test_availability_is_that_of_the_capture(tmp_path: Path) -> None:
    capture(tmp_path / "good", 1, PHASES[1])
    capture(tmp_path / "bad", 1, PHASES[1], status=500)
    outcomes = [
        checklist.availability(Evidence(capture=tmp_path / name)).outcome
        for name in ("good", "bad", "nothing")
    ]
    assert outcomes == ["pass", "fail", "not measured"]


def failed(rows: pd.DataFrame, now: float = END) -> list[str]:
    reasons = rollout.criteria(1, rows, MONDAY * 60.0, now)
    return [reason.rule for reason in reasons if not reason.passed]


def test_a_phase_ends_by_what_was_captured(tmp_path: Path) -> None:
    assert failed(capture(tmp_path / "good", 5, PHASES[1])) == []
    short = capture(tmp_path / "short", 4, PHASES[1])
    assert failed(short, END - 1_440 * 60) == ["trading days"]
    assert failed(capture(tmp_path / "slow", 5, PHASES[1], ms=400.0)) == ["latency P99 (ms)"]
    assert failed(capture(tmp_path / "down", 5, PHASES[1], status=503)) == [
        "share answered without a fault of the server",
        "share of errors",
    ]
    assert failed(capture(tmp_path / "absent", 5, PHASES[1][:2])) == [
        "share of minutes forecast, the worst pair"
    ]
    assert len(failed(rollout.captured(tmp_path / "nothing", 0.0))) == 5
    assert len(rollout.captured(tmp_path / "good", (MONDAY + 10**6) * 60.0)) == 0


WEEK_ITSELF = ["trading days", "share of minutes forecast, the worst pair"]


def test_bars_of_a_week_ago_that_are_asked_at_once_are_no_week(tmp_path: Path) -> None:
    """Old bars are answered at any time, as those after an outage are."""
    assert failed(capture(tmp_path / "late", 5, PHASES[1], late=60)) == WEEK_ITSELF
    assert failed(capture(tmp_path / "ahead", 5, PHASES[1], late=-3)) == WEEK_ITSELF
    rows = capture(tmp_path / "good", 5, PHASES[1])
    begun = [reason for reason in rollout.criteria(1, rows, END, END) if not reason.passed]
    assert [reason.rule for reason in begun] == WEEK_ITSELF


@pytest.mark.parametrize("share", [0.2, 1.0])
def test_an_outage_of_all_pairs_counts_against_each(tmp_path: Path, share: float) -> None:
    assert failed(capture(tmp_path / "whole", 5, PHASES[1], share=share)) == []
    away = capture(tmp_path / "away", 5, PHASES[1], share=share, hours=23)
    assert failed(away) == WEEK_ITSELF[1:]


def test_the_rollout_goes_phase_by_phase_and_is_signed(tmp_path: Path) -> None:
    own, week = Rollout(tmp_path), (MONDAY * 60.0, END)
    good = rollout.criteria(1, capture(tmp_path / "c", 5, PHASES[1]), *week)
    with pytest.raises(ParameterError, match="usdjpy has no approved version"):
        own.begin("ann", ("eurusd", "gbpusd"))
    own.begin("ann", PHASES[1])
    with pytest.raises(ParameterError, match="phase 1 runs"):
        own.begin("ann", PAIRS)
    with pytest.raises(ParameterError, match="cannot be signed, got no criteria"):
        own.sign("ann", ())
    bad = rollout.criteria(1, rollout.captured(tmp_path / "nothing", 0.0), *week)
    with pytest.raises(ParameterError, match="cannot be signed, got trading days"):
        own.sign("ann", bad)
    own.sign("ann", good, "a quiet week")
    own.begin("ann", PHASES[2])
    own.roll_back("bob", "errors at the open")
    assert own.reached == 1
    own.begin("ann", PHASES[2])
    own.sign("ann", good)
    own.begin("ann", PAIRS)
    own.sign("ann", good)
    assert own.reached == 3
    assert checklist.rollout(Evidence(records=tmp_path)).outcome == "pass"
    with pytest.raises(ParameterError, match="all phases are signed"):
        own.begin("ann", PAIRS)
    with pytest.raises(ParameterError, match="nobody signs"):
        own.roll_back(" ", "why")
    assert [len(PHASES[n]) for n in (1, 2, 3)] == [3, 10, 28]
    assert set(PHASES[1]) < set(PHASES[2]) < set(PHASES[3])


def test_of_two_that_begin_the_rollout_one_does(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as at_once:
        tries = [at_once.submit(Rollout(tmp_path).begin, "ada", PAIRS) for _ in range(8)]
        refused = [one.exception(60) for one in tries]
    assert sum(error is None for error in refused) == 1
    assert all(isinstance(error, BqxError) for error in refused if error is not None)
    assert [event.action for event in Rollout(tmp_path).events()] == ["begun"]


def test_an_altered_signature_stops_the_rollout(tmp_path: Path) -> None:
    own = Rollout(tmp_path)
    own.begin("ann", PHASES[1])
    text = own.log.path.read_text()
    own.log.path.write_text(text.replace('"ann"', '"bob"'))
    with pytest.raises(ArtefactError, match="stands still"):
        own.begin("bob", PAIRS)


def test_nothing_named_is_not_measured_and_templates_pass(tmp_path: Path) -> None:
    outcomes = {c.what.split(",")[0]: c.outcome for c in checklist.answered(Evidence())}
    assert outcomes["a model of each of 28 pairs"] == "not measured"
    assert outcomes["the ledger of trials is whole"] == "not measured"
    for what in ("rights are the least that work", "all that computes is in the VPC"):
        assert outcomes[what] == "pass"
    (tmp_path / "load.json").write_text("[")
    checks = checklist.answered(Evidence(records=tmp_path))
    assert [c.outcome for c in checks if "load.json" in c.measured] == ["fail"]


def test_a_run_and_its_book_are_read(tmp_path: Path) -> None:
    own = {"information": {"claimed": False, "t": 0.4, "bound": 1.7}, "ledger": {"faults": ["x"]}}
    write_json(tmp_path / "verdict.json", own)
    goals = [{"what": f"28 x 5 forecasts over HTTP, {p}", "found": 90.0} for p in ("P50", "P99")]
    write_json(tmp_path / "benchmarks.json", {"test_serving_speed": {"goals": goals}})
    evidence = Evidence(run=tmp_path, book=tmp_path)
    assert checklist.information(evidence).outcome == "fail"
    assert checklist.ledger(evidence).measured == "x"
    assert checklist.latency(evidence).outcome == "pass"
    assert checklist.runbooks(evidence).outcome == "fail"
    book = Path(__file__).parents[1] / "book"
    assert checklist.runbooks(Evidence(book=book)).outcome == "pass"


def test_rights_that_are_too_broad_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    statement = {"Action": ["s3:*"], "Resource": ["*"]}
    policies = [{"PolicyDocument": {"Statement": [statement]}}]
    role = {"Type": "AWS::IAM::Role", "Properties": {"Policies": policies}}
    model = {"Type": "AWS::SageMaker::Model", "Properties": {}}
    bad = {"Resources": {"Role": role, "Model": model}}
    monkeypatch.setattr(checklist.template, "DESIGNS", {"endpoint": lambda: bad})
    for question in (checklist.rights, checklist.network, checklist.encryption, checklist.alerts):
        assert question(Evidence()).outcome == "fail"


def test_the_commands_as_a_user_types_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], answering: str
) -> None:
    records = ["--records", str(tmp_path / "records")]
    folder, place = str(folder_of(tmp_path / "store")), str(tmp_path / "backup")
    body = tmp_path / "body.json"
    body.write_text("{}")
    press = ["load", f"{answering}/good", "--body", str(body), "--rate", "20", "--seconds", "1"]
    assert cli.main(["ready", "backup", folder, place]) == 0
    assert cli.main(["ready", "drill", folder, place, *records]) == 0
    assert cli.main(["ready", *press, *records]) == 0
    assert cli.main(["ready", "rollout", "show", *records]) == 0
    assert cli.main(["ready", "rollout", "begin", *records]) == 2
    assert cli.main(["ready", "check", *records]) == 1
    printed = capsys.readouterr().out
    assert "2 files, 0.0 MB, back in" in printed
    assert "20 requests, 0 failed" in printed
    assert "fail          100 requests a second" in printed


def test_a_database_that_is_lost_is_built_anew(
    server: URL,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    drawn = simulated.simulate("null", ("eurusd", "gbpusd"), "2024-02-26", days=3, seed=3)
    (tmp_path / "bars").mkdir()
    for pair, frame in drawn.frames.items():
        frame.iloc[: -(9 if pair == "gbpusd" else 1)].to_parquet(tmp_path / f"bars/{pair}.parquet")
    arguments = ["ready", "rebuild", "--bars", str(tmp_path / "bars"), "--records", str(tmp_path)]
    with fresh(server) as engine:
        monkeypatch.setenv(URL_NAME, engine.url.render_as_string(hide_password=False))
        assert cli.main(arguments) == 0
        assert cli.main(arguments) == 2
    shown = capsys.readouterr()
    assert "not empty, got a schema bqx" in shown.err
    found = json.loads((tmp_path / drill.RECORD).read_text())["database"]
    assert (found["files"], found["lost"], found["whole"]) == (2, 1, True)
    assert found["rpo"] == 8 * 60.0
    assert 0.0 < found["rto"] < drill.RTO


@pytest.mark.studies
def test_a_server_answers_three_times_the_peak(tmp_path: Path) -> None:
    """For ten minutes, or for as many seconds as BQX_LOAD_SECONDS says."""
    learned = learn("strong", 1)
    packed = bundle.bundle(learned.bars, learned.result.fits[-1], PARAMS, {})
    packed.save(tmp_path / PAIR)
    frames = simulated.simulate("strong", (PAIR,), PARAMS.start, days=PARAMS.days, seed=1).frames
    request = live.payload(PAIR, frames[PAIR].iloc[-(packed.lookback + 50) :])
    seconds = float(os.environ.get("BQX_LOAD_SECONDS", 60.0 * load.MINUTES))
    with serving(tmp_path, tmp_path / "printed.txt") as server:
        url = f"http://127.0.0.1:{server.port}/invocations"
        headers = {"content-type": "application/json"}
        body = json.dumps(request).encode()
        found = load.press(url, [body], seconds=seconds, headers=headers)
    print(found)
    found.write(tmp_path)
    assert found.failed == 0
    assert found.p99 <= checklist.LATENCY["P99"]
    if seconds >= 60.0 * load.MINUTES:
        assert checklist.load_test(Evidence(records=tmp_path)).outcome == "pass"
