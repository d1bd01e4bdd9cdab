"""Selection and training against peers on the same rows, one thread, in the same run."""

import resource
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import xgboost
from measure import Goal
from numpy.typing import NDArray
from servers import keep
from sklearn.ensemble import RandomForestRegressor
from threadpoolctl import threadpool_limits

from bqx.evaluation import skill
from bqx.features import catalog, lags
from bqx.learning import ranking
from bqx.learning.facts import facts_of
from bqx.learning.models import Design, make
from bqx.learning.ranking import Growth
from bqx.learning.selection import Settings, select
from bqx.learning.shrinkage import products, weigh
from bqx.params import Params

pytestmark = pytest.mark.benchmarks

HORIZONS = (15, 30, 45, 60, 75)
GRID = lags.grid([f for f in catalog.profile("full") if not f.spanned_by], (60, 120))


def columns_and_labels(
    rows: int, columns: int, told: int, power: float = 0.02, seed: int = 0
) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
    """Noise, in which some columns tell a little of five labels, each half as much as the last."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows, columns), dtype=np.float32)
    weights = 0.9 ** np.arange(told)
    signal = x[:, :told] @ weights / np.sqrt(np.sum(weights**2))
    noise = rng.standard_normal((rows, len(HORIZONS)))
    return x, np.sqrt(power) * signal[:, None].astype(np.float64) + noise


def seconds(work: Callable[[], object]) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def test_selection_of_a_pairs_columns(results: dict[str, Any]) -> None:
    rows, columns = 180_000, 2_640
    x, y = columns_and_labels(rows, columns, 40)
    day = np.arange(rows) // 1_440
    spent = seconds(
        lambda: select(
            x,
            y,
            GRID[:columns],
            facts=facts_of(x, y, day),
            settings=Settings(250, 0.0, Growth(100, 10, 0)),
        )
    )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    what = f"selection of 250 of {columns:,} columns over {rows:,} rows"
    keep(results, what, spent / 60, "minutes")
    keep(results, f"{what}, memory at most", peak, "GB")
    print(f"\n{columns:,} -> 250 of {rows:,} rows: {spent / 60:.1f} minutes, {peak:.1f} GB at most")
    assert peak < 1.5 * rows * columns * 8 / 1e9


def test_forest_against_scikit_learn(results: dict[str, Any]) -> None:
    told, trees, depth = 20, 30, 8
    x, y = columns_and_labels(60_000, 500, told, power=0.3)
    labels = (y - y.mean(axis=0)) / y.std(axis=0)
    every, equal = np.arange(x.shape[1]), np.ones(len(x))
    ours: list[ranking.Forest] = []
    growth = Growth(trees, depth, 0)
    own = seconds(lambda: ours.append(ranking.grow(x, labels, every, weight=equal, growth=growth)))
    peer = RandomForestRegressor(
        trees, max_depth=depth, max_features=ranking.MAX_FEATURES, max_samples=ranking.MAX_SAMPLES,
        min_samples_leaf=int(ranking.MIN_SAMPLES_LEAF * len(x)), random_state=0, n_jobs=1,
    )  # fmt: skip
    with threadpool_limits(1):
        other = seconds(lambda: peer.fit(x, labels))
    mine, theirs = (
        set(np.argsort(-gains)[:told].tolist())
        for gains in (ours[0].gains, peer.feature_importances_)
    )
    top = set(np.argsort(-peer.feature_importances_)[: told // 2].tolist())
    keep(results, "forest that ranks, against scikit-learn's", other / own, "times as fast")
    print(
        f"\nforest: {other / own:.1f} times as fast as scikit-learn's, {len(mine & theirs)} of "
        f"{told} columns in common, {len(top & mine)} of its first {told // 2}"
    )
    assert other / own > 2.0
    assert top <= mine


def test_training_against_plain_xgboost(results: dict[str, Any]) -> None:
    x, y = columns_and_labels(60_000, 250, 20)
    ours = make("xgboost", Params(rounds=100, depth=3))
    own = seconds(lambda: ours.fit(x, y))
    settings = {
        "tree_method": "hist", "nthread": 1, "max_depth": 3, "max_bin": 64, "subsample": 0.5,
        "learning_rate": 0.05, "colsample_bynode": 0.3, "min_child_weight": 0.02 * len(x),
        "reg_lambda": 0.02 * len(x), "base_score": 0.0,
    }  # fmt: skip

    def peer(matrices: int) -> None:
        held = [xgboost.QuantileDMatrix(x, max_bin=64, nthread=1) for _ in range(matrices)]
        for h in range(len(HORIZONS)):
            held[h % matrices].set_label(y[:, h])
            xgboost.train(settings, held[h % matrices], 100)

    def together() -> None:
        whole = xgboost.QuantileDMatrix(x, y, max_bin=64, nthread=1)
        xgboost.train(settings | {"multi_strategy": "multi_output_tree"}, whole, 100)

    shared, apart = seconds(lambda: peer(1)), seconds(lambda: peer(len(HORIZONS)))
    keep(results, "training of five horizons, against plain XGBoost's", own / shared, "of its time")
    joint = own / seconds(together)
    keep(results, "the same, against its trees of all horizons at once", joint, "of its time")
    keep(results, "the same, where XGBoost bins the rows for each", own / apart, "of its time")
    print(f"\ntraining: {own / shared:.2f} of plain XGBoost's time, {own / apart:.2f} unshared")
    assert own < 1.15 * shared


def test_one_minute_of_all_models(results: dict[str, Any]) -> None:
    x, y = columns_and_labels(5_000, 250, 20)
    two = [make("xgboost", Params(rounds=300, seed=s)).fit(x, y) for s in range(2)]
    # Each pair has its own trees in memory.
    models = [m.unfitted() for m in two * 14]
    for model, fit in zip(models, two * 14, strict=True):
        model.restore(fit.parts())

    def ours(row: NDArray[np.float32]) -> None:
        for model in models:
            model.predict(row)

    def peer(row: NDArray[np.float32]) -> None:
        for model in models:
            for booster in model.boosters:
                booster.inplace_predict(row)

    late = {}
    for name, work in (("ours", ours), ("XGBoost", peer)):
        work(x[:1])
        spent = []
        for i in range(300):
            # Time of this process alone: what else runs is no part of a forecast.
            start = time.process_time()
            work(x[i : i + 1])
            spent.append(time.process_time() - start)
        late[name] = float(np.percentile(spent, 99)) * 1e3
        keep(results, f"28 x 5 forecasts of a minute, {name}, P99", late[name], "ms")
        print(f"\n28 x 5 forecasts, {name}: median {np.median(spent) * 1e3:.2f} ms, "
              f"P99 {late[name]:.2f} ms")  # fmt: skip
    Goal("28 x 5 forecasts of a minute, P99", late["ours"], 20.0, 20.0, "ms", more=False).check(
        results
    )
    assert late["XGBoost"] > 3 * late["ours"]


def test_pure_noise_earns_nothing() -> None:
    rows, columns = 30_000, 2_640
    rng = np.random.default_rng(1)
    x = rng.standard_normal((rows, columns), dtype=np.float32)
    y = rng.standard_normal((rows, len(HORIZONS)))
    day = np.arange(rows) // 288
    early, late, last = slice(0, 15_000), slice(15_000, 20_000), slice(20_000, rows)
    chosen = select(
        x[early],
        y[early],
        GRID[:columns],
        facts=facts_of(x[early], y[early], day[early]),
        settings=Settings(250, 0.0, Growth(60, 5, 0)),
    )
    place = {c.name: i for i, c in enumerate(GRID)}
    kept = Design(x[:, [place[name] for name in chosen.columns]])
    for name in ("ridge", "xgboost"):
        parts = [Design(kept.values[part]) for part in (early, late, last)]
        fit = make(name, Params()).fit(parts[0], y[early], validation=(parts[1], y[late]))
        ahead, truth = fit.predict(parts[2]), y[last]
        for h in range(len(HORIZONS)):
            gain = truth[:, h] ** 2 - (truth[:, h] - ahead[:, h]) ** 2
            ends = skill.interval(
                *(np.bincount(day[last] - day[last][0], loss) for loss in
                  ((truth[:, h] - ahead[:, h]) ** 2, truth[:, h] ** 2)),
                0.954, 0,
            )  # fmt: skip
            won = gain.sum() / np.sum(truth[:, h] ** 2)
            print(f"{name} {h}: skill {won:.5f} [{ends.low:.5f}, {ends.high:.5f}]")
            assert ends.low <= 0 <= ends.high or gain.sum() < 0
        own = products(ahead, truth, np.arange(len(truth)) * 5)
        evidence = weigh({"eurusd": own}, tuple(HORIZONS))["eurusd"]
        # A share may be large where the forecasts are small: what it gains on its own rows counts.
        kept_of = ahead * np.array([evidence.betas[horizon] for horizon in HORIZONS])
        gained = 1.0 - float(((truth - kept_of) ** 2).sum() / (truth**2).sum())
        print(f"{name}: kept {evidence.betas}, skill on the same rows {gained:.6f}")
        assert gained < 1e-3
