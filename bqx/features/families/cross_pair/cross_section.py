"""A pair among all 28 at the same minute.

Every reading but the gaps needs all 28 pairs: with one missing there is no cross-section. In the
rate domain more is a base currency that rose more; BQX keeps its sign, positive after a fall.
"""

from collections.abc import Iterator
from functools import partial

import numpy as np

from bqx.compiled import kernel
from bqx.features.declare import family
from bqx.features.rolling import panels, parity
from bqx.features.rolling.component import component, projected
from bqx.features.rolling.multivariate import by_column
from bqx.features.rolling.quadratic import fit
from bqx.features.rolling.ranks import across, rank_correlation, ranks_of, without_rounding
from bqx.features.rolling.row_sums import last_totals
from bqx.features.rolling.sums import F
from bqx.features.rolling.trailing import deviations, totals
from bqx.features.sources import BQX_WINDOW
from bqx.features.spec import Output, Source, read
from bqx.market.bars import Bars
from bqx.market.pairs import PAIRS, SISTERS
from bqx.market.sessions import DAY

WINDOW = 60
"""Rows of returns, trends and volatility."""


@kernel
def factor(x: F, fitted: F, first_minute: int, window: int) -> F:
    """Component's sums over the window and over 5 rows under each row's loadings, and its share of
    the variance: (n, 3) of the last rows, those that are ``fitted``.
    """
    out, late = np.empty((len(fitted), 3)), len(x) - len(fitted)
    out[:, 0] = projected(last_totals(x, window, first_minute, late), fitted)
    out[:, 1] = projected(last_totals(x, 5, first_minute, late), fitted)
    out[:, 2] = fitted[:, -1]
    return out


@kernel(nogil=True)
def _trends(index: F, window: int, first_minute: int) -> F:
    """Normalised terms of the quadratic trend: (T, C) -> (T, 2 C), the second order first."""
    series, (rows, columns) = by_column(index), index.shape
    out = np.empty((2 * columns, rows))
    for k in range(columns):
        terms = fit(series[k], window, first_minute)
        for row in range(rows):
            out[k, row] = terms[row, 0] / terms[row, 3]
            out[columns + k, row] = terms[row, 1] / terms[row, 3]
    return by_column(out)


def _both_of(bars: Bars) -> F:
    return np.asarray(_trends(panels.index.every(bars), WINDOW, bars.first_market_minute))


_both = panels.Series("trends", _both_of, WINDOW, 2 * len(PAIRS))
_a2 = panels.Series("a2", lambda bars: _both.every(bars)[:, : len(PAIRS)].copy(), WINDOW)
_a1 = panels.Series("a1", lambda bars: _both.every(bars)[:, len(PAIRS) :].copy(), WINDOW)
_volatility = panels.Series(
    "volatility",
    lambda bars: deviations(panels.returns.every(bars), WINDOW, bars.first_market_minute),
    WINDOW + 1,
)

METRICS = {
    "return": lambda bars: without_rounding(
        totals(panels.returns.every(bars), WINDOW, bars.first_market_minute)
    ),
    "bqx": lambda bars: without_rounding(panels.momentum.every(bars)),
    "a1": _a1.every,
    "a2": _a2.every,
    "vol": _volatility.every,
    "ect": parity.residual.every,
}
"""(T, 28) cross-sections: log return over 60 rows, BQX_15, normalised terms of the quadratic trend
over 60 rows, deviation of one-row log returns over 60, triangle residual."""


def _metric(bars: Bars, name: str) -> F:
    """Cross-section on the rows that are wanted."""

    def make() -> F:
        since = panels.since(bars)
        if name == "ect" or since <= WINDOW:
            return METRICS[name](bars)[since:]
        return METRICS[name](bars.rows(since - WINDOW, len(bars)))[WINDOW:]

    return panels.shared(bars, f"panel:{name}", make)


