"""Notebook 03: the counts that the documents state, against their own lists and the catalog."""

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import pandas as pd

from bqx.features import catalog, lags
from bqx.features.documents import DOCUMENTS, EVERY, Lists
from bqx.features.documents.lists import DATA_HEALTH, LAGGED, Document, Table
from bqx.features.documents.statements import LISTS, Stated, every
from bqx.features.families.microstructure.quotes import NEEDS_ORDER_BOOK
from bqx.params import NOTEBOOK_KEYS, Params
from bqx.runs import artefacts
from bqx.runs.run import Run

NAME = "03_reconciliation"


class Reconciliation(NamedTuple):
    """Rows by table, by document, by lag grid, by statement and by table of the catalog."""

    tables: pd.DataFrame
    totals: pd.DataFrame
    grids: pd.DataFrame
    statements: pd.DataFrame
    laggable: pd.DataFrame


def reconcile(known: Lists) -> Reconciliation:
    """Reconcile the documents' lists with the features of a catalog."""
    return Reconciliation(
        tables(known), totals(known), grids(known), statements(known), laggable(known)
    )


# --- tables and totals ----------------------------------------------------------------------


def tables(known: Lists) -> pd.DataFrame:
    """One row per table of a document: stated, itemised and implemented counts, difference, cause.

    ``implemented`` counts features, so that two names of one feature count once; ``difference``
    is that against the stated count.
    """
    return pd.DataFrame([_row(doc, table, known) for doc in EVERY for table in doc.tables])


def _row(document: Document, table: Table, known: Lists) -> dict[str, Any]:
    resolved = known.resolve(table)
    features = {feature for feature in resolved.values() if feature is not None}
    missing = [name for name, feature in resolved.items() if feature is None]
    book = [name for name in missing if name in NEEDS_ORDER_BOOK]
    absent = [name for name in missing if name not in NEEDS_ORDER_BOOK]
    itemised = len(table.names)
    causes = []
    if itemised != table.stated:
        causes.append(f"{itemised} names for {table.stated}: {table.cause}")
    if book:
        causes.append(f"{len(book)} need an order book: {', '.join(book)}")
    if absent:
        causes.append(f"{len(absent)} not in the catalog yet: {_some(absent)}")
    if len(features) + len(missing) < itemised:
        causes.append(f"{itemised - len(missing) - len(features)} under two names")
    return {
        "document": document.name,
        "table": table.name,
        "stated": table.stated,
        "itemised": itemised,
        "implemented": len(features),
        "difference": len(features) - table.stated,
        "cause": "; ".join(causes),
    }


def _some(names: list[str], most: int = 6) -> str:
    return ", ".join(names[:most]) + (", ..." if len(names) > most else "")


def totals(known: Lists) -> pd.DataFrame:
    """One row per document: printed total, sum of its tables' stated counts, and what is there.

    ``shared`` counts names that stand for a feature named before, ``missing`` names without one.
    """
    rows = []
    for document in EVERY:
        named = [f for table in document.tables for f in known.resolve(table).values()]
        features = [feature for feature in named if feature is not None]
        rows.append(
            {
                "document": document.name,
                "printed": document.stated,
                "summed": sum(table.stated for table in document.tables),
                "itemised": len(named),
                "shared": len(features) - len(set(features)),
                "missing": len(named) - len(features),
                "implemented": len(set(features)),
            }
        )
    return pd.DataFrame(rows).astype({"printed": "Int64"})


# --- lags -----------------------------------------------------------------------------------


def _grid(base: int, laggable: int, causality: int) -> dict[str, int]:
    lagged = len(lags.LAGS) * laggable
    columns = base + lagged + causality
    return {
        "base": base,
        "laggable": laggable,
        "lagged": lagged,
        "causality": causality,
        "columns": columns,
    }


def grids(known: Lists) -> pd.DataFrame:
    """Columns of the lag grids of the documents that state what is laggable, on four bases.

    ``stated`` counts, ``itemised`` names, ``distinct`` ones (a feature named twice counts once),
    and the ``implemented`` grid. ``printed`` is the document's own number of columns.
    """
    rows: list[dict[str, Any]] = []
    for document in DOCUMENTS.values():
        if not document.lags:
            continue
        every, lagged = document.tables, tuple(t for t in document.tables if t.laggable)
        ruled = sum(len(names) for _, names in document.causality)
        plan = known.plan(document.name)
        grid = lags.grid(known.members(document.name), plan=plan)
        now = sum(column.lag == 0 for column in grid)
        implemented = _grid(now, len(plan.laggable), len(plan.causality))
        for basis, counts in (
            ("stated", _grid(document.stated or 0, sum(t.stated for t in lagged), ruled)),
            ("itemised", _grid(_names(every), _names(lagged), ruled)),
            ("distinct", _grid(distinct(known, every), distinct(known, lagged), ruled)),
            ("implemented", {**implemented, "columns": len(grid)}),
        ):
            rows.append(
                {"document": document.name, "basis": basis, **counts, "printed": document.columns}
            )
    return pd.DataFrame(rows)


def _names(tables: Iterable[Table]) -> int:
    return sum(len(table.names) for table in tables)


def distinct(known: Lists, tables: Iterable[Table]) -> int:
    """Names of some tables, a feature that bears two of them counted once."""
    named = [feature for table in tables for feature in known.resolve(table).values()]
    return len({feature for feature in named if feature}) + named.count(None)


