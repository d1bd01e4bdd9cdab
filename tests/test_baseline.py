"""Baseline statistics against numpy, and what becomes of them on disk."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from monitored import grids, models, row_of_day

from bqx.errors import ArtefactError
from bqx.learning import baseline, bundle, dependence, targets
from bqx.learning.day_statistics import BINS, CUT, day_statistics, scale_of
from bqx.market import sessions
from bqx.market.bars import Bars

EMPTY = pd.DataFrame()


@pytest.fixture(scope="module")
def made():
    """Columns: plain, going along with it, heavy-tailed, wandering, with holes, constant, empty."""
    rng = np.random.default_rng(0)
    minutes = sessions.grid(28_400_000, 28_400_000 + 40 * 1_440)[::5]
    n = len(minutes)
    x = rng.normal(size=(n, 7))
    x[:, 1] = 0.9 * x[:, 0] + 0.3 * x[:, 1] + 5.0
    x[:, 2] = rng.standard_t(1, n)
    x[:, 3] = np.cumsum(x[:, 3])
    x[::7, 4] = np.nan
    x[:, 5] = 2.0
    x[:, 6] = np.nan
    names = [f"column_{i}" for i in range(7)]
    x = x.astype(np.float32)
    return x, minutes, baseline.of_columns(x, minutes, names, hours=EMPTY, performance=EMPTY)


def test_statistics_are_those_of_numpy(made):
    x, _, own = made
    for i, row in own.columns.iterrows():
        present = x[np.isfinite(x[:, i]), i].astype(float)
        assert row["rows"] == len(present)
        assert row["missing"] == pytest.approx(np.isnan(x[:, i]).mean())
        if len(present):
            assert row["mean"] == pytest.approx(present.mean(), rel=1e-6)
            assert row["std"] == pytest.approx(present.std(), rel=1e-6)
            assert (row["min"], row["max"]) == (present.min(), present.max())
            assert row["p95"] == pytest.approx(np.percentile(present, 95), rel=1e-5)
            assert row["decile_3"] == pytest.approx(np.percentile(present, 30), rel=1e-5)


def test_days_are_those_of_numpy(made):
    x, minutes, own = made
    day = sessions.trading_days(minutes)
    scale = scale_of(own.columns)
    assert own.days.days.tolist() == sorted(set(day.tolist()))
    for d in (0, 3, len(own.days.days) - 1):
        rows = day == own.days.days[d]
        for i in range(5):
            values = x[rows, i].astype(float)
            present = values[np.isfinite(values)]
            edges = own.columns.loc[i, [f"decile_{k}" for k in range(1, BINS)]].to_numpy(float)
            expected = np.bincount(np.searchsorted(edges, present, side="right"), minlength=BINS)
            assert own.days.counts[d, i].tolist() == expected.tolist()
            assert own.days.missing[d, i] == np.isnan(values).sum()
            v = (present - scale[i, 0]) / scale[i, 1]
            v = v if own.columns["wanders"][i] else np.clip(v, -CUT, CUT)
            assert own.days.mean[d, i] == pytest.approx(v.mean(), abs=1e-6)
            assert own.days.deviation[d, i] == pytest.approx(v.std(), abs=1e-5)


def test_neighbours_are_those_that_a_column_follows_from(made):
    _, _, own = made
    neighbours, weights = dependence.of(own.columns)
    assert neighbours[:2, 0].tolist() == [1, 0]
    assert (neighbours[[5, 6], 0] == -1).all()
    assert own.days.correlation[:, 0].mean() == pytest.approx(0.95, abs=0.02)
    assert np.isnan(own.days.correlation[:, 5]).all()
    assert (weights[:2, 0] > 0).all()


def test_correlations_of_days_are_those_of_numpy_with_a_regression():
    """Neighbours in both forms, values and absolute values, against least squares."""
    rng = np.random.default_rng(1)
    minutes = sessions.grid(28_400_000, 28_400_000 + 40 * 1_440)[::5]
    x = rng.normal(size=(len(minutes), 4))
    x[:, 3] = 0.5 * x[:, 0] - 0.3 * x[:, 1] + 0.8 * np.abs(x[:, 2]) + 0.5 * x[:, 3]
    x = x.astype(np.float32)
    names = list("abcd")
    own = baseline.of_columns(x, minutes, names, hours=EMPTY, performance=EMPTY)
    neighbours, _ = dependence.of(own.columns)
    # A ridge gives what explains nothing a little weight; the three that do come first.
    assert set(neighbours[3, :3].tolist()) == {0, 1, 2 + 4}
    day = sessions.trading_days(minutes)
    scale = scale_of(own.columns)
    values = np.clip((x - scale[:, 0]) / scale[:, 1], -CUT, CUT)
    known = np.column_stack((values[:, :3], np.abs(values[:, :3]), np.ones(len(x))))
    said = known @ np.linalg.lstsq(known, values[:, 3], rcond=None)[0]
    for number, of_day in zip(own.days.days[1:6], own.days.correlation[1:6, 3], strict=True):
        rows = day == number
        expected = np.corrcoef(values[rows, 3], said[rows])[0, 1]
        assert of_day == pytest.approx(expected, abs=0.01)


def test_correlations_of_a_day_are_of_the_rows_with_all_neighbours(made):
    """What stands in the other rows is none of theirs, however many they are."""
    x, minutes, own = made
    day = sessions.trading_days(minutes)
    rows = np.flatnonzero(day == own.days.days[3])
    gone = rows[: len(rows) // 3]
    some = x.copy()
    some[gone, 0] += 3.0
    some[gone, 1] = np.nan
    number = day_statistics(some[rows], day[rows], own.columns)
    kept = rows[len(gone) :]
    expected = day_statistics(x[kept], day[kept], own.columns)
    assert number.correlation[0, 0] == pytest.approx(expected.correlation[0, 0], abs=1e-9)
    assert number.mean[0, 0] > expected.mean[0, 0] + 0.5


def test_what_wanders_is_known(made):
    assert made[2].columns["wanders"].tolist()[:4] == [False, False, False, True]


def test_other_rows_are_judged_by_the_baselines_deciles(made):
    x, minutes, own = made
    later = day_statistics(x[:288] + 100.0, sessions.trading_days(minutes[:288]), own.columns)
    assert later.counts[0, 0, -1] == later.rows[0, 0]


def test_a_bundle_brings_it_by_domain_and_an_older_one_has_none(tmp_path):
    model = models()["eurusd"]
    model.save(tmp_path / "eurusd")
    own = bundle.load(tmp_path / "eurusd").statistics
    pd.testing.assert_frame_equal(own.columns, model.statistics.columns)
    assert np.array_equal(own.days.counts, model.statistics.days.counts)
    assert np.array_equal(own.days.mean, model.statistics.days.mean, equal_nan=True)
    pd.testing.assert_frame_equal(own.performance, model.statistics.performance)
    by_column = own.columns.set_index("column")["domain"]
    for column in model.columns:
        assert by_column[column.name] == column.feature.domain
    assert by_column[list(baseline.BARS)].tolist() == ["bars"] * 3
    path = tmp_path / "eurusd" / "baseline" / "days.parquet"
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    with pytest.raises(ArtefactError, match=r"days\.parquet: damaged or exchanged"):
        bundle.load(tmp_path / "eurusd")


def test_dependence_of_an_older_baseline_is_not_judged(tmp_path):
    own = models()["eurusd"].statistics
    older = own.columns.loc[:, ~own.columns.columns.str.match("neighbour|weight")]
    (tmp_path / "baseline").mkdir()
    replace(own, columns=older.assign(partner=-1)).save(tmp_path)
    read = baseline.read(tmp_path)
    assert np.isnan(read.days.correlation).all()
    assert (dependence.of(read.columns)[0] == -1).all()
    assert np.array_equal(read.days.mean, own.days.mean, equal_nan=True)


def test_its_days_end_with_what_the_model_had_seen():
    model, bars = models()["eurusd"], grids()["eurusd"]
    rows = baseline.rows_of(bars, model.trained_until, 15)
    assert bars.ts[rows[-1]] <= model.trained_until
    last = sessions.trading_days(bars.minutes[rows[-1:]])
    assert model.statistics.days.days[-1] == last[0]
    hours = model.statistics.hours["market_hour"]
    until = sessions.market_minutes(bars.minutes[[int(bars.ts.searchsorted(model.trained_until))]])
    assert hours.max() <= until[0] // 60


def test_rows_are_those_that_a_server_forecasts():
    own = grids()["eurusd"]
    frame = own.frame.copy()
    hole = row_of_day(10) + 300
    frame.iloc[hole : hole + 20, :4] = np.nan
    bars = Bars(own.pair, frame, own.baseline)
    rows = baseline.forecast_rows(bars, np.arange(hole - 5, hole + 200), 15)
    assert rows.tolist() == [*range(hole - 5, hole), *range(hole + 95, hole + 200)]
    # A server's forecast needs this sigma.
    newest = [targets.newest(bars.rows(0, row + 1), 15, 15)[1] for row in (hole + 94, hole + 95)]
    assert np.isfinite(newest).tolist() == [False, True]
