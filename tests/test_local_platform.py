"""Jobs, endpoints, scaling and rollouts of the local platform, by real processes."""

import json
import os
import random
import signal
import subprocess
import threading
import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

import pytest
from platforms import SMALL, bar_files, small_bundle

from bqx import cli
from bqx.cloud import archive
from bqx.cloud.local import autoscaling, endpoints, jobs, processes, rollout, state
from bqx.cloud.local.endpoints import Endpoints, choose
from bqx.cloud.local.rollout import Alarm
from bqx.cloud.local.state import Instance, State, Variant
from bqx.errors import ArtefactError, ParameterError, RequestError
from bqx.serving import live
from bqx.stages import canary

NAME = "forecasts"


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    folder = tmp_path_factory.mktemp("market") / "bars"
    return folder, bar_files(folder)


@pytest.fixture(scope="module")
def models(market, tmp_path_factory):
    """Archives: two versions of eurusd, one of gbpusd."""
    place = tmp_path_factory.mktemp("models")
    for name, pair, seed in (("one", "eurusd", 0), ("two", "eurusd", 1), ("other", "gbpusd", 2)):
        small_bundle(pair, market[1], seed=seed).save(place / name / pair)
        archive.pack(place / name, place / f"{name}.tar.gz")
    return place


@pytest.fixture(scope="module")
def body(market):
    return json.dumps(live.payload("eurusd", market[1]["eurusd"].iloc[-4_000:])).encode()


@contextmanager
def ended(place):
    """Endpoints whose containers are gone at the end, whatever happens."""
    own = Endpoints(place, seed=0)
    try:
        yield own
    finally:
        pids = [i.pid for vs in own.state.read().values() for v in vs for i in v.instances]
        for name in own.state.read():
            own.delete(name)
        assert not any(map(processes.is_container, pids))


@pytest.fixture(scope="module")
def platform(models, tmp_path_factory):
    with ended(tmp_path_factory.mktemp("platform")) as own:
        one = Variant("one", str(models / "one.tar.gz"), 1.0)
        own.create(NAME, [one, replace(one, name="twin", instances=[])])
        yield own


@contextmanager
def asking(platform, body, pause=0.02):
    """Requests one after the other while the block runs; what they answered."""
    stop, replies, failures = threading.Event(), [], []

    def ask():
        while not stop.is_set():
            try:
                replies.append(platform.invoke(NAME, body))
            except Exception as error:
                failures.append(error)
            time.sleep(pause)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield replies, failures
    finally:
        stop.set()
        thread.join(timeout=60)


def test_requests_reach_the_real_containers_of_both_variants(platform, body):
    replies = [platform.invoke(NAME, body) for _ in range(12)]
    assert {reply.status for reply in replies} == {200}
    assert {reply.variant for reply in replies} == {"one", "twin"}
    assert len({reply.body for reply in replies}) == 1
    assert platform.invoke(NAME, body, variant="twin").variant == "twin"
    assert platform.invoke(NAME, b"{").status == 400


@pytest.mark.parametrize("share", [10, 50, 90])
def test_traffic_is_shared_by_weight_within_one_percent(share):
    variants = [Variant("a", "", share / 100), Variant("b", "", 1 - share / 100)]
    draw = random.Random(1)
    drawn = Counter(choose(variants, draw).name for _ in range(40_000))
    assert abs(drawn["a"] / 40_000 - share / 100) < 0.01


def test_no_request_fails_when_a_container_is_killed(platform, body):
    (instance,) = platform.state.variants(NAME)[0].instances
    with asking(platform, body) as (replies, failures):
        time.sleep(0.3)
        os.kill(instance.pid, signal.SIGKILL)
        time.sleep(0.5)
        assert platform.heal(NAME) == 1
        time.sleep(0.3)
    assert not failures
    assert {reply.status for reply in replies} == {200}
    assert platform.state.variants(NAME)[0].instances[0].pid != instance.pid
    assert platform.heal(NAME) == 0


