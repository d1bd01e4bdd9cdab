"""The quality report names what was planted, and nothing else."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from bqx.features import catalog
from bqx.features.spec import Family, Output, Source
from bqx.market.bars import Bars
from bqx.monitoring import quality

ROWS = 5_000


def source(domain: str) -> Source:
    return Source(domain, domain, "1", 1, lambda bars: np.zeros((len(bars), 1)))


def family(name: str, domain: str, outputs: dict[str, Output]):
    made = Family(name, "planted", np.array, outputs, ((),), (source(domain),), "planted")
    return made.features()


@pytest.fixture(scope="module")
def normal() -> np.ndarray:
    return np.random.default_rng(0).normal(size=(ROWS, 3)).astype(np.float32)


def test_measures_of_a_column_equal_their_definitions(normal: np.ndarray) -> None:
    members = family("plain", "rate", {"a": Output("1"), "b": Output("1"), "c": Output("1")})
    found = quality.features(normal, members).set_index("feature")
    for i, feature in enumerate(members):
        column = pd.Series(normal[:, i].astype(float))
        row = found.loc[feature.name]
        assert row["mean"] == pytest.approx(column.mean())
        assert row["deviation"] == pytest.approx(column.std())
        assert row["skewness"] == pytest.approx(column.skew(), abs=1e-3)
        assert row["kurtosis"] == pytest.approx(column.kurt(), abs=1e-2)
        assert row["q25"] == pytest.approx(column.quantile(0.25))
        assert (row["missing"], row["outside"], row["outliers"], row["constant"]) == (0, 0, 0, 0)


def test_planted_faults_are_counted(normal: np.ndarray) -> None:
    outputs = {name: Output("1", -6, 6) for name in ("fine", "gone", "far")}
    members = family("faulty", "rate", outputs)
    values = normal.copy()
    values[:500, 1] = np.nan
    values[7:9, 2] = (50.0, -50.0)
    values[20, 2] = 6.00001
    found = quality.features(values, members).set_index("feature")
    assert found["missing"].tolist() == [0.0, 0.1, 0.0]
    assert found["outside"].tolist() == [0.0, 0.0, 2 / ROWS]
    assert found["outliers"].tolist() == [0.0, 0.0, 2 / ROWS]


def test_columns_without_values_or_without_change_are_told() -> None:
    members = family("odd", "rate", {name: Output("1") for name in ("none", "same", "rare")})
    values = np.zeros((ROWS, 3), dtype=np.float32)
    values[:, 0] = np.nan
    values[:9, 2] = 1.0
    found = quality.features(values, members)
    assert found["missing"].tolist() == [1.0, 0.0, 0.0]
    assert found["constant"].tolist() == [False, True, False]
    assert found["outliers"].isna().all()


def test_duplicates_are_those_between_domains(normal: np.ndarray) -> None:
    rate = family("one", "rate", {"a": Output("1"), "b": Output("1"), "twin": Output("1")})
    bqx = family("two", "bqx", {"a": Output("1"), "upside": Output("1"), "holes": Output("1")})
    holes = normal[:, 1].copy()
    holes[::3] = np.nan
    values = np.column_stack(
        [normal[:, 0], normal[:, 1], normal[:, 0], np.exp(normal[:, 0]), -normal[:, 1], holes]
    )
    found = quality.duplicates(values, [*rate, *bqx])
    couples = dict(zip(zip(found["feature"], found["other"], strict=True),
                       found["correlation"], strict=True))  # fmt: skip
    assert set(couples) == {
        ("rate_one_a", "bqx_two_a"),
        ("rate_one_twin", "bqx_two_a"),
        ("rate_one_b", "bqx_two_upside"),
    }
    expected = stats.spearmanr(values[:, 1], values[:, 4]).statistic
    assert couples["rate_one_b", "bqx_two_upside"] == pytest.approx(expected)
    assert quality.duplicates(normal, rate).empty


def test_coverage_and_gaps_of_the_walk(walk: Bars) -> None:
    covered = quality.coverage(walk)
    frame = walk.frame
    assert covered["rows"] == 2_600
    assert covered["filled"] == pytest.approx(frame["filled"].mean())
    assert covered["missing"] == pytest.approx(20 / 2_600)
    assert covered["traded"] + covered["filled"] + covered["missing"] == pytest.approx(1.0)
    assert (covered["no_volume"], covered["no_spread"]) == (True, True)
    gaps = quality.gaps(walk)
    assert gaps.to_dict("records") == [{"pair": "eurusd", "first": walk.ts[700], "minutes": 20}]


def test_gaps_reach_both_ends_and_come_longest_first(clean: Bars) -> None:
    assert quality.gaps(clean).empty
    frame = clean.frame.copy()
    for start, stop in ((0, 3), (100, 140), (2_590, 2_600)):
        frame.iloc[start:stop, :4] = np.nan
    found = quality.gaps(Bars("eurusd", frame, clean.baseline))
    assert found["minutes"].tolist() == [40, 10, 3]
    assert found["first"].tolist() == [clean.ts[100], clean.ts[2_590], clean.ts[0]]


def test_tables_are_summed_up_over_pairs(normal: np.ndarray) -> None:
    members = catalog.profile("core")[:3]
    parts = [quality.features(normal, members).assign(pair=pair) for pair in ("eurusd", "gbpusd")]
    parts[1].loc[0, "missing"] = 0.25
    found = pd.concat(parts, ignore_index=True)
    table = quality.by_table(found)
    assert table["features"].sum() == 3
    assert table["missing"].max() == 0.25
    assert quality.missing_by_pair(found).loc[members[0].table, "eurusd"] == 0.0
    said = quality.summary(found, [{"traded": 0.9}, {"traded": 0.7}])
    assert (said["pairs"], said["features"], said["constant"]) == (2, 3, 0)
    assert said["traded minutes"] == pytest.approx(0.8)
