"""Alerts: every rule fires and clears, each alert is told once, on every channel, whatever ends."""

import json
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from datetime import UTC, datetime
from email import message_from_bytes

import boto3
import pytest
from moto import mock_aws
from receivers import MailServer, Webhook, listening

from bqx import cli
from bqx.errors import ArtefactError, BqxError
from bqx.monitoring import measured, metrics
from bqx.monitoring.measured import Measurements
from bqx.operations import alerts, cloudwatch
from bqx.operations.alert_rules import BY_NAME, LEVELS, RULES
from bqx.operations.alerts import Store
from bqx.operations.channels import (
    Email,
    Message,
    NotSentError,
    Slack,
    Sns,
    StandardError,
    UnansweredError,
)
from bqx.operations.judgement import Standing, judge
from bqx.operations.settings import Settings

START = datetime(2026, 1, 5, 10, tzinfo=UTC).timestamp()
MESSAGE = Message("abc123", "critical", "it <fails> & more", "x is 1", "https://x/runbook.html#a")


def bad(rule):
    return rule.bound + 0.01 if rule.above else rule.bound - 0.01


def good(rule):
    return rule.clear


def changes(rule, values, step=1.0):
    """What changes at each of some values, so many minutes apart."""
    standing, said = Standing(), []
    for i, value in enumerate(values):
        now = START + 60.0 * step * i
        standing, change = judge(rule, standing, now, {rule.metric: value})
        said.append(change)
    return said


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_rule_fires_after_its_minutes_and_not_before(rule):
    lasting = int(rule.minutes)
    said = changes(rule, [bad(rule)] * (lasting + 3))
    expected = [*[""] * lasting, "fired", "", ""]
    assert said == (["fired"] * 3 if rule.counts else expected)
    assert not any(changes(rule, [rule.bound] * 30))


@pytest.mark.parametrize(
    "rule", [rule for rule in RULES if not rule.counts], ids=lambda rule: rule.name
)
def test_a_rule_clears_after_its_minutes_and_not_before(rule):
    fires, clears = int(rule.minutes) + 1, int(rule.clear_minutes)
    said = changes(rule, [bad(rule)] * fires + [good(rule)] * (clears + 3))
    assert said[fires - 1] == "fired"
    assert said[fires:] == [*[""] * clears, "cleared", "", ""]
    assert "fired" in changes(rule, ([bad(rule)] * fires + [good(rule)] * (clears + 1)) * 2)[fires:]


@pytest.mark.parametrize("rule", [r for r in RULES if r.minutes], ids=lambda rule: rule.name)
def test_one_good_minute_begins_the_time_anew(rule):
    shorter = int(rule.minutes)
    values = ([bad(rule)] * shorter + [good(rule)]) * 4
    assert not any(changes(rule, values))


@pytest.mark.parametrize(
    "rule", [r for r in RULES if r.clear != r.bound], ids=lambda rule: rule.name
)
def test_between_its_bounds_a_rule_stays_as_it_is(rule):
    between = (rule.bound + rule.clear) / 2
    fires = int(rule.minutes) + 1
    assert not any(changes(rule, [between] * 30))
    assert not any(changes(rule, [bad(rule)] * fires + [between, bad(rule)] * 20)[fires:])


def test_the_rules_are_those_of_the_documents():
    said = {
        (rule.level, rule.metric, rule.bound, rule.minutes) for rule in RULES if not rule.counts
    }
    assert said >= {
        ("critical", "endpoint_up", 1.0, 5.0),
        ("critical", "error_rate", 0.05, 5.0),
        ("critical", "latency_p99_ms", 500.0, 10.0),
        ("critical", "mae_ratio", 1.5, 0.0),
        ("critical", "r2_change", -0.05, 0.0),
        ("warning", "mae_ratio", 1.2, 0.0),
        ("warning", "cost_share_of_budget", 0.875, 0.0),
        ("warning", "cache_hit_rate", 0.8, 10.0),
    }
    counted = {(rule.level, rule.name) for rule in RULES if rule.counts}
    assert counted == {
        ("critical", "training_failed"),
        ("info", "retraining_started"),
        ("info", "model_deployed"),
    }
    assert {rule.metric for rule in RULES} <= {metric.name for metric in metrics.MEASURED}


