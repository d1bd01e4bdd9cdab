"""Values that a definition fixes and an implementation easily misses."""

import numpy as np
import properties

from bqx.features import catalog
from bqx.market.bars import Bars


def columns(bars: Bars, *names: str) -> list[np.ndarray]:
    return list(properties.values(bars, [catalog.FEATURES[name] for name in names]).T)


def test_a_ratio_of_terms_is_cut_once_and_last(noisy: Bars) -> None:
    bars = noisy.rows(4_100, 8_100)
    for w in (5, 15, 30, 60):
        start, curvature, ratio, turn = columns(
            bars,
            *(f"rate_parabolic_{name}_w{w}" for name in ("b", "t2", "ratio_b_t2", "ratio_t1_t2")),
        )
        known = np.abs(curvature) >= 1e-9
        expected = np.clip(start[known] / curvature[known], -100, 100)
        np.testing.assert_allclose(ratio[known], expected, rtol=1e-8, atol=1e-8)
        assert ((np.abs(turn) == 100) & (np.abs(ratio) < 100)).any() or w == 5


READERS_OF_TWO_ROWS = (
    *(f"bqx_backward_endpoint_w{w}" for w in (15, 30, 45, 60, 75)),
    "rate_backward_return_w60",
    "rate_backward_endpoint_w60",
    "rate_aggregate_return_w75",
    "rate_roc_w12",
)


def test_a_reading_of_two_rows_has_no_value_across_a_hole(clean: Bars) -> None:
    for rows in (1, 10, 60):
        frame = clean.frame.iloc[:400].copy()
        frame.iloc[200 : 200 + rows, :4] = np.nan
        bars = Bars(clean.pair, frame, clean.baseline)
        for name, values in zip(
            READERS_OF_TWO_ROWS, columns(bars, *READERS_OF_TWO_ROWS), strict=True
        ):
            window = catalog.FEATURES[name].window[0]
            assert np.isnan(values[200 : 200 + rows + window]).all(), name
            assert np.isfinite(values[200 + rows + window :]).all(), name
