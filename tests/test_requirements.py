"""Which pairs features need, against what the panel of a run that lacks them gives."""

import numpy as np

from bqx.features import catalog
from bqx.features.engine.compute import compute
from bqx.features.engine.fitting import fit
from bqx.features.engine.requirements import needs
from bqx.market.bars import Bars, join
from bqx.market.pairs import PAIRS

MAJORS = ("eurusd", "gbpusd", "usdjpy", "audusd", "usdcad", "usdchf")
ABSENT = tuple(pair for pair in PAIRS if pair not in MAJORS)


def test_what_is_named_has_no_value_and_the_rest_has(panel: dict[str, Bars]) -> None:
    features = catalog.profile("full")
    named = needs(features, "eurusd", ABSENT)
    bars = join({pair: panel[pair] for pair in MAJORS})["eurusd"]
    fits = fit(bars, features, np.arange(3_000)).parameters
    there = np.isfinite(compute(bars, features, fits=fits)).any(axis=0)
    assert named.keys() == {f.name for f, value in zip(features, there, strict=True) if not value}
    assert len(named) > 36


def test_names_the_pairs() -> None:
    triangle = [f for f in catalog.profile("full") if f.source.key == "triangle"]
    named = needs(triangle, "audusd", ("audjpy", "nzdcad"))
    assert named
    assert all(pairs == ("audjpy",) for pairs in named.values())


def test_names_the_columns_that_a_feed_lacks() -> None:
    named = needs(catalog.profile("full"), "eurusd", ("volume", "spread"))
    tables = {catalog.FEATURES[name].table: set(missed) for name, missed in named.items()}
    assert tables["volume_idx"] == {"volume"}
    assert {"volume", "spread"} == {each for missed in named.values() for each in missed}


def test_with_all_pairs_nothing_is_lost() -> None:
    assert needs(catalog.profile("full"), "gbpjpy", ()) == {}