@pytest.mark.parametrize("name", ["r2_drop", "mae_warning", "mae_critical"])
def test_what_a_usual_day_does_by_chance_is_no_alert(name):
    rule = BY_NAME[name]
    chance, numbers = metrics.chance_of(rule.metric), {rule.metric: bad(rule)}
    assert judge(rule, Standing(), START, numbers | {chance: 0.2})[1] == ""
    standing, change = judge(rule, Standing(), START, numbers | {chance: 0.001})
    assert change == "fired"
    assert rule.said(numbers | {chance: 0.001}).endswith("as bad with a chance of 0.001")
    # Neither does it clear what fires: the value is still beyond.
    after, change = judge(rule, standing, START + 60, numbers | {chance: 0.2})
    assert (after.firing, change) == (START, "")


def test_minutes_are_those_of_the_measurements_not_of_the_runs():
    rule = BY_NAME["endpoint_down"]
    # Over a hole, and when only a later one is there.
    assert changes(rule, [0.0, 0.0], step=6) == ["", "fired"]
    standing, _ = judge(rule, Standing(), START, {"endpoint_up": 0.0})
    same, change = judge(rule, standing, START, {"endpoint_up": 1.0})
    assert (same, change) == (standing, "")
    before, change = judge(rule, standing, START - 60, {"endpoint_up": 1.0})
    assert (before, change) == (standing, "")
    for absent in ({}, {"endpoint_up": None}, {"endpoint_up": float("nan")}):
        assert judge(rule, standing, START + 600, absent) == (standing, "")


class Kept:
    """A channel that keeps what it was given."""

    name, levels = "kept", LEVELS

    def __init__(self, error=None):
        self.messages, self.error = [], error

    def send(self, message, mark):
        if isinstance(self.error, NotSentError):
            raise self.error
        mark()
        self.messages.append(message)
        if self.error:
            raise self.error


def run(path, series, *to):
    with Store.opened(path) as store:
        return alerts.watch(store, series, to)


def at(minute, **numbers):
    return Measurements(START + 60.0 * minute, numbers)


def test_a_state_of_a_clock_that_was_ahead_is_told(tmp_path):
    ahead = datetime.now(UTC).timestamp() + 400 * 86_400.0
    run(tmp_path / "state", [Measurements(ahead, {"endpoint_up": 1.0})])
    # Else nothing would fire until then, without a word.
    with pytest.raises(ArtefactError, match=r"state: of a time to come, got 20\d\d-.* remove"):
        run(tmp_path / "state", [])


def test_a_run_twice_late_or_over_a_hole_tells_the_same_once(tmp_path):
    series = [at(minute, endpoint_up=float(not 3 <= minute <= 12)) for minute in range(20)]
    expected = ["the endpoint does not answer", "over: the endpoint does not answer"]
    in_time, twice, late, holed = (Kept() for _ in range(4))
    for own in series:
        run(tmp_path / "in_time", [own], in_time)
        run(tmp_path / "twice", [own], twice)
        run(tmp_path / "twice", [own], twice)
    run(tmp_path / "late", series, late)
    run(tmp_path / "late", series, late)
    run(tmp_path / "holed", [series[i] for i in range(20) if i not in (5, 6, 7, 14)], holed)
    for kept in (in_time, twice, late, holed):
        assert [message.title for message in kept.messages] == expected
    assert [m.id for m in in_time.messages] == [m.id for m in late.messages]
    assert [m.text for m in in_time.messages] == [m.text for m in twice.messages]


def test_a_milder_rule_of_the_same_metric_is_told_when_the_stricter_one_is_over(tmp_path):
    kept = Kept()
    for minute, ratio in enumerate((1.6, 1.6, 1.3, 1.3, 1.6, 1.0)):
        run(tmp_path / "s", [at(minute, mae_ratio=ratio)], kept)
    assert [message.title for message in kept.messages] == [
        "the error is half as large again",
        "over: the error is half as large again",
        "the error has grown by a fifth",
        "the error is half as large again",
        "over: the error is half as large again",
        "over: the error has grown by a fifth",
    ]
    assert [message.level for message in kept.messages].count("warning") == 2
    quick = Kept()
    for minute, ratio in enumerate((1.6, 1.0)):
        run(tmp_path / "t", [at(minute, mae_ratio=ratio)], quick)
    assert {message.level for message in quick.messages} == {"critical"}


