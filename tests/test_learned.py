"""Codes learnt from 802 features: what holds for every feature, the fit, and its bytes."""

import builtins
import importlib
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import properties
import pytest
from hypothesis import given
from hypothesis import strategies as st
from naive_panels import FITS as PANEL_FITS
from numpy.typing import NDArray

from bqx.causality import alterations, certificate, checks, cuts
from bqx.errors import ArtefactError, BqxError, ParameterError
from bqx.evaluation import embeddings
from bqx.feature_store.history import History
from bqx.features import catalog, lags, precompile
from bqx.features.engine import fitting
from bqx.features.engine.compute import compute
from bqx.features.engine.fitting import Fits
from bqx.features.engine.live_window import LiveWindow
from bqx.features.engine.requirements import needs
from bqx.features.families.learned import autoencoder, network
from bqx.features.families.learned import embeddings as learned
from bqx.features.families.learned.autoencoder import Settings
from bqx.features.families.learned.network import Network, Scale
from bqx.learning import bundle, pair_selection, samples, training
from bqx.learning.folds import Fold
from bqx.market import bars as bar_frames
from bqx.market import simulated
from bqx.market.bars import Bars
from bqx.params import Params

Array = NDArray[np.float64]

FEATURES = tuple(each for each in catalog.FEATURES.values() if each.domain == "learned")
INPUTS = catalog.profile("v4")
SIGNATURE = learned.signature(INPUTS)
LOOKBACK = 2_040
SMALL = Settings(hidden=(24,), back=(24,), epochs=3, batch=64)


def raw(bars: Bars, fits: dict[str, Array]) -> Array:
    """The 802 inputs in pure numbers, as they are read off the bars one by one."""
    values = checks.values(bars, INPUTS, fits)
    for column, feature in enumerate(INPUTS):
        if feature.unit.startswith("pt^2"):
            values[:, column] /= bars.index**2
        elif feature.unit.startswith("pt"):
            values[:, column] /= bars.index
        elif feature.unit.startswith("quote"):
            values[:, column] /= bars.close
    return values


def random_network(scale: Scale, sizes: tuple[int, ...], relu: bool, seed: int) -> Network:
    rng = np.random.default_rng(seed)
    sizes = (int(scale.used.sum()), *sizes)
    shapes = tuple(pairwise(sizes))
    weights = tuple(rng.normal(size=shape) / np.sqrt(shape[0]) for shape in shapes)
    return Network(scale, weights, tuple(rng.normal(size=n) for n in sizes[1:]), relu)


@pytest.fixture(scope="module")
def nets(smooth: Bars) -> dict[str, Network]:
    scale = network.scale([raw(smooth, PANEL_FITS)[LOOKBACK - 1 :]])
    assert scale.used.sum() > 700
    return {
        "learned_autoencoder": random_network(scale, (12, 64), False, 1),
        "learned_pca": random_network(scale, (64,), False, 2),
    }


@pytest.fixture(scope="module")
def fits(nets: dict[str, Network]) -> dict[str, Array]:
    return PANEL_FITS | {key: net.pack(SIGNATURE) for key, net in nets.items()}


# --- what holds for every feature -----------------------------------------------------------


def test_the_802_are_the_inventory_and_72_interactions() -> None:
    assert len(INPUTS) == 802
    assert len(set(INPUTS) - set(catalog.profile("v2"))) == 72
    assert FEATURES[0].source.inputs == INPUTS
    assert catalog.profile("learned") == (*INPUTS, *FEATURES)
    assert {f.name for f in FEATURES} | {f.name for f in catalog.profile()} == set(catalog.FEATURES)
    assert {f.domain for f in FEATURES} == {"learned"}
    assert {f.lookback for f in FEATURES} == {LOOKBACK} == {max(f.lookback for f in INPUTS)}