def test_a_model_that_fails_is_rolled_back_by_itself(platform, models, body):
    weights = {v.name: v.weight for v in platform.state.variants(NAME)}
    green = Variant("green", str(models / "other.tar.gz"), 0.0)
    with asking(platform, body, 0.005) as (replies, failures):
        outcome = rollout.update(platform, NAME, green, bake=20.0)
    assert (outcome.rolled_back, outcome.alarm) == (True, "error")
    assert outcome.share in (10.0, 50.0)
    assert not failures
    assert {v.name: v.weight for v in platform.state.variants(NAME)} == weights
    assert not any(processes.is_container(own.pid) for own in green.instances)
    assert Counter(r.status for r in replies)[200] > len(replies) / 2


@pytest.mark.parametrize(("metric", "value"), [("loss_ratio", 1.02), ("seconds", 0.6)])
def test_a_model_that_loses_skill_or_time_is_rolled_back(platform, metric, value, monkeypatch):
    monkeypatch.setattr(Endpoints, "start", lambda self, endpoint, variant, instances: None)
    measured = [
        threading.Timer(0.3, platform.state.log, (NAME, "green", metric, value)) for _ in range(6)
    ]
    for timer in measured:
        timer.start()
    outcome = rollout.update(platform, NAME, Variant("green", "", 0.0), bake=10.0)
    for timer in measured:
        timer.join(timeout=10)
    assert outcome == rollout.Outcome(True, 10.0, metric)


def test_a_good_model_takes_all_requests_over_step_by_step(platform, models, body):
    green = Variant("two", str(models / "two.tar.gz"), 0.0)
    with asking(platform, body) as (replies, failures):
        outcome = rollout.update(platform, NAME, green, bake=1.0)
        platform.invoke(NAME, body)
    assert outcome == rollout.Outcome(False, 100.0)
    assert not failures
    assert {reply.status for reply in replies} == {200}
    assert [v.name for v in platform.state.variants(NAME)] == ["two"]
    assert platform.invoke(NAME, body).variant == "two"


@pytest.mark.platform
def test_a_model_that_does_not_start_changes_nothing(platform, tmp_path):
    before = platform.state.read()
    (tmp_path / "empty").mkdir()
    archive.pack(tmp_path / "empty", tmp_path / "empty.tar.gz")
    green = Variant("green", str(tmp_path / "empty.tar.gz"), 0.0)
    with pytest.raises(ArtefactError, match="no model, got no folder"):
        rollout.update(platform, NAME, green, bake=1.0)
    assert platform.state.read() == before


@pytest.mark.platform
def test_containers_become_more_by_the_rule_and_fewer_again(platform, body):
    variant, *_ = platform.state.variants(NAME)
    rule = autoscaling.Rule(target=1.0, most=2)
    for _ in range(2):
        platform.invoke(NAME, body, variant=variant.name)
    assert autoscaling.apply(platform, NAME, variant.name, rule, since_change=100.0) == 2
    variant, *_ = platform.state.variants(NAME)
    assert len(variant.instances) == 2
    assert platform.invoke(NAME, body).status == 200
    platform.scale(NAME, variant.name, 1)
    assert not processes.is_container(variant.instances[1].pid)


@pytest.mark.parametrize(
    ("now", "value", "since", "wanted"),
    [
        (1, 400, 999, 1),
        (1, 401, 999, 2),
        (1, 1_200, 999, 3),
        (1, 1_200, 59, 1),
        (2, 5_000, 60, 4),
        (2, 190, 301, 1),
        (2, 190, 299, 2),
        (4, 0, 999, 1),
    ],
)
def test_the_rule_holds_its_target_between_one_and_four(now, value, since, wanted):
    assert autoscaling.Rule().wanted(now, value, since) == wanted


@pytest.mark.parametrize(
    ("values", "rings"),
    [
        ([], False),
        ([1.0] * 4, False),
        ([0.0] * 95 + [1.0] * 5, False),
        ([0.0] * 90 + [1.0] * 10, True),
    ],
)
def test_an_alarm_needs_values_and_a_bound(values, rings):
    assert Alarm("error", 0.05).rings(values) is rings


