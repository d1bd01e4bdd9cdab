"""Fitted families: what is learnt, from which rows, and that nothing is computed without it."""

import json
from dataclasses import replace

import numpy as np
import pytest
from naive_regimes import FITS, learn
from numpy.typing import NDArray

from bqx.errors import ArtefactError, ParameterError
from bqx.features.catalog import join
from bqx.features.engine.compute import compute, table
from bqx.features.engine.fitting import Fits, fit
from bqx.features.families.volatility import hidden_states, regimes
from bqx.features.rolling import hmm
from bqx.market.bars import Bars

FEATURES = tuple(join(regimes.FAMILIES).values())
FITTED = tuple(feature for feature in FEATURES if feature.fit_key)


def sample(rows: int, parameters: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Moves of a model."""
    rng = np.random.default_rng(seed)
    matrix = np.cumsum(parameters[3:12].reshape(3, 3), axis=1)
    state, out = 0, np.empty(rows)
    for row in range(rows):
        state = min(int(np.searchsorted(matrix[state], rng.random())), 2)
        out[row] = rng.normal(parameters[12 + state], np.sqrt(parameters[15 + state]))
    return out


def test_a_planted_model_is_found() -> None:
    # Each mean within a tenth of its state's deviation, each stay within 0.05.
    planted = FITS["rate_hmm"].copy()
    planted[15:] = (np.array([0.3, 1.0, 4.0]) * 6e-5) ** 2
    found = hmm.learn(sample(40_000, planted, 1), 0)
    np.testing.assert_allclose(found[3:12], planted[3:12], atol=0.05)
    np.testing.assert_allclose(np.sqrt(found[15:]), np.sqrt(planted[15:]), rtol=0.1)
    assert (np.abs(found[12:15] - planted[12:15]) < 0.1 * np.sqrt(planted[15:])).all()


def test_expectation_and_maximisation_by_the_book() -> None:
    x = sample(700, FITS["rate_hmm"], 2)
    scale = np.sqrt((x * x).mean())
    found = hmm.learn(x, 0)
    # The number of rounds is not told: one of them must give the same.
    near = []
    for expected in learn(x / scale, 120):
        k = np.argsort(expected[15:])
        matrix = expected[3:12].reshape(3, 3)[np.ix_(k, k)].ravel()
        parts = expected[:3][k], matrix, expected[12:15][k] * scale, expected[15:][k] * scale**2
        near.append(np.allclose(found, np.concatenate(parts), rtol=1e-7, atol=1e-12))
    assert sum(near) == 1


def test_states_are_ordered_and_distributions_add_up() -> None:
    found = hmm.learn(sample(5_000, FITS["bqx_hmm"], 3), 0)
    assert (np.diff(found[15:]) > 0).all()
    np.testing.assert_allclose(found[3:12].reshape(3, 3).sum(axis=1), 1.0, atol=1e-12)
    np.testing.assert_allclose(found[:3] @ found[3:12].reshape(3, 3), found[:3], atol=1e-12)


def test_holes_part_the_rows_of_a_fit() -> None:
    x = sample(4_000, FITS["rate_hmm"], 4)
    holed = np.insert(x, [1_000, 1_000, 3_000], np.nan)
    near = hmm.learn(holed, 0)
    assert np.isfinite(near).all()
    assert (near != hmm.learn(x, 0)).any()
    np.testing.assert_allclose(near[15:], hmm.learn(x, 0)[15:], rtol=0.05)


@pytest.mark.parametrize("x", [np.zeros(2_000), np.full(2_000, np.nan), np.ones(100), np.ones(0)])
def test_what_cannot_be_learnt_is_nan(x: NDArray[np.float64], clean: Bars) -> None:
    assert np.isnan(hmm.learn(x, 0)).all()
    nothing = {key: value * np.nan for key, value in FITS.items()}
    assert np.isnan(compute(clean, FITTED, fits=nothing)).all()


def test_states_of_two_columns_are_those_of_each_alone():
    both = np.column_stack([sample(3_000, FITS[f"{name}_hmm"], 4) for name in ("rate", "bqx")])
    found = hidden_states.learn_both(both, 0)
    alone = [hmm.learn(column.copy(), 0) for column in both.T]
    np.testing.assert_array_equal(found, np.concatenate(alone))
    # What is remembered is nobody's to change.
    first = hidden_states.learn(both[:, 0], 0)
    first[:] = 0.0
    np.testing.assert_array_equal(hidden_states.learn(both[:, 0], 0), alone[0])


def test_a_fit_reads_its_rows_and_no_others(clean: Bars) -> None:
    rows = np.arange(200, 1_800, 7)
    fits = fit(clean, FEATURES, rows)
    assert set(fits.parameters) == set(FITS)
    assert fits.until == clean.minutes[rows[-1]]
    frame = clean.frame.copy()
    frame.iloc[rows[-1] + 1 :, :4] *= 3.0
    frame.iloc[:200, :4] *= 3.0
    again = fit(replace(clean, frame=frame), FEATURES, rows)
    for key, value in fits.parameters.items():
        assert np.isfinite(value).all()
        np.testing.assert_array_equal(value, again.parameters[key])
    assert not fit(clean, FEATURES[:0], rows).parameters


def test_fits_outlive_json_in_every_bit(clean: Bars) -> None:
    fits = fit(clean, FEATURES, np.arange(2_000))
    fits = replace(fits, parameters={**fits.parameters, "absent": np.array([np.nan, 0.1])})
    again = Fits.from_json(json.loads(json.dumps(fits.to_json(), allow_nan=False)))
    assert again.until == fits.until
    for key, value in fits.parameters.items():
        np.testing.assert_array_equal(value, again.parameters[key])


@pytest.mark.parametrize("held", [None, {}, {"until": 1}, {"until": "x", "parameters": {}},
                                  {"until": 1, "parameters": {"a": ["b"]}}])  # fmt: skip
def test_damaged_fits_are_refused(held: object) -> None:
    with pytest.raises(ArtefactError, match="Fit again"):
        Fits.from_json(held)


def test_nothing_is_computed_without_its_fit(clean: Bars) -> None:
    for call in (compute, table):
        with pytest.raises(ParameterError, match="rate_hmm_calm_w120: not fitted"):
            call(clean, FEATURES[:1])
    with pytest.raises(ParameterError, match="got fits of bqx_hmm; expected rate_hmm"):
        compute(clean, FEATURES[:1], fits={"bqx_hmm": FITS["bqx_hmm"]})
    free = [feature for feature in FEATURES if not feature.fit_key]
    assert compute(clean, free).shape == (len(clean), len(free))


def test_no_rows_are_refused(clean: Bars) -> None:
    with pytest.raises(ParameterError, match="no rows to fit on"):
        fit(clean, FEATURES, np.arange(0))
