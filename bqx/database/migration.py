"""The rename of seven table types of older databases, and its report."""

import pandas as pd
from sqlalchemy import Connection, Engine, text

from bqx.database import documents, schema
from bqx.database.connect import shown
from bqx.database.failures import explained
from bqx.errors import DatabaseError
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
    DatabaseError : the documents' tables are set aside, a table stands under both names, is in use
        for longer than `schema.PATIENCE`, or the server refused; nothing is renamed.
    """
    with explained(engine, "rename"), engine.begin() as connection:
        schema.wait_for_locks(connection)
        if schema.is_own(connection):
            return _nothing(connection)
        schema.execute(connection, schema.script("rename.sql"))
        call = text("SELECT * FROM bqx.rename_families(:pairs, :back)")
        renamed = connection.execute(call, {"pairs": list(PAIRS), "back": back})
        return pd.DataFrame(renamed.all(), columns=list(renamed.keys()))


def _nothing(connection: Connection) -> pd.DataFrame:
    """No row: bqx's own schema has no older names.

    Raises DatabaseError where the documents' tables are set aside.
    """
    exists = connection.execute(
        text("SELECT to_regnamespace(:aside) IS NOT NULL"), {"aside": documents.ASIDE}
    )
    if exists.scalar():
        raise DatabaseError(
            f"{shown(connection.engine.url)}: the documents' tables are set aside, got schema "
            f"{documents.ASIDE}; expected them in bqx. Run `bqx db create --back` first."
        )
    return pd.DataFrame()