def test_twins_agree(noisy: Bars, nets: dict[str, Network], fits: dict[str, Array]) -> None:
    part = noisy.rows(6_500, 9_500)
    found = properties.values(part, FEATURES, fits)
    x = raw(part, fits)
    for place, net in enumerate(nets.values()):
        scale = net.scale
        for row in range(LOOKBACK - 3, len(part), 60):
            z = np.clip(x[row], scale.low, scale.high)
            made = ((z - scale.mean) / scale.deviation)[scale.used]
            made[np.isnan(x[row][scale.used])] = np.nan
            for i, (weights, bias) in enumerate(zip(net.weights, net.biases, strict=True)):
                made = made @ weights + bias
                if i + 1 < len(net.weights):
                    made = np.maximum(made, 0.0)
            code = found[row, 64 * place : 64 * place + 64]
            np.testing.assert_allclose(code, made, rtol=1e-9, atol=1e-9)
    assert np.isfinite(found[LOOKBACK - 1 :]).all(axis=1).mean() > 0.9


def test_no_value_reads_ahead(noisy: Bars, fits: dict[str, Array]) -> None:
    at = cuts.cuts(noisy, 12, LOOKBACK)
    assert properties.ahead(FEATURES, noisy, at, fits=fits) == {}


def test_the_newest_and_the_oldest_bar_matter_and_all_suffice(
    noisy: Bars, smooth: Bars, fits: dict[str, Array]
) -> None:
    assert properties.blind(FEATURES, smooth, fits=fits) == {}
    assert properties.padded(FEATURES, smooth, fits=fits) == {}
    assert properties.insufficient(FEATURES, noisy, 8, fits=fits) == {}


def test_warm_up_range_and_unit(noisy: Bars, smooth: Bars, fits: dict[str, Array]) -> None:
    part = smooth.rows(0, 2_600)
    assert properties.ill_warmed(FEATURES, part, fits) == {}
    assert properties.out_of_range(FEATURES, part, fits) == {}
    assert properties.off_unit(FEATURES, noisy.rows(7_000, 9_600), fits) == {}


def test_features_span_each_other_nowhere(smooth: Bars, fits: dict[str, Array]) -> None:
    for table in catalog.tables(FEATURES).values():
        # A code behind a hidden layer of 12 has 12 dimensions, that of one layer all of them.
        free = table[:12] if table[0].family.name == "autoencoder" else table
        assert properties.twins_of_others(table, smooth, fits) == {}
        assert properties.dependent(free, smooth, fits) == {}


