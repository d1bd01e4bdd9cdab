"""Online learning: no label before its time, the same bits after a stop, sooner after a change."""

import random
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from river import drift

from bqx import cli
from bqx.errors import ArtefactError, ParameterError
from bqx.monitoring import measured, metrics
from bqx.online import captured, promotion, river_state
from bqx.online import measured as own_measurements
from bqx.online.adwin import Adwin
from bqx.online.checkpoints import Checkpoints
from bqx.online.ensemble import Ensemble
from bqx.online.loop import OnlineLoop
from bqx.online.replay import replay
from bqx.online.scale import Scale
from bqx.online.settings import LEARNERS, MEMBERS, Settings
from bqx.online.store import FORECASTS, LABELS, OnlineStore
from bqx.online.weights import RecentErrors, softmax

SMALL = Settings(trees=4, stages=5, run_in=40, memory=100)
COLUMNS = 8
HORIZON = 15


def forecasts(rows: int, *, flip: int | None = None, seed: int = 0, step: int = 5) -> pd.DataFrame:
    """Forecasts of a champion that is right until its signal turns into the opposite."""
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(rows, COLUMNS)).astype(np.float32)
    sign = np.where(np.arange(rows) < (rows if flip is None else flip), 1.0, -1.0)
    frame = pd.DataFrame(x, columns=[f"c{number}" for number in range(COLUMNS)])
    return frame.assign(
        pair="eurusd",
        horizon=HORIZON,
        minute=np.arange(rows) * step + 20_000_000,
        forecast=0.4 * x[:, 0],
        label=sign * 0.4 * x[:, 0] + draw.normal(size=rows),
    )


def streams() -> list[np.ndarray]:
    draw = np.random.default_rng(3)
    steps = np.concatenate([draw.normal(m, 1.0, 700) for m in (0.0, 0.0, 2.0, -1.0)])
    spread = np.concatenate([draw.normal(0.0, s, 900) ** 2 for s in (1.0, 1.4, 0.1)])
    return [steps, spread, np.ones(300), draw.normal(size=2000).cumsum()]


@pytest.mark.parametrize("stream", streams(), ids=["steps", "spread", "constant", "walk"])
@pytest.mark.parametrize("delta", [0.002, 0.05])
def test_adwin_finds_what_rivers_finds(stream: np.ndarray, delta: float) -> None:
    own, peer = Adwin(delta), drift.ADWIN(delta)
    for value in stream.tolist():
        own.update(value)
        peer.update(value)
        assert (own.drift_detected, own.width) == (peer.drift_detected, peer.width)
    assert own.total == pytest.approx(peer.total, abs=1e-6)


def test_a_scale_is_that_of_the_rows_seen() -> None:
    x = np.random.default_rng(0).normal(3.0, 2.0, (50, 3))
    x[7, 1] = np.nan
    x[:, 2] = 5.0
    scale = Scale(3)
    for row in x:
        scale.learn(row)
    np.testing.assert_allclose(scale.mean, np.nanmean(x, axis=0))
    np.testing.assert_allclose(scale.deviation, np.nanstd(x, axis=0, ddof=1), atol=1e-12)
    assert scale.standardised(np.array([np.nan, 1e9, 7.0])).tolist() == [0.0, 5.0, 0.0]


def test_weights_are_the_softmax_of_recent_errors() -> None:
    recent = RecentErrors(2, memory=3)
    for error in ([9.0, 9.0], [1.0, 2.0], [1.0, 2.0], [1.0, 2.0]):
        recent.add(np.array(error))
    assert recent.mean().tolist() == [1.0, 2.0]
    expected = np.exp([-1.0 / 1.5, -2.0 / 1.5])
    np.testing.assert_allclose(softmax(recent.mean(), 1.0), expected / expected.sum())
    assert softmax(np.zeros(2), 1.0).tolist() == [0.5, 0.5]