def test_a_milder_rule_stands_after_its_stricter_one():
    order = [rule.name for rule in RULES]
    for rule in RULES:
        if rule.under:
            stricter = BY_NAME[rule.under]
            assert order.index(stricter.name) < order.index(rule.name)
            assert stricter.metric == rule.metric
            assert stricter.bound > rule.bound


def test_each_event_is_an_alert_of_its_own(tmp_path):
    kept = Kept()
    for minute, count in enumerate((1.0, 0.0, 1.0, 2.0)):
        run(tmp_path / "s", [at(minute, model_deployed=count)], kept)
    assert [message.title for message in kept.messages] == ["a model was deployed"] * 3
    assert len({message.id for message in kept.messages}) == 3


def test_what_could_not_be_sent_is_sent_by_the_next_run(tmp_path, capsys):
    down, kept = Kept(NotSentError("not reached, refused")), Kept()
    run(tmp_path / "s", [at(0, frozen_pairs=3.0)], down)
    assert "kept: not reached, refused; the next run tries again" in capsys.readouterr().err
    run(tmp_path / "s", [], kept)
    run(tmp_path / "s", [], kept)
    assert len(kept.messages) == 1


def test_what_was_not_answered_is_said_and_not_sent_again(tmp_path, capsys):
    mute = Kept(UnansweredError("timed out"))
    run(tmp_path / "s", [at(0, frozen_pairs=3.0)], mute)
    assert "it may have arrived: warning: a feed stands still" in capsys.readouterr().err
    run(tmp_path / "s", [], mute)
    assert len(mute.messages) == 1
    assert capsys.readouterr().err == ""


def test_a_channel_gets_its_levels_alone(tmp_path):
    kept = Kept()
    kept.levels = ("critical",)
    run(tmp_path / "s", [at(0, mae_ratio=1.3, r2_change=-0.2)], kept)
    assert [message.title for message in kept.messages] == ["R² has fallen"]


def test_a_damaged_state_is_refused(tmp_path):
    path = tmp_path / "s"
    run(path, [at(0, frozen_pairs=3.0)], Kept())
    text = path.read_text()
    for damaged in ("", "{}", text[:-20], text.replace("warning", "info")):
        path.write_text(damaged)
        with pytest.raises(ArtefactError, match="damaged.*told anew"):
            run(path, [], Kept())


def test_one_run_waits_for_another(tmp_path, monkeypatch):
    monkeypatch.setattr(alerts, "PATIENCE", 0.2)
    with Store.opened(tmp_path / "s"), pytest.raises(BqxError, match="in use, waited"):
        run(tmp_path / "s", [], Kept())


def test_only_so_many_alerts_are_stored(tmp_path, monkeypatch):
    monkeypatch.setattr(alerts, "KEPT", 5)
    for minute in range(9):
        run(tmp_path / "s", [at(minute, model_deployed=1.0)], Kept())
    with Store.opened(tmp_path / "s") as store:
        assert len(store.state.alerts) == 5


@pytest.fixture
def webhook():
    with listening(Webhook()) as own:
        yield own


@pytest.fixture
def mail():
    with listening(MailServer()) as own:
        yield own


def test_slack_gets_text_in_its_notation(webhook):
    marks = []
    Slack(webhook.url).send(MESSAGE, lambda: marks.append(len(webhook.posted)))
    assert marks == [0]
    assert webhook.posted == [
        {
            "text": "*critical: it &lt;fails&gt; &amp; more*\nx is 1\n"
            "<https://x/runbook.html#a|Runbook> · abc123"
        }
    ]


def test_slack_that_refuses_is_asked_again_and_one_that_is_mute_is_not(webhook):
    webhook.status = 400
    with pytest.raises(NotSentError, match="refused, 400 invalid_payload"):
        Slack(webhook.url).send(MESSAGE, lambda: None)
    webhook.silent = True
    with pytest.raises(UnansweredError):
        Slack(webhook.url).send(MESSAGE, lambda: None)
    marks = []
    with pytest.raises(NotSentError, match="not reached"):
        Slack("http://127.0.0.1:9/x").send(MESSAGE, lambda: marks.append(1))
    assert not marks


def test_a_secret_is_not_shown():
    assert "T0" not in repr(Slack("https://hooks.slack.com/services/T0/B0/x"))
    assert "geheim" not in repr(Email("h", 1, "a", ("b",), "u", "geheim"))


