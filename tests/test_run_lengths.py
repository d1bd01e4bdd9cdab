"""Run lengths beside the same in logarithms, where nothing under- or overflows."""

import itertools

import numpy as np
import pytest
from scipy.special import gammaln, logsumexp

from bqx.features.rolling.run_lengths import HAZARD, STEP, begin, go_on, run_lengths

WINDOW, ROWS = 60, 400
SCALES = {
    "alike": np.ones(ROWS),
    "up by eight decades": np.where(np.arange(ROWS) < 200, 1e-4, 1e4),
    "down by eight decades": np.where(np.arange(ROWS) < 200, 1e4, 1e-4),
    "none, then some": np.where(np.arange(ROWS) < 200, 0.0, 1.0),
    "one that is a million times as large": np.where(np.arange(ROWS) == 200, 1e6, 1.0),
    "all far beyond the training rows'": np.full(ROWS, 1e8),
}


def logarithm(z: np.ndarray) -> float:
    """Logarithm of the density of a run's values."""
    n = len(z)
    scale = 1.0 + 0.5 * (((z - z.mean()) ** 2).sum() + n * z.mean() ** 2 / (n + 1.0))
    density = gammaln(1.0 + n / 2) - 0.5 * np.log(n + 1.0) - n / 2 * np.log(2.0 * np.pi)
    return float(density - (1.0 + n / 2) * np.log(scale))


def expected(z: np.ndarray, start: int, row: int) -> np.ndarray:
    """The four readings of a row by a detection that begins at another."""

    def shares(end: int) -> np.ndarray:
        """Logarithms of the shares of the runs that begin at rows from the start on."""
        every = [0.0]
        for last in range(start, end + 1):
            runs = np.array([
                (every[i] + np.log(HAZARD) if i else 0.0)
                + logarithm(z[start + i : last + 1])
                + (last - start - i + (i == 0)) * np.log1p(-HAZARD)
                for i in range(last - start + 1)
            ])  # fmt: skip
            every.append(float(logsumexp(runs)))
        return np.exp(runs - every[-1])

    now, before = shares(row), shares(row - 1)
    likely, lengths = int(np.argmax(before)), np.arange(len(now), 0, -1)
    shorter = now[likely + 1 :].sum()
    return np.array([now @ np.minimum(lengths, WINDOW), now[-1], now[likely], min(shorter, 1.0)])


@pytest.mark.parametrize("case", SCALES)
def test_run_lengths_hold_over_scales(case: str) -> None:
    z = np.random.default_rng(0).normal(size=ROWS) * SCALES[case]
    first_minute = 7
    found = run_lengths(z, first_minute, WINDOW, np.array([1.0]))
    longest = WINDOW + STEP - 1
    assert np.isnan(found[: longest - 1]).all()
    for row in (100, 199, 200, 203, 215, 230, 300):
        latest = row - WINDOW + 1
        start = latest - (latest + first_minute) % STEP
        np.testing.assert_allclose(
            found[row], expected(z, start, row), rtol=1e-9, atol=1e-9, err_msg=f"row {row}"
        )


def test_run_lengths_go_on_from_a_state_to_the_same_bits() -> None:
    z = np.random.default_rng(1).normal(size=ROWS)
    z[150] = np.nan
    whole, state = run_lengths(z, 3, WINDOW, np.array([2.0])), begin(WINDOW, np.array([2.0]))
    ends = [0, 1, 2, 30, 31, 160, 161, ROWS]
    parts = [go_on(z[one:other], 3 + one, WINDOW, state) for one, other in itertools.pairwise(ends)]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
