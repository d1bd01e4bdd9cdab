"""Twins of correlations across pairs and of the mood of the market."""

from collections.abc import Callable

import numpy as np
from naive import (
    Array,
    Outputs,
    deviation,
    flat,
    mean,
    ratio,
    shift,
    trailing,
    windows_of,
)

from bqx.market.bars import Bars
from bqx.market.pairs import LIQUIDITY, PAIRS, base, quote

DAY = 1_440
MAJORS = ("eurusd", "gbpusd", "audusd", "nzdusd", "usdjpy")
DOLLARS = tuple(pair for pair in LIQUIDITY if "usd" in pair)
Series = Callable[[Bars, str], Array]


# --- series ---------------------------------------------------------------------------------


def close(bars: Bars, pair: str) -> Array:
    return bars.panel.closes[:, PAIRS.index(pair)]


def index(bars: Bars, pair: str) -> Array:
    return 100 * close(bars, pair) / bars.panel.baselines[PAIRS.index(pair)]


def log_index(bars: Bars, pair: str) -> Array:
    return np.log(index(bars, pair) / 100)


def change(x: Array, rows: int = 1) -> Array:
    return x - shift(x, rows)


def returns(bars: Bars, pair: str) -> Array:
    return np.log(close(bars, pair) / shift(close(bars, pair), 1))


def bqx_of(x: Array, window: int) -> Array:
    def momentum(windows: Array) -> Array:
        now = windows[:, -1]
        return np.asarray(((windows[:, :-1] - now[:, None]) / now[:, None]).sum(axis=1))

    return trailing(x, window + 1, momentum)


def momentum(bars: Bars, pair: str, window: int = 15) -> Array:
    return bqx_of(index(bars, pair), window)


def moves(bars: Bars, pair: str) -> Array:
    return change(momentum(bars, pair))


def sided(bars: Bars, series: Series, currency: str, as_base: bool) -> list[Array]:
    """The other pairs of a currency, most liquid first, turned to have it as base or quote."""
    out = []
    for pair in LIQUIDITY:
        if pair != bars.pair and currency in (base(pair), quote(pair)):
            stands = base(pair) == currency
            out.append(series(bars, pair) if stands == as_base else -series(bars, pair))
    return out


def families(bars: Bars, series: Series) -> tuple[Array, list[Array], list[Array]]:
    pair = bars.pair
    return (
        series(bars, pair),
        sided(bars, series, base(pair), True),
        sided(bars, series, quote(pair), False),
    )


def dollar(bars: Bars, series: Series, pairs: tuple[str, ...]) -> list[Array]:
    return [series(bars, p) * (1 if base(p) == "USD" else -1) for p in pairs]


# --- windows of several series --------------------------------------------------------------


def together(columns: list[Array], rows: int, reading: Callable[..., Array]) -> Array:
    """``reading`` of the windows (n, rows) of each series, where all are whole."""
    windows = [windows_of(column, rows) for column in columns]
    whole = np.all([np.isfinite(w).all(axis=1) for w in windows], axis=0)
    out = np.full(len(columns[0]), np.nan)
    out[whole] = reading(*(w[whole] for w in windows))
    return out


def centred(windows: Array) -> Array:
    return windows - windows.mean(axis=1, keepdims=True)


def pearson(x: Array, y: Array) -> Array:
    a, b = centred(x), centred(y)
    value = ratio((a * b).sum(1), np.sqrt((a * a).sum(1)) * np.sqrt((b * b).sum(1)))
    return np.where(flat(x) | flat(y), np.nan, value)


def corr(x: Array, y: Array, rows: int) -> Array:
    return together([x, y], rows, pearson)


def score(x: Array, rows: int) -> Array:
    def reading(w: Array) -> Array:
        value = ratio(w[:, -1] - w.mean(1), w.std(1, ddof=1))
        return np.where(flat(w), np.nan, value)

    return trailing(x, rows, reading)


def flag(condition: Array, *needed: Array) -> Array:
    return np.where(np.isnan(np.sum(needed, axis=0)), np.nan, condition.astype(float))


def snap(x: Array) -> Array:
    """0 for what is rounding alone."""
    return np.where(np.abs(x) < 1e-12, 0 * x, x)


def ranks(row: Array) -> Array:
    """Average ranks, values within 1e-9 of each other tied."""
    tied = np.isclose(row[:, None], row, rtol=1e-9, atol=0)
    return 0.5 + 0.5 * tied.sum(1) + ((row < row[:, None]) & ~tied).sum(1)


def each_row(columns: list[Array], reading: Callable[[Array], float]) -> Array:
    """``reading`` of every row that all series have."""
    table = np.column_stack(columns)
    return np.array([reading(row) if np.isfinite(row).all() else np.nan for row in table])


# --- correlation ----------------------------------------------------------------------------


