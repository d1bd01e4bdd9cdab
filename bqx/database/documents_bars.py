"""Bars of the documents' tables into bqx's, a month of a pair at a time."""

from collections.abc import Iterator

import pandas as pd
from sqlalchemy import Engine, text

from bqx.database import loads
from bqx.database.documents import ASIDE
from bqx.database.failures import explained
from bqx.errors import BarError
from bqx.market import bars, sessions
from bqx.market.pairs import LIQUIDITY

_COLUMNS = text(
    "SELECT attname FROM pg_attribute WHERE attrelid = to_regclass(:name) AND attnum > 0 "
    "AND NOT attisdropped"
)


def copy(engine: Engine) -> tuple[int, int]:
    """Copy the bars that were set aside, with their baselines; what is there already stays.

    Returns
    -------
    Bars new or changed, and pairs.

    Raises
    ------
    DatabaseError : the server refused.
    BarError : bars that are none.
    """
    with explained(engine, "baselines"), engine.begin() as connection:
        if connection.execute(_COLUMNS, {"name": f"{ASIDE}.baseline_rates"}).all():
            connection.execute(
                text(
                    "INSERT INTO bqx.baselines SELECT pair, baseline_rate FROM "
                    f"{ASIDE}.baseline_rates ON CONFLICT (pair) DO NOTHING"
                )
            )
    count, pairs = 0, set()
    for pair in LIQUIDITY:
        for frame in _months(engine, pair):
            count += loads.put_bars(engine, {pair: frame})
            pairs.add(pair)
    return count, len(pairs)


def _months(engine: Engine, pair: str) -> Iterator[pd.DataFrame]:
    table = f"{ASIDE}.m1_{pair}"
    with explained(engine, f"bars of {pair}"), engine.connect() as connection:
        names = set(connection.execute(_COLUMNS, {"name": table}).scalars())
        if not names:
            return
        time = "time" if "time" in names else "ts_utc"
        spread = "spread_close" if "spread_close" in names else "NULL"
        # Times without a zone are UTC, as the session is.
        ends = f"SELECT min({time}::timestamptz), max({time}::timestamptz) FROM {table}"
        first, last = connection.execute(text(ends)).one()
        if first is None:
            return
        if last > sessions.tomorrow():
            raise BarError(
                f"{table}: bars of the future, got one of {last}; expected none later than "
                "tomorrow by this machine's clock. Delete them, or set the clock."
            )
        selected = text(
            f"SELECT {time}::timestamptz, open, high, low, close, volume, {spread} FROM {table} "
            f"WHERE {time} >= :first AND {time} < :next ORDER BY 1"
        )
        ends_utc = [pd.Timestamp(t).tz_convert("UTC").tz_localize(None) for t in (first, last)]
        for month in pd.period_range(*ends_utc, freq="M"):
            span = {"first": month.start_time, "next": (month + 1).start_time}
            rows = connection.execute(selected, span).all()
            if rows:
                frame = pd.DataFrame(rows, columns=["ts_utc", *bars.COLUMNS]).set_index("ts_utc")
                frame.index = pd.DatetimeIndex(frame.index).tz_convert("UTC")
                yield bars.validate(frame.astype("float64"), table)
