import numpy as np
import pytest

from bqx.errors import ParameterError
from bqx.features import catalog, lags
from bqx.learning.facts import facts_of
from bqx.learning.ranking import Growth
from bqx.learning.selection import COPY, Selection, Settings, select

GRID = lags.grid([f for f in catalog.profile("core") if not f.spanned_by], (60,))
RATE = [c for c in GRID if c.domain == "rate"]
BQX = [c for c in GRID if c.domain == "bqx"]
CLOCK = [c for c in GRID if c.domain == "clock"]
ROWS = 2_000
DAY = np.arange(ROWS) // 100


def choose(x, y, columns, k=6, domain_share=0.0, day=DAY) -> Selection:
    settings = Settings(k, domain_share, Growth(30, 4, 0))
    x = x.astype(np.float32)
    return select(x, y, columns, facts=facts_of(x, y, day), settings=settings)


def noise(columns, seed=0):
    return np.random.default_rng(seed).normal(size=(ROWS, columns))


@pytest.mark.parametrize(("k", "share"), [(1, 0.4), (3, 0.4), (11, 0.5), (41, 0.5), (10, 0.3)])
def test_no_more_columns_are_chosen_than_asked_for_whatever_the_domains_share(k, share):
    columns = RATE[:30] + BQX[:30]
    x = noise(60)
    found = choose(x, x[:, :5] + noise(5, 1), columns, k, share)
    assert len(found.columns) == k
    rate = sum(name in {c.name for c in RATE} for name in found.columns)
    assert min(rate, k - rate) >= min(np.floor(share * k), k // 2)


def test_finds_the_columns_that_matter_most_first():
    columns = RATE[:20] + BQX[:20]
    x = noise(40)
    rng = np.random.default_rng(1)
    y = np.column_stack([x[:, 3] + 0.6 * x[:, 25] + rng.normal(size=ROWS) for _ in range(5)])
    found = choose(x, y, columns)
    assert found.columns[:2] == (columns[3].name, columns[25].name)
    assert list(found.importance) == sorted(found.importance, reverse=True)
    assert found.share == pytest.approx(sum(found.importance))
    assert 0 < found.share <= 1
    assert found.candidates == 40
    assert len(found.columns) == 6


def test_horizons_count_alike_whatever_their_scale():
    columns = RATE[:10]
    x = noise(10)
    y = np.column_stack([x[:, 1], 1e-6 * x[:, 2]])
    assert set(choose(x, y, columns, k=2).columns) == {columns[1].name, columns[2].name}


def test_useless_columns_never_reach_the_forest():
    columns = RATE[:6]
    x = noise(6)
    x[: ROWS // 4, 0] = np.nan
    x[:, 1] = 7.0
    x[:, 2] = DAY + 1e-3 * x[:, 2]
    found = choose(x, x[:, [4, 5]], columns)
    assert set(found.dropped) == {c.name for c in columns[:3]}
    assert found.dropped[columns[0].name] == "absent in 25% of rows"
    assert found.dropped[columns[1].name] == "constant"
    assert "daily means carry 100%" in found.dropped[columns[2].name]
    assert found.candidates == 3


def test_a_large_constant_offset_is_no_constant():
    columns = RATE[:3]
    x = noise(3)
    x[:, 0] = 100.0 + 0.01 * x[:, 0]
    assert choose(x, x[:, [0]], columns).columns[0] == columns[0].name


def test_linear_combinations_by_declaration_are_dropped():
    spanned = next(f for f in catalog.profile("core") if f.spanned_by)
    spanning = tuple(catalog.FEATURES[name] for name in spanned.spanned_by)
    columns = lags.grid((spanned, *spanning, *(c.feature for c in RATE[:2])), ())
    x = noise(len(columns))
    found = choose(x, x[:, [0]], columns)
    assert found.dropped[spanned.name].startswith("a linear combination of")
    alone = lags.grid((spanned, RATE[0].feature), ())
    assert spanned.name in choose(x[:, :2], x[:, [0]], alone).columns


def test_of_copies_the_more_relevant_stays():
    columns = RATE[:30]
    x = noise(30)
    rng = np.random.default_rng(2)
    x[:, 7] = x[:, 20] + 0.1 * rng.normal(size=ROWS)
    x[:, 9] = -x[:, 20] + 0.1 * rng.normal(size=ROWS)
    y = x[:, [20]] + 0.01 * rng.normal(size=(ROWS, 1))
    found = choose(x, y, columns)
    assert found.dropped == {
        columns[7].name: f"a copy of {columns[20].name}",
        columns[9].name: f"a copy of {columns[20].name}",
    }


def test_no_two_chosen_columns_are_copies():
    columns = RATE[:300]
    rng = np.random.default_rng(3)
    factors = rng.normal(size=(ROWS, 12))
    x = factors @ rng.normal(size=(12, 300)) + 0.2 * rng.normal(size=(ROWS, 300))
    found = choose(x, factors[:, :3], columns, k=300)
    place = {c.name: i for i, c in enumerate(columns)}
    kept = x[:, [place[name] for name in found.columns]]
    correlation = np.abs(np.corrcoef(kept, rowvar=False)) - np.eye(kept.shape[1])
    assert correlation.max() < COPY + 1e-3
    for name, reason in found.dropped.items():
        other = x[:, place[reason.removeprefix("a copy of ")]]
        assert abs(np.corrcoef(x[:, place[name]], other)[0, 1]) > COPY - 1e-3


def test_both_domains_have_their_share():
    columns = RATE[:20] + BQX[:20] + CLOCK[:3]
    x = noise(43)
    y = x[:, :20].sum(axis=1, keepdims=True) + 3 * x[:, [40]]
    found = choose(x, y, columns, k=10, domain_share=0.4)
    domains = {c.name: c.domain for c in columns}
    counts = [sum(domains[n] == d for n in found.columns) for d in ("rate", "bqx", "clock")]
    assert counts[0] >= 4
    assert counts[1] == 4
    assert counts[2] >= 1
    unbalanced = choose(x, y, columns, k=10, domain_share=0.0)
    assert sum(domains[n] == "bqx" for n in unbalanced.columns) < 4


def test_the_same_seed_selects_the_same():
    x = noise(12)
    x[5, 3] = np.nan
    first, again = (choose(x, x[:, [0, 1]] + noise(2, 5), RATE[:12]) for _ in range(2))
    assert first == again


def test_nothing_left_is_an_error():
    with pytest.raises(ParameterError, match="no column left of 2"):
        choose(np.ones((ROWS, 2)), noise(1), RATE[:2])
