"""A pair among all 28 at the same minute.

Every reading but the gaps needs all 28 pairs: with one missing there is no cross-section. In the
rate domain more is a base currency that rose more; BQX keeps its sign, positive after a fall.
"""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling import panels
from bqx.features.rolling.component import component, projected
from bqx.features.rolling.panels import DAY, read
from bqx.features.rolling.quadratic import fit
from bqx.features.rolling.ranks import across, rank_correlation, ranks_of, without_rounding
from bqx.features.rolling.sums import F, mean_std
from bqx.features.rolling.trailing import totals
from bqx.features.sources import BQX_WINDOW
from bqx.features.spec import Family, Output, Source
from bqx.market.bars import Bars
from bqx.market.pairs import PAIRS, SISTERS

WINDOW = 60
"""Rows of returns, trends and volatility."""

ITERATIONS = 32
"""Steps of the power method for the panel's component."""


@kernel
def factor(x: F, fitted: F, first_minute: int, window: int) -> F:
    """Component's sum over the window and over 5 rows under each row's loadings, and its share of
    the variance: (T, 3).
    """
    out = np.empty((len(x), 3))
    out[:, 0] = projected(totals(x, window, first_minute), fitted)
    out[:, 1] = projected(totals(x, 5, first_minute), fitted)
    out[:, 2] = fitted[:, -1]
    return out


def _all(bars: Bars, series: panels.Series) -> F:
    return panels.stack(bars, series, PAIRS)


def _trend(bars: Bars, pair: str) -> F:
    def make() -> F:
        terms = fit(panels.index(bars, pair), WINDOW, bars.first_market_minute)
        return terms[:, :2] / terms[:, 3:4]

    return panels.shared(bars, f"trend:{pair}", make)


def _a1(bars: Bars, pair: str) -> F:
    return _trend(bars, pair)[:, 1]


def _a2(bars: Bars, pair: str) -> F:
    return _trend(bars, pair)[:, 0]


def _volatility(bars: Bars, pair: str) -> F:
    return mean_std(panels.returns(bars, pair), WINDOW, bars.first_market_minute, 1)[1]


METRICS = {
    "return": lambda bars: without_rounding(
        totals(_all(bars, panels.returns), WINDOW, bars.first_market_minute)
    ),
    "bqx": lambda bars: without_rounding(_all(bars, panels.momentum)),
    "a1": lambda bars: _all(bars, _a1),
    "a2": lambda bars: _all(bars, _a2),
    "vol": lambda bars: _all(bars, _volatility),
    "ect": lambda bars: _all(bars, panels.triangle_residual),
}
"""(T, 28) cross-sections: log return over 60 rows, BQX_15, normalised terms of the quadratic trend
over 60 rows, deviation of one-row log returns over 60, triangle residual."""


def _metric(bars: Bars, name: str) -> F:
    """Cross-section on the rows that are wanted."""
    return panels.shared(bars, f"panel:{name}", lambda: METRICS[name](bars)[panels.since(bars) :])


def _across(bars: Bars, name: str) -> F:
    return panels.shared(bars, f"across:{name}", lambda: across(_metric(bars, name)))


def _component(bars: Bars) -> F:
    def make() -> F:
        x = _all(bars, panels.returns)
        dollar = np.array([p in panels.DOLLAR_PAIRS for p in PAIRS]) * panels.in_dollars(PAIRS)
        first, since = bars.first_market_minute, panels.since(bars)
        fitted = component(x, DAY, first, dollar, ITERATIONS, since, centred=True)
        return factor(x, fitted, first, DAY)

    return panels.shared(bars, "panel component", make)


def _of_all(bars: Bars) -> F:
    """What is the same for all pairs."""
    of = {name: _across(bars, name) for name in METRICS}
    moved, fell = of["return"], of["bqx"]

    def ranks() -> F:
        return rank_correlation(_metric(bars, "return"), _metric(bars, "bqx"))

    spearman = panels.shared(bars, "panel rank correlation", ranks)
    columns = [
        *(of[name][:, 0] for name in METRICS),
        *(of[name][:, 1] for name in ("a2", "a1", "return", "bqx")),
        of["vol"][:, 3],
        moved[:, 2],
        fell[:, 2],
        *_component(bars)[panels.since(bars) :].T,
        spearman,
        fell[:, 0] / np.where(moved[:, 0] > 0.0, moved[:, 0], np.nan),
        1.0 - np.abs(moved[:, 1] - (1.0 - fell[:, 1])),
    ]
    return np.column_stack(columns)