def email_to(mail, **own):
    return Email("127.0.0.1", mail.port, "bqx@here", ("a@here", "b@here"), tls=False, **own)


def test_a_mail_is_handed_over_with_the_alerts_id(mail):
    marks = []
    email_to(mail).send(MESSAGE, lambda: marks.append(len(mail.mails)))
    assert marks == [0]
    sent = message_from_bytes(mail.mails[0])
    assert sent["Message-ID"] == "<abc123@bqx>"
    assert sent["To"] == "a@here, b@here"
    assert sent["Subject"] == "[bqx critical] it <fails> & more"
    assert "Runbook: https://x/runbook.html#a" in sent.get_payload()


@pytest.mark.parametrize("farewell", [b"421 shutting down", b"250 ok", b"bye"])
def test_a_mail_that_was_taken_is_sent_whatever_the_farewell(mail, farewell):
    mail.farewell = farewell
    email_to(mail).send(MESSAGE, lambda: None)
    assert len(mail.mails) == 1


@pytest.mark.parametrize("verb", [b"MAIL", b"RCPT", b"DATA"])
def test_a_refused_mail_is_not_sent(mail, verb):
    mail.refuses = verb
    marks = []
    with pytest.raises(NotSentError, match="refused, 550"):
        email_to(mail).send(MESSAGE, lambda: marks.append(1))
    assert not marks
    assert not mail.mails


def test_a_mail_is_not_sent_in_the_clear_where_it_shall_be_encrypted(mail):
    own = Email("127.0.0.1", mail.port, "bqx@here", ("a@here",), "user", "secret")
    with pytest.raises(NotSentError, match="STARTTLS"):
        own.send(MESSAGE, lambda: None)
    assert not mail.mails


def test_a_line_of_a_mail_that_begins_with_a_point_ends_nothing(mail):
    text = ".\n.hidden\n\nlast"
    email_to(mail).send(Message("i", "critical", "Größe", text, "r"), lambda: None)
    assert len(mail.mails) == 1
    assert b"\r\n..\r\n..hidden\r\n" in mail.mails[0]


@pytest.fixture
def sns(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    with mock_aws():
        topics, queues = boto3.client("sns", "us-east-1"), boto3.client("sqs", "us-east-1")
        for level in LEVELS:
            topic = topics.create_topic(Name=f"bqx-ml-{level}")["TopicArn"]
            queue = f"arn:aws:sqs:us-east-1:123456789012:{level}"
            queues.create_queue(QueueName=level)
            topics.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue)
        yield queues


def received(queues, level):
    url = queues.get_queue_url(QueueName=level)["QueueUrl"]
    answer = queues.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
    return [json.loads(own["Body"]) for own in answer.get("Messages", ())]


def test_sns_publishes_to_the_topic_of_the_level(sns):
    own = Sns("123456789012", "us-east-1")
    marks = []
    for level in LEVELS:
        own.send(Message("i", level, "t", "x is 1", "r#a"), lambda: marks.append(1))
    assert len(marks) == 3
    for level in LEVELS:
        (message,) = received(sns, level)
        assert message["Subject"] == f"bqx {level}: t"
        assert message["Message"] == f"{level}: t: x is 1. r#a [i]"
        assert message["MessageAttributes"]["id"]["Value"] == "i"


def test_sns_without_a_topic_or_a_way_to_it_is_not_sent(sns, monkeypatch):
    with pytest.raises(NotSentError, match="refused"):
        Sns("123456789012", "eu-west-1").send(MESSAGE, lambda: None)


