"""The tear sheet of a feature says what can be computed otherwise, on a run and on bars."""

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bqx import cli
from bqx.features import catalog
from bqx.features.engine.compute import table
from bqx.learning import samples
from bqx.market import simulated
from bqx.market.bars import Bars
from bqx.params import Params, from_settings
from bqx.stages import tear_sheets
from bqx.stages.bars import read_bars

NAME = "rate_rsi_w14"
ABSENT = "triangle_resid_level"
"""Reads a pair without bars."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("bars")
    frames = simulated.simulate("strong", ("eurusd", "gbpusd"), days=70).frames
    for pair, frame in frames.items():
        frame.reset_index().to_parquet(place / f"{pair}.parquet")
    return place


@pytest.fixture(scope="module")
def given(folder: Path) -> Params:
    lengths = dict.fromkeys(("train_days", "validation_days", "test_days", "step_days"), 0)
    return from_settings({"bars": str(folder), "pairs": (), "horizons": (15, 60), **lengths})


def test_it_says_what_is_computed_otherwise(given: Params) -> None:
    sheet = tear_sheets.of_bars(given, NAME)
    feature = catalog.FEATURES[NAME]
    assert sheet.definition["lookback"] == f"{feature.lookback} bars"
    assert sheet.definition["unit"] == feature.unit
    assert sheet.definition["formula"] == feature.formula
    assert list(sheet.by_session.index)[-1] == "all"
    assert sheet.by_session.loc["all", "median"] == pytest.approx(50, abs=4)
    ic = sheet.ic.loc[("eurusd", 15)]
    assert ic["95% low"] < ic["IC"] < ic["95% high"] < 0
    assert "rate_rsi_w21" in sheet.nearest.index[sheet.nearest["near copy"] == "yes"]
    # Momentum: after the highest values BQX falls, and the fifths stand in order.
    assert sheet.fifths["15 min"].is_monotonic_decreasing


def test_fifths_are_means_of_labels_by_rank(given: Params) -> None:
    sheet = tear_sheets.of_bars(given, NAME)
    own, _, _ = read_bars(given)
    by_pair = []
    for pair_bars in own.values():
        labels = pd.DataFrame(samples.labels_of(samples.targets_of(pair_bars, given)))
        x = values_of(pair_bars)
        last = pd.Timestamp(sheet.note.split(" to ")[1][:10], tz="UTC") + pd.Timedelta(days=1)
        keep = (pair_bars.ts < last) & (np.arange(len(x)) % given.stride == 0)
        whole = keep & np.isfinite(x) & labels.notna().all(axis=1).to_numpy()
        number = (stats.rankdata(x[whole]) / (whole.sum() + 1) * 5).astype(int)
        by_pair.append(labels[whole].groupby(number)[15].mean().to_numpy())
    np.testing.assert_allclose(sheet.fifths["15 min"], np.mean(by_pair, axis=0), atol=0.05)


def values_of(pair_bars: Bars) -> np.ndarray:
    return table(pair_bars, [catalog.FEATURES[NAME]]).to_numpy()[:, 0].astype(float)


def test_the_command_prints_it_of_bars_and_its_definition_of_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["feature", NAME]) == 0
    alone = capsys.readouterr().out
    assert catalog.FEATURES[NAME].formula in alone
    assert "Information coefficient" not in alone
    assert cli.main(["feature", NAME, str(folder)]) == 0
    assert "Mean innovation by fifth" in capsys.readouterr().out
    assert cli.main(["feature", "rate_rsi_w15"]) == 2
    assert "rate_rsi_w14, " in capsys.readouterr().err


def test_a_feature_without_values_has_a_sheet(given: Params) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sheet = tear_sheets.of_bars(given, ABSENT)
    assert "100.0%" in str(sheet)
    assert "–" in sheet._repr_html_()
