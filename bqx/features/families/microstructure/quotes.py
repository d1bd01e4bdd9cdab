"""Quotes: the spread of a bar, what mid does around it, and tick directions.

Bars are bid: the ask is the close plus the spread, mid the close plus half of it, and a trade is
taken to be at the close. A feed without spreads leaves all but the tick directions NaN.
"""

from functools import partial

import numpy as np

from bqx.compiled import kernel
from bqx.features.declare import family
from bqx.features.rolling.ago import ago, changes, clean_rows
from bqx.features.rolling.sums import F
from bqx.features.rolling.trailing import deviation, total
from bqx.features.spec import SIGNED, Output, Source
from bqx.market.bars import Bars

SHORT = 5
"""Rows of the short mean and deviation in toxicity; rows that realised spread waits."""

NEEDS_ORDER_BOOK = ("bid_depth", "ask_depth", "depth_imbalance")
"""Names in the documents that bars cannot give: quantities quoted at the bid and the ask."""

SAME = {"spread_pct": "spread_pct"}
"""Names in the documents of features that are declared under another one."""


CLOSE_COLUMN, SPREAD_COLUMN = range(2)
"""Columns of the source."""


def _quotes(bars: Bars) -> F:
    return np.column_stack([bars.close, bars.spread])


QUOTES = Source("spread", "rate", "quote", 1, _quotes)
"""Close (bid) and spread, quote units."""


@kernel
def mids(x: F) -> F:
    """Close plus half the spread: (T,)."""
    return x[:, CLOSE_COLUMN] + 0.5 * x[:, SPREAD_COLUMN]


@kernel
def quoted(x: F, first_minute: int) -> F:
    """Level, percent of the close and of mid, price imbalance, effective, half: (T, 6)."""
    rows = len(x)
    out = np.empty((rows, 6))
    for row in range(rows):
        close, spread = x[row]
        mid = close + 0.5 * spread
        out[row, 0] = spread
        out[row, 1] = 100.0 * spread / close
        out[row, 2] = 100.0 * spread / mid
        out[row, 3] = -0.5 * spread / mid
        out[row, 4] = 200.0 * (0.5 * spread) / mid
        out[row, 5] = 0.5 * spread
    return out


@kernel
def moved(x: F, first_minute: int) -> F:
    """Twice the distance, in percent, of mid from the close 5 rows before, and from the last mid.

    (T, 2): realised spread of the trade five rows before, and price impact. Each is over the
    earlier row's mid.
    """
    out = np.empty((2, len(x)))
    mid = mids(x)
    close, before, last = ago(x[:, CLOSE_COLUMN].copy(), SHORT), ago(mid, SHORT), ago(mid, 1)
    for row in range(len(x)):
        out[0, row] = 200.0 * abs(mid[row] - close[row]) / before[row]
        out[1, row] = 200.0 * abs(mid[row] - last[row]) / last[row]
    return out.T


@kernel
def around_mid(x: F, first_minute: int, window: int) -> F:
    """Deviation of mid, and toxicity: (T, 2).

    Toxicity is the deviation of mid over 5 rows relative to that over the window, times the mean
    spread over 5 rows relative to that over the window.
    """
    out = np.empty((len(x), 2))
    mid, spread = mids(x), x[:, SPREAD_COLUMN].copy()
    out[:, 0] = deviation(mid, window, first_minute)
    fast = deviation(mid, SHORT, first_minute) * total(spread, SHORT, first_minute) / SHORT
    slow = out[:, 0] * total(spread, window, first_minute) / window
    out[:, 1] = fast / np.where(slow > 0.0, slow, np.nan)
    return out


@kernel
def direction(x: F, first_minute: int) -> F:
    """Sign of the last change of the close: (T, 1)."""
    return np.sign(changes(x[:, CLOSE_COLUMN].copy(), 1)).reshape(-1, 1)


@kernel
def tick_rule(x: F, first_minute: int, window: int) -> F:
    """Sign of the last change other than 0 among ``window``: (T, 1), 0 where there is none."""
    rows = len(x)
    out = np.full((rows, 1), np.nan)
    signs = np.sign(changes(x[:, CLOSE_COLUMN].copy(), 1))
    clean = clean_rows(signs)
    latest = -1
    for row in range(rows):
        if signs[row] > 0.0 or signs[row] < 0.0:
            latest = row
        if clean[row] >= window:
            out[row, 0] = signs[latest] if 0 <= row - latest < window and latest >= 0 else 0.0
    return out


_QUOTED = {
    "level": Output("{u}", 0.0, alias="spread_level", title="Spread of the bar", formula="S[t]"),
    "pct": Output(
        "%",
        0.0,
        alias="spread_pct_of_rate",
        title="Spread in percent of the close",
        formula="100 S[t] / C[t]",
    ),
    "quoted": Output(
        "%",
        0.0,
        200.0,
        alias="quoted_spread",
        title="Quoted spread in percent of mid",
        formula="100 S[t] / M[t]",
    ),
    "imbalance": Output(
        "1",
        -1.0,
        0.0,
        alias="bid_ask_imbalance",
        spanned_by=("{s}_quoted",),
        title="Imbalance of bid and ask prices",
        formula="(bid - ask) / (bid + ask)",
    ),
    "effective": Output(
        "%",
        0.0,
        200.0,
        alias="effective_spread",
        spanned_by=("{s}_quoted",),
        about="trades are taken at the bid",
        title="Effective spread in percent of mid",
        formula="200 |M[t] - C[t]| / M[t]",
    ),
    "half": Output(
        "{u}",
        0.0,
        alias="roll_cost",
        spanned_by=("{s}_level",),
        title="Half the spread",
        formula="M[t] - C[t]",
    ),
}
_MOVED = {
    "realized": Output(
        "%",
        0.0,
        alias="realized_spread",
        title="Realised spread of the trade five rows before",
        formula="200 |M[t] - C[t-5]| / M[t-5]",
    ),
    "impact": Output(
        "%",
        0.0,
        alias="price_impact",
        lookback=lambda: 2,
        title="Price impact, twice the last move of mid in percent",
        formula="200 |M[t] - M[t-1]| / M[t-1]",
    ),
}
_MID = {
    "std": Output(
        "{u}", 0.0, alias="mid_price_volatility", title="Deviation of mid", formula="std(M, {0})"
    ),
    "toxicity": Output(
        "1",
        0.0,
        alias="order_flow_toxicity",
        title="Order-flow toxicity, recent volatility and spread over usual",
        formula="std(M, 5) mean(S, 5) / (std(M, {0}) mean(S, {0}))",
    ),
}

_quotes_family = partial(family, table="spread", sources=QUOTES)

FAMILIES = (
    _quotes_family("", quoted, _QUOTED, about="spread of the bar", lookback=lambda: 1),
    _quotes_family("", moved, _MOVED, about="what followed a trade", lookback=lambda: SHORT + 1),
    _quotes_family("mid", around_mid, _MID, windows=60, about="mid over the trailing window"),
    _quotes_family(
        "tick",
        direction,
        {"direction": Output(*SIGNED, alias="tick_direction")},
        title="Direction of the last change of the close",
        formula="sign(C[t] - C[t-1])",
        lookback=lambda: 2,
    ),
    _quotes_family(
        "tick",
        tick_rule,
        {"rule": Output(*SIGNED, alias="tick_rule")},
        windows=60,
        title="Tick rule, direction of the last change other than 0",
        formula="sign(last delta(C, 1) != 0 among {0}), 0 without one",
        lookback=lambda window: window + 1,
    ),
)
