"""The rename of seven table types of older databases, and its report."""

import pandas as pd
from sqlalchemy import Engine, text

from bqx.database import schema
from bqx.database.failures import explained
from bqx.market.pairs import PAIRS


def rename(engine: Engine, back: bool = False) -> pd.DataFrame:
    """Give ``reg_{pair}``, ``statistics_features_{pair}`` and so on their ``_idx_`` names.

    Parents and partitions are renamed in one transaction, which is undone when any count differs
    afterwards. Tables that have their new names are left alone.

    Parameters
    ----------
    engine : of a user that owns the tables.
    back : give the old names back.

    Returns
    -------
    One row per renamed table: old_name, new_name, partitions, rows and NULL share before and after.

    Raises
    ------
    DatabaseError : a table stands under both names, is in use for longer than `schema.PATIENCE`, or
        the server refused; nothing is renamed.
    """
    with explained(engine, "rename"), engine.begin() as connection:
        schema.wait_for_locks(connection)
        schema.execute(connection, schema.script("rename.sql"))
        call = text("SELECT * FROM bqx.rename_families(:pairs, :back)")
        renamed = connection.execute(call, {"pairs": list(PAIRS), "back": back})
        return pd.DataFrame(renamed.all(), columns=list(renamed.keys()))
