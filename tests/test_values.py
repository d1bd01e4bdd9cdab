"""Values that a definition fixes and an implementation easily misses."""

import numpy as np
import properties
import pytest

from bqx.features import catalog
from bqx.features.families.spectral.ssa import ssa
from bqx.features.rolling.component import component
from bqx.features.rolling.eigenvectors import leading
from bqx.features.rolling.householder import ABREAST, whole, width
from bqx.lanes import LANES
from bqx.market.bars import COLUMNS, Bars, join
from bqx.market.pairs import PAIRS, SISTERS


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


def decomposed(matrices: list[np.ndarray], count: int) -> tuple[np.ndarray, np.ndarray]:
    """(count, n) eigenvalues and (count - 1, n, size) vectors of up to 64 matrices."""
    size = len(matrices[0])
    lanes = np.full((ABREAST // LANES, width(size), width(size), LANES), np.nan)
    lanes[:, size:], lanes[:, :, size:] = 0.0, 0.0
    for k, matrix in enumerate(matrices):
        lanes[k // LANES, :size, :size, k % LANES] = matrix / np.trace(matrix)
    values, vectors = np.empty((count, ABREAST)), np.empty((count - 1, size * ABREAST))
    room = lanes.reshape(-1)
    leading(room, size, values, vectors, len(matrices))
    # Nothing of a lane that was none may stay for a matrix that follows.
    assert np.isfinite(room[: -(-len(matrices) // LANES) * whole(size)]).all()
    return values[:, : len(matrices)], vectors.reshape(count - 1, size, ABREAST).transpose(0, 2, 1)


@pytest.mark.parametrize("size", [2, 5, 7, 28, 30])
@pytest.mark.parametrize("lanes", [1, 5, 16])
@pytest.mark.parametrize("slow", [0.05, 0.5, 0.9, 0.9999])
def test_eigenvectors_are_those_of_lapack(size: int, lanes: int, slow: float) -> None:
    """``slow`` is the second eigenvalue over the first: sixteen power steps leave all of 0.9999."""
    rng = np.random.default_rng(size)
    spectrum = np.concatenate([[1.0, slow], slow * rng.uniform(0.0, 0.9, size - 2)])
    matrices = []
    for _ in range(lanes):
        turn = np.linalg.qr(rng.normal(size=(size, size)))[0]
        matrices.append((turn * spectrum) @ turn.T)
    values, vectors = decomposed(matrices, 2)
    for k, matrix in enumerate(matrices):
        lapack, right = np.linalg.eigh(matrix / np.trace(matrix))
        np.testing.assert_allclose(values[0, k], lapack[-1], rtol=1e-13)
        np.testing.assert_allclose(np.abs(vectors[0, k] @ right[:, -1]), 1.0, rtol=1e-13)
        np.testing.assert_allclose(
            vectors[0, k] * np.sign(vectors[0, k] @ right[:, -1]), right[:, -1], atol=1e-10
        )


def test_matrices_without_rank_have_their_eigenvalues() -> None:
    one, none = np.zeros((6, 6)), np.diag([3.0, 0.0, 0.0, 2.0, 0.0, 0.0])
    one[2:4, 2:4] = 1.0
    values, vectors = decomposed([one, none, np.eye(6)], 3)
    np.testing.assert_allclose(values[0], [1.0, 0.6, 1 / 6], rtol=1e-9)
    np.testing.assert_allclose(values[1], [0.0, 0.4, 1 / 6], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(np.abs(vectors[0, 1]), [1, 0, 0, 0, 0, 0], atol=1e-15)


def test_a_component_that_cannot_be_told_from_the_next_is_nan() -> None:
    rng = np.random.default_rng(0)
    moves = np.repeat(rng.choice([-1.0, 1.0], (60, 1)), 2, axis=1)
    moves[::2, 0] = 0.0
    moves[1::2, 1] = 0.0
    equal = component(moves, 60, 0, np.array([1.0, 2.0]), 0, centred=False)[-1]
    assert np.isnan(equal[:2]).all()
    assert equal[2] == pytest.approx(0.5, abs=1e-9)
    moves[:, 0] *= 1.01
    first = component(moves, 60, 0, np.array([1.0, 2.0]), 0, centred=False)[-1]
    np.testing.assert_allclose(first[:2], [1.0, 0.0], atol=1e-12)
    across = component(moves, 60, 0, np.array([0.0, 1.0]), 0, centred=False)[-1]
    assert np.isnan(across[:2]).all()


def test_singular_spectra_of_oscillations_have_converged() -> None:
    rows = np.arange(400.0)
    for period in (4, 7, 12, 20, 33):
        x = np.sin(2 * np.pi * rows / period) + 0.3 * np.sin(2 * np.pi * rows / 3.1) + 1e-3 * rows
        for row in (200, 399):
            window = x[row - 127 : row + 1] - x[row - 127 : row + 1].mean()
            lags = np.array([window[: 128 - k] @ window[k:] for k in range(60)]) / 128
            matrix = lags[np.abs(np.subtract.outer(np.arange(60), np.arange(60)))]
            values, vectors = np.linalg.eigh(matrix)
            parts = (vectors.T @ window[-60:]) * vectors[-1]
            out = ssa(x, 0)[row]
            np.testing.assert_allclose(out[1], parts[-2] + parts[-3], rtol=1e-8, atol=1e-10)
            np.testing.assert_allclose(out[6], 1 - values[-2] / values[-1], rtol=1e-8)


MAJORS = ("eurusd", "gbpusd", "usdjpy", "audusd", "usdcad", "usdchf")
ACROSS_ALL = [
    f for f in catalog.profile("full") if (f.family.name, f.source.key) == ("parabolic", "panel")
]


@pytest.mark.parametrize("pairs", [MAJORS, tuple(p for p in PAIRS if p != "gbpnzd")])
def test_a_feature_has_one_value_whatever_the_other_pairs_of_the_run(
    pairs: tuple[str, ...], panel: dict[str, Bars]
) -> None:
    features = catalog.profile("full")
    some, whole = (
        properties.values(bars.rows(4_100, 7_100), features)
        for bars in (join({pair: panel[pair] for pair in pairs})["eurusd"], panel["eurusd"])
    )
    known = ~np.isnan(some)
    changed = (known & (some != whole)).any(axis=0)
    assert [f.name for f, other in zip(features, changed, strict=True) if other] == []
    without = {f.name for f, there in zip(features, known.any(axis=0), strict=True) if not there}
    assert len(ACROSS_ALL) == 40
    assert {f.name for f in ACROSS_ALL} <= without


def test_a_hole_in_one_pair_leaves_no_panel(panel: dict[str, Bars]) -> None:
    other = next(p for p in PAIRS if p not in ("eurusd", *SISTERS["eurusd"]))
    frame = panel[other].frame.copy()
    frame.iloc[7_000, : len(COLUMNS)] = np.nan
    bars = join(panel | {other: Bars(other, frame, panel[other].baseline)})["eurusd"]
    features = {f.output: f.name for f in ACROSS_ALL}
    names = ("std_t2_rate_w5", "std_b_bqx_w60", "signfrac_t1_rate_w15", "pc1_t2_bqx_w15")
    values = columns(bars.rows(4_100, 9_000), *(features[name] for name in names))
    for column, rows in zip(values, (5, 75, 15, 1_439 + 30), strict=True):
        assert np.isnan(column[2_900 : 2_900 + rows]).all()
        assert np.isfinite(column[2_900 - 40 : 2_900]).all()
        assert np.isfinite(column[2_900 + rows : 2_900 + rows + 40]).all()


def test_an_upside_down_grid_is_said_and_has_a_negative_strength(clean: Bars) -> None:
    names = ("from_ret_236", "from_ret_786", "place", "strength")
    near, far, place, strength = columns(clean, *(f"rate_swing_{n}_w1440" for n in names))
    extent = (far - near) / 0.55
    upside_down = extent < 0.0
    assert 0 < upside_down.sum() < len(clean)
    np.testing.assert_array_equal(strength < 0.0, upside_down)
    inside = np.abs(place - 0.5) < 0.5
    np.testing.assert_allclose((1.0 - place - 0.236)[inside], -(near / extent)[inside], atol=1e-8)
    about = catalog.FEATURES["rate_swing_strength_w1440"].row()["about"]
    assert "upside down" in str(about)