def test_sns_that_is_not_reached_is_not_sent(monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(NotSentError, match="not reached"):
        Sns("123456789012", "us-east-1").send(MESSAGE, lambda: None)


def test_standard_error_gets_a_line(capsys):
    StandardError().send(MESSAGE, lambda: None)
    line = "critical: it <fails> & more: x is 1. https://x/runbook.html#a [abc123]\n"
    assert capsys.readouterr().err == line


KILLED = """
import os, signal, sys
from pathlib import Path
from bqx.monitoring.measured import Measurements
from bqx.operations import alerts, channels
from bqx.operations.alerts import Store

FILES = {alerts.__file__, channels.__file__}
folder, url, port = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
to = [channels.StandardError(), channels.Slack(url),
      channels.Email("127.0.0.1", port, "a", ("b",), tls=False)]

def work(number):
    own = Measurements(1e9, {"r2_change": -0.2})
    with Store.opened(folder / f"{number}.json") as store:
        alerts.watch(store, [own], to, f"run-{number}")

def killed_at(number):
    lines = 0
    def trace(frame, event, argument):
        nonlocal lines
        if frame.f_code.co_filename not in FILES:
            return None
        if event == "line":
            lines += 1
            if lines == number:
                os.kill(os.getpid(), signal.SIGKILL)
        return trace
    sys.settrace(trace)
    work(number)

first, step = int(sys.argv[4]), int(sys.argv[5])
for number in range(first, 10_000, step):
    child = os.fork()
    if not child:
        try:
            killed_at(number)
        except BaseException:
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    print(number, os.waitstatus_to_exitcode(status), file=sys.stderr, flush=True)
    work(number)  # the next run
    work(number)
    if os.waitstatus_to_exitcode(status) == 0:
        break
"""


@pytest.mark.parametrize(
    ("first", "step"), [(5, 23), pytest.param(1, 1, marks=pytest.mark.fuzz)], ids=["some", "every"]
)
def test_a_kill_at_any_line_neither_loses_nor_repeats_an_alert(
    tmp_path, webhook, mail, first, step
):
    """Lines of the alerts and of the channels are those at which the process is killed."""
    command = [sys.executable, "-c", KILLED, tmp_path, webhook.url, mail.port, first, step]
    done = subprocess.run(
        [*map(str, command)], capture_output=True, text=True, timeout=540, check=True
    )
    parts = re.split(r"^(\d+) (-?\d+)$", done.stderr, flags=re.MULTILINE)
    ended = dict(zip(map(int, parts[1::3]), map(int, parts[2::3]), strict=True))
    assert list(ended.values()) == [-signal.SIGKILL] * (len(ended) - 1) + [0]
    assert len(ended) > 150 // step
    posted = Counter(re.search(r"run-(\d+)#", own["text"])[1] for own in webhook.posted)
    mailed = Counter(re.search(rb"run-(\d+)#", own)[1].decode() for own in mail.mails)
    said = Counter(re.findall(r"(slack|email): cut off .*? run-(\d+)#", done.stderr))
    lines = Counter(re.findall(r"^critical: .*? run-(\d+)#", done.stderr, re.MULTILINE))
    cut = Counter(re.findall(r"^standard_error: cut off .*? run-(\d+)#", done.stderr, re.MULTILINE))
    for number in map(str, ended):
        for name, sent in (("slack", posted), ("email", mailed)):
            # Between the mark and the last byte a message is lost on its channel, and that is said.
            assert sent[number] == 1 or (sent[number] == 0 and said[(name, number)] >= 1), number
        assert 1 <= lines[number] + cut[number] <= 3, number
        assert lines[number] <= 1, number
    lost = sum(sent[str(n)] == 0 for n in ended for sent in (posted, mailed))
    assert lost <= 4


def written(path, **numbers):
    stamp = numbers.pop("stamp", "2026-01-05T10:00:00Z")
    path.write_text(json.dumps({"at": stamp, "measurements": numbers}))
    return str(path)


def test_the_command_tells_all_channels_once(tmp_path, webhook, mail, monkeypatch, capsys):
    monkeypatch.setenv("BQX_SLACK_WEBHOOK", webhook.url)
    to = tmp_path / "alerts.yaml"
    to.write_text(
        "runbook: https://x/runbook.html\nslack: {}\n"
        f"email: {{server: '127.0.0.1:{mail.port}', sender: bqx@x, recipients: [a@x], tls: false}}"
    )
    file = written(tmp_path / "measurements.json", r2_change=-0.2, panel_drift=1.0, skill=None)
    command = ["alert", file, "--state", str(tmp_path / "state.json"), "--to", str(to)]
    assert cli.main(command) == 1
    captured = capsys.readouterr()
    assert captured.out == "firing: r2_drop, drift\n"
    assert len(captured.err.splitlines()) == 2
    assert "https://x/runbook.html#model-drift" in captured.err
    assert [len(webhook.posted), len(mail.mails)] == [2, 1]
    assert cli.main(command) == 1
    assert [len(webhook.posted), len(mail.mails), capsys.readouterr().err] == [2, 1, ""]
    written(
        tmp_path / "measurements.json", r2_change=0.0, panel_drift=0.0, stamp="2026-01-05T11:00:00Z"
    )
    assert cli.main(command) == 0
    assert capsys.readouterr().out == "firing: nothing\n"
    assert [len(webhook.posted), len(mail.mails)] == [4, 2]


def test_the_command_needs_something_to_judge(tmp_path, capsys):
    assert cli.main(["alert", "--state", str(tmp_path / "s")]) == 2
    assert "alert: nothing to judge" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sns: {account: 1, region: x}", "sns.account: a wrong value, got 1; expected twelve"),
        ("sns: {region: x}", "sns.account: absent, got {'region': 'x'}; expected twelve digits"),
        ("sns: x", "sns: a wrong value, got 'x'; expected account and region"),
        ("mail: {}", "mail: unknown key, got {}; expected one of runbook, sns, slack, email."),
        ("slack: {webhook: https://h/secret}", "slack.webhook: a wrong value, got 16 characters"),
        ('email: {server: "h:25", sender: a@b, recipients: [a@b], password: "s-e"}', "got 3 char"),
        ("slack: {hook: A}", "slack.hook: unknown key, got 'A'; expected one of webhook."),
        ("email: {server: here, sender: a, recipients: [b]}", "email.server: a wrong value, got"),
        ('email: {server: "h:25", sender: "a@b\\nBcc: c@d", recipients: [b@c]}', "email.sender: a"),
        *(
            (
                f'email: {{server: "h:25", sender: a@b, recipients: {wrong}}}',
                f"email.recipients{place}: a wrong value, got {got}; expected a list of one or "
                "more addresses, such as [desk@example.org]. Correct it.",
            )
            for wrong, place, got in (
                ("[]", "", "[]"),
                ("a@b", "", "'a@b'"),
                ("[1]", ".0", "1"),
                ('["b c@d"]', ".0", "'b c@d'"),
            )
        ),
        ("- a", "the file: a wrong value, got ['a']; expected runbook, sns, slack, email."),
        ("{", "cannot be read"),
        ("slack: {webhook: BQX_NOT_SET}", "BQX_NOT_SET: not set"),
    ],
)
def test_wrong_settings_are_told_in_a_line(tmp_path, capsys, text, said):
    path = tmp_path / "alerts.yaml"
    path.write_text(text)
    file = written(tmp_path / "m.json", skill=0.1)
    command = ["alert", file, "--to", str(path), "--state", str(tmp_path / "s")]
    assert cli.main(command) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


