"""Which artefact of a pair answers: by pointer and request hash, and by what an experiment says."""

import json
import threading
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from bqx import cli
from bqx.cloud import experiment
from bqx.cloud.local import endpoints, rollout
from bqx.cloud.local.endpoints import Endpoints
from bqx.cloud.local.rollout import Alarm
from bqx.cloud.local.state import Instance, Variant
from bqx.cloud.pointers import Pointer, Pointers
from bqx.errors import ArtefactError, ParameterError

ONE, TWO = "eurusd/0001.tar.gz", "eurusd/0002.tar.gz"
STABLE = Pointer("eurusd", ONE)
REQUESTS = [f'{{"pair": "eurusd", "n": {n}}}'.encode() for n in range(40_000)]


@pytest.mark.parametrize("share", [0, 10, 50, 100])
def test_shares_are_right_within_one_percent(share):
    pointer = STABLE.trying(TWO, share)
    keys = Counter(map(pointer.key, REQUESTS))
    assert abs(keys[TWO] / len(REQUESTS) - share / 100) < 0.01


def test_a_request_goes_where_it_went_and_to_the_canary_of_a_smaller_share_too():
    few, many = STABLE.trying(TWO, 10), STABLE.trying(TWO, 50)
    tried = {request for request in REQUESTS if few.key(request) == TWO}
    assert {request for request in REQUESTS if few.key(request) == TWO} == tried
    assert all(many.key(request) == TWO for request in tried)


def test_another_canary_draws_other_requests():
    drawn = [
        np.array([STABLE.trying(key, 50).key(request) == key for request in REQUESTS])
        for key in (TWO, "eurusd/0003.tar.gz")
    ]
    assert abs(np.corrcoef(drawn)[0, 1]) < 0.02


def test_a_pointer_goes_on_and_back():
    moved = STABLE.to(TWO)
    assert (moved.stable, moved.before) == (TWO, ONE)
    assert moved.rolled_back().stable == ONE
    assert moved.trying("eurusd/0003.tar.gz", 10).rolled_back() == moved
    with pytest.raises(ParameterError, match=f"no artefact before {ONE}"):
        STABLE.rolled_back()


@pytest.mark.parametrize(
    "values",
    [
        {"stable": ""},
        {"share": 5.0},
        {"canary": TWO, "share": 101.0},
        {"pair": "xxx"},
        {"stable": "gbpusd/1.tar.gz"},
        {"canary": "../1.tar.gz"},
        {"stable": "eurusd/../gbpusd/1.tar.gz"},
    ],
)
def test_what_is_no_pointer_is_refused(values):
    with pytest.raises(ParameterError):
        Pointer(**({"pair": "eurusd", "stable": ONE} | values))


def test_pointers_are_kept_in_a_folder_or_a_bucket(tmp_path, s3):
    for place in (tmp_path / "pointers", f"{s3}/pointers"):
        own = Pointers(place)
        with pytest.raises(ArtefactError, match="absent, got no eurusd.json"):
            own.read("eurusd")
        own.write(STABLE)
        own.write(STABLE.trying(TWO, 10))
        assert own.read("eurusd") == STABLE.trying(TWO, 10)
    for content in ("[]", '{"pair": "eurusd"}', '{"pair": "eurusd", "stable": "a", "other": 1}'):
        (tmp_path / "pointers/eurusd.json").write_text(content)
        with pytest.raises(ArtefactError, match="no pointer"):
            Pointers(tmp_path / "pointers").read("eurusd")


@pytest.fixture
def platform(tmp_path, monkeypatch):
    """A multi-model endpoint whose container is played: the second artefact is slow or wrong."""
    answers = {"status": 200, "seconds": 0.0}
    monkeypatch.setattr(Endpoints, "_loaded", lambda self, endpoint, own, instance, model: model)
    monkeypatch.setattr(
        endpoints,
        "_call",
        lambda instance, method, path, body, headers: (
            answers["status"] if TWO in path else 200,
            b"{}",
        ),
    )
    for key in (ONE, TWO):
        (tmp_path / "models" / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "models" / key).touch()
    own = Endpoints(tmp_path)
    variant = Variant("all", str(tmp_path / "models"), 1.0, many=True)
    variant.instances = [Instance(1, 1, "")]
    with own.state.changed() as known:
        known["forecasts"] = [variant]
    own.pointers.write(STABLE)
    return own, answers


def asked(own, stop):
    for request in REQUESTS:
        own.invoke_pair("forecasts", request, "eurusd")
        if stop.wait(0.001):
            return


@pytest.fixture
def asking(platform):
    """Requests while a test runs."""
    stop = threading.Event()
    thread = threading.Thread(target=asked, args=(platform[0], stop))
    thread.start()
    yield
    stop.set()
    thread.join(timeout=30)


def test_a_variant_that_is_named_answers_for_its_pair(platform, tmp_path, capsys):
    own, _ = platform
    with own.state.changed() as known:
        known["forecasts"].append(replace(known["forecasts"][0], name="other", weight=0.0))
    (tmp_path / "request.json").write_bytes(b'{"pair": "eurusd"}')
    words = ["invoke", "--place", str(tmp_path), "forecasts", str(tmp_path / "request.json")]
    assert cli.main(["cloud", "local", *words, "--variant", "other"]) == 0
    assert capsys.readouterr().err.startswith("other: 200, ")
    assert cli.main(["cloud", "local", *words, "--variant", "none"]) == 2
    assert "variant: not there, got 'none'; expected one of all, other" in capsys.readouterr().err


