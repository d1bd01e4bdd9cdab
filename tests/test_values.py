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
