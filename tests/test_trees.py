import contextlib
import struct

import numpy as np
import pytest
import xgboost
from hypothesis import given
from hypothesis import strategies as st

from bqx.errors import ArtefactError
from bqx.learning.models import make, trees, ubj
from bqx.learning.models.boosters import FEW
from bqx.params import Params

RNG = np.random.default_rng(0)
X = RNG.normal(size=(1_500, 7)).astype(np.float32)
X[RNG.random(X.shape) < 0.1] = np.nan
# Few values, so that many lie exactly on a bound.
X[:, 3] = np.round(X[:, 3] * 2) / 2
Y = np.nan_to_num(X[:, :3]) + RNG.normal(size=(1_500, 3))


def fitted(name="xgboost", **settings):
    return make(name, Params(rounds=30), **settings).fit(X[:1_000], Y[:1_000])


def own(model, x):
    """What XGBoost itself says, booster by booster."""
    made = [b.predict(xgboost.DMatrix(x, nthread=1)) for b in model.boosters]
    return np.column_stack([part.reshape(len(x), -1) for part in made])


@pytest.mark.parametrize("name", ["xgboost", "xgboost_quantile", "forest"])
@pytest.mark.parametrize("depth", [1, 2, 9])
def test_bits_are_those_of_xgboost(name, depth):
    model = fitted(name, max_depth=depth, min_samples_leaf=1e-3)
    rows = np.vstack([X, np.full(7, np.nan)]).astype(np.float32)
    found = trees.of(model.stored).predict(rows)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, own(model, rows))
    few = rows[:FEW]
    np.testing.assert_array_equal(model.outputs(few), found[:FEW].astype(np.float64))
    np.testing.assert_array_equal(model.outputs(rows)[:FEW], model.outputs(few))


def test_trees_without_a_split_and_stopped_boosters():
    flat = make("xgboost", Params(rounds=5)).fit(X[:1_000], np.zeros((1_000, 2)))
    np.testing.assert_array_equal(flat.predict(X[:9]), np.zeros((9, 2)))
    stopped = make("xgboost", Params(rounds=200, depth=4, learning_rate=0.5)).fit(
        X[:1_000], Y[:1_000], validation=(X[1_000:], Y[1_000:])
    )
    assert stopped.n_estimators < 200
    np.testing.assert_array_equal(stopped.predict(X[:20]), own(stopped, X[:20]))


def test_a_new_fit_walks_new_trees():
    model = fitted()
    before = model.predict(X[:5])
    model.fit(X[:1_000], -Y[:1_000])
    assert (np.sign(model.predict(X[:5])) != np.sign(before)).any()
    np.testing.assert_array_equal(model.predict(X[:5]), own(model, X[:5]))


def encoded(value):
    """Universal Binary JSON of plain values, without typed arrays."""
    if value is None or isinstance(value, bool):
        return {None: b"Z", True: b"T", False: b"F"}[value]
    if isinstance(value, int):
        return b"L" + struct.pack(">q", value)
    if isinstance(value, float):
        return b"D" + struct.pack(">d", value)
    if isinstance(value, str):
        raw = value.encode()
        return b"S" + encoded(len(raw)) + raw
    if isinstance(value, list):
        return b"[" + b"".join(map(encoded, value)) + b"]"
    inner = b"".join(encoded(name)[1:] + encoded(each) for name, each in value.items())
    return b"{" + inner + b"}"


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**62), 2**62)
    | st.floats(allow_nan=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@given(PLAIN)
def test_what_was_written_is_read(value):
    assert ubj.loads(encoded(value)) == value


def test_typed_arrays_keep_their_bits():
    floats = np.array([0.1, -np.inf, 1e-45], ">f4")
    content = b"[$d#L" + struct.pack(">q", 3) + floats.tobytes()
    found = ubj.loads(content)
    assert found.dtype == np.dtype("<f4")
    np.testing.assert_array_equal(found, floats)
    assert ubj.loads(b"[#i\x02TF") == [True, False]


@pytest.mark.parametrize("content", [b"", b"x", b"{L", b"TT", b"[$d#L" + b"\0" * 7 + b"\x09"])
def test_other_bytes_are_refused(content):
    with pytest.raises(ArtefactError, match="no Universal Binary JSON"):
        ubj.loads(content)


MARKERS = st.sampled_from([*b"[]{}#$SUiIlLdDTFZ", *range(0, 256, 37), 0x80, 0xFF])


@given(st.lists(MARKERS, max_size=24))
def test_whatever_the_bytes_are_reading_ends(content):
    with contextlib.suppress(ArtefactError):
        ubj.loads(bytes(content))


@pytest.mark.parametrize("content", [b"{i\xf6", b"[#i\xff", b"[$U#l\x7f\xff\xff\xff", b"[" * 5_000])
def test_lengths_that_point_nowhere_are_refused(content):
    with pytest.raises(ArtefactError, match="no Universal Binary JSON"):
        ubj.loads(content)


@pytest.mark.parametrize("columns", [6, 8])
def test_other_columns_than_were_fitted_are_never_read(columns):
    model = fitted()
    with pytest.raises(ArtefactError, match=f"other columns, got {columns}; expected 7"):
        model.predict(np.zeros((2, columns), np.float32))


def test_a_booster_that_asks_a_column_beyond_its_own_is_refused():
    stored = fitted().stored[0]
    fewer = stored.replace(b"SL\0\0\0\0\0\0\0\x017", b"SL\0\0\0\0\0\0\0\x012")
    assert fewer != stored
    with pytest.raises(ArtefactError, match="other columns, got one at"):
        trees.of([fewer])