def test_inputs_are_computed_once(
    smooth: Bars, fits: dict[str, Array], monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    pure = FEATURES[0].source.build

    def counting(bars: Bars, values: Array) -> Array:
        seen.append(len(values))
        return np.asarray(pure(bars, values))

    object.__setattr__(FEATURES[0].source, "build", counting)
    try:
        compute(smooth.rows(0, 2_100), FEATURES, last=40, fits=fits)
    finally:
        object.__setattr__(FEATURES[0].source, "build", pure)
    assert seen == [40]


def test_live_equals_batch_in_every_bit(panel: dict[str, Bars], fits: dict[str, Array]) -> None:
    several = FEATURES[::9]
    pairs = ("cadchf", "eurusd")
    before = {pair: bars.rows(7_000, 9_500) for pair, bars in panel.items()}
    window = LiveWindow.of(before, several, fits=dict.fromkeys(panel, fits))
    found = dict(zip(window.pairs, window.values(), strict=True))
    for pair in pairs:
        batch = compute(panel[pair].rows(6_900, 9_700), several, fits=fits)[2_599]
        np.testing.assert_array_equal(found[pair], batch)
        assert np.isfinite(batch).all()


def test_needs_are_those_of_the_inputs(panel: dict[str, Bars]) -> None:
    code = (FEATURES[3],)
    assert needs(code, "eurusd", ("gbpusd", "nzdcad")) == {FEATURES[3].name: ("gbpusd",)}
    assert needs(code, "eurusd", ()) == {}


def test_nothing_learnt_is_nan_and_no_fit_is_refused(smooth: Bars) -> None:
    part = smooth.rows(0, 2_100)
    nothing = PANEL_FITS | dict.fromkeys(("learned_autoencoder", "learned_pca"), np.full(1, np.nan))
    assert np.isnan(compute(part, FEATURES, fits=nothing)).all()
    with pytest.raises(ParameterError, match="expected learned_pca"):
        compute(part, FEATURES[-1:], fits=PANEL_FITS)


# --- the network ----------------------------------------------------------------------------


def test_the_page_of_the_book_is_that_of_the_study() -> None:
    sys.path.append(str(Path(__file__).parent / "studies"))
    import codes

    found = json.loads(codes.RESULTS.read_text())
    assert codes.PAGE.read_text() == codes.render(found)
    assert all(row["code"] in codes.PAGE.read_text() for row in found["A planted market"]["rows"])


@given(st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_a_row_is_summed_alone(rows: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, weights, bias = rng.normal(size=(40, 13)), rng.normal(size=(13, 9)), rng.normal(size=9)
    whole = network.layer(x, weights, bias, True)
    np.testing.assert_allclose(whole, np.maximum(x @ weights + bias, 0.0), atol=1e-12)
    first = int(rng.integers(0, 41 - rows))
    part = network.layer(x[first : first + rows], weights, bias, True)
    np.testing.assert_array_equal(part, whole[first : first + rows])


def test_scale_leaves_out_what_is_absent_or_still() -> None:
    x = np.random.default_rng(0).normal(3.0, 2.0, (4_000, 5))
    x[:, 1] = 7.0
    other = x.copy()
    other[:, 2] = np.nan
    x[::50, 3] = np.nan
    x[5, 4] = 1e9
    found = network.scale([x, other])
    assert found.used.tolist() == [True, False, False, True, True]
    z = found(x)
    assert np.isnan(z).all(axis=1).sum() == 80
    known = z[~np.isnan(z[:, 0])]
    np.testing.assert_allclose(known.mean(axis=0), 0.0, atol=0.01)
    np.testing.assert_allclose(known.std(axis=0), 1.0, atol=0.01)
    assert np.abs(known).max() < 4.0


@pytest.mark.parametrize("relu", [False, True])
def test_bytes_hold_every_bit(relu: bool) -> None:
    scale = Scale(*np.array([[-9.0] * 3, [9.0] * 3, [0.1] * 3, [1.0, np.nan, 2.0]]))
    net = random_network(scale, (5, 4), relu, 3)
    packed = net.pack(7.0)
    fits = Fits({"learned_pca": packed}, 12)
    held = json.loads(json.dumps(fits.to_json(), allow_nan=False))
    again = Fits.from_json(held).parameters["learned_pca"]
    np.testing.assert_array_equal(again, packed)
    x = np.random.default_rng(1).normal(size=(6, 3))
    np.testing.assert_array_equal(network.unpack(again, 7.0)(x), net(x))
    assert (net(x)[:, 0] >= 0.0).all() or not relu


BROKEN: dict[str, Callable[[Array], Array]] = {
    "shorter": lambda held: held[:-1],
    "longer": lambda held: np.append(held, 0.0),
    "a head only": lambda held: held[:3],
    "another size": lambda held: np.concatenate([held[:4], [8.0], held[5:]]),
    "no size": lambda held: np.concatenate([held[:4], [np.nan], held[5:]]),
    "no layers": lambda held: np.concatenate([held[:2], [0.0], held[3:]]),
}


@pytest.mark.parametrize("how", BROKEN)
def test_damaged_weights_are_refused(how: str) -> None:
    net = random_network(Scale(*np.ones((4, 3))), (5, 4), False, 3)
    with pytest.raises(ArtefactError, match="Fit again"):
        network.unpack(BROKEN[how](net.pack(7.0)), 7.0)


def test_foreign_and_tampered_weights_are_refused(smooth: Bars, fits: dict[str, Array]) -> None:
    other = fits | {"learned_pca": np.concatenate([[SIGNATURE - 1], fits["learned_pca"][1:]])}
    with pytest.raises(ArtefactError, match="learnt on other inputs"):
        compute(smooth.rows(0, 2_050), FEATURES[-1:], fits=other)
    assert learned.signature(INPUTS[1:]) != learned.signature(INPUTS[::-1]) != SIGNATURE
    held = Fits(fits, 12).to_json()
    weights = held["parameters"]
    another = weights | {"learned_pca": "A" + weights["learned_pca"][1:]}
    for change in (
        {"until": 13},
        {"parameters": another},
        {"parameters": {}},
    ):  # fmt: skip
        with pytest.raises(ArtefactError, match="a hash that differs"):
            Fits.from_json(held | change)


# --- fits -----------------------------------------------------------------------------------


ROWS = np.arange(0, 7_000)


def trio(panel: dict[str, Bars]) -> dict[str, Bars]:
    return {pair: panel[pair] for pair in ("eurusd", "gbpusd", "eurgbp")}


def small() -> tuple[learned.Feature, ...]:
    return tuple(catalog.join(learned.families(INPUTS, SMALL)).values())


def corrupted(bars: Bars, after: int) -> Bars:
    return alterations.altered(bars, slice(after + 1, len(bars)), lambda old: old * 3.0)


def test_principal_components_are_those_of_the_textbook() -> None:
    rng = np.random.default_rng(4)
    parts = [rng.normal(size=(700, 6)) @ rng.normal(size=(6, 90)) for _ in range(2)]
    net = learned.components(parts, 6)
    assert net is not None
    z = network.complete(net.scale, parts)
    values, vectors = np.linalg.eigh(np.cov(z.T))
    code = np.concatenate([net(part) for part in parts])
    np.testing.assert_allclose(code.var(axis=0, ddof=1), values[::-1][:6], rtol=1e-9)
    alike = np.abs(net.weights[0].T @ vectors[:, ::-1][:, :6])
    np.testing.assert_allclose(alike, np.eye(6), atol=1e-7)
    assert learned.components([part[:3] for part in parts], 64) is None


def test_a_pooled_fit_reads_its_rows_of_all_pairs_and_no_others(panel: dict[str, Bars]) -> None:
    pytest.importorskip("torch")
    bars, features = trio(panel), small()
    later = {pair: corrupted(each, ROWS[-1]) for pair, each in bars.items()}
    one, other = (fitting.pool(each, features, ROWS, 3_000) for each in (bars, later))
    assert set(one.parameters) == {"learned_autoencoder", "learned_pca"}
    assert one.until == other.until == bars["eurusd"].minutes[ROWS[-1]]
    for key, value in one.parameters.items():
        assert value.tobytes() == other.parameters[key].tobytes()
        network.unpack(value, SIGNATURE)
    # A change within the rows of any one pair is felt.
    felt = bars | {"eurgbp": corrupted(bars["eurgbp"], ROWS[-1] - 1_000)}
    again = fitting.pool(felt, features, ROWS, 3_000)
    for key, value in one.parameters.items():
        assert value.tobytes() != again.parameters[key].tobytes()


def test_folds_carry_what_all_pairs_share(panel: dict[str, Bars]) -> None:
    bars = trio(panel)
    rows = np.arange(0, 4_000)
    fold = Fold(0, rows, rows[:0], rows + 6_000, rows + 6_000, 6_000)
    plain = [lags.Column(INPUTS[0])]
    assert samples.share(bars, plain, [fold]) == (fold,)
    columns = [*plain, *(lags.Column(feature) for feature in FEATURES[64:68])]
    (taught,) = samples.share(bars, columns, [fold])
    fits = samples.fits_of(bars["eurusd"], columns, taught)
    assert set(fits.parameters) == {"leader_granger", "learned_pca"}
    made = lags.matrix(bars["eurusd"], columns, np.arange(7_000, 7_900, 90), fits)
    assert np.isfinite(made).all()
    with pytest.raises(ParameterError, match="expected learned_pca"):
        lags.matrix(bars["eurusd"], columns, rows[:5], samples.fits_of(bars["eurusd"], plain, fold))


def test_too_few_rows_teach_nothing(panel: dict[str, Bars]) -> None:
    found = fitting.pool(trio(panel), FEATURES, np.arange(1_000))
    assert {key: np.isnan(value).all() for key, value in found.parameters.items()} == {
        "learned_autoencoder": True, "learned_pca": True,
    }  # fmt: skip


def test_without_the_library_the_components_do(
    panel: dict[str, Bars], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = importlib.import_module

    def missing(name: str, *rest: str) -> object:
        if name == "torch":
            raise ImportError("No module named 'torch'")
        return real(name, *rest)

    monkeypatch.setattr(importlib, "import_module", missing)
    bars = trio(panel)
    with pytest.raises(BqxError, match=r"PyTorch is not installed.*Install the extra"):
        fitting.pool(bars, small(), ROWS, 3_000)
    assert np.isfinite(fitting.pool(bars, FEATURES[64:], ROWS, 600).parameters["learned_pca"][0])


# --- training -------------------------------------------------------------------------------


def blocks(rows: int, seed: int) -> Array:
    """(rows, 30) of which five directions carry nearly all."""
    mix = np.random.default_rng(9).normal(size=(5, 30))
    rng = np.random.default_rng(seed)
    return rng.normal(size=(rows, 5)) @ mix + 0.05 * rng.normal(size=(rows, 30))


def test_held_out_rows_read_no_bar_of_a_training_row() -> None:
    rows = np.arange(0, 10_000, 7)
    early, late = autoencoder.split(rows, 500)
    assert rows[early].max() <= rows[late].min() - 500
    assert not (early & late).any()
    assert late.sum() == pytest.approx(0.2 * len(rows), abs=1)


@pytest.mark.parametrize("code", ["linear", "relu"])
def test_forward_is_that_of_the_trained_model(code: str) -> None:
    torch = pytest.importorskip("torch")
    settings = Settings(code=code, hidden=(20, 12), back=(12,), epochs=2, batch=128)
    inputs = 30
    torch.manual_seed(3)
    encoder, decoder = autoencoder.model_of(torch, inputs, settings)
    model = torch.nn.Sequential(encoder, decoder).double().train()
    x = torch.as_tensor(blocks(600, 1))
    model(x)  # so that the normalisations have moments of their own
    model.eval()
    plain = Scale(*np.array([[-np.inf], [np.inf], [0.0], [1.0]]).repeat(inputs, axis=1))
    net = Network(plain, *autoencoder.folded(encoder), relu=code == "relu")
    with torch.no_grad():
        expected = encoder(x)
        whole = model(x).numpy()
    found = net(x.numpy())
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-6)
    weights, biases = autoencoder.folded(decoder)
    for i, (w, b) in enumerate(zip(weights, biases, strict=True)):
        found = network.layer(found, w, b, i + 1 < len(weights))
    np.testing.assert_allclose(found, whole, atol=1e-6)


def test_a_linear_code_of_a_linear_problem_reaches_the_components() -> None:
    pytest.importorskip("torch")
    parts, later = [blocks(6_000, 1)], blocks(2_000, 2)
    settings = Settings(hidden=(), back=(), epochs=60, batch=64, patience=60, rate=2e-3, drop=0.0)
    trained = autoencoder.train(parts, np.arange(6_000), 1, settings)
    net = learned.components(parts, 5)
    assert trained is not None
    assert net is not None
    ours = embeddings.errors(trained.encoder, trained.decoder, later)
    best = embeddings.errors(net, embeddings.inverse(net), later)
    # 64 units for five directions: no less is left than the noise, which the components leave.
    assert ours.mse < 1.05 * best.mse < 0.01


def test_two_trainings_are_equal_and_the_best_epoch_is_kept() -> None:
    torch = pytest.importorskip("torch")
    parts = [blocks(3_000, 1), blocks(3_000, 2)]
    settings = Settings(hidden=(16,), back=(16,), epochs=12, batch=256, patience=2, rate=0.02)
    torch.manual_seed(1)
    state = torch.random.get_rng_state()
    made = [autoencoder.train(parts, np.arange(3_000), 20, settings) for _ in range(2)]
    assert torch.equal(state, torch.random.get_rng_state())
    one, other = made
    assert one is not None
    assert other is not None
    assert one.encoder.pack(1.0).tobytes() == other.encoder.pack(1.0).tobytes()
    assert one.losses == other.losses
    late = autoencoder.split(np.arange(3_000), 20)[1]
    held = [part[late] for part in parts]
    found = embeddings.errors(one.encoder, one.decoder, np.concatenate(held))
    assert found.mse == pytest.approx(min(one.losses), rel=1e-4)
    third = autoencoder.train(parts, np.arange(3_000), 20, replace(settings, seed=1))
    assert third is not None
    assert third.losses != one.losses


# --- evaluation -----------------------------------------------------------------------------


def test_dead_units_are_counted() -> None:
    code = np.random.default_rng(0).normal(size=(500, 8))
    assert embeddings.dead(code) == 0
    code[:, 2] = 0.0
    code[:, 5] = 3.0 + 1e-9 * code[:, 5]
    assert embeddings.dead(np.maximum(code, 0.0)) == 2
    assert embeddings.dead(np.zeros((5, 3))) == 3


def test_silhouette_tells_clusters_from_a_cloud() -> None:
    rng = np.random.default_rng(0)
    centres = 30.0 * rng.normal(size=(10, 4))
    clear = centres[rng.integers(0, 10, 900)] + rng.normal(size=(900, 4))
    assert embeddings.silhouette(clear) > 0.8
    assert embeddings.silhouette(rng.normal(size=(900, 4))) < 0.3
    assert builtins.isinstance(embeddings.silhouette(clear), float)


GIVEN = Params(
    workers=1, pairs=("eurusd", "gbpusd"), days=35, horizons=(15,), lags=(), selected=12,
    forest_trees=10, forest_depth=3, rounds=40, stride=10,
)  # fmt: skip


@pytest.fixture(scope="module")
def planted() -> tuple[dict[str, Bars], list[lags.Column], Fold]:
    frames = simulated.simulate("strong", GIVEN.pairs, GIVEN.start, days=GIVEN.days, seed=1).frames
    columns = lags.grid([f for f in catalog.profile("core")[::4] if not f.spanned_by], ())
    rows = np.arange(32_000)
    fold = Fold(0, rows[:14_000], rows[18_000:24_000], rows[27_000:], rows[27_000:], 24_200)
    return bar_frames.align(frames), list(columns), fold


def test_codes_are_compared_beside_no_code(planted: tuple) -> None:
    pytest.importorskip("torch")
    bars, columns, fold = planted
    codes = {"relu": replace(SMALL, code="relu")}
    table = embeddings.compare(bars, columns, [fold], params=GIVEN, settings=codes, most=6_000)
    assert table.index.tolist() == ["none", "pca", "relu"]
    plain, others = table.loc["none"], table.loc["pca":]
    assert plain[["mse", "dead", "silhouette"]].isna().all()
    assert (plain["importance"], plain["gain"]) == (0.0, 0.0)
    assert others["inputs"].nunique() == 1
    # Sixty-four components keep most of what 700 inputs say, three epochs of a narrow net less.
    assert 0.0 < others["mse"]["pca"] < 0.5 * others["mse"]["relu"] < 0.5
    assert (others["mae"] < np.sqrt(others["mse"])).all()
    assert others["dead"]["pca"] == 0
    assert (others["importance"] > 0.0).all()
    assert (table["skill_lo"] <= table["skill"]).all()
    assert (table["skill"] <= table["skill_hi"]).all()
    np.testing.assert_allclose(
        1 - table["gain"], (1 - table["skill"]) / (1 - plain["skill"]), rtol=1e-9
    )


def test_a_bundle_holds_the_code_and_forecasts_alone(planted: tuple, tmp_path: Path) -> None:
    bars, columns, fold = planted
    columns = [*columns[:20], *(lags.Column(feature) for feature in FEATURES[64:])]
    (taught,) = samples.share(bars, columns, [fold])
    eurusd = bars["eurusd"]
    chosen = pair_selection.select_pair(History(eurusd), columns, [taught], GIVEN)
    result = training.fit_pair(History(eurusd), columns, [taught], selections=chosen, params=GIVEN)
    assert any(column.domain == "learned" for column in result.fits[0].columns)
    made = bundle.bundle(eurusd, result.fits[0], GIVEN, {})
    made = replace(made, betas={15: 1.0})
    made.save(tmp_path / "eurusd")
    again = bundle.load(tmp_path / "eurusd")
    part = eurusd.rows(0, 28_001)
    (one,), (other,) = made.predict(part).values(), again.predict(part).values()
    assert one == other
    raw = result.forecasts.set_index("ts_utc")["raw"][part.ts[-1]]
    assert one.innovation == pytest.approx(raw, abs=0.0)


def test_codes_are_certified_and_compiled_like_all_others(panel: dict[str, Bars]) -> None:
    found = certificate.certify(trio(panel), FEATURES[-3:-1], 6, tries=2)
    assert (found.features, found.leaks, found.insufficient, found.silent) == (2, (), {}, ())
    assert precompile.compile_all(FEATURES[-3:], 1) == 1