def learnt(rows: int = 400) -> Ensemble:
    frame = forecasts(rows)
    ensemble = Ensemble(tuple(f"c{n}" for n in range(COLUMNS)), HORIZON, SMALL)
    for row in frame.to_dict("records"):
        x = np.array([row[name] for name in ensemble.columns])
        members = ensemble.forecast(row["forecast"], x).members
        ensemble.learn(row["minute"], x, members, row["label"])
    return ensemble


def test_the_next_thousand_forecasts_after_a_restore_are_equal_bit_for_bit(tmp_path: Path) -> None:
    ensemble = learnt()
    Checkpoints(tmp_path, "eurusd", HORIZON).write(7, ensemble)
    good = Checkpoints(tmp_path, "eurusd", HORIZON).last_good()
    assert good is not None
    minute, restored = good
    assert minute == 7
    for row in forecasts(1_000, seed=5).to_dict("records"):
        x = np.array([row[name] for name in ensemble.columns])
        own, again = (e.forecast(row["forecast"], x) for e in (ensemble, restored))
        assert own.members.tobytes() == again.members.tobytes()
        assert own.weights.tobytes() == again.weights.tobytes()
        for e in (ensemble, restored):
            e.learn(row["minute"] + 10_000_000, x, own.members, row["label"])
    assert ensemble.state() == restored.state()


def test_a_state_names_no_other_class() -> None:
    with pytest.raises(TypeError, match="not among the classes"):
        river_state.dump([Path()])
    with pytest.raises(ArtefactError, match="cannot be read"):
        river_state.load([["object", "Path"]])
    with pytest.raises(ArtefactError, match="cannot be read"):
        river_state.load([["method", [1], "__class__"], ["random", 3, [1], None]])


def test_what_trees_share_they_share_again() -> None:
    shared = random.Random(3)
    first, second = river_state.load(river_state.dump([shared, shared]))
    assert first is second
    assert first.random() == shared.random()


@pytest.mark.parametrize("cut", [50, 137, 260])
def test_no_forecast_knows_a_label_or_a_feature_that_comes_later(cut: int) -> None:
    frame = forecasts(300)
    later = frame.copy()
    now = frame["minute"].iloc[cut]
    unknown = frame["minute"] + HORIZON > now
    later.loc[unknown, "label"] = -5.0
    later.loc[frame["minute"] > now, ["c0", "forecast"]] = 99.0
    one, other = replay(frame, SMALL), replay(later, SMALL)
    pd.testing.assert_frame_equal(
        one.iloc[: cut + 1].drop(columns="resets"),
        other.iloc[: cut + 1].drop(columns="resets"),
        check_exact=True,
    )


def test_a_label_counts_from_its_own_minute_on() -> None:
    """The opposite of the test above: what is known is learnt at once, not a row later."""
    frame = forecasts(300)
    other = frame.copy()
    cut = 200
    due = (frame["minute"] + HORIZON <= frame["minute"].iloc[cut]).to_numpy().nonzero()[0][-1]
    other.loc[due, "label"] += 3.0
    one, two = (replay(f, SMALL)["linear_fast"].to_numpy() for f in (frame, other))
    assert (one[:cut] == two[:cut]).all()
    assert one[cut] != two[cut]


def through(
    folder: Path,
    frame: pd.DataFrame,
    *,
    start: int = 0,
    stop: int = 10**9,
    loop: OnlineLoop | None = None,
) -> OnlineLoop:
    """Rows of a frame through a loop, labels given as they are known."""
    loop = loop or OnlineLoop(folder, SMALL)
    for row in range(start, min(stop, len(frame))):
        minute = int(frame["minute"].iloc[row])
        due = frame[frame["minute"] + HORIZON == minute]
        loop.step(minute, frame.iloc[[row]].drop(columns="label"), due)
    return loop


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("online")
    through(folder, forecasts(70))
    return folder