def relatives(bars: Bars, series: Series, w: int) -> Outputs:
    own, bases, quotes = families(bars, series)
    out: Outputs = {}
    for side, others in (("base", bases), ("quote", quotes)):
        for k in (0, 1):
            out[f"corr_{side}_{k + 1}"] = corr(own, others[k], w)
        middle = (out[f"corr_{side}_1"] + out[f"corr_{side}_2"]) / 2
        out[f"delta_corr_{side}"] = change(middle, w)
        out[f"z_corr_{side}"] = score(middle, 240)
    four = [*bases[:2], *quotes[:2]]
    sides = [f"corr_{side}_{k}" for side in ("base", "quote") for k in (1, 2)]
    out["corr_stability"] = deviation(np.mean([out[s] for s in sides], axis=0), 240, 1)
    out["vol_ratio"] = ratio(
        deviation(own, w, 1), np.mean([deviation(x, w, 1) for x in four], axis=0)
    )
    middle, then = np.mean(four, axis=0), shift(own, 5)
    order = sorted(range(-5, 6), key=lambda k: (abs(k), k))
    found = np.column_stack(
        [corr(then, shift(middle, 5 + k) if k > -5 else middle, w) for k in order]
    )
    known = np.isfinite(found).all(axis=1)
    best = np.array(order)[np.argmax(np.where(known[:, None], found, 0), axis=1)]
    out["lead_lag"] = np.where(known, best / 5, np.nan)
    return out


def spread(bars: Bars, series: Series, w: int) -> Outputs:
    own, bases, _ = families(bars, series)
    return {"z": score(own - bases[0], w)}


def regression(bars: Bars, series: Series, w: int) -> Outputs:
    """Least squares of each window, one after the other."""
    own, bases, _ = families(bars, series)
    table = np.column_stack([own, *bases[:2]])
    out = {name: np.full(len(own), np.nan) for name in ("residual", "z", "half_life", "one")}
    for row in range(w - 1, len(own)):
        y, x = table[row + 1 - w : row + 1, 0], table[row + 1 - w : row + 1, 1:]
        if not (np.isfinite(y).all() and np.isfinite(x[:, 0]).all()) or np.ptp(y) == 0:
            continue
        a, b = x[:, 0] - x[:, 0].mean(), y - y.mean()
        out["one"][row] = b[-1] - (a @ b) / (a @ a) * a[-1]
        if not np.isfinite(x).all():
            continue
        c = x - x.mean(axis=0)
        terms = np.linalg.lstsq(c, b, rcond=None)[0]
        left = b - c @ terms
        out["residual"][row] = left[-1]
        out["z"][row] = left[-1] / left.std(ddof=1)
        if row >= w and np.isfinite(table[row - w]).all():
            oldest = table[row - w, 0] - y.mean() - (table[row - w, 1:] - x.mean(axis=0)) @ terms
            longer = np.concatenate([[oldest], left])
            before, moved = longer[:-1], np.diff(longer)
            rate = (before @ moved) / (before @ before)
            if -1 < rate < 0:
                out["half_life"][row] = -np.log(2) / np.log1p(rate)
    return out


def of_one(bars: Bars, w: int) -> Outputs:
    return {"residual": regression(bars, log_index, w)["one"]}


def strength(bars: Bars, series: Series, w: int) -> Outputs:
    own, *sides = families(bars, series)

    def total(x: Array) -> Array:
        return snap(trailing(x, w, lambda windows: windows.sum(axis=1)))

    out: Outputs = {}
    mine = total(own)
    peers = [np.column_stack([total(x) for x in others]) for others in sides]
    for name, table in zip(("base", "quote"), peers, strict=True):
        out[name] = ratio(mine - table.mean(1), table.std(1, ddof=1))
        out[f"div_{name}"] = table.std(1, ddof=1)
    rest = np.sign(snap(np.column_stack(peers).sum(axis=1)))
    out["div_cross_mom"] = np.where(np.sign(mine) == rest, 0 * mine, np.sign(mine) + 0 * rest)
    return out


def peers(bars: Bars, w: int) -> Outputs:
    own, *sides = families(bars, returns)
    base_mean, quote_mean = (np.mean([corr(own, x, w) for x in xs], axis=0) for xs in sides)
    both = (base_mean + quote_mean) / 2
    return {"corr_base": base_mean, "corr_quote": quote_mean, "": deviation(both, 240, 1)}


def with_majors(bars: Bars, series: Series, w: int) -> Outputs:
    return {pair: corr(series(bars, bars.pair), series(bars, pair), w) for pair in MAJORS}


def market(bars: Bars, series: Series, w: int) -> Outputs:
    own = series(bars, bars.pair)
    middle = np.mean(dollar(bars, series, MAJORS), axis=0)
    r, variance = corr(own, middle, w), deviation(own, w, 1) ** 2
    return {
        "systematic": r**2 * variance,
        "idiosyncratic": (1 - r**2) * variance,
        "decoupled": flag(np.abs(r) < 0.2, r),
    }