def test_many_models_come_when_asked_for_and_the_longest_unused_makes_room(
    models, body, tmp_path, monkeypatch
):
    """The container's part is played: it holds one model, and answers 507 to a second."""
    held, calls = [], []

    def call(instance, method, path, content=None, headers=None):
        calls.append((method, path))
        if (method, path) == ("POST", "/models"):
            if held:
                return 507, b""
            held.append(json.loads(content)["model_name"])
        elif method == "DELETE":
            held.remove(path.rpartition("/")[2])
        return 200, b"{}"

    monkeypatch.setattr(endpoints, "_call", call)
    own = Endpoints(tmp_path)
    variant = Variant("all", str(models), 1.0, many=True)
    variant.instances = [Instance(os.getpid(), 1, str(tmp_path))]
    with own.state.changed() as known:
        known[NAME] = [variant]
    for model in ("one.tar.gz", "two.tar.gz", "two.tar.gz"):
        assert own.invoke(NAME, body, model=model).status == 200
    assert [method for method, path in calls if not path.endswith("invoke")] == [
        *("POST", "POST", "DELETE", "POST")
    ]
    with pytest.raises(RequestError, match="none of the endpoint's"):
        own.invoke(NAME, body, model="../../etc/passwd")


@pytest.mark.platform
def test_many_models_on_a_real_container(models, body, tmp_path):
    with ended(tmp_path) as own:
        own.create(NAME, [Variant("all", str(models), 1.0, many=True)])
        first = own.invoke(NAME, body, model="one.tar.gz")
        second = own.invoke(NAME, body, model="two.tar.gz")
        assert (first.status, second.status) == (200, 200)
        assert first.body != second.body
        with pytest.raises(ArtefactError, match="no model"):
            own.invoke(NAME, body, model="none.tar.gz")


@pytest.mark.platform
def test_a_canary_that_answers_wrongly_goes_back_on_a_real_container(market, body, tmp_path):
    packed, key = small_bundle("eurusd", market[1]), "eurusd/0001.tar.gz"
    packed.save(tmp_path / "one" / "eurusd")
    archive.pack(tmp_path / "one", tmp_path / "models" / key)
    with ended(tmp_path) as own:
        own.create(NAME, [Variant("all", str(tmp_path / "models"), 1.0, many=True)])
        tried = canary.fail(own, NAME, packed, models=tmp_path / "models", key=key, body=body)
        assert own.pointers.read("eurusd").stable == key
        assert own.invoke_pair(NAME, body, "eurusd").status == 200
    assert tried.loc[key, "errors"] == 0
    assert tried.loc[key, "in the end"] == "answers"
    assert tried["errors"].iloc[1] >= 5
    assert tried["in the end"].iloc[1].startswith("rolled back at ")


@pytest.fixture
def played(tmp_path, monkeypatch):
    """Endpoints whose containers sleep, and answer /ping by what the set holds: variants that do
    not become healthy; processes that were started, by variant."""
    ill, begun = set(), []

    def start(root, arguments, variables, log):
        child = subprocess.Popen(["sleep", "60"])
        processes._children[child.pid] = child
        begun.append((root.name.rpartition("-")[0], child.pid))
        return child

    def wait(instance):
        if os.path.basename(instance.root).rpartition("-")[0] in ill:
            raise ArtefactError("not healthy")

    monkeypatch.setattr(processes, "start", start)
    monkeypatch.setattr(endpoints, "_wait", wait)
    own = Endpoints(tmp_path)
    yield own, ill, begun
    for _, pid in begun:
        processes.end(pid, 5.0)


def alive(begun):
    return [pid for _, pid in begun if processes.is_container(pid)]


def recorded(own):
    return [i.pid for variant in own.state.variants(NAME) for i in variant.instances]


@pytest.mark.parametrize("ill", ["a", "b"])
@pytest.mark.parametrize("work", ["heal", "scale"])
def test_no_container_runs_that_the_state_does_not_name(played, tmp_path, ill, work):
    own, unhealthy, begun = played
    own.create(NAME, [Variant(name, str(tmp_path), 1.0, many=True) for name in "ab"])
    for pid in recorded(own) if work == "heal" else ():
        processes.end(pid, 5.0)
    unhealthy.add(ill)
    with pytest.raises(ArtefactError, match="not healthy"):
        own.heal(NAME) if work == "heal" else own.scale(NAME, ill, 3)
    assert set(alive(begun)) <= set(recorded(own))
    unhealthy.clear()
    own.heal(NAME)
    assert sorted(alive(begun)) == sorted(recorded(own))
    assert len(recorded(own)) == 2