@pytest.mark.parametrize(
    "address", ["secret", "http://h:99999/secret", "file:///secret", "http://h/secret\u00e4"]
)
def test_a_webhook_that_is_no_address_is_told_without_it(tmp_path, capsys, monkeypatch, address):
    monkeypatch.setenv("BQX_SLACK_WEBHOOK", address)
    (tmp_path / "alerts.yaml").write_text("slack: {}")
    file = written(tmp_path / "m.json", mae_ratio=2.0)
    command = ["alert", file, "--to", str(tmp_path / "alerts.yaml"), "--state", str(tmp_path / "s")]
    assert cli.main(command) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "BQX_SLACK_WEBHOOK: no address" in line
    assert "secret" not in line


@pytest.mark.parametrize("option", ["--platform", "--registry"])
def test_a_folder_that_is_none_is_told_in_a_line(tmp_path, capsys, option):
    state = tmp_path / "alerts.json"
    command = ["alert", option, str(tmp_path / "nowhere"), "--state", str(state)]
    assert cli.main(command) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert option in line
    assert "nowhere" in line


def test_settings_without_a_file_are_standard_error():
    assert [own.name for own in Settings().channels()] == ["standard_error"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "no measurements, got JSONDecodeError"),
        ('{"at": "2026-01-05T10:00:00", "measurements": {}}', "without its offset"),
        ('{"at": "x", "measurements": {}}', "no measurements"),
        ('{"measurements": {}}', "no measurements"),
        ('{"at": "2026-01-05T10:00:00Z", "measurements": {"skil": 1}}', "unknown metric"),
        ('{"at": "2026-01-05T10:00:00Z", "measurements": {"skill": "a"}}', "no measurements"),
        ('{"at": "2026-01-05T10:00:00Z", "measurements": {"skill": "2"}}', "no measurements"),
        ('{"at": "2026-01-05T10:00:00Z", "measurements": {"skill": true}}', "no measurements"),
        ('{"at": "2026-01-05T10:00:00Z", "measurements": {"skill": NaN}}', "no measurements"),
        ('{"at": "2026-01-05T10:00:00Z", "measurements": {"skill": Infinity}}', "no measurements"),
        ('{"at": "2026-01-05T10:00:00Z", "measurements": {"skill": 1e400}}', "no measurements"),
        (f'{{"at": "2026-01-05T10:00Z", "measurements": {{"skill": {"9" * 400}}}}}', "no measure"),
        ('{"at": "2026-01-05T10:00Z", "measurements": {"mae": 2, "mae": 1}}', "no measurements"),
        ('{"at": "0001-01-01T00:00:00+23:59", "measurements": {}}', "no measurements"),
        ('{"at": "9999-12-31T23:59:59-23:59", "measurements": {}}', "no measurements"),
        ('{"at": "2999-01-01T00:00:00Z", "measurements": {"mae_ratio": 2}}', "a time to come"),
        ("[" * 100_000, "no measurements"),
    ],
    ids=range(17),
)
def test_a_file_that_holds_no_measurements_is_told(tmp_path, text, said):
    (tmp_path / "m.json").write_text(text)
    with pytest.raises(ArtefactError, match=said):
        measured.read([str(tmp_path / "m.json")])


