"""Forecasts that a server wrote down, as the rows that learning goes on from."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from bqx.errors import ArtefactError

KIND = "forecast"


def rows_of(captured: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """One row per pair, horizon and minute, see `bqx.online.replay`, of one model's captured rows.

    Parameters
    ----------
    captured : ``kind``, ``pair``, ``minute``, ``id``, and lists: ``x`` (C,), ``horizons`` (H,),
        ``innovation`` (H,), in sigma; rows of another kind, and those without ``x``, are left out.
    columns : names of the C columns in the model's order.

    Raises ArtefactError where a row has another number of columns.
    """
    named = [name for name in columns if name in ("pair", "horizon", "minute", "forecast", "label")]
    forecasts = captured[(captured["kind"] == KIND) & captured["x"].notna()].drop_duplicates("id")
    widths = forecasts["x"].map(len)
    if named or (widths != len(columns)).any():
        got = named[0] if named else f"{widths[widths != len(columns)].iloc[0]} columns"
        raise ArtefactError(
            f"captured forecasts: of another model, got {got}; expected {len(columns)} columns "
            "with names of their own. Read one model at a time."
        )
    frames = [
        pd.DataFrame(
            {
                "pair": row.pair,
                "horizon": np.asarray(row.horizons, dtype=np.int64),
                "minute": int(row.minute),
                "forecast_id": row.id,
                "forecast": np.asarray(row.innovation, dtype=np.float64),
            }
        ).assign(**dict(zip(columns, np.asarray(row.x, dtype=np.float32), strict=True)))
        for row in forecasts.itertuples(index=False)
    ]
    if not frames:
        return pd.DataFrame(columns=["pair", "horizon", "minute", "forecast", *columns])
    rows = pd.concat(frames, ignore_index=True)
    return rows.sort_values(["minute", "pair", "horizon"], kind="stable", ignore_index=True)