def test_a_container_that_loads_its_model_is_asked_now_and_then(monkeypatch, tmp_path):
    asked, begun = [503, 503, 503, 200], time.monotonic()
    monkeypatch.setattr(endpoints, "_call", lambda *_: (asked.pop(0), b""))
    monkeypatch.setattr(processes, "is_container", lambda pid: True)
    endpoints._wait(Instance(1, 1, str(tmp_path)))
    assert asked == []
    assert time.monotonic() - begun >= 0.3


def test_a_name_is_taken_once(platform):
    with pytest.raises(ParameterError, match="there already"):
        platform.create(NAME, [])
    with pytest.raises(ParameterError, match=f"not there, got 'nobody'; expected one of {NAME}"):
        platform.invoke("nobody", b"{}")


def test_a_new_variant_has_a_name_of_its_own(played, tmp_path, capsys):
    own, _, begun = played
    (tmp_path / "models").mkdir()
    models, place = f"{tmp_path}/models", ["--place", str(tmp_path)]
    same = ["deploy", *place, NAME, f"a={models}", f"a={models}"]
    assert cli.main(["cloud", "local", *same]) == 2
    assert "variants of one name, got a, a" in capsys.readouterr().err
    assert not begun
    assert cli.main(["cloud", "local", "deploy", *place, NAME, f"a={models}"]) == 0
    again = ["update", *place, "--bake", "0", NAME, f"a={models}"]
    assert cli.main(["cloud", "local", *again]) == 2
    assert "variant: serves already, got a" in capsys.readouterr().err
    assert len(begun) == 1
    assert alive(begun) == recorded(own)
    again[-1] = f"b={models}"
    assert cli.main(["cloud", "local", *again]) == 0
    assert [variant.name for variant in own.state.variants(NAME)] == ["b"]
    assert alive(begun) == recorded(own)


def test_an_unknown_variant_is_named_beside_those_that_there_are(tmp_path, capsys):
    with State(tmp_path).changed() as known:
        known[NAME] = [Variant(name, f"{name}.tar.gz", 1.0) for name in "ab"]
    (tmp_path / "request.json").write_text("{}")
    words = ["invoke", "--place", str(tmp_path), NAME, str(tmp_path / "request.json")]
    assert cli.main(["cloud", "local", *words, "--variant", "c"]) == 2
    assert "variant: not there, got 'c'; expected one of a, b" in capsys.readouterr().err


@pytest.mark.parametrize("weights", [("0",), ("0", "0.0"), ("1", "9" * 400)])
def test_weights_by_which_nothing_can_be_drawn_are_refused(played, tmp_path, weights, capsys):
    own, _, begun = played
    (tmp_path / "models").mkdir()
    named = [f"v{number}={tmp_path}/models:{weight}" for number, weight in enumerate(weights)]
    assert cli.main(["cloud", "local", "deploy", "--place", str(tmp_path), NAME, *named]) == 2
    assert "no weights of variants, got [" in capsys.readouterr().err
    assert not begun
    assert not own.state.read()


@pytest.fixture(scope="module")
def trained(market, tmp_path_factory):
    place = tmp_path_factory.mktemp("jobs")
    return place, jobs.train(place, "eurusd-1", SMALL, channels={"bars": market[0]}, seconds=300)


@pytest.mark.platform
def test_a_training_job_becomes_an_endpoint(trained, body):
    place, job = trained
    assert job.status == "Completed", job.log.read_text()
    assert job.metrics["skill"] < 1
    with ended(place) as own:
        own.create("fresh", [Variant("a", str(job.output), 1.0)])
        reply = own.invoke("fresh", body)
    assert json.loads(reply.body)["predictions"]["15"]["level"]


@pytest.mark.platform
def test_a_job_name_is_used_once(trained, market):
    place, _ = trained
    with pytest.raises(ParameterError, match="used already"):
        jobs.train(place, "eurusd-1", SMALL, channels={"bars": market[0]})
    with pytest.raises(ParameterError, match="no name"):
        jobs.train(place, "a b", SMALL, channels={})


@pytest.mark.platform
def test_a_failing_job_gives_its_reason_and_no_model(market, tmp_path):
    wrong = SMALL | {"pair": "xxx"}
    job = jobs.train(tmp_path, "wrong", wrong, channels={"bars": market[0]}, seconds=120)
    assert job.status == "Failed"
    assert job.reason.startswith("pair: unknown pair")
    assert not job.output.exists()


