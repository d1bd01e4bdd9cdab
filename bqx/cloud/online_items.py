"""Forecasts that go on learning, as items of the table `template_parts.predictions` describes.

An item is written when its forecast is made, and once more with its label when that is known: a
key has one forecast, so that writing again changes nothing.
"""

import time
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd

from bqx.cloud.calls import Clients, CloudError, told
from bqx.online.replay import KEYS, columns_of
from bqx.online.settings import MEMBERS
from bqx.online.store import ANSWERED

TABLE = "bqx_predictions"
KEPT_DAYS = 30
"""Days after which an item expires."""
BATCH = 25
"""Most items of one request."""
TRIES = 8
"""Times that items are sent which the table was too busy for."""
PAUSE = 0.1
"""Seconds before they are sent the second time; each later pause is twice as long, as AWS asks."""


def items(stored: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Items of forecasts as `bqx.online.store.OnlineStore` keeps them, labels where they are there.

    Parameters
    ----------
    stored : keys, ``online``, members' forecasts, weights, features, and perhaps ``label``.
    """
    features = [c for c in columns_of(stored.assign(forecast=0.0)) if c not in ANSWERED]
    for row in stored.to_dict("records"):
        label = row.get("label", np.nan)
        pair, horizon, minute = (row[name] for name in KEYS)
        yield {
            "pair_horizon": {"S": f"{pair}#{int(horizon)}"},
            "minute": {"N": str(int(minute))},
            "status": {"S": "waiting" if pd.isna(label) else "known"},
            "online": _number(row["online"]),
            "members": {"M": {name: _number(row[name]) for name in MEMBERS}},
            "weights": {"M": {name: _number(row[f"weight_{name}"]) for name in MEMBERS}},
            "features": {"M": {name: _number(row[name]) for name in features}},
            "expires": {"N": str((int(minute) + KEPT_DAYS * 1_440) * 60)},
        } | ({} if pd.isna(label) else {"label": _number(label)})


def _number(value: float) -> dict[str, Any]:
    """A number by the digits that give it back; DynamoDB knows none that is not finite."""
    if not np.isfinite(value):
        return {"NULL": True}
    return {
        "N": f"{Decimal(repr(float(value))):f}" if 0 < abs(value) < 1e-6 else repr(float(value))
    }


def write(
    stored: pd.DataFrame,
    of: Clients,
    table: str = TABLE,
    sleep: Callable[[float], None] = time.sleep,
) -> int:
    """Write forecasts into the table, and give their number.

    Raises CloudError where AWS refuses or is not reached, or leaves items unwritten.
    """
    written = list(items(stored))
    for start in range(0, len(written), BATCH):
        left = {table: [{"PutRequest": {"Item": item}} for item in written[start : start + BATCH]]}
        for number in range(TRIES):
            if not left:
                break
            if number:
                sleep(PAUSE * 2 ** (number - 1))
            with told("dynamodb.batch_write_item"):
                left = of("dynamodb").batch_write_item(RequestItems=left)["UnprocessedItems"]
        if left:
            raise CloudError(
                f"{table}: items are left, got {len(left[table])} after {TRIES} tries; expected "
                "none. Write them again later."
            )
    return len(written)