def stored(folder: Path) -> pd.DataFrame:
    store = OnlineStore(folder)
    return pd.concat([store.read(FORECASTS, m) for m in store.minutes(FORECASTS)])


def test_the_loop_says_what_the_replay_says(whole: Path) -> None:
    frame = forecasts(70)
    expected = replay(frame, SMALL)
    for name in ("online", *MEMBERS, "weight_forest"):
        assert stored(whole)[name].tolist() == expected[name].tolist()
    scored = OnlineStore(whole).scored()
    assert len(scored) == 70 - HORIZON // 5
    assert scored["label"].tolist() == frame["label"].iloc[:-3].tolist()


class Killed(Exception):
    """Stands for the end of the process."""


@pytest.mark.parametrize("seed", range(2))
def test_a_loop_that_is_killed_anywhere_goes_on_as_if_it_had_not_been(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: Path, seed: int
) -> None:
    frame, draw = forecasts(70), random.Random(seed)
    killed = tmp_path / "killed"
    write, row = OnlineStore.write, 0

    def failing(store: OnlineStore, kind: str, minute: int, content: pd.DataFrame) -> None:
        before = draw.random() < 0.5
        if not before:
            write(store, kind, minute, content)
        if draw.random() < 0.1:
            raise Killed
        if before:
            write(store, kind, minute, content)

    monkeypatch.setattr(OnlineStore, "write", failing)
    kills = 0
    while row < len(frame):
        loop = OnlineLoop(killed, SMALL)
        while row < len(frame):
            minute = int(frame["minute"].iloc[row])
            due = frame[frame["minute"] + HORIZON == minute]
            try:
                loop.step(minute, frame.iloc[[row]].drop(columns="label"), due)
            except Killed:
                kills += 1
                break
            if draw.random() < 0.05:
                loop.close()
                break
            row += 1
    assert kills > 3
    pd.testing.assert_frame_equal(stored(killed), stored(whole), check_exact=True)


