"""Notebook 03: the counts that the documents state, against the catalog."""

import pandas as pd

from bqx.features import catalog
from bqx.features.stated import STATED, TOTALS
from bqx.params import NOTEBOOK_KEYS, Params
from bqx.store import Run

NAME = "03_reconciliation"


def _cause(row: pd.Series) -> str:
    if row["implemented"] == 0:
        return "not in the catalog yet"
    if row["implemented"] == row["inventory"]:
        return "" if row["enhanced"] in (row["inventory"], None) else "as in the inventory"
    return "differs from both"


def table() -> pd.DataFrame:
    """A row a store table: counts stated in both documents, implemented, difference, cause."""
    built = catalog.tables(catalog.profile())
    rows = pd.DataFrame(STATED).astype({"inventory": "Int64", "enhanced": "Int64"})
    rows["implemented"] = [len(built.get(name, ())) for name in rows["table"]]
    rows["difference"] = rows["implemented"] - rows["inventory"].fillna(rows["enhanced"])
    rows["cause"] = rows.astype(object).where(rows.notna(), None).apply(_cause, axis=1)
    return rows


def totals(rows: pd.DataFrame) -> pd.DataFrame:
    """Printed total of each document against the sum of its own rows."""
    return pd.DataFrame(
        {
            "document": list(TOTALS),
            "stated": list(TOTALS.values()),
            "itemised": [int(rows[name].sum()) for name in TOTALS],
        }
    ).assign(difference=lambda frame: frame["itemised"] - frame["stated"])


def build(params: Params) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Reconcile and store; returns the rows by table and the totals."""
    run = Run.open(params.folder, params)
    rows = table()
    sums = totals(rows)
    with run.stage(NAME, NOTEBOOK_KEYS[NAME]) as stage:
        stage.write_json(
            "reconciliation.json",
            {
                "catalog_hash": catalog.catalog_hash(catalog.profile()),
                "tables": rows.astype(object).where(rows.notna(), None).to_dict("records"),
                "totals": sums.to_dict("records"),
            },
        )
    return rows, sums
