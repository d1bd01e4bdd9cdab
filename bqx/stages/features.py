"""Notebook 02: the catalog's features of every pair, published as tables."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from bqx.bars import Bars
from bqx.features import catalog
from bqx.features.compute import table, warm_up
from bqx.features.needs import INPUTS, needs
from bqx.features.spec import Feature
from bqx.pairs import PAIRS
from bqx.parallel import over_pairs
from bqx.params import NOTEBOOK_KEYS, Params
from bqx.stages.bars import load
from bqx.store import Run, write_parquet

NAME = "02_features"


def _publish(bars: Bars, profile: str, folders: Mapping[str, Path]) -> pd.DataFrame:
    # By name: kernels that travel to another process would be compiled anew there.
    tables = catalog.tables(_published(profile))
    shares = pd.concat([_write(bars, tables[name], folders[name]) for name in folders])
    never = shares.loc[shares["missing"] == 1.0, "feature"]
    missed = needs([catalog.FEATURES[name] for name in never], bars.pair, _lacking(bars))
    return shares.assign(needs=[" ".join(missed.get(name, ())) for name in shares["feature"]])


def _lacking(bars: Bars) -> tuple[str, ...]:
    """Pairs without bars, and columns that the pair's bars have no value of."""
    there = np.zeros(len(PAIRS), dtype=bool) if bars.panel is None else bars.panel.baselines > 0
    pairs = [pair for pair, known in zip(PAIRS, there, strict=True) if not known]
    return (*pairs, *(name for name in INPUTS if bars.frame[name].isna().all()))


def _write(bars: Bars, features: tuple[Feature, ...], folder: Path) -> pd.DataFrame:
    frame = table(bars, features)
    for month, part in frame.groupby(bars.ts.strftime("%Y-%m"), sort=False):
        write_parquet(folder / f"{month}.parquet", part)
    warm = frame.iloc[warm_up(features) :]
    return pd.DataFrame(
        {"pair": bars.pair, "feature": frame.columns, "missing": warm.isna().mean().to_numpy(),
         "mean": warm.mean().to_numpy(), "deviation": warm.std(ddof=0).to_numpy()}
    )  # fmt: skip


def _published(profile: str) -> tuple[Feature, ...]:
    """The profile without fitted features, whose values belong to a fold."""
    return tuple(feature for feature in catalog.profile(profile) if not feature.fit_key)


def build(params: Params) -> pd.DataFrame:
    """Compute and store every feature of every pair, a folder a table and pair, a file a month.

    Returns a row a pair and feature: share missing after warm-up, mean, deviation, and the pairs
    and columns that the run lacks and it cannot do without.
    """
    run = Run.open(params.folder, params)
    dataset = load(run)
    features = _published(params.profile)
    with run.stage(NAME, NOTEBOOK_KEYS[NAME], ["bars"]) as stage:
        stage.note(catalog_hash=catalog.catalog_hash(catalog.FEATURES.values()))
        stage.write_json("catalog.json", catalog.frame(features).to_dict("records"))
        where = {
            pair: {name: f"features/{name}/{pair}" for name in catalog.tables(features)}
            for pair in dataset.bars
        }
        tasks = {
            pair: (bars, params.profile,
                   {name: stage.path(f"{to}/month").parent for name, to in where[pair].items()})
            for pair, bars in dataset.bars.items()
        }  # fmt: skip
        shares: dict[str, pd.DataFrame] = {}
        over_pairs(_publish, tasks, params.workers, shares.__setitem__, params.backend)
        stage.add(*(to for folders in where.values() for to in folders.values()))
    return pd.concat([shares[pair] for pair in dataset.bars], ignore_index=True)


def absent(shares: pd.DataFrame) -> pd.DataFrame:
    """Features without a value in the whole run, counted by pair and what they need."""
    never = shares[shares["missing"] == 1.0]
    return never.groupby(["pair", "needs"], sort=False).agg(
        features=("feature", "size"), such_as=("feature", "first")
    )


def read(run: Run, name: str, pair: str) -> pd.DataFrame:
    """A published table of a pair, all months: index ``ts_utc``, float32 columns."""
    folder = run.need(f"features/{name}/{pair}")
    return pd.concat([pd.read_parquet(path) for path in sorted(folder.glob("*.parquet"))])


def republished(params: Params) -> int:
    """Published values of the last row that differ from those computed from the last bars alone."""
    run = Run.open(params.folder, params)
    differ = 0
    for pair, bars in load(run).bars.items():
        for name, members in catalog.tables(_published(params.profile)).items():
            last = max(len(bars) - max(warm_up(members), 1), 0)
            anew = table(bars.rows(last, len(bars)), members).iloc[-1]
            stored = read(run, name, pair).iloc[-1]
            differ += int((~((anew == stored) | (anew.isna() & stored.isna()))).sum())
    return differ