def laggable(known: Lists) -> pd.DataFrame:
    """One row per table of the catalog: features, those with lags by default, in v1, in v3; why."""
    plans = {name: known.plan(name).laggable for name, doc in DOCUMENTS.items() if doc.lags}
    reasons: dict[str, dict[str, None]] = {}
    for document in EVERY:
        for table in document.tables:
            for feature in known.resolve(table).values():
                if feature is not None and table.lag:
                    reasons.setdefault(feature.table, {})[f"{document.name}: {table.lag}"] = None
    return pd.DataFrame(
        {
            "table": name,
            "features": len(features),
            "laggable": sum(feature.laggable for feature in features),
            **{doc: sum(f in chosen for f in features) for doc, chosen in plans.items()},
            "why": "; ".join(reasons.get(name, {})),
        }
        for name, features in catalog.tables(known.members("full")).items()
    )


# --- statements -----------------------------------------------------------------------------

Statement = tuple[int, str, Any, int, str]
"""Row of the documents, what it counts, as stated and recomputed, and why they differ."""

_EARLIER = "an earlier estimate, kept after the counts changed"
_MOVED = "the inventory's subtotal, kept after the rows changed"


def statements(known: Lists) -> pd.DataFrame:
    """Statements of the documents, recomputed: all 80 rows of their contradictions.

    ``from`` says what from: the lists, the statement's own items, or definitions; ``difference`` is
    recomputed less stated.
    """
    by = grids(known).set_index(["document", "basis"])["columns"]
    counted = [
        Stated(row, statement, stated, recomputed, LISTS, cause)
        for row, statement, stated, recomputed, cause in (
            *_of_v3(by),
            *_of_v2(),
            *_of_v1(known, by),
        )
    ]
    rows = sorted([*counted, *every()], key=lambda stated: stated.row)
    frame = pd.DataFrame(rows).rename(columns={"basis": "from"})
    frame.insert(4, "difference", frame["recomputed"] - frame["stated"])
    return frame


def _of_v3(by: pd.Series) -> Iterator[Statement]:
    v2, v3 = DOCUMENTS["v2"], DOCUMENTS["v3"]
    groups = {name: _names(t for t in v3.tables if t.group == name) for name in v3.subtotals}
    rate, bqx, cross, advanced = groups
    basic = groups[rate] + groups[bqx] + groups[cross]
    early, health = v3.subtotals[advanced], len(DATA_HEALTH)
    lags = f"{_MOVED}: all {len(LAGGED)} lags and volume are listed now"
    mixed = f"relabelled as unique; {health} of data health are among them"
    forgotten = "the features without lags are forgotten; on the printed total"
    yield 1, "v3, rate", v3.subtotals[rate], groups[rate], "microstructure fills it up to 268"
    yield 2, "v3, BQX", v3.subtotals[bqx], groups[bqx], f"{_MOVED}; four tables count both domains"
    yield 3, "v3, cross-domain", v3.subtotals[cross], groups[cross], lags
    yield 4, "v3, advanced", early, groups[advanced], _EARLIER
    yield 5, "v3, total", v3.stated, _names(v3.tables), "the sum of the four"
    yield 6, "companion of v3, base", v2.stated, basic, f"{basic} relabelled as unique"
    yield 7, "companion of v3, advanced", early, groups[advanced] + health, mixed
    yield 8, "v3, lagged", v3.columns, by["v3", "stated"], forgotten
    yield 8, "v3, lagged", v3.columns, by["v3", "itemised"], "the same, on the itemised total"


def _of_v2() -> Iterator[Statement]:
    v2 = DOCUMENTS["v2"]
    inventory = _names(v2.tables)
    shared = _names(table for table in v2.tables if table.group)
    later = f"the {shared} are computed later, not loaded"
    yield 9, "v2, total", v2.columns, inventory, f"{shared} cross-domain features counted twice"
    yield 10, "v2, base of its pipeline", v2.stated, inventory - shared, later


def _of_v1(known: Lists, by: pd.Series) -> Iterator[Statement]:
    v1 = DOCUMENTS["v1"]
    sizes = {table.name: table for table in v1.tables}
    for number, name in ((11, "bqx"), (12, "reg")):
        table = sizes[name]
        yield number, f"v1, {name}", table.stated, len(table.names), table.cause
    once = "rate_index is in two tables"
    yield 13, "v1, total", v1.stated, _names(v1.tables), "rows 11 and 12"
    yield 13, "v1, total", v1.stated, distinct(known, v1.tables), once
    yield 14, "v1, lagged", v1.columns, by["v1", "itemised"], "rows 11 and 12, at five lags"
    yield 14, "v1, lagged", v1.columns, by["v1", "distinct"], once


def build(params: Params) -> Reconciliation:
    """Reconcile the documents with the catalog and store what was found."""
    run = Run.open(params.folder, params)
    reconciled = reconcile(catalog.LISTS)
    with run.stage(NAME, NOTEBOOK_KEYS[NAME]) as stage:
        content: dict[str, Any] = {
            name: frame.astype(object).where(frame.notna(), None).to_dict("records")
            for name, frame in reconciled._asdict().items()
        }
        content["catalog_hash"] = catalog.catalog_hash(catalog.FEATURES.values())
        artefacts.RECONCILIATION.write(stage, content)
    return reconciled