def test_a_canary_that_fails_goes_back_by_its_pointer(platform, asking):
    own, answers = platform
    answers["status"] = 400
    outcome = rollout.canary(own, "forecasts", "eurusd", TWO, bake=20.0)
    assert outcome == rollout.Outcome(True, 10.0, "error")
    assert own.pointers.read("eurusd") == STABLE


def test_a_good_canary_takes_over_and_can_go_back(platform, asking, capsys, tmp_path):
    own, _ = platform
    outcome = rollout.canary(own, "forecasts", "eurusd", TWO, bake=0.2)
    assert outcome == rollout.Outcome(False, 100.0)
    assert own.pointers.read("eurusd") == STABLE.to(TWO)
    place = ["--place", str(tmp_path)]
    assert cli.main(["cloud", "local", "point", *place, "forecasts", "eurusd", "back"]) == 0
    assert own.pointers.read("eurusd").stable == ONE
    assert cli.main(["cloud", "local", "point", *place, "forecasts", "eurusd", "none"]) == 2
    assert "KEY: not there" in capsys.readouterr().err


def test_an_endpoint_of_another_kind_has_no_pointers(tmp_path, capsys):
    own = Endpoints(tmp_path)
    with own.state.changed() as endpoints:
        endpoints["forecasts"] = [
            Variant(name=name, model=f"{name}.tar.gz", weight=0.5) for name in ("blue", "green")
        ]
    place = ["--place", str(tmp_path)]
    for command in (
        ["point", *place, "forecasts", "eurusd", ONE],
        ["experiment", *place, "forecasts", "eurusd"],
    ):
        assert cli.main(["cloud", "local", *command]) == 2
        assert "no folder of archives, got blue, green" in capsys.readouterr().err


def test_a_guard_of_the_skill_rolls_a_canary_back(platform):
    own, _ = platform
    timers = [
        threading.Timer(0.2, own.state.log, ("forecasts", TWO, "loss_ratio", 1.1)) for _ in range(6)
    ]
    for timer in timers:
        timer.start()
    outcome = rollout.canary(
        own, "forecasts", "eurusd", TWO, bake=10.0, alarms=(Alarm("loss_ratio", 1.0),)
    )
    for timer in timers:
        timer.join(timeout=10)
    assert outcome == rollout.Outcome(True, 10.0, "loss_ratio")


def test_the_command_of_the_cloud_replaces_the_pointer_alone(tmp_path, capsys):
    account = tmp_path / "cloud.yaml"
    account.write_text(
        "account: '123456789012'\nregion: us-east-1\nbucket: bqx-ml\n"
        "role: arn:aws:iam::123456789012:role/bqx\n"
    )
    command = ["cloud", "point", "eurusd", "1", "--canary", "2", "--share", "10"]
    assert cli.main([*command, "--account", str(account)]) == 0
    (call,) = json.loads(capsys.readouterr().out).items()
    assert call[0] == "s3.put_object"
    assert call[1]["Key"] == "pointers/eurusd.json"
    content = json.loads(call[1]["Body"])
    assert Pointer(**content) == Pointer("eurusd", "eurusd/1.tar.gz", "eurusd/2.tar.gz", 10.0)


def losses(rng, days, effect, per_day=40):
    day = np.repeat(np.arange(days), per_day)
    arm = rng.random(len(day)) < 0.5
    # Whatever a day is like, both have it; requests of a day depend on each other.
    common = np.repeat(rng.normal(0, 1.0, days), per_day)
    own = np.repeat(rng.normal(effect, 0.1, days), per_day)
    return day, arm, 1.0 + common + arm * own + rng.normal(0, 0.3, len(day))


@pytest.mark.parametrize(("effect", "choice"), [(-0.2, "canary"), (0.2, "stable")])
def test_an_effect_is_found(effect, choice):
    decision = experiment.decide(*losses(np.random.default_rng(0), 60, effect))
    assert decision.choice == choice
    assert decision.low < effect < decision.high
    assert decision.days == 60


def test_looking_every_day_decides_nothing_where_there_is_nothing():
    rng, wrong = np.random.default_rng(1), 0
    for _ in range(200):
        day, arm, loss = losses(rng, 120, 0.0, 8)
        wrong += any(
            experiment.decide(day[day < end], arm[day < end], loss[day < end]).choice != "undecided"
            for end in range(experiment.LEAST_DAYS, 121, 5)
        )
    assert wrong <= 0.05 * 200


def test_few_days_and_absent_labels_decide_nothing():
    day, arm, loss = losses(np.random.default_rng(0), experiment.LEAST_DAYS - 1, -5.0)
    assert experiment.decide(day, arm, loss).choice == "undecided"
    empty = experiment.decide(day, arm, np.full(len(day), np.nan))
    assert (empty.choice, empty.days) == ("undecided", 0)