def _readings(bars: Bars) -> F:
    metrics = panels.shared(
        bars, "panel metrics", lambda: np.array([_metric(bars, name) for name in METRICS])
    )
    ranks = ranks_of(metrics, PAIRS.index(bars.pair))
    count = len(PAIRS)
    common = panels.shared(bars, "panel readings", lambda: _of_all(bars))
    return np.concatenate((ranks / count, (ranks - 1.0) / (count - 1.0), common), axis=1)


def _gaps(series: panels.Series) -> panels.Build:
    def build(bars: Bars) -> F:
        values = panels.stack(bars, series, (bars.pair, *SISTERS[bars.pair][:2]))
        return values[:, :1] - values[:, 1:]

    return build


PANEL = Source("panel", "cross", "1", 1, _readings)
"""Readings of the cross-section of 28 pairs."""

GAPS = {
    "bqx": Source("panel", "cross", "1", BQX_WINDOW + 1, _gaps(panels.momentum)),
    "a2": Source("panel", "cross", "1", WINDOW, _gaps(_a2)),
}
"""What a pair has above its first and its second sister."""

_ROWS = {
    "return": WINDOW + 1, "bqx": BQX_WINDOW + 1, "a1": WINDOW, "a2": WINDOW, "vol": WINDOW + 1,
    "ect": DAY,
}  # fmt: skip


Row = tuple[str, int, float, float, str]
_INF = np.inf


def _outputs(*rows: Row) -> dict[str, Output]:
    return {
        name: Output(
            "1", lo, hi, lookback=lambda rows=rows: rows, about=about,
            alias=f"panel_{name}" if name.startswith("pc1") else f"xs_{name}",
            spanned_by=(f"panel_xs_rank_{name[4:]}",) if name.startswith("pct_") else (),
        )
        for name, rows, lo, hi, about in rows
    }  # fmt: skip


_SHARES = ("a2", "a1", "return", "bqx")
_OUTPUTS = _outputs(
    *((f"rank_{m}", _ROWS[m], 0.0, 1.0, "rank over 28") for m in METRICS),
    *((f"pct_{m}", _ROWS[m], 0.0, 1.0, "(rank - 1) / 27") for m in METRICS),
    *((f"dispersion_{m}", _ROWS[m], 0.0, _INF, "deviation of 28 pairs") for m in METRICS),
    *((f"breadth_positive_{m}", _ROWS[m], 0.0, 1.0, "share of pairs above 0") for m in _SHARES),
    ("breadth_high_vol", _ROWS["vol"], 0.0, 0.5, "share above the median: one half but for ties"),
    ("synchrony_return", _ROWS["return"], 0.0, 1.0, "size of the mean sign of 28 pairs"),
    ("synchrony_bqx", _ROWS["bqx"], 0.0, 1.0, "size of the mean sign of 28 pairs"),
    (
        "pc1_level", DAY + 1, -_INF, _INF,
        "first principal component of 28 pairs' log returns under the loadings of 1,440 rows, "
        "rising with the dollar: sum over them",
    ),
    ("pc1_change_5", DAY + 1, -_INF, _INF, "sum of the component's last five moves"),
    ("pc1_share", DAY + 1, 0.0, 1.0, "share of variance of the component"),
    ("rank_correlation_idx_bqx", 61, -1.0, 1.0, "of returns and BQX across 28 pairs"),
    ("dispersion_ratio_bqx_idx", 61, 0.0, _INF, "deviation of BQX over that of returns"),
    (
        "breadth_agreement_idx_bqx", 61, 0.0, 1.0,
        "1 less the distance of the shares that rose by return and by BQX",
    ),
)  # fmt: skip

FAMILIES = (
    Family(
        "xs", "cross_sectional_panel", read, _OUTPUTS, ((),), (PANEL,),
        "cross-section of 28 pairs", lookback=lambda: 1, laggable=False,
    ),
    *(
        Family(
            "gap", "cross_sectional_panel", read,
            {f"{name}_{k}": Output("1", alias=f"xs_gap_{name}_sister{k}") for k in (1, 2)},
            ((),), (source,), "less the sister's", lookback=lambda: 1, laggable=False,
        )
        for name, source in GAPS.items()
    ),
)  # fmt: skip
