import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bqx.errors import ParameterError
from bqx.features import catalog, lags
from bqx.features.engine.compute import compute
from bqx.features.lags import CAUSALITY_LAG, Column
from bqx.params import Params

FEATURES = catalog.profile("core")


def some():
    return (
        tuple(f for f in FEATURES if f.laggable)[::40]
        + tuple(f for f in FEATURES if not f.laggable)[:2]
    )


def test_grid_counts_follow_from_the_features():
    grid = lags.grid(FEATURES, (60, 120))
    laggable = sum(f.laggable for f in FEATURES)
    causal = sum(f.causality_lag for f in FEATURES)
    assert len(grid) == len(FEATURES) + 2 * laggable + causal
    assert len({c.name for c in grid}) == len(grid)
    assert causal > 0


def test_strict_grid_replaces_the_unlagged_column():
    loose, strict = (lags.grid(FEATURES, (60,), strict61=s) for s in (False, True))
    gone = {c.name for c in loose} - {c.name for c in strict}
    assert gone == {f.name for f in FEATURES if f.causality_lag}
    assert {c.name for c in strict} <= {c.name for c in loose}


def test_a_column_knows_name_domain_and_lookback():
    feature = catalog.FEATURES["bqx_moments_mean_w20"]
    column = Column(feature, 120, "_lag120")
    assert column.name == "bqx_moments_mean_w20_lag120"
    assert column.domain == "bqx"
    assert column.lookback == feature.lookback + 120
    causal = [c for c in lags.grid(FEATURES) if c.lag == CAUSALITY_LAG]
    assert all(c.name.endswith("_causality_lag61") for c in causal)


@settings(max_examples=50, deadline=None)
@given(
    rows=st.integers(1, 40),
    shifts=st.lists(st.integers(0, 50), min_size=1, max_size=6),
    seed=st.integers(0, 999),
)
def test_read_is_a_pandas_shift(rows, shifts, seed):
    rng = np.random.default_rng(seed)
    features = some()
    values = rng.normal(size=(rows, len(features))).astype(np.float32)
    columns = [
        Column(features[int(rng.integers(len(features)))], lag, f"_lag{lag}") for lag in shifts
    ]
    wanted = np.sort(rng.choice(rows, rng.integers(1, rows + 1), replace=False))
    frame = pd.DataFrame(values, columns=[f.name for f in features])
    expected = np.column_stack(
        [frame[c.feature.name].shift(c.lag).to_numpy()[wanted] for c in columns]
    )
    found = lags.read(values, features, columns, wanted)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("block", [37, 400, 10_000])
def test_blocks_give_the_bits_of_the_whole(walk, block):
    columns = lags.grid(some(), (60, 240))
    features = tuple(dict.fromkeys(c.feature for c in columns))
    rows = np.arange(5, len(walk), 13)
    whole = lags.read(compute(walk, features), features, columns, rows)
    np.testing.assert_array_equal(lags.matrix(walk, columns, rows, block=block), whole)


def test_the_lookback_reproduces_a_row(walk):
    columns = lags.grid(some(), (60, 240))
    reach = max(c.lookback for c in columns)
    batch = lags.matrix(walk, columns, np.arange(2_300, 2_330))
    alone = lags.matrix(walk.rows(2_329 - reach + 1, 2_330), columns, np.array([reach - 1]))
    np.testing.assert_array_equal(alone[0], batch[-1])


def test_causality_columns_read_nothing_newer_than_61_rows(walk):
    columns = [c for c in lags.grid(FEATURES) if c.lag == CAUSALITY_LAG]
    last = np.array([len(walk) - 1])
    before = lags.matrix(walk, columns, last)
    changed = {}
    for distance in (60, 61):
        frame = walk.frame.copy()
        rows = slice(len(frame) - 61, None) if distance == 60 else len(frame) - 1 - 61
        frame.iloc[rows, :4] *= 1.01
        moved = lags.matrix(type(walk)(walk.pair, frame, walk.baseline), columns, last)
        changed[distance] = int((moved != before).sum())
    assert changed[60] == 0
    assert changed[61] > 0.9 * len(columns)


def test_no_rows_give_no_values(walk):
    columns = lags.grid(some(), (60,))
    empty = lags.matrix(walk, columns, np.array([], dtype=np.int64))
    assert empty.shape == (0, len(columns))


def test_families_join_and_leave_the_columns() -> None:
    core = lags.candidates("core", (), False)
    more = lags.candidates("core", (), False, include=["cointegration"])
    assert {c.feature.family.name for c in more} - {c.feature.family.name for c in core} == {
        "cointegration"
    }
    less = lags.candidates("core", (60,), False, exclude=["rsi", "bqx_*"])
    assert not any(c.feature.family.name == "rsi" or c.name.startswith("bqx_") for c in less)
    assert any(c.lag == 60 for c in less)
    by_table = lags.candidates("core", (), False, exclude=["technical_idx"])
    assert {c.feature.table for c in core} - {c.feature.table for c in by_table} == {
        "technical_idx"
    }


@pytest.mark.parametrize(
    ("key", "names", "message"),
    [
        ("include", ["cointegratoin"], "Did you mean .cointegration.?"),
        ("exclude", ["nothing_*"], "exclude: no feature is called so"),
        ("exclude", ["*"], "exclude: leaves no column"),
    ],
)
def test_names_that_nothing_has_are_refused(key: str, names: list[str], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        lags.candidates("core", (), False, **{key: names})


def test_the_examples_of_what_joins_are_there() -> None:
    text = " ".join(str(Params.model_fields["include"].description).split())
    names = re.search(r"such as (\S+) or (\S+), that join", text)
    assert names
    plain = lags.candidates_of(Params())
    for name in names.groups():
        assert len(lags.candidates_of(Params(include=(name,)))) > len(plain)
