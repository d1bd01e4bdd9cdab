"""The documents' lists against the catalog, and their counts against what the documents print."""

import csv
from pathlib import Path
from types import SimpleNamespace

import pytest

from bqx.errors import ParameterError
from bqx.features import catalog, lags
from bqx.features.documents import DOCUMENTS, EVERY, NAMES, Lists, plan_of
from bqx.features.families.microstructure.quotes import NEEDS_ORDER_BOOK
from bqx.stages import reconciliation, selection

KNOWN = Lists(catalog.FEATURES)
CORE = Path(__file__).parent / "golden" / "core.csv"
TABLES = [(document, table) for document in EVERY for table in document.tables]


def test_lists_have_the_counts_of_the_documents():
    counts = {name: sum(len(t.names) for t in doc.tables) for name, doc in DOCUMENTS.items()}
    assert counts == {"v1": 224, "v2": 730, "v3": 1_307, "v4": 802}
    stated = {name: sum(t.stated for t in doc.tables) for name, doc in DOCUMENTS.items()}
    assert stated == {"v1": 228, "v2": 730, "v3": 1_307, "v4": 802}
    assert {name: doc.stated for name, doc in DOCUMENTS.items()} == {
        "v1": 228, "v2": 730, "v3": 1_080, "v4": 802,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("document", "table"), TABLES, ids=[f"{d.name}-{t.name}" for d, t in TABLES]
)
def test_every_name_of_a_table_is_a_feature_of_its_own(document, table):
    assert len(set(table.names)) == len(table.names)
    found = KNOWN.resolve(table)
    features = [feature for feature in found.values() if feature]
    assert len(set(features)) == len(features)
    other = {"idx": "bqx", "bqx": "rate"}.get(table.name[-3:])
    if len(table.tables) == 1:
        assert not any(feature.domain == other for feature in features)
    missing = {name for name, feature in found.items() if feature is None}
    assert missing <= set(NEEDS_ORDER_BOOK)
    assert set(table.renamed.values()) <= {
        name for f in catalog.FEATURES.values() for name in (f.name, f.alias)
    }


def test_only_what_needs_an_order_book_is_no_feature():
    missing = {n for _, t in TABLES for n, feature in KNOWN.resolve(t).items() if feature is None}
    assert missing == set(NEEDS_ORDER_BOOK)


def test_every_feature_stands_in_a_list():
    assert KNOWN.unlisted() == ()


@pytest.mark.parametrize("name", NAMES)
def test_a_profile_is_a_part_of_the_catalog_in_its_order(name):
    features = KNOWN.members(name)
    assert len(set(features)) == len(features)
    chosen = set(features)
    assert features == tuple(f for f in catalog.FEATURES.values() if f in chosen)
    grid = lags.grid(features, plan=KNOWN.plan(name))
    assert len({column.name for column in grid}) == len(grid)


def test_sizes_of_profiles():
    # rate_index is in two tables of v1; the residual of the triangle in two of v3, either domain.
    assert {name: len(KNOWN.members(name)) for name in NAMES} == {
        "full": len(catalog.FEATURES) - 128, "core": 298,
        "v1": 223 - len(NEEDS_ORDER_BOOK), "v2": 730, "v3": 1_305, "v4": 802, "v4_encoded": 866,
        "learned": 802 + 128,
    }  # fmt: skip
    assert {*KNOWN.members("core")} < {*KNOWN.members("v2")} < {*KNOWN.members("v4")}


def test_core_is_the_window_exact_start():
    with CORE.open() as file:
        golden = {row["name"]: (row["unit"], int(row["lookback"])) for row in csv.DictReader(file)}
    assert {f.name: (f.unit, f.lookback) for f in KNOWN.members("core")} == golden


def test_no_such_profile():
    with pytest.raises(ParameterError, match="unknown profile, got 'v5'; expected one of full"):
        KNOWN.members("v5")


# --- lags -----------------------------------------------------------------------------------


def test_lag_grids_count_as_the_documents_state():
    rows = reconciliation.grids(KNOWN).set_index(["document", "basis"])
    columns = rows["columns"].to_dict()
    assert columns["v1", "stated"] == rows["printed"]["v1", "stated"] == 809
    assert columns["v1", "itemised"] == 789
    assert columns["v1", "distinct"] == 784
    assert columns["v3", "stated"] == 3_200
    assert columns["v3", "itemised"] == 3_427
    assert rows["printed"]["v3", "stated"] == 2_640
    laggable = rows["laggable"].to_dict()
    assert (laggable["v1", "stated"], laggable["v1", "itemised"]) == (142, 138)
    assert laggable["v1", "implemented"] == 137 - len(NEEDS_ORDER_BOOK)
    assert {laggable["v3", basis] for basis in ("stated", "itemised", "implemented")} == {520}
    assert set(rows["causality"]["v1"]) == {13}
    assert set(rows["causality"]["v3"]) == {40}
    parts = rows[["base", "lagged", "causality"]].sum(axis=1)
    assert (parts == rows["columns"]).all()