def test_a_damaged_checkpoint_is_passed_over_for_the_last_good_one(tmp_path: Path) -> None:
    frame = forecasts(80)
    through(tmp_path, frame, stop=50).close()
    through(tmp_path, frame, start=50, stop=65).close()
    kept = Checkpoints(tmp_path, "eurusd", HORIZON)
    assert len(kept.minutes()) == 2
    newest = kept.folder / f"{kept.minutes()[-1]}.json.gz"
    content = bytearray(newest.read_bytes())
    content[len(content) // 2] ^= 1
    newest.write_bytes(content)
    through(tmp_path, frame, start=65)
    expected = replay(frame, SMALL)
    assert stored(tmp_path)["online"].tolist() == expected["online"].tolist()


def test_a_minute_that_comes_twice_changes_nothing(tmp_path: Path) -> None:
    frame = forecasts(30)
    loop = through(tmp_path, frame)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.parquet")}
    minute = int(frame["minute"].iloc[-1])
    altered = frame.iloc[[-1]].assign(forecast=9.0).drop(columns="label")
    again = loop.step(minute, altered, frame[frame["minute"] + HORIZON == minute])
    assert again["static"].tolist() == frame["forecast"].iloc[-1:].tolist()
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*.parquet")}
    with pytest.raises(ParameterError, match="out of order"):
        loop.step(minute - 1, altered, frame[:0])


def test_a_label_before_its_time_is_refused(tmp_path: Path) -> None:
    frame = forecasts(10)
    loop = through(tmp_path, frame, stop=5)
    minute = int(frame["minute"].iloc[5])
    with pytest.raises(ParameterError, match=r"before its time.*Give labels when they are known"):
        loop.step(minute, frame.iloc[[5]].drop(columns="label"), frame.iloc[[4]])
    assert not OnlineStore(tmp_path).has(LABELS, minute)


def test_labels_without_a_stored_forecast_are_passed_over(tmp_path: Path) -> None:
    frame = forecasts(70)
    stranger = frame.assign(pair="gbpusd")
    loop = OnlineLoop(tmp_path, SMALL)
    assert loop.step(int(frame["minute"].iloc[3]), frame[:0], frame.iloc[:1]).empty
    for row in range(3, len(frame)):
        minute = int(frame["minute"].iloc[row])
        due = pd.concat([f[f["minute"] + HORIZON == minute] for f in (frame, stranger)])
        loop.step(minute, frame.iloc[[row]].drop(columns="label"), due)
    assert stored(tmp_path)["online"].tolist() == replay(frame[3:], SMALL)["online"].tolist()
    assert set(loop.ensembles) == {("eurusd", HORIZON)}


def test_two_loops_do_not_learn_from_one_folder(tmp_path: Path) -> None:
    with (
        OnlineStore(tmp_path).locked(),
        pytest.raises(ArtefactError, match="in use"),
        OnlineStore(tmp_path).locked(),
    ):
        pass


def test_an_absent_column_is_named(tmp_path: Path) -> None:
    frame = forecasts(20)
    loop = through(tmp_path, frame, stop=10)
    rows = frame.iloc[[10]].drop(columns=["label", "c3"])
    with pytest.raises(ArtefactError, match="column 'c3' is missing"):
        loop.step(int(rows["minute"].iloc[0]), rows, frame[:0])


def test_a_member_that_is_no_number_is_begun_anew_and_the_static_one_stands_in() -> None:
    ensemble = learnt(80)
    ensemble.learners["linear_fast"].intercept = float("nan")
    x = np.zeros(COLUMNS)
    answer = ensemble.forecast(0.25, x)
    assert answer.fallen
    assert answer.forecast == 0.25
    ensemble.learn(10**9, x, answer.members, 0.1)
    assert not ensemble.forecast(0.25, x).fallen


def test_after_a_change_the_weights_leave_the_static_forecast() -> None:
    frame = forecasts(2_400, flip=1_200)
    out = replay(frame, Settings(trees=4, stages=5, memory=200, run_in=100, slow=1e-3, fast=1e-2))
    label = frame["label"].to_numpy()
    saved = {
        name: 1.0 - ((label - out[name]) ** 2)[1_600:].sum() / (label**2)[1_600:].sum()
        for name in ("online", "static")
    }
    assert out["weight_static"].iloc[1_199] > 0.3
    assert out["weight_static"].iloc[1_600] < 0.05
    assert saved["static"] < -0.2
    assert saved["online"] > 0.04


def test_what_a_change_makes_wrong_is_begun_anew() -> None:
    frame = forecasts(3_000, flip=1_500, step=HORIZON)
    slow = Settings(trees=2, stages=2, run_in=100, slow=2e-3, fast=1e-2)
    assert replay(frame, slow)["resets"].iloc[0] > 0


def test_an_update_of_28_pairs_takes_less_than_five_seconds(tmp_path: Path) -> None:
    pairs = [f"p{number:02}" for number in range(28)]
    frame = forecasts(7, step=1)
    rows = pd.concat([frame.assign(pair=pair) for pair in pairs])
    loop, seconds = OnlineLoop(tmp_path, Settings()), []
    for minute, own in rows.groupby("minute"):
        due = rows[rows["minute"] + 3 == minute].assign(horizon=3)
        start = time.process_time()
        loop.step(int(str(minute)), own.drop(columns="label").assign(horizon=3), due)
        seconds.append(time.process_time() - start)
    assert loop.ensembles["p00", 3].learnt == 4
    assert sorted(seconds)[-2] < 5.0


def test_the_gate_asks_for_days_skill_and_a_gain_over_the_champion() -> None:
    draw, rows = np.random.default_rng(1), 60 * 200
    minute = np.arange(rows) * 7 + 20_000_160
    x = draw.normal(size=rows)
    scored = pd.DataFrame({"horizon": 15, "minute": minute, "martingale": 0.0})
    scored["label"] = 0.4 * x + draw.normal(size=rows)
    good = scored.assign(online=0.4 * x, static=0.1 * x)
    assert promotion.against(good, ["a"], ["a"], 1.0) == ()
    assert promotion.gain(good, "martingale").value == pytest.approx(0.16 / 1.16, abs=0.02)
    same = promotion.against(good.assign(static=0.4 * x), ["a"], ["a"], 1.0)
    assert [reason.rule for reason in same] == ["lower end of the gain over the champion"]
    short = promotion.against(good.iloc[:2_000], ["a", "b"], ["a"], 50.0)
    assert {"days in shadow", "missing features", "latency (ms)"} <= {r.rule for r in short}


def test_members_are_named_once() -> None:
    assert set(LEARNERS) < set(MEMBERS)
    assert len(set(MEMBERS)) == len(MEMBERS)


def test_what_a_server_captured_becomes_rows() -> None:
    made = {"kind": "forecast", "pair": "eurusd", "horizons": [15, 30], "innovation": [0.1, -0.2]}
    rows = [
        made | {"minute": 7, "id": "b", "x": [1.5, np.nan]},
        made | {"minute": 6, "id": "a", "x": [0.5, 2.0]},
        made | {"minute": 6, "id": "a", "x": [0.5, 2.0]},
        made | {"minute": 8, "id": "c", "x": None},
        {"kind": "answer"},
    ]
    frame = captured.rows_of(pd.DataFrame(rows), ("rsi", "mean"))
    assert frame["minute"].tolist() == [6, 6, 7, 7]
    assert frame["horizon"].tolist() == [15, 30, 15, 30]
    assert frame["forecast"].tolist() == [0.1, -0.2, 0.1, -0.2]
    assert frame["rsi"].tolist() == [0.5, 0.5, 1.5, 1.5]
    with pytest.raises(ArtefactError, match="got 2 columns; expected 1"):
        captured.rows_of(pd.DataFrame(rows), ("rsi",))
    loop_rows = captured.rows_of(pd.DataFrame(rows[1:2]), ("rsi", "mean"))
    assert len(captured.rows_of(pd.DataFrame(rows[3:]), ("rsi", "mean"))) == 0
    assert replay(loop_rows[:1].assign(label=0.0), SMALL)["online"].tolist() == [0.1]


def test_measurements_are_those_of_the_stored_forecasts(tmp_path: Path) -> None:
    frame = forecasts(300, step=15)
    loop = through(tmp_path, frame)
    minute = int(frame["minute"].iloc[-1])
    own = own_measurements.measure(loop.store, minute)
    assert set(own.numbers) == metrics.of_writer("online")
    assert own.time == 60.0 * (minute + 1)
    scored = loop.store.scored()
    assert (scored["known_at"] == scored["minute"] + HORIZON).all()
    for name, span in own_measurements.SPANS.items():
        recent = scored[scored["known_at"] > minute - span]
        error = ((recent["label"] - recent["online"]) ** 2).sum()
        assert own.numbers[f"online_skill_{name}"] == pytest.approx(
            1 - error / (recent["label"] ** 2).sum()
        )
    weights = loop.weights["eurusd", HORIZON]
    newest = loop.store.read(FORECASTS, minute)
    assert own.numbers["online_weight"] == pytest.approx(
        newest[[f"weight_{name}" for name in LEARNERS]].sum(axis=1).iloc[0]
    )
    assert 0.0 < sum(weights[name] for name in LEARNERS) < 1.0
    assert own.numbers["online_updates"] == 4.0
    assert own.numbers["online_drift_events"] == 0.0


def test_members_begun_anew_are_counted_for_a_day(tmp_path: Path) -> None:
    frame = forecasts(40)
    loop = through(tmp_path, frame, stop=30)
    loop.ensembles["eurusd", HORIZON].learners["linear_fast"].intercept = float("nan")
    through(tmp_path, frame, start=30, loop=loop)
    minute = loop.minute
    assert own_measurements.measure(loop.store, minute).numbers["online_drift_events"] >= 1.0
    later = own_measurements.measure(loop.store, minute + 1_440)
    assert later.numbers == dict.fromkeys(later.numbers) | {
        "online_skill_week": later.numbers["online_skill_week"],
        "online_drift_events": 0.0,
        "online_updates": 0.0,
    }


def test_the_command_goes_on_where_it_stopped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frame, out = forecasts(20), str(tmp_path / "learnt")
    frame[:12].assign(label=frame["label"][:8]).to_parquet(tmp_path / "first.parquet")
    frame.to_parquet(tmp_path / "all.parquet")
    assert cli.main(["online", str(tmp_path / "first.parquet"), "--out", out]) == 0
    assert cli.main(["online", str(tmp_path / "all.parquet"), "--out", out]) == 0
    printed = capsys.readouterr().out
    assert "eurusd: skill" in printed
    assert ", 8 labels" in printed
    assert "19 labels" in printed
    assert "not served: days in shadow: 1, expected >= 20" in printed
    (own,) = measured.read([str(Path(out) / measured.FILE)])
    assert own.numbers["online_updates"] == 11.0
    assert cli.main(["online", str(tmp_path / "none.parquet"), "--out", out]) == 2


BROKEN = {
    "no rows": lambda frame: frame[:0],
    "no minute": lambda frame: frame.drop(columns="minute"),
    "no features": lambda frame: frame[["pair", "horizon", "minute", "forecast", "label"]],
    "horizon as text": lambda frame: frame.assign(horizon=frame["horizon"].astype(str)),
    "horizon below 0": lambda frame: frame.assign(horizon=-15),
    "horizon of 0": lambda frame: frame.assign(horizon=0),
    "horizon of years": lambda frame: frame.assign(horizon=10**12),
    "minute as time": lambda frame: frame.assign(minute=pd.Timestamp("2024-03-06", tz="UTC")),
    "half a minute": lambda frame: frame.assign(minute=frame["minute"] + 0.5),
    "no minute in a row": lambda frame: frame.assign(minute=frame["minute"].where(frame.index > 3)),
    "seconds for minutes": lambda frame: frame.assign(minute=60 * frame["minute"]),
    "twice": lambda frame: pd.concat([frame, frame.assign(forecast=5.0)]),
    "infinite forecast": lambda frame: frame.assign(forecast=np.inf),
    "forecast as text": lambda frame: frame.assign(forecast="x"),
    "infinite label": lambda frame: frame.assign(label=-np.inf),
    "feature as text": lambda frame: frame.assign(c3="x"),
    "a path for a pair": lambda frame: frame.assign(pair="../../x"),
    "no pair": lambda frame: frame.assign(pair=None),
    "a number for a pair": lambda frame: frame.assign(pair=5),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_frame_of_another_kind_is_refused_before_it_is_learnt(name, tmp_path, capsys):
    frame = BROKEN[name](forecasts(12))
    frame.to_parquet(tmp_path / "frame.parquet", index=False)
    out = tmp_path / "deep" / "out"
    assert cli.main(["online", str(tmp_path / "frame.parquet"), "--out", str(out)]) == 2
    printed = capsys.readouterr().err
    assert "got" in printed
    assert printed.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["frame.parquet"]


def test_a_frame_without_labels_is_forecast(tmp_path, capsys):
    frame = forecasts(12).drop(columns="label").sample(frac=1.0, random_state=0)
    frame.to_parquet(tmp_path / "frame.parquet")
    assert cli.main(["online", str(tmp_path / "frame.parquet"), "--out", str(tmp_path / "o")]) == 0
    assert "no label is known yet" in capsys.readouterr().out
