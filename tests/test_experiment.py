"""A pair's two artefacts beside each other: captured by a real container, decided by a command."""

import json
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from monitored import TRAINED, grids, models, row_of_day

from bqx import cli
from bqx.cloud import archive, experiment
from bqx.cloud.local import processes
from bqx.cloud.local.endpoints import Endpoints
from bqx.cloud.pointers import Pointer
from bqx.errors import ArtefactError, ParameterError
from bqx.feature_store.history import History
from bqx.feature_store.object_store import Folder
from bqx.learning import targets
from bqx.learning.models import make
from bqx.market import sessions
from bqx.monitoring import captured
from bqx.params import Params
from bqx.serving import live

PAIR, NAME, HORIZONS = "eurusd", "forecasts", (15, 45)
CALM, NOISY = "eurusd/0001.tar.gz", "eurusd/0002.tar.gz"
FIRST, LAST, EVERY = 3, 29, 131
"""Trading days that are asked for, and minutes from a request to the next."""


def rows():
    return np.arange(row_of_day(FIRST), row_of_day(LAST), EVERY)


@cache
def bundle():
    """A bundle that can be served: its model has learnt noise, and much of it."""
    own, sent = models()[PAIR], np.arange(3_000, row_of_day(TRAINED), 7)
    x = History(grids()[PAIR]).matrix(own.columns, sent, own.fits)
    y = 300.0 * np.random.default_rng(0).normal(size=(len(sent), len(HORIZONS)))
    return replace(own, model=make("ridge", Params(), alpha=0.1).fit(x, y))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A platform that was asked for weeks: one artefact forecasts the martingale, one adds noise,
    though both read the same columns and were trained until the same time."""
    place = tmp_path_factory.mktemp("platform")
    for key, beta in ((CALM, 0.0), (NOISY, 1.0)):
        own = replace(bundle(), betas=dict.fromkeys(HORIZONS, beta))
        own.save(place / key.replace("/", "-") / PAIR)
        archive.pack(place / key.replace("/", "-"), place / "models" / key)
    own = Endpoints(place)
    words = [f"all={place / 'models'}", "--capture", str(place / "captures")]
    assert command(place, "deploy", *words) == 0
    try:
        assert command(place, "point", PAIR, CALM) == 0
        assert command(place, "point", PAIR, NOISY, "--share", "50") == 0
        bars, need = grids()[PAIR].frame, bundle().lookback + 5
        for row in rows():
            body = json.dumps(live.payload(PAIR, bars.iloc[row - need : row + 1])).encode()
            assert own.invoke_pair(NAME, body, PAIR).status == 200
    finally:
        pids = [instance.pid for v in own.state.variants(NAME) for instance in v.instances]
        for pid in pids:
            processes.end(pid, processes.GRACE["server"])
    assert not any(map(processes.is_container, pids))
    return place


def command(place, action, *words):
    return cli.main(["cloud", "local", action, "--place", str(place), NAME, *words])


def test_both_artefacts_are_told_apart_and_every_request_counts(place):
    arms = captured.by_model(Folder(place / "captures"), PAIR)
    contents = [
        archive.content_of((place / "models" / key).read_bytes(), PAIR, key)
        for key in (CALM, NOISY)
    ]
    assert set(arms) == set(contents)
    minutes = [arms[content].losses(HORIZONS)[0] for content in contents]
    asked = grids()[PAIR].minutes[rows()]
    assert sorted(np.concatenate(minutes).tolist()) == asked.tolist()
    assert abs(len(minutes[0]) / len(asked) - 0.5) < 0.15


def test_losses_are_those_of_the_whole_market(place):
    content = archive.content_of((place / "models" / CALM).read_bytes(), PAIR, CALM)
    minutes, losses = captured.by_model(Folder(place / "captures"), PAIR)[content].losses(HORIZONS)
    at = np.searchsorted(grids()[PAIR].minutes, minutes)
    labels = [targets.make(grids()[PAIR], 15, h).label("innovation")[at] for h in HORIZONS]
    expected = np.mean(np.square(labels), axis=0)
    known = np.isfinite(losses)
    # Of what was asked near the end the labels are not known yet.
    assert known.mean() > 0.9
    assert losses[known] == pytest.approx(expected[known], rel=1e-6)


def test_the_command_prints_the_decision_with_its_interval_and_moves_only_when_told(place, capsys):
    before = Endpoints(place).pointers.read(PAIR)
    assert (before.stable, before.canary) == (CALM, NOISY)
    assert command(place, "experiment", PAIR) == 0
    told = capsys.readouterr().out
    assert f"A: {CALM} forecasts better." in told
    judged = experiment.judge(Folder(place / "captures"), Folder(place / "models"), before)
    low, high = judged.decision.low, judged.decision.high
    assert f"[{low:+.4g}, {high:+.4g}] at 95%, on all days at once; " in told
    assert 0 < low < high
    assert judged.decision.days >= experiment.LEAST_DAYS
    assert sum(judged.forecasts) > 0.9 * len(rows())
    assert Endpoints(place).pointers.read(PAIR) == before
    # The same experiment with the arms exchanged leads to the other.
    turned = experiment.judge(
        Folder(place / "captures"), Folder(place / "models"), Pointer(PAIR, NOISY, CALM, 50.0)
    )
    assert turned.decision.difference == pytest.approx(-judged.decision.difference)
    assert f"B: {CALM} forecasts better." in str(turned)
    assert turned.follows == Pointer(PAIR, CALM, before=NOISY)
    assert command(place, "experiment", PAIR, "--make") == 0
    assert Endpoints(place).pointers.read(PAIR) == before.settled
    Endpoints(place).pointers.write(before)


def test_too_few_days_keep_on(place, monkeypatch, capsys):
    monkeypatch.setattr(experiment, "LEAST_DAYS", 1_000)
    assert command(place, "experiment", PAIR, "--make") == 0
    told = capsys.readouterr().out
    assert "Keep on: neither is known to forecast better." in told
    assert "interval from 1000 days on" in told
    assert Endpoints(place).pointers.read(PAIR).canary == NOISY


def test_a_day_is_that_of_the_market(place):
    arms = captured.by_model(Folder(place / "captures"), PAIR).values()
    minutes = np.concatenate([arm.losses(HORIZONS)[0] for arm in arms])
    assert len(np.unique(sessions.trading_days(minutes))) == LAST - FIRST


@pytest.mark.parametrize(
    ("pointer", "error", "text"),
    [
        (Pointer(PAIR, CALM), ParameterError, "a pointer without a canary"),
        (Pointer(PAIR, CALM, "eurusd/9.tar.gz", 5.0), ArtefactError, "eurusd/9.tar.gz: cannot be"),
    ],
)
def test_what_is_no_experiment_is_told(place, pointer, error, text):
    with pytest.raises(error, match=text):
        experiment.judge(Folder(place / "captures"), Folder(place / "models"), pointer)


def test_an_artefact_that_nobody_asked_is_told(place, tmp_path):
    other = replace(bundle(), betas={15: 1.0, 45: 0.0})
    other.save(tmp_path / "one" / PAIR)
    archive.pack(tmp_path / "one", tmp_path / "models/eurusd/3.tar.gz")
    pointer = Pointer(PAIR, "eurusd/3.tar.gz", "eurusd/3.tar.gz", 5.0)
    with pytest.raises(ArtefactError, match=r"no forecast of eurusd/3\.tar\.gz, got 2 other"):
        experiment.judge(Folder(place / "captures"), Folder(tmp_path / "models"), pointer)


def test_an_endpoint_that_captures_nothing_is_told(place, tmp_path, capsys):
    own = Endpoints(tmp_path)
    with own.state.changed() as known, Endpoints(place).state.changed() as theirs:
        known[NAME] = [replace(theirs[NAME][0], variables={})]
    assert command(tmp_path, "experiment", PAIR) == 2
    assert f"endpoint {NAME}: captures nothing" in capsys.readouterr().err


def test_the_command_of_the_cloud_reads_the_bucket_and_prints_the_call(place, s3, tmp_path, capsys):
    import boto3

    client = boto3.client("s3")
    bucket = s3.removeprefix("s3://").partition("/")[0]
    pointer = Endpoints(place).pointers
    content = (place / "pointers" / f"{PAIR}.json").read_bytes()
    assert pointer.read(PAIR).canary
    client.put_object(Bucket=bucket, Key=f"pointers/{PAIR}.json", Body=content)
    for top in ("models", "captures"):
        for path in (place / top).rglob("*"):
            if path.is_file():
                key = path.relative_to(place).as_posix()
                client.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())
    account = tmp_path / "cloud.yaml"
    account.write_text(
        f"account: '123456789012'\nregion: us-east-1\nbucket: {bucket}\n"
        "role: arn:aws:iam::123456789012:role/bqx\n"
    )
    assert cli.main(["cloud", "experiment", PAIR, "--account", str(account)]) == 0
    told = capsys.readouterr().out
    assert f"A: {CALM} forecasts better." in told
    call = json.loads(told[told.index("{") :])["s3.put_object"]
    assert call["Key"] == f"pointers/{PAIR}.json"
    assert json.loads(call["Body"]) == json.loads(content) | {"canary": "", "share": 0.0}
    assert client.get_object(Bucket=bucket, Key=f"pointers/{PAIR}.json")["Body"].read() == content