def test_what_the_rule_lags_beyond_a_profile_has_that_column_alone():
    features, plan = KNOWN.members("v3"), KNOWN.plan("v3")
    grid = lags.grid(features, plan=plan)
    beyond = [column for column in grid if column.feature not in set(features)]
    assert {column.lag for column in beyond} == {lags.CAUSALITY_LAG}
    assert {column.feature for column in beyond} == set(plan.causality)
    assert grid[-len(beyond) :] == tuple(beyond)


@pytest.mark.parametrize("name", ["full", "core", "v2", "v4"])
def test_without_a_document_the_features_say_what_is_laggable(name):
    features = KNOWN.members(name)
    assert KNOWN.plan(name) == plan_of(features)
    assert lags.grid(features, plan=plan_of(features)) == lags.grid(features)


def test_features_of_a_documents_laggable_tables_are_laggable_in_the_catalog():
    borrowed = {"cross_pair"}  # the residual of the triangle, which correlation lists too
    for name in ("v1", "v3"):
        wrong = {f.table for f in KNOWN.plan(name).laggable if not f.laggable}
        assert wrong <= borrowed


def test_only_tables_that_a_document_lags_have_lags():
    lagged = {
        feature.table
        for _, table in TABLES
        for feature in KNOWN.resolve(table).values()
        if feature and table.laggable
    }
    assert {f.table for f in catalog.FEATURES.values() if f.laggable} <= lagged


# --- reconciliation -------------------------------------------------------------------------


def test_statements_are_recomputed():
    rows = reconciliation.statements(KNOWN)
    first = rows[rows["row"] <= 14]
    found = [tuple(row) for row in first[["row", "stated", "recomputed"]].to_numpy()]
    assert found == [
        (1, 268, 268), (2, 254, 279), (3, 208, 310), (4, 350, 450), (5, 1_080, 1_307),
        (6, 730, 857), (7, 350, 460), (8, 2_640, 3_200), (8, 2_640, 3_427), (9, 1_062, 730),
        (10, 730, 398), (11, 40, 38), (12, 57, 55), (13, 228, 224), (13, 228, 223),
        (14, 809, 789), (14, 809, 784),
    ]  # fmt: skip
    told = rows["recomputed"].notna()
    assert (rows["difference"] == rows["recomputed"] - rows["stated"])[told].all()
    assert rows["cause"].ne("").all()


def test_all_eighty_statements_are_there_with_what_they_are_recomputed_from():
    rows = reconciliation.statements(KNOWN)
    assert set(rows["row"]) == set(range(1, 81))
    assert set(rows["from"]) == {"the lists", "its own items", "definitions"}
    # What a selection takes for 95 % is a run's to say.
    assert rows.loc[rows["recomputed"].isna(), "row"].tolist() == [80]
    value = rows.drop_duplicates("row").set_index("row")["recomputed"]
    expected = {
        16: 128, 17: 72, 18: 128, 19: 25, 20: 151.25, 21: 166, 23: 33.5, 25: 14, 26: 846, 27: 500,
        28: 2_464, 29: 2_352, 30: 4_816, 31: 4_704, 34: 50, 36: 336, 39: 320, 40: 130, 41: 1_600,
        43: 504, 45: 270, 48: 6, 51: 705.56, 56: 291.55, 74: 43_200, 76: 866, 77: 36, 78: -1,
    }  # fmt: skip
    assert {row: value[row] for row in expected} == pytest.approx(expected)
    # 26 weeks of 7,200 minutes and a bit.
    assert 26 * 7_200 < value[47] < 27 * 7_200


def test_every_difference_has_a_cause():
    rows = reconciliation.tables(KNOWN)
    assert len(rows) == len(TABLES)
    assert (rows["difference"].eq(0) == rows["cause"].eq("")).all()


def test_totals_add_up():
    rows = reconciliation.totals(KNOWN).set_index("document")
    assert (rows["itemised"] - rows["shared"] - rows["missing"] == rows["implemented"]).all()
    for name in DOCUMENTS:
        assert rows["implemented"][name] == len(KNOWN.members(name))


def test_an_empty_catalog_is_reconciled_too():
    found = reconciliation.reconcile(Lists({}))
    assert (found.tables["implemented"] == 0).all()
    assert found.tables["cause"].ne("").all()
    assert found.laggable.empty


def test_every_table_says_why_it_has_lags_or_not():
    rows = reconciliation.laggable(KNOWN)
    assert rows["features"].sum() == len(KNOWN.members("full"))
    assert rows["why"].ne("").all()
    assert (rows[["laggable", "v1", "v3"]].le(rows["features"], axis=0)).all(axis=None)


def test_the_number_that_only_a_run_can_recompute_is_that_of_its_selection() -> None:
    chosen = {"eurusd": (SimpleNamespace(needed=80), SimpleNamespace(needed=120))}
    (row,) = selection.statement(chosen).to_dict("records")  # type: ignore[arg-type]
    assert (row["stated"], row["recomputed"], row["difference"]) == (70, 100, 30)
