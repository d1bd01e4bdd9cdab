"""What families, domains and stages add on planted markets and on four majors."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from simulated import DATA
from threadpoolctl import threadpool_limits

from bqx.evaluation import ablation
from bqx.evaluation.ablation import PairRows
from bqx.feature_store.history import History
from bqx.features import catalog, lags
from bqx.features.documents.groups import group_of
from bqx.features.lags import Column
from bqx.learning import samples, split
from bqx.learning.selection import Settings, select
from bqx.learning.targets import known_share
from bqx.market import bars, readers, sessions, simulated
from bqx.market.bars import Bars
from bqx.params import Params

pytestmark = pytest.mark.studies

PLANTED = ("gbpusd", "usdjpy")
MAJORS = ("eurusd", *PLANTED, "audusd")
PANEL = (*MAJORS, "usdcad", "usdchf")
"""Pairs of the panel: those that are not judged serve the columns across pairs."""
COMMON = {
    "workers": 1, "profile": "v3", "lags": (), "horizons": (15, 60), "scheme": "chronological",
    "selected": 250, "forest_trees": 50, "forest_depth": 8,
}  # fmt: skip
UNTIL = "2018-06-30"
"""Half a year of the majors."""


SKILL = 0.03
"""Skill that the penalty expects of all columns together, each with the same share."""


def fit(x: np.ndarray, y: np.ndarray, later: np.ndarray) -> np.ndarray:
    """A line whose penalty is that of coefficients that together have `SKILL`."""
    mean, spread = np.nanmean(x, axis=0, dtype=np.float64), np.nanstd(x, axis=0, dtype=np.float64)
    z, ahead = (np.nan_to_num((own - mean) / spread).clip(-5.0, 5.0) for own in (x, later))
    with threadpool_limits(1):
        power = z.T @ z / len(z)
        power[np.diag_indices(len(power))] += x.shape[1] / (SKILL * len(x))
        return ahead @ np.linalg.solve(power, z.T @ (y - y.mean(axis=0)) / len(z))


def rows_of(own: Bars, columns: tuple[Column, ...], given: Params) -> PairRows:
    (fold,) = split.make(given, own.minutes, columns).folds
    labels = samples.labels_of(samples.targets_of(own, given))
    fits = samples.fits_of(own, columns, fold)
    train = samples.training_rows(own, columns, fold, labels, given)
    later = np.concatenate((fold.validation, fold.test))[:: given.stride]
    later = later[np.isfinite(own.close[later])]
    history = History(own)
    x, later_x = (np.nan_to_num(history.matrix(columns, r, fits), nan=np.nan, posinf=np.nan,
                                neginf=np.nan) for r in (train, later))  # fmt: skip
    y = samples.cut(labels, train, samples.scale_of(labels, train))
    chosen = select(
        x, y, columns, day=sessions.trading_days(own.minutes[train]),
        settings=Settings.from_params(given),
    )  # fmt: skip
    names = set(chosen.columns)
    return PairRows(
        x,
        y,
        later_x,
        np.column_stack([labels[h][later] for h in given.horizons]),
        sessions.trading_days(own.minutes[later]),
        np.array([column.name in names for column in columns]),
    )


def groups_of(columns: tuple[Column, ...]) -> dict[str, np.ndarray]:
    """Columns of each domain and of each package of families."""
    domain = {f"domain: {group_of(c.feature)}": None for c in columns}
    family = {f"family: {package(c)}": None for c in columns}
    out = {
        name: np.array([f"domain: {group_of(c.feature)}" == name for c in columns])
        for name in domain
    } | {name: np.array([f"family: {package(c)}" == name for c in columns]) for name in family}
    return {name: mask for name, mask in out.items() if 0 < mask.sum() < len(columns)}


def package(column: Column) -> str:
    """Where a column's kernel is declared, below `bqx.features.families`."""
    module = column.feature.family.kernel.__module__.removeprefix("bqx.features.families.")
    return module.split(".")[0].replace("_", " ")


def studied_market(panel: dict[str, Bars], pairs: tuple[str, ...], given: Params) -> dict[str, Any]:
    columns = tuple(
        c
        for c in lags.grid(catalog.profile(given.profile), ())
        if not c.suffix and not c.feature.spanned_by
    )
    rows = {pair: rows_of(panel[pair], columns, given) for pair in pairs}
    # A line has no use for what is mostly absent or constant somewhere.
    there = [np.isfinite(own.x).mean(axis=0) > 0.8 for own in rows.values()]
    varied = [np.nan_to_num(own.x).std(axis=0) > 0.0 for own in rows.values()]
    whole = np.all([*there, *varied], axis=0)
    kept = tuple(c for c, there in zip(columns, whole, strict=True) if there)
    rows = {
        pair: PairRows(r.x[:, whole], r.y, r.later_x[:, whole], r.later_y, r.day, r.selected[whole])
        for pair, r in rows.items()
    }
    table = ablation.ablate(rows, groups_of(kept), fit)
    unknown = 1.0 - float(np.mean([known_share(15, h, "delta") for h in given.horizons]))
    table["adds_r2"] = table["adds"] * unknown
    print(table.to_string())
    first = next(iter(rows.values()))
    return {
        "rows": len(first.x),
        "later": len(first.later_x),
        "table": table.astype(object).where(table.notna(), None).to_dict("records"),
    }


@pytest.fixture(scope="module")
def markets(studied: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for mode in ("lead", "strong"):
        given = Params(**COMMON, days=84, stride=10)
        frames = simulated.simulate(mode, PANEL, days=84, seed=5).frames
        panel = bars.align({p: bars.validate(f, p) for p, f in frames.items()})
        found[mode] = studied_market(panel, PLANTED, given)
    studied["ablation"] = found
    return found


@pytest.fixture(scope="module")
def real(studied: dict[str, Any], markets: dict[str, Any]) -> dict[str, Any]:
    folder = DATA / "m1"
    if not folder.exists():
        pytest.skip(f"no real bars in {folder}")
    frames = readers.read_folder(folder)
    panel = bars.align({pair: frames[pair][:UNTIL] for pair in PANEL})
    studied["ablation"]["real"] = studied_market(panel, MAJORS, Params(**COMMON, stride=30))
    return studied["ablation"]["real"]


def by_set(found: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(found["table"]).set_index("set")


def test_planted_signals_are_seen_and_every_set_has_its_interval(markets: dict[str, Any]) -> None:
    for mode, found in markets.items():
        table = by_set(found)
        assert table["skill_lo"][ablation.ALL] > 0.0, mode
        groups = table.drop(index=[ablation.ALL, ablation.SELECTED])
        assert np.isfinite(groups[["adds", "adds_lo", "adds_hi"]].astype(float)).all().all()


def test_momentum_needs_what_reads_the_past_of_the_pair(markets: dict[str, Any]) -> None:
    table = by_set(markets["strong"])
    assert table["skill"]["domain: bqx"] > table["skill"]["domain: time_and_regime"]


def test_real_majors_are_shown_whatever_they_say(real: dict[str, Any]) -> None:
    assert np.isfinite(by_set(real)["skill"].astype(float)).all()
