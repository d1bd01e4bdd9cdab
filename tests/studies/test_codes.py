"""Learned codes beside each other and beside none, on a planted market and on real bars."""

from collections.abc import Mapping
from dataclasses import replace

import codes
import numpy as np
import pandas as pd
import pytest
from simulated import DATA

from bqx.evaluation import embeddings
from bqx.features import catalog, lags
from bqx.features.families.learned.autoencoder import Settings
from bqx.learning import folds
from bqx.market import bars, sessions, simulated
from bqx.market.bars import Bars
from bqx.params import Params

pytestmark = pytest.mark.studies

GIVEN = Params(
    workers=1, pairs=("eurusd", "gbpusd", "usdchf"), days=70, horizons=(15, 45), lags=(),
    train_days=16, validation_days=10, test_days=10, step_days=10, selected=30,
    forest_trees=30, forest_depth=5, rounds=120, learning_rate=0.1,
)  # fmt: skip
MOST = 12_000
LINEAR = Settings(epochs=20, batch=256)
CODES = {"autoencoder, linear": LINEAR, "autoencoder, ReLU": replace(LINEAR, code="relu")}


def compared(
    frames: Mapping[str, pd.DataFrame], made: Mapping[str, Settings] = CODES
) -> pd.DataFrame:
    grids: dict[str, Bars] = bars.align({p: bars.validate(f, p) for p, f in frames.items()})
    minutes = next(iter(grids.values())).minutes
    columns = lags.grid([f for f in catalog.profile("core") if not f.spanned_by], ())
    split = GIVEN.lengths(len(np.unique(sessions.trading_days(minutes))))
    reach = embeddings.SOURCE.lookback
    parts = folds.rolling_origin(minutes, *split, GIVEN.embargo, max(GIVEN.horizons), reach)
    return embeddings.compare(grids, columns, parts[:1], params=GIVEN, settings=made, most=MOST)


def about(of: str, table: pd.DataFrame) -> dict:
    text = (
        f"{of}. One fold of {GIVEN.train_days} training, {GIVEN.validation_days} validation and "
        f"{GIVEN.test_days} test days; codes of at most {MOST:,} rows and {LINEAR.epochs} epochs "
        f"of batches of {LINEAR.batch}; boosting on {GIVEN.selected} of the core columns and the "
        "code's, horizons of 15 and 45 minutes."
    )
    return codes.records(table, text)


def test_codes_beside_none() -> None:
    frames = simulated.simulate("strong", GIVEN.pairs, GIVEN.start, days=GIVEN.days, seed=1).frames
    planted = compared(frames)
    found = {"A planted market": about("Three pairs of a synthetic market", planted)}
    paths = [DATA / "m1" / f"{pair}.parquet" for pair in GIVEN.pairs]
    if all(path.exists() for path in paths):
        span = slice("2018-01-07", "2018-03-17")
        read = {p.stem: pd.read_parquet(p).set_index("ts_utc").loc[span] for p in paths}
        real = compared(read, {name: CODES[name] for name in list(CODES)[:1]})
        found["Real bars"] = about("Three majors, January to March 2018", real)
    print(planted.T.to_string(float_format="{:.4f}".format))
    codes.write(found)
    # The code that knows nothing of the target costs nothing that counts.
    assert (planted["gain_hi"] > -0.02).all()