def majors(bars: Bars, w: int) -> Outputs:
    table = np.column_stack(dollar(bars, returns, MAJORS)) * 1e4
    names = ("cov_determinant", "cov_trace", "cov_eigenvalue_max", "cov_eigenvalue_ratio",
             "avg_pairwise_corr", "corr_dispersion")  # fmt: skip
    out = {name: np.full(len(table), np.nan) for name in names}
    for row in range(w - 1, len(table)):
        window = table[row + 1 - w : row + 1]
        if not np.isfinite(window).all():
            continue
        covariance = np.cov(window.T)
        values = np.linalg.eigvalsh(covariance)
        out["cov_determinant"][row] = max(np.prod(values), 0)
        out["cov_trace"][row] = np.trace(covariance)
        out["cov_eigenvalue_max"][row] = values[-1]
        if np.trace(covariance) > 0:
            out["cov_eigenvalue_ratio"][row] = values[-1] / np.trace(covariance)
        if (np.ptp(window, axis=0) > 0).all():
            pairs = np.corrcoef(window.T)[np.triu_indices(5, 1)]
            out["avg_pairwise_corr"][row] = pairs.mean()
            out["corr_dispersion"][row] = pairs.std(ddof=1)
    middle = out["avg_pairwise_corr"]
    z = score(middle, 240)
    out["corr_breakout"] = flag(np.abs(z) > 2, z)
    share = trailing(middle, DAY, lambda windows: (windows <= windows[:, -1:]).mean(axis=1))
    out["corr_regime"] = np.where(np.isnan(share), np.nan, np.digitize(share, [1 / 3, 2 / 3], True))
    return out


# --- climate --------------------------------------------------------------------------------


def own_term(bars: Bars, w: int) -> Array:
    return bqx_of(bars.index, w) / w


def term_corr(bars: Bars, w: int) -> Outputs:
    return {
        f"corr_{short}_60": corr(change(own_term(bars, 60)), change(own_term(bars, short)), w)
        for short in (15, 30, 45)
    }


def term_structure(bars: Bars, w: int = 240) -> Outputs:
    at = np.array([15.0, 30.0, 45.0, 60.0, 75.0])
    short, long = own_term(bars, 15), own_term(bars, 60)
    weights = np.linalg.pinv(np.vander(at - 45, 3))[0]
    return {
        "slope": (short - long) / 45,
        "inversion": flag(short < long, short, long),
        "steepness_z": score((short - long) / 45, w),
        "curvature": np.sum([own_term(bars, int(k)) * a for k, a in zip(at, weights, strict=True)],
                            axis=0),
    }  # fmt: skip


def eur_gbp(bars: Bars, w: int) -> Outputs:
    eur, gbp = moves(bars, "eurusd"), moves(bars, "gbpusd")
    lead, back = corr(shift(eur, 5), gbp, w), corr(shift(gbp, 5), eur, w)
    return {
        "lag_corr_5": lead,
        "lag_corr_15": corr(shift(eur, 15), gbp, w),
        "leads": flag(lead > back, lead, back),
    }


def mood(bars: Bars, w: int) -> Outputs:
    strong = {"aud": -momentum(bars, "audusd"), "nzd": -momentum(bars, "nzdusd")}
    strong |= {"chf": momentum(bars, "usdchf"), "jpy": momentum(bars, "usdjpy")}
    z = score((strong["aud"] + strong["nzd"]) / 2 - (strong["chf"] + strong["jpy"]) / 2, w)
    return {"": np.where(np.abs(z) > 0.5, np.sign(z), 0 * z)}


def breadth(bars: Bars, w: int) -> Outputs:
    columns = dollar(bars, momentum, DOLLARS)
    return {
        "dispersion": mean(each_row(columns, lambda row: row.std(ddof=1)), w),
        "synchrony": mean(each_row(columns, lambda row: abs(np.sign(snap(row)).mean())), w),
    }


TWINS: dict[tuple[str, str], Callable[..., Outputs]] = {
    ("relatives", "rate"): lambda bars, w: relatives(bars, returns, w),
    ("relatives", "bqx"): lambda bars, w: relatives(bars, moves, w),
    ("relative_spread", "rate"): lambda bars, w: spread(bars, log_index, w),
    ("relative_spread", "bqx"): lambda bars, w: spread(bars, momentum, w),
    ("cointegration", "rate"): lambda bars, w: regression(bars, log_index, w),
    ("cointegration", "bqx"): lambda bars, w: regression(bars, momentum, w),
    ("cointegration_of_one", "rate"): of_one,
    ("strength", "rate"): lambda bars, w: strength(bars, returns, w),
    ("strength", "bqx"): lambda bars, w: strength(bars, moves, w),
    ("peers", "rate"): peers,
    ("peers_stability", "rate"): peers,
    ("with", "rate"): lambda bars, w: with_majors(bars, returns, w),
    ("with", "bqx"): lambda bars, w: with_majors(bars, moves, w),
    ("dollar", "rate"): lambda bars, w: market(bars, returns, w),
    ("dollar", "bqx"): lambda bars, w: market(bars, moves, w),
    ("majors", "rate"): majors,
    ("term_corr", "bqx"): term_corr,
    ("term_structure", "bqx"): term_structure,
    ("eur_gbp", "bqx"): eur_gbp,
    ("mood", "bqx"): mood,
    ("breadth", "bqx"): breadth,
}
"""The twin of a family's kernels on a source."""
