"""Bars that cannot be true are refused, single wrong rows set aside; true ones stay as they are."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from bar_files import RATES, assert_bars, lines_of, market, metatrader, write

from bqx import cli
from bqx.errors import BarError, BqxError, ParameterError
from bqx.market import declared, neighbours, sessions, simulated
from bqx.market.bars import validate
from bqx.market.readers import examine, read, read_folder
from bqx.params import options
from bqx.stages import remarks

HEADER = "ts_utc,open,high,low,close,volume"


@pytest.fixture(scope="module")
def days() -> pd.DataFrame:
    """Every minute of eight days, in summer."""
    return market("2023-06-05 10:00", "2023-06-13 10:00", every=1)


def put(tmp_path: Path, bars: pd.DataFrame, name: str = "eurusd.csv") -> Path:
    return write(tmp_path / name, [HEADER, *lines_of(bars, "UTC", "%Y-%m-%d %H:%M")])


def resampled(bars: pd.DataFrame, minutes: int) -> pd.DataFrame:
    how = {"open": "first", "high": "max", "low": "min", "close": "last", "volume": "sum"}
    return bars.resample(f"{minutes}min").agg(how).dropna(subset="close")


# step


@pytest.mark.parametrize("minutes", [2, 5, 15, 30, 60, 240, 1440])
@pytest.mark.parametrize("kind", ["metatrader", "generic", "parquet"])
def test_bars_of_a_longer_step_are_refused(days, tmp_path, minutes, kind):
    coarse = resampled(days, minutes)
    if kind == "metatrader":
        path = write(tmp_path / f"EURUSD{minutes}.csv", metatrader(coarse, "Etc/GMT-3"))
    elif kind == "generic":
        path = put(tmp_path, coarse)
    else:
        path = tmp_path / "eurusd.parquet"
        coarse.to_parquet(path)
    what = rf"{minutes}-minute bars: the step is {minutes} minutes in [\d.]+ % of places"
    with pytest.raises(BarError, match=what):
        read(path)


def test_five_minute_bars_in_the_older_part(days, tmp_path):
    older = resampled(days[: len(days) // 2], 5)
    path = put(tmp_path, pd.concat([older, days[days.index > older.index[-1]]]))
    with pytest.raises(BarError, match=r"5-minute bars in 600 rows between 2023-06-05 10:00 and"):
        read(path)


@pytest.mark.parametrize("minutes", [2, 5, 60])
@pytest.mark.parametrize("flat", [False, True])
def test_a_longer_step_that_stands_in_every_minute(days, tmp_path, minutes, flat):
    filled = resampled(days, minutes).reindex(days.index).ffill().dropna()
    if flat:
        is_new = np.append(True, (np.diff(filled[RATES], axis=0) != 0).any(axis=1))
        for rate in RATES[:3]:
            filled[rate] = filled[rate].where(is_new, filled["close"])
    with pytest.raises(BarError, match=rf"{minutes}-minute bars: their rates change every"):
        read(put(tmp_path, filled))


@pytest.mark.parametrize("share", [0.03, 0.3, 0.9])
def test_thin_one_minute_bars_are_none_of_a_longer_step(days, tmp_path, share):
    thin = days[np.random.default_rng(1).random(len(days)) < share]
    assert_bars(read(put(tmp_path, thin)), thin)


def test_bars_of_seconds_are_named(days, tmp_path):
    seconds = days.set_axis(days.index[0] + pd.to_timedelta(np.arange(len(days)) * 10, "s"))
    seconds.rename_axis("ts_utc").to_parquet(tmp_path / "eurusd.parquet")
    with pytest.raises(BarError, match=r"row 2 .*the time has seconds"):
        read(tmp_path / "eurusd.parquet")


# stray ticks, scale, stopped feeds


@pytest.mark.parametrize("factor", [10.0, 0.1, 1.2, 0.97, 1.015])
@pytest.mark.parametrize("length", [1, 3])
def test_a_stray_tick_is_set_aside_and_named(days, tmp_path, factor, length):
    bars = days.copy()
    bars.iloc[400 : 400 + length, :4] *= factor
    reading = examine(put(tmp_path, bars))
    want = days.drop(days.index[400 : 400 + length])
    assert_bars(reading.frames["eurusd"], want)
    note = next(note for note in reading.notes if "stray" in note)
    assert note.startswith(f"eurusd.csv line 402 ({days.index[400]}): a stray tick is set aside")
    assert f"between {days['close'].iloc[399]:.8g}" in note
    assert reading.table["set aside"][0] == f"{length} stray ticks"


@pytest.mark.parametrize(("rate", "factor"), [("high", 1.3), ("low", 0.7), ("low", 0.98)])
def test_a_stray_high_or_low(days, tmp_path, rate, factor):
    bars = days.copy()
    bars.loc[bars.index[700], rate] *= factor
    assert_bars(read(put(tmp_path, bars)), days.drop(days.index[700]))


@pytest.mark.parametrize("row", [0, 1, -2, -1])
def test_a_stray_tick_at_an_end(days, tmp_path, row):
    bars = days.copy()
    bars.iloc[row, :4] *= 1.02
    assert_bars(read(put(tmp_path, bars)), days.drop(days.index[row]))


def test_a_crash_of_the_market_is_no_stray_tick(days, tmp_path):
    """Six percent down within two minutes and half of it back over the next ten, as in 2016."""
    bars = days.copy()
    path = np.interp(np.arange(len(days)), [2000, 2002, 2012], [0, -0.06, -0.03])
    for rate in RATES:
        bars[rate] *= np.exp(path)
    bars.loc[bars.index[2001:2006], "low"] *= 0.985
    bars = bars.round(dict.fromkeys(RATES, 5))
    assert_bars(read(put(tmp_path, bars)), bars)


@pytest.mark.parametrize("factor", [100.0, 0.01, 10.0])
def test_a_scale_that_jumps_is_refused_with_its_line(days, tmp_path, factor):
    bars = days.copy()
    bars.iloc[5000:, :4] *= factor
    with pytest.raises(
        BarError, match=r"the close jumps from [\d.]+ \(line 5,001, .* \(line 5,002\)"
    ):
        read(put(tmp_path, bars))


def test_a_feed_that_stood_still_is_set_aside(days, tmp_path):
    bars = days.copy()
    rows = slice(1000, 4000)
    bars.iloc[rows, :4] = bars["close"].iloc[999]
    reading = examine(put(tmp_path, bars))
    got = reading.frames["eurusd"]
    assert_bars(got, bars.drop(days.index[1000:4000]))
    assert any("3,000 bars are set aside, since the rate stands still" in n for n in reading.notes)


def test_a_feed_that_repeats_its_last_bar_is_set_aside(days, tmp_path):
    bars = days.copy()
    bars.iloc[1000:4000] = bars.iloc[999].to_numpy()
    assert bars["high"].iloc[999] > bars["low"].iloc[999]
    reading = examine(put(tmp_path, bars))
    assert_bars(reading.frames["eurusd"], bars.drop(days.index[1000:4000]))
    assert any("3,000 bars are set aside, since the rate stands still" in n for n in reading.notes)


@pytest.mark.parametrize("later", [1, 2, 10])
def test_closes_of_later_bars_are_refused(days, tmp_path, later):
    bars = days.assign(open=days["close"].shift(1).bfill())
    bars["high"], bars["low"] = bars[RATES].max(axis=1), bars[RATES].min(axis=1)
    assert len(read(put(tmp_path, bars))) == len(bars)
    bars["close"] = bars["close"].shift(-later).ffill()
    bars["high"], bars["low"] = bars[RATES].max(axis=1), bars[RATES].min(axis=1)
    told = f"closes that are {later} minutes? ahead of their bars, got .* Shift the column back"
    with pytest.raises(BarError, match=told):
        read(put(tmp_path, bars))


@pytest.mark.parametrize("minutes", [2, 5])
def test_a_rate_that_comes_back_is_its_own(days, tmp_path, minutes):
    bars = days.copy()
    there = np.arange(len(bars)) % minutes == 0
    for rate in RATES:
        bars[rate] = np.where(there, 1.1001, 1.1)
    assert len(read(put(tmp_path, bars))) == len(bars)


def test_two_hours_without_a_move_are_no_fault(days, tmp_path):
    bars = days.copy()
    bars.iloc[1000:1120, :4] = bars["close"].iloc[999]
    assert_bars(read(put(tmp_path, bars)), bars)


@pytest.mark.parametrize(
    ("name", "scale"),
    [("usdjpy.csv", 1), ("eurusd.csv", 100), ("eurjpy.csv", 1e-2), ("eurusd.csv", 0.1)],
)
def test_rates_that_the_pair_never_had(days, tmp_path, name, scale):
    bars = days.copy()
    bars[RATES] *= scale
    with pytest.raises(BarError, match=r"the rate is [\d.]+ in the middle; \w{6} lies from"):
        read(put(tmp_path, bars, name))


# pairs among each other


@pytest.fixture(scope="module")
def three() -> dict[str, pd.DataFrame]:
    pairs = ("eurusd", "gbpusd", "eurgbp")
    frames = simulated.simulate("null", pairs, "2024-02-21", days=9, seed=2).frames
    return {pair: validate(frame, pair) for pair, frame in frames.items()}


def folder_of(tmp_path: Path, frames: dict[str, pd.DataFrame]) -> Path:
    for pair, frame in frames.items():
        frame.to_parquet(tmp_path / f"{pair}.parquet")
    return tmp_path


def test_pairs_that_fit(three, tmp_path):
    reading = examine(folder_of(tmp_path, three))
    assert list(reading.frames) == sorted(three)
    assert not [note for note in reading.notes if "closes" in note]


@pytest.mark.parametrize("factor", [1.005, 0.9])
def test_a_triangle_that_does_not_close(three, tmp_path, factor):
    wrong = three["gbpusd"].copy()
    wrong[RATES] *= factor
    with pytest.raises(BarError, match=r"that do not fit, got eurusd is not eurgbp times"):
        read_folder(folder_of(tmp_path, three | {"gbpusd": wrong}))


def test_a_file_under_the_name_of_another_pair(three, tmp_path):
    with pytest.raises(BarError, match=r"rates that do not fit"):
        read_folder(folder_of(tmp_path, three | {"gbpusd": three["eurusd"]}))
    (tmp_path / "eurgbp.parquet").unlink()
    reading = examine(tmp_path)
    assert "eurusd and gbpusd have the same closes" in reading.notes


@pytest.mark.parametrize("minutes", [1, 60, 120])
def test_pairs_that_are_not_in_step(three, tmp_path, minutes):
    late = three["gbpusd"]
    late = late.set_axis(late.index + pd.Timedelta(minutes=minutes)).rename_axis("ts_utc")
    middle = slice("2024-02-26 06:00", "2024-02-29 06:00")
    frames = {"eurusd": three["eurusd"].loc[middle], "gbpusd": late.loc[middle]}
    key = "--stamped" if minutes == 1 else "--clock"
    with pytest.raises(
        BarError, match=rf"gbpusd: its rates follow .* eurusd by {minutes} min.*{key}"
    ):
        read_folder(folder_of(tmp_path, frames))


def test_unrelated_pairs_are_not_out_of_step():
    a = market("2023-06-05 10:00", "2023-06-13 10:00", every=1)
    rng = np.random.default_rng(3)
    b = a.assign(close=np.exp(np.cumsum(rng.normal(0, 1e-4, len(a)))))
    assert neighbours.leads({"eurusd": a, "gbpusd": b}) == []


# what is declared


def commands() -> dict[str, list[str]]:
    return {
        "bars": ["bars", "x"],
        "run": ["run", "params/ci.yaml"],
        "build": ["build", "--bars", "x", "--out", "y"],
        "certify": ["certify", "--bars", "x"],
        "db bars": ["db", "bars", "--bars", "x"],
    }


@pytest.mark.parametrize("command", commands())
def test_every_command_takes_what_can_be_declared(command):
    told = ["--clock", "America/New_York+7", "--stamped", "close", "--gap"]
    asked = cli._parser().parse_args([*commands()[command], *told, "--spread-unit", "pips"])
    assert options.values(asked) == {
        "clock": "America/New_York+7",
        "stamped": "close",
        "spread_unit": "pips",
        "side": "",
        "gap": True,
    }
    ranges = (("2018-01-01", "UTC+2"), ("2018-03-26", "UTC+3"))
    shown = declared.option("clock", ranges).removeprefix("--clock ").strip("'")
    asked = cli._parser().parse_args([*commands()[command], "--clock", shown])
    assert options.values(asked)["clock"] == ranges


@pytest.mark.parametrize(
    ("key", "value"),
    [("stamped", "end"), ("spread_unit", "bp"), ("side", "both"), ("clock", "[[x, UTC]]")],
)
def test_what_is_declared_wrongly(days, tmp_path, capsys, key, value):
    path = put(tmp_path, days)
    assert cli.main(["bars", str(path), f"--{key}", value]) == 2
    assert f"{key} has a wrong value" in capsys.readouterr().err
    if key != "clock":
        with pytest.raises(ParameterError, match=rf"{key}: unknown, got '{value}'"):
            read(path, **{key: value})


def test_the_short_table(days, tmp_path, capsys):
    bars = days.copy()
    bars.iloc[400, :4] *= 10
    put(tmp_path, bars)
    (tmp_path / "notes.md").write_text("x")
    assert cli.main(["bars", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    for word in ("step", "stamped", "clock", "side", "digits", "spread", "longest hole", "1 stray"):
        assert word in out
    assert "note: notes.md: no bar file, left alone" in out
    put(tmp_path, resampled(days, 5), "gbpusd.csv")
    assert cli.main(["bars", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith("bqx: gbpusd.csv: 5-minute bars")


def test_what_was_found_is_logged(days, tmp_path, caplog):
    bars = days.copy()
    bars.iloc[400, :4] *= 10
    read_folder(put(tmp_path, bars))
    assert any("a stray tick is set aside" in record.message for record in caplog.records)


# sentences


def coverage(holes: int) -> pd.DataFrame:
    return pd.DataFrame({"pair": ["eurusd"], "rows": [1000], "holes": [holes]})


def test_bars_with_holes_are_told_so_in_words():
    shares = pd.DataFrame({"theory": [0.0, 0.4], "r2": [0.01, 0.4]})
    assert remarks.of_bars(coverage(10), 60, shares, 15) == [remarks.NOTHING]
    (line,) = remarks.of_bars(coverage(300), 60, shares, 15)
    assert line.startswith("eurusd: 30% of the open minutes lie in holes of more than 15 minutes")
    assert "max_fill" in line
    lines = remarks.of_bars(coverage(0), 10, shares.assign(r2=[np.nan, 0.4]), 15)
    assert lines[0].startswith("The bars have 10 trading days")
    assert "no label at all" in lines[1]
    assert "0.20 of a target" in remarks.of_bars(coverage(0), 60, shares.assign(r2=0.2), 15)[0]


def test_features_fits_and_quality_in_words():
    shares = pd.DataFrame(
        {"pair": "eurusd", "feature": list("abc"), "missing": [0.6, 1.0, 0.1], "needs": ""}
    )
    sparse, never = remarks.of_features(shares)
    assert "1 features, such as a, lack a value" in sparse
    assert "1 features, such as b, never have a value" in never
    assert remarks.of_features(shares[2:]) == [remarks.NOTHING]
    cells = pd.DataFrame({"pair": ["eurusd"], "horizon": [15], "skill": [0.6], "coverage": [0.8]})
    met = pd.DataFrame(
        {"condition": "session", "value": ["tokyo"], "effective_rows": 900, "coverage": [0.7]}
    )
    leak, wide, low = remarks.of_fits(cells, met, 0.9)
    assert "a skill of 0.60 is a leak until proven otherwise" in leak
    assert "hold 80.0% of the labels, asked for were 90%" in wide
    assert "70.0% of the labels where session is tokyo" in low
    traded = pd.DataFrame({"pair": ["eurusd", "gbpusd"], "traded": [0.3, 0.9]})
    assert remarks.of_quality(traded) == [
        "eurusd: only 30% of the minutes have a bar of their own. Fetch the missing hours or leave "
        "the pair out."
    ]


def test_every_fault_is_one_line(days, tmp_path):
    """The rule of errors holds for bars that are damaged at random in the ways of real feeds."""
    rng = np.random.default_rng(9)
    for number in range(40):
        bars = days.iloc[: rng.integers(2, 3000)].copy()
        for _ in range(rng.integers(1, 4)):
            row, size = rng.integers(0, len(bars)), int(rng.integers(1, 800))
            factor = rng.choice([0.1, 0.5, 0.99, 1.0, 1.01, 2.0, 10.0, 100.0])
            bars.iloc[row : row + size, : rng.integers(1, 5)] *= factor
        path = put(tmp_path, bars, f"eurusd_{number}.csv")
        message = ""
        try:
            got = read(path)
        except BqxError as error:
            message = str(error)
        if message:
            assert re.fullmatch(r"[^\n]+; expected [^\n]+", message)
            continue
        assert got[RATES].to_numpy().min() > 0
        assert sessions.is_open(sessions.epoch_minutes(got.index)).all()
