"""Networks of the extra: what they learn, when they stop, and what they refuse."""

import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from learned import PARAMS as LEARNED
from learned import learn
from small_models import NETWORKS, PARAMS, SMALL, X, Y, fresh, skill
from test_models import rewrite

from bqx.errors import ArtefactError, ParameterError
from bqx.features import catalog, lags
from bqx.features.lags import Column
from bqx.files import sha256
from bqx.learning import bundle, models, training
from bqx.learning.models.multitask import REGIMES
from bqx.learning.models.network import WEIGHTS

RNG = np.random.default_rng(5)
ABSENT = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"torch", "safetensors", "pytorch_forecasting"}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
from importlib import util
known = util.find_spec
util.find_spec = lambda name: None if name in {"torch", "safetensors"} else known(name)
from bqx.errors import ParameterError
from bqx.learning.models import make
from bqx.params import Params
make("ridge", Params())
for name in ("multi_horizon", "multi_task", "tft"):
    try:
        make(name, Params())
    except ParameterError as error:
        print(error)
"""


@pytest.fixture(params=NETWORKS)
def network(request):
    return fresh(request.param, epochs=1)


def test_models_are_known_without_the_packages_and_making_one_names_the_mend():
    out = subprocess.run(
        [sys.executable, "-c", ABSENT], capture_output=True, text=True, check=True
    ).stdout
    assert out.count("got no torch; expected the extra 'torch'. Run `make torch`, or") == 3


def test_the_transformer_finds_a_step_in_the_past_of_a_row():
    x = RNG.normal(size=(3_000, 6)).astype(np.float32)
    step = np.where(x[:, 0] > 0, 1.0, -1.0)
    y = np.column_stack([step, -step]) + 0.7 * RNG.normal(size=(3_000, 2))
    fit = fresh("tft", epochs=5, batch_size=64, learning_rate=0.01).fit(x[:2_000], y[:2_000])
    found = fit.predict(x[2_000:])
    assert found.shape == (1_000, 2, 3)
    for h, sign in enumerate((1, -1)):
        attainable = skill(sign * step[2_000:], y[2_000:, h])
        assert skill(found[:, h, 1], y[2_000:, h]) > 0.6 * attainable
    inside = (y[2_000:, :, None] < found).mean(axis=(0, 1))
    np.testing.assert_allclose(inside, (0.1, 0.5, 0.9), atol=0.1)


@pytest.mark.parametrize("name", ["multi_horizon", "multi_task"])
def test_later_rows_of_noise_stop_the_training_and_leave_next_to_nothing(name):
    noise, later = RNG.normal(size=(2_000, 2)), (X[2_000:], RNG.normal(size=(1_000, 2)))
    fit = fresh(name, epochs=100).fit(X[:2_000], noise, validation=later)
    assert fit.epochs < 10
    assert abs(skill(fit.predict(X[2_000:]), RNG.normal(size=(1_000, 2)))) < 0.01


def test_a_rate_that_was_halved_is_halved_again():
    given = fresh("multi_horizon", epochs=3, drops=[1])
    seen = [replace(given, drops=drops).fit(X, Y).weights for drops in ((1,), (1,), (), (3,))]
    names = [name for name in seen[0] if name.endswith("weight")]
    same = [all((seen[0][n] == other[n]).all() for n in names) for other in seen[1:]]
    assert same == [True, False, False]
    assert all((seen[2][n] == seen[3][n]).all() for n in names)


def test_no_progress_leaves_a_forecast_of_nothing():
    x, y = X[:600], RNG.normal(size=(600, 2))
    # Labels of the later rows are the opposite: whatever is learnt makes it worse.
    fit = fresh("multi_horizon").fit(x, 0.1 * y + Y[:600], validation=(x, -Y[:600]))
    assert fit.epochs == 0
    assert not fit.predict(x).any()


def test_no_label_drift_is_learnt(network):
    drift = Y + 2.0
    made = models.point(network.fit(X, drift).predict(X))
    np.testing.assert_allclose(made.mean(axis=0), 0.0, atol=1e-3)


@pytest.mark.parametrize("name", ["multi_horizon", "tft"])
def test_labels_of_rows_of_no_weight_count_for_nothing(name):
    nowhere = np.where(np.arange(len(X)) % 3 == 0, 0.0, 1.0)
    other = np.where(nowhere[:, None] == 0.0, 50.0, Y)
    one, two = (fresh(name, epochs=1).fit(X, y, weight=nowhere) for y in (Y, other))
    np.testing.assert_array_equal(one.predict(X[:50]), two.predict(X[:50]))


def test_regimes_are_fifths_and_volatility_is_standardised():
    targets = fresh("multi_task")._targets(Y)
    assert targets.shape == (3_000, 4)
    assert targets[:, 2].mean() == pytest.approx(0, abs=1e-9)
    assert targets[:, 2].std() == pytest.approx(1)
    assert np.bincount(targets[:, 3].astype(int)).tolist() == [600] * REGIMES
    assert np.corrcoef(targets[:, 3], Y.mean(axis=1))[0, 1] > 0.9


def test_the_other_heads_are_scored_on_later_rows_by_what_the_training_rows_set():
    draw = np.random.default_rng(3)
    x = draw.normal(size=(6_000, 3)).astype(np.float32)
    # Volatility follows the first column; the sign, hence the regime, the second.
    y = np.exp(0.5 * x[:, :1]) * (np.sign(x[:, 1:2]) + 0.1 * draw.normal(size=(6_000, 2)))
    settings = {"epochs": 15, "learning_rate": 0.01, "dropout": 0.0}
    fit = fresh("multi_task", **settings).fit(
        x[:4_000], y[:4_000], validation=(x[4_000:], y[4_000:])
    )
    scores = fit.aside
    assert scores["volatility_r2"] > 0.5
    assert scores["regime_accuracy"] > scores["regime_most_frequent"] + 0.2
    noise = draw.permutation(x[4_000:])
    blind = fresh("multi_task", **settings).fit(x[:4_000], y[:4_000], validation=(noise, y[4_000:]))
    assert blind.aside["volatility_r2"] < 0.1
    assert blind.aside["regime_accuracy"] < scores["regime_most_frequent"] + 0.1
    assert fresh("multi_horizon", epochs=1).fit(x, y, validation=(x, y)).aside == {}


def test_only_what_forecasts_is_stored():
    kept = fresh("multi_task", epochs=1).fit(X, Y).weights
    assert not any(name.startswith(("volatility", "regime")) for name in kept)


def test_shares_of_five_horizons_are_those_of_the_documents():
    layers = fresh("multi_horizon")._layers(3, 5, True)
    np.testing.assert_allclose(layers.shares.numpy(), (0.10, 0.15, 0.20, 0.25, 0.30), rtol=1e-6)
    shapes = [tuple(p.shape) for p in layers.parameters() if p.ndim == 2]
    assert shapes == [(256, 3), (128, 256), (64, 128), (5, 64)]


def test_lower_precision_learns_too():
    fit = fresh("multi_horizon", precision="bfloat16").fit(X[:2_000], Y[:2_000])
    assert skill(fit.predict(X[2_000:])[:, 0], Y[2_000:, 0]) > 0.1


def test_a_device_that_is_not_there_is_refused(network):
    torch = pytest.importorskip("torch")
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(ParameterError, match="device: not there, got 'cuda'; expected 'cpu'"):
        replace(network, device="cuda").fit(X, Y)


def test_the_transformer_knows_where_it_has_been_moved():
    layers = fresh("tft")._layers(6, 2, True).to("meta")
    assert layers.inner.device.type == next(layers.inner.parameters()).device.type == "meta"


def test_columns_that_are_no_whole_steps_are_refused():
    with pytest.raises(ParameterError, match="got 5 columns for 2 steps; expected a multiple"):
        fresh("tft").fit(X[:, :5], Y)


def test_a_sequence_reads_each_column_at_each_step():
    line = Column(catalog.FEATURES["rate_quadratic_r2_w15"])
    ago = Column(line.feature, 60, "_lag60")
    assert models.make("ridge", PARAMS).reads([line, ago]) == (line, ago)
    steps = fresh("tft", steps=3, spacing=5).reads([line, ago])
    assert [column.lag for column in steps] == [10, 70, 5, 65, 0, 60]
    assert len({column.name for column in steps}) == 6
    assert steps == lags.steps((line, ago), 3, 5)


def test_a_served_row_of_a_sequence_is_the_batchs(tmp_path):
    fresh("tft")
    learned, small = learn("strong", 1), SMALL["tft"] | {"steps": 4, "spacing": 15}
    result = training.fit_pair(
        learned.history,
        learned.columns,
        learned.folds[:1],
        selections=learned.selections[:1],
        params=LEARNED,
        name="tft",
        settings=[small],
    )
    fit = result.fits[0]
    assert len(fit.columns) == 4 * len(learned.selections[0].columns)
    bundle.bundle(learned.bars, fit, LEARNED, {}).save(tmp_path / "eurusd")
    whole = dict.fromkeys(LEARNED.horizons, 1.0)
    served = replace(bundle.load(tmp_path / "eurusd"), betas=whole)
    batch = result.forecasts.set_index(["ts_utc", "horizon"])["raw"]
    for row in learned.folds[0].scored[[100, 1_001]].tolist():
        found = served.predict(learned.bars.rows(row + 1 - served.lookback, row + 1))
        for horizon, prediction in found.items():
            assert prediction.innovation == batch[learned.bars.ts[row], horizon] != 0.0


def test_weights_of_another_network_are_refused(tmp_path):
    for name in ("multi_horizon", "multi_task"):
        fresh(name, epochs=1).fit(X, Y).save(tmp_path / name)
    folder = tmp_path / "multi_horizon"
    (folder / WEIGHTS).write_bytes((tmp_path / "multi_task" / WEIGHTS).read_bytes())
    settings = json.loads((folder / "model.json").read_text())["files"]
    rewrite(folder, files=settings | {WEIGHTS: sha256(folder / WEIGHTS)})
    with pytest.raises(ArtefactError, match="cannot be read, got RuntimeError"):
        models.load(folder)