def _across(bars: Bars, name: str) -> F:
    return panels.shared(bars, f"across:{name}", lambda: across(_metric(bars, name)))


def _component(bars: Bars) -> F:
    x = panels.returns.every(bars)
    dollar = np.array([p in panels.DOLLAR_PAIRS for p in PAIRS]) * panels.in_dollars(PAIRS)
    first, since = bars.first_market_minute, panels.since(bars)
    fitted = component(x, DAY, first, dollar, since, centred=True)
    return np.asarray(factor(x, fitted[since:], first, DAY))


def _of_all(bars: Bars) -> F:
    """What is the same for all pairs."""
    of = {name: _across(bars, name) for name in METRICS}
    moved, fell = of["return"], of["bqx"]

    metrics = (_metric(bars, name) for name in ("return", "bqx"))
    spearman = panels.shared(bars, "panel rank correlation", lambda: rank_correlation(*metrics))
    columns = [
        *(of[name][:, 0] for name in METRICS),
        *(of[name][:, 1] for name in ("a2", "a1", "return", "bqx")),
        of["vol"][:, 4],
        moved[:, 3],
        fell[:, 3],
        *_component(bars).T,
        spearman,
        fell[:, 0] / np.where(moved[:, 0] > 0.0, moved[:, 0], np.nan),
        1.0 - np.abs(moved[:, 1] - fell[:, 2]),
    ]
    return np.column_stack(columns)


def _readings(bars: Bars, pairs: tuple[str, ...], rows: int) -> F:
    metrics = panels.shared(
        bars, "panel metrics", lambda: np.array([_metric(bars, name) for name in METRICS])
    )
    common = panels.shared(bars, "panel readings", lambda: _of_all(bars))[-rows:]
    ranks = np.array([ranks_of(metrics[:, -rows:], PAIRS.index(pair)) for pair in pairs])
    count, every = len(PAIRS), np.broadcast_to(common, (len(pairs), *common.shape))
    return np.concatenate((ranks / count, (ranks - 1.0) / (count - 1.0), every), axis=2)


def _gaps(series: panels.Series) -> panels.OfPairs:
    """What a pair has above its first sister and its second."""
    three = panels.beside(series, lambda pair: SISTERS[pair][:2])

    def make(bars: Bars, pairs: tuple[str, ...], rows: int) -> F:
        values = three.make(bars, pairs, rows)
        return values[:, :, :1] - values[:, :, 1:]

    return panels.OfPairs(make)


PANEL = Source("panel", "cross", "1", 1, panels.OfPairs(_readings))
"""Readings of the cross-section of 28 pairs."""

GAPS = {
    "bqx": Source("panel", "cross", "1", BQX_WINDOW + 1, _gaps(panels.momentum)),
    "a2": Source("panel", "cross", "1", WINDOW, _gaps(_a2)),
}
"""What a pair has above its first and its second sister."""

_ROWS = {
    "return": WINDOW + 1,
    "bqx": BQX_WINDOW + 1,
    "a1": WINDOW,
    "a2": WINDOW,
    "vol": WINDOW + 1,
    "ect": DAY,
}
_SERIES = {
    "return": ("hourly return", "sum(r[p], 60)"),
    "bqx": ("BQX", "B[p]"),
    "a1": ("normalised slope", "a1n(I[p], 60)"),
    "a2": ("normalised curvature", "a2n(I[p], 60)"),
    "vol": ("hourly volatility", "std(r[p], 60)"),
    "ect": ("triangle residual", "e[p]"),
}
_OF_ALL = ("a2", "a1", "return", "bqx")


def _output(
    name: str, rows: int, title: str, formula: str, *bounds: float, of: tuple[str, ...] = ()
) -> tuple[str, Output]:
    alias = f"panel_{name}" if name.startswith("pc1") else f"xs_{name}"
    return name, Output(
        "1",
        *bounds,
        alias=alias,
        lookback=lambda: rows,
        spanned_by=of,
        title=title,
        formula=formula,
    )