@pytest.mark.parametrize("work", [jobs.train, partial(jobs.process, inputs={})])
def test_a_failed_job_gives_its_name_back_and_a_completed_one_keeps_it(tmp_path, monkeypatch, work):
    work = partial(work, channels={}) if work is jobs.train else work
    ended = iter(["Failed", "Completed"])

    def run(root, arguments, variables, *, seconds):
        (root / "log").write_text("")
        return next(ended)

    monkeypatch.setattr(jobs, "_run", run)
    for status in ("Failed", "Completed"):
        job = work(tmp_path, "again", {})
        assert (job[0] if isinstance(job, list) else job).status == status
    with pytest.raises(ParameterError, match="used already"):
        work(tmp_path, "again", {})


def test_a_job_sees_the_platforms_variables_only(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    monkeypatch.setattr(processes, "MODULE", "this")
    child = processes.start(tmp_path, [], {"TRAINING_JOB_NAME": "n"}, tmp_path / "log")
    try:
        with open(f"/proc/{child.pid}/environ") as file:
            seen = {entry.partition("=")[0] for entry in file.read().split("\0") if entry}
    except OSError:
        pytest.skip("no /proc on this machine")
    finally:
        child.kill()
        child.wait()
    assert seen <= {*processes.IMAGE, "BQX_ML_ROOT", "TRAINING_JOB_NAME", "LC_CTYPE"}


def test_an_archive_is_the_same_for_the_same_content_and_never_replaced(tmp_path):
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/b/c").write_text("x")
    archive.pack(tmp_path / "a", tmp_path / "1.tar.gz")
    os.utime(tmp_path / "a/b/c", (1, 1))
    archive.pack(tmp_path / "a", tmp_path / "2.tar.gz")
    assert (tmp_path / "1.tar.gz").read_bytes() == (tmp_path / "2.tar.gz").read_bytes()
    with pytest.raises(ArtefactError, match="there already"):
        archive.pack(tmp_path / "a", tmp_path / "1.tar.gz")
    archive.unpack(tmp_path / "1.tar.gz", tmp_path / "again")
    assert (tmp_path / "again/b/c").read_text() == "x"


@pytest.mark.parametrize("content", [b"", b"no archive", b"\x1f\x8b\x08\x00"])
def test_what_is_no_archive_is_refused(tmp_path, content):
    (tmp_path / "x.tar.gz").write_bytes(content)
    with pytest.raises(ArtefactError, match="no model"):
        archive.unpack(tmp_path / "x.tar.gz", tmp_path / "out")


@pytest.mark.parametrize(
    "content",
    ["", "[]", "null", '{"a": 1}', '{"a": [1]}', '{"a": [{}]}', '{"a": [{"instances": 1}]}'],
)
def test_a_damaged_state_is_told(tmp_path, content):
    (tmp_path / state.FILE).write_text(content)
    with pytest.raises(ArtefactError, match=state.FILE):
        State(tmp_path).read()


def test_a_measurement_that_was_cut_off_is_left_out(tmp_path):
    State(tmp_path).log("a", "one", "seconds", 0.5)
    with (tmp_path / state.LOG).open("a") as file:
        file.write('{"at": 1e12, "endpo\n[]\n5\n')
    State(tmp_path).log("a", "one", "seconds", 0.7)
    assert State(tmp_path).measured("a", "one", "seconds", 0.0) == [0.5, 0.7]


@pytest.mark.parametrize("name", ["../j", "a b", "", "x" * 64, "-a", "a/b", "\u00fc"])
def test_a_name_is_no_path(tmp_path, name, capsys):
    words = ["train", "--place", str(tmp_path / "p"), "--bars", str(tmp_path), "--", name]
    with pytest.raises(SystemExit) as ended:
        cli.main(["cloud", "local", *words])
    assert ended.value.code == 2
    assert "no name, got" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_state_is_kept_by_one_file(tmp_path):
    with State(tmp_path).changed() as known:
        known["a"] = [Variant("v", "m", 1.0, instances=[Instance(1, 2, "r")])]
    assert State(tmp_path).read()["a"][0].instances == [Instance(1, 2, "r")]
    with pytest.raises(KeyError), State(tmp_path).changed() as known:
        del known["a"], known["b"]
    assert "a" in State(tmp_path).read()