@pytest.mark.parametrize("option", ["--state", "--to"])
def test_a_pipe_in_the_place_of_a_file_is_told(tmp_path, capsys, option):
    os.mkfifo(tmp_path / "pipe")
    file = written(tmp_path / "n.json", mae=2.0)
    places = {"--state": str(tmp_path / "s.json"), option: str(tmp_path / "pipe")}
    assert cli.main(["alert", file, *(word for own in places.items() for word in own)]) == 2
    assert "pipe: cannot be" in capsys.readouterr().err


def test_lines_of_measurements_are_read_in_the_order_of_time(tmp_path):
    lines = [
        {"at": f"2026-01-05T1{hour}:00:00Z", "measurements": {"skill": hour}} for hour in (2, 0, 1)
    ]
    path = tmp_path / "m.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines) + '{"at": "20')
    other = written(tmp_path / "n.json", mae=2.0, stamp="2026-01-05T11:00:00Z")
    known = measured.read([str(path), other])
    assert [own.numbers for own in known] == [{"skill": 0}, {"skill": 1, "mae": 2.0}, {"skill": 2}]
    assert known[0].content()["at"] == "2026-01-05T10:00:00+00:00"
    for name, content in (("absent.json", None), ("bytes.json", b"\xff\xfe")):
        if content:
            (tmp_path / name).write_bytes(content)
        with pytest.raises(ArtefactError, match=name):
            measured.read([str(tmp_path / name)])


def test_measurements_are_read_from_a_bucket(s3):
    bucket, _, prefix = s3.removeprefix("s3://").partition("/")
    line = b'{"at": "2026-01-05T10:00:00Z", "measurements": {"skill": 0.5}}'
    key = f"{prefix}/measurements.json"
    boto3.client("s3").put_object(Bucket=bucket, Key=key, Body=line)
    (own,) = measured.read([f"{s3}/measurements.json"])
    assert (own.numbers, own.stamp) == ({"skill": 0.5}, "2026-01-05T10:00:00+00:00")


def test_measurements_are_shown_in_cloudwatch_once(tmp_path, monkeypatch, capsys):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x")
    account = tmp_path / "cloud.yaml"
    account.write_text("{account: '123456789012', region: us-east-1, bucket: b, role: r}")
    file = written(tmp_path / "m.json", skill=0.01, mae=None)
    command = ["alert", file, "--account", str(account), "--state", str(tmp_path / "s")]
    published = []
    real = cloudwatch.publish
    monkeypatch.setattr(
        cloudwatch, "publish", lambda own: published.append(own.numbers) or real(own)
    )
    with mock_aws():
        assert cli.main(command) == 0
        assert cli.main(command) == 0
        metrics_ = boto3.client("cloudwatch", "us-east-1").list_metrics(Namespace="bqx")["Metrics"]
    assert [own["MetricName"] for own in metrics_] == ["skill"]
    assert published == [{"skill": 0.01, "mae": None}]