def _of_metrics() -> Iterator[tuple[str, Output]]:
    """What is read from the cross-section of a metric, in the order of the source's columns."""
    for kind, title, formula, hi in (
        ("rank", "Rank of the pair's {}", "rank({} among 28) / 28", 1.0),
        ("pct", "Percentile of the pair's {}", "(rank({} among 28) - 1) / 27", 1.0),
        ("dispersion", "Dispersion of {} across pairs", "std({}, p in 28 pairs)", np.inf),
    ):
        for name, (noun, x) in _SERIES.items():
            of = (f"panel_xs_rank_{name}",) if kind == "pct" else ()
            text = title.format(noun), formula.format(x)
            yield _output(f"{kind}_{name}", _ROWS[name], *text, 0.0, hi, of=of)
    for name in _OF_ALL:
        noun, x = _SERIES[name]
        title, formula = f"Share of pairs with positive {noun}", f"mean({x} > 0, p in 28 pairs)"
        yield _output(f"breadth_positive_{name}", _ROWS[name], title, formula, 0.0, 1.0)


_MOVED, _FELL = "mean(sum(r[p], 60) > 0)", "mean(B[p] < 0)"
_PC1 = "f = pc1(r of 28 pairs, 1440)"
_OUTPUTS = dict(
    (
        *_of_metrics(),
        _output(
            "breadth_high_vol",
            _ROWS["vol"],
            "Share of pairs above the median volatility",
            "mean(std(r[p], 60) > median over pairs, p in 28 pairs)",
            0.0,
            0.5,
        ),
        *(
            _output(
                f"synchrony_{name}",
                _ROWS[name],
                f"Synchrony of {_SERIES[name][0]} across pairs",
                f"|mean(sign({_SERIES[name][1]}), p in 28 pairs)|",
                0.0,
                1.0,
            )
            for name in ("return", "bqx")
        ),
        _output(
            "pc1_level", DAY + 1, "Level of the panel's first component", f"sum(f, 1440), {_PC1}"
        ),
        _output(
            "pc1_change_5",
            DAY + 1,
            "Five-row change of the panel's first component",
            f"sum(f, 5), {_PC1}",
        ),
        _output(
            "pc1_share",
            DAY + 1,
            "Share of variance of the panel's first component",
            "l1 / sum(l), l eigenvalues of cov(r of 28 pairs, 1440)",
            0.0,
            1.0,
        ),
        _output(
            "rank_correlation_idx_bqx",
            61,
            "Rank correlation of hourly return and BQX across pairs",
            "corr(rank(sum(r[p], 60)), rank(B[p]), p in 28 pairs)",
            -1.0,
            1.0,
        ),
        _output(
            "dispersion_ratio_bqx_idx",
            61,
            "Dispersion of BQX over that of hourly returns",
            "std(B[p], p in 28 pairs) / std(sum(r[p], 60), p in 28 pairs)",
            0.0,
        ),
        _output(
            "breadth_agreement_idx_bqx",
            61,
            "Agreement of the shares that rose by return and by BQX",
            f"1 - |{_MOVED} - {_FELL}|, p in 28 pairs",
            0.0,
            1.0,
        ),
    )
)

_panel = partial(family, table="cross_sectional_panel", lookback=lambda: 1, laggable=False)

FAMILIES = (
    _panel("xs", read, _OUTPUTS, sources=PANEL, about="cross-section of 28 pairs"),
    *(
        _panel(
            "gap",
            read,
            {
                f"{name}_{k}": Output(
                    "1",
                    alias=f"xs_gap_{name}_sister{k}",
                    title=f"Gap of {_SERIES[name][0]} to sister {k}",
                    formula=f"{_SERIES[name][1]} - {_SERIES[name][1].replace('p', f'sister{k}')}",
                )
                for k in (1, 2)
            },
            sources=source,
            about="less the sister's",
        )
        for name, source in GAPS.items()
    ),
)
