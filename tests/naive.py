"""A twin of every kernel, written from the definitions with plain loops, pandas and NumPy.

Nothing here is shared with the package but the series it starts from (``Bars.index``,
``Bars.ohlc``, timestamps). Sums run in extended precision over whole windows, so that what differs
from the kernels is the kernels' rounding. ``TWINS[family, source](bars, *window)`` gives the
outputs by name, each (T,).
"""

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import holidays
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from bqx.market.bars import Bars

Array = NDArray[np.float64]
Outputs = dict[str, Array]
Reading = Callable[[Array], Array]

NOTHING = 1e-9
BQX_MINUTES = 15
PSEUDO_ROWS = 5
RUN_IN_SPANS = 10


def windows_of(x: Array, rows: int) -> Array:
    """(T, rows) window that ends at each row; NaN stands before the first row."""
    before = np.full(rows - 1, np.nan)
    return sliding_window_view(np.concatenate([before, x]), rows).astype(np.longdouble)


def trailing(x: Array, rows: int, reading: Reading) -> Array:
    """``reading`` (n, rows) -> (n,) of each window; NaN where a window holds NaN."""
    out = np.full(len(x), np.nan)
    windows = windows_of(x, rows)
    whole = np.isfinite(windows).all(axis=1)
    out[whole] = reading(windows[whole])
    return out


def shift(x: Array, rows: int) -> Array:
    """Values of ``rows`` rows ago."""
    return np.concatenate([np.full(min(rows, len(x)), np.nan), x[:-rows]])[: len(x)]


def ago(x: Array, rows: int) -> Array:
    """Values of ``rows`` rows ago, where no row since is missing."""
    return trailing(x, rows + 1, lambda windows: windows[:, 0])


def ratio(above: Array, below: Array) -> Array:
    """Quotient, NaN where there is nothing to divide by."""
    return np.asarray(above / np.where(below == 0, np.nan, below))


def flat(windows: Array) -> NDArray[np.bool_]:
    return windows.max(axis=1) == windows.min(axis=1)


# --- series ---------------------------------------------------------------------------------


def bqx(bars: Bars) -> Array:
    def momentum(windows: Array) -> Array:
        now = windows[:, -1]
        before = windows[:, :-1]
        return np.asarray(((before - now[:, None]) / now[:, None]).sum(axis=1))

    return trailing(bars.index, BQX_MINUTES + 1, momentum)


def highest(x: Array, rows: int) -> Array:
    return trailing(x, rows, lambda windows: windows.max(axis=1))


def lowest(x: Array, rows: int) -> Array:
    return trailing(x, rows, lambda windows: windows.min(axis=1))


def rate_bars(bars: Bars) -> tuple[Array, Array, Array]:
    return bars.ohlc[:, 1], bars.ohlc[:, 2], bars.ohlc[:, 3]


def bqx_bars(bars: Bars) -> tuple[Array, Array, Array]:
    x = bqx(bars)
    return highest(x, PSEUDO_ROWS), lowest(x, PSEUDO_ROWS), x


def bqx_line(bars: Bars) -> tuple[Array, Array, Array]:
    x = bqx(bars)
    return x, x, x


def mean(x: Array, rows: int) -> Array:
    return trailing(x, rows, lambda windows: windows.mean(axis=1))


def deviation(x: Array, rows: int, ddof: int) -> Array:
    return trailing(x, rows, lambda windows: windows.std(axis=1, ddof=ddof))


def exponential(x: Array, alpha: Fraction, rows: int) -> Array:
    """Recursion from the oldest of ``rows`` values, started at that value."""
    weight = np.longdouble(alpha.numerator) / alpha.denominator

    def recursion(windows: Array) -> Array:
        level = windows[:, 0]
        for k in range(1, rows):
            level = level + weight * (windows[:, k] - level)
        return level

    return trailing(x, rows, recursion)


def ema(x: Array, span: int) -> Array:
    return exponential(x, Fraction(2, span + 1), RUN_IN_SPANS * span)


def wilder(x: Array, n: int) -> Array:
    return exponential(x, Fraction(1, n), RUN_IN_SPANS * (2 * n - 1))


# --- regression -----------------------------------------------------------------------------


def fit_weights(w: int, degree: int) -> Array:
    """Weights (degree + 1, w) on y at x = 0 .. w-1 of the least-squares terms 1, x, x^2.

    The normal equations are solved in fractions: nothing is rounded but the result.
    """
    size = degree + 1
    rows = [
        [Fraction(sum(x ** (i + j) for x in range(w))) for j in range(size)]
        + [Fraction(int(i == j)) for j in range(size)]
        for i in range(size)
    ]
    for i in range(size):
        rows[i] = [value / rows[i][i] for value in rows[i]]
        for j in range(size):
            if j != i:
                rows[j] = [a - rows[j][i] * b for a, b in zip(rows[j], rows[i], strict=True)]
    inverse = [row[size:] for row in rows]
    return np.array(
        [[float(sum(row[j] * x**j for j in range(size))) for x in range(w)] for row in inverse]
    )


def quadratic(x: Array, w: int) -> Outputs:
    windows = windows_of(x, w)
    some = np.isfinite(windows).all(axis=1) & ~flat(windows)
    y = windows[some] - windows[some][:, -1:]
    mu, sigma = y.mean(axis=1), y.std(axis=1, ddof=1)
    b, a1, a2 = fit_weights(w, 2) @ y.T
    at = np.arange(w)
    resid = y - (a2[:, None] * at**2 + a1[:, None] * at + b[:, None])
    squares = (resid**2).sum(axis=1)
    last, spread = resid[:, -1], np.sqrt(squares / (w - 1))
    bent = np.abs(a2) * w**2 > NOTHING * sigma
    values = {
        "a2_norm": a2 / sigma,
        "a1_norm": a1 / sigma,
        "b_norm": (b - mu) / sigma,
        "r2": 1 - squares / ((y - mu[:, None]) ** 2).sum(axis=1),
        "rmse_norm": np.sqrt(squares / w) / sigma,
        "resid_norm": last / sigma,
        "lin_slope": (fit_weights(w, 1) @ y.T)[1],
        "quad_apex": np.clip(-a1 / (2 * np.where(bent, a2, np.nan)), -10 * w, 10 * w),
        "accel": 2 * a2,
        "resid_mean": resid[:, -(w // 4) :].mean(axis=1),
        "resid_std": spread,
        "resid_z": last / np.where(spread > NOTHING * sigma, spread, np.nan),
    }
    out = {name: np.full(len(x), np.nan) for name in values}
    for name, value in values.items():
        out[name][some] = value
    return out


RATIO_WINDOWS = ((15, 60), (30, 75), (45, 90), (15, 90))
GAP_WINDOWS = ((15, 45), (30, 60), (45, 75), (60, 90))
SPREAD_WINDOWS = ((15, 60), (30, 90), (45, 75))
RMSE_WINDOWS = ((15, 60), (30, 75), (45, 90))


def across(x: Array) -> Outputs:
    fits = {w: quadratic(x, w) for w in (15, 30, 45, 60, 75, 90)}

    def over(metric: str, short: int, long: int) -> Array:
        below = fits[long][metric]
        return fits[short][metric] / np.where(np.abs(below) < NOTHING, np.nan, below)

    def less(metric: str, short: int, long: int) -> Array:
        return fits[short][metric] - fits[long][metric]

    return {
        **{f"a2_ratio_{s}_{n}": over("a2_norm", s, n) for s, n in RATIO_WINDOWS},
        **{f"a1_ratio_{s}_{n}": over("a1_norm", s, n) for s, n in RATIO_WINDOWS},
        **{f"b_gap_{s}_{n}": less("b_norm", s, n) for s, n in GAP_WINDOWS},
        **{f"r2_spread_{s}_{n}": less("r2", s, n) for s, n in SPREAD_WINDOWS},
        **{f"rmse_ratio_{s}_{n}": over("rmse_norm", s, n) for s, n in RMSE_WINDOWS},
    }


# --- statistics, Bollinger ------------------------------------------------------------------


def skewness(windows: Array) -> Array:
    n = windows.shape[1]
    centred = windows - windows.mean(axis=1, keepdims=True)
    biased = ratio((centred**3).mean(axis=1), (centred**2).mean(axis=1) ** np.longdouble(1.5))
    return biased * np.sqrt(np.longdouble(n * (n - 1))) / (n - 2)


def kurtosis(windows: Array) -> Array:
    n = windows.shape[1]
    centred = windows - windows.mean(axis=1, keepdims=True)
    biased = ratio((centred**4).mean(axis=1), (centred**2).mean(axis=1) ** 2) - 3
    return ((n + 1) * biased + 6) * (n - 1) / ((n - 2) * (n - 3))


def moments(x: Array, w: int) -> Outputs:
    def moving(reading: Reading) -> Array:
        return trailing(x, w, lambda windows: np.where(flat(windows), np.nan, reading(windows)))

    top, bottom = highest(x, w), lowest(x, w)
    return {
        "mean": mean(x, w),
        "std": deviation(x, w, 1),
        "skew": moving(skewness),
        "kurt": moving(kurtosis),
        "min": bottom,
        "max": top,
        "range": top - bottom,
        "z_score": moving(
            lambda windows: ratio(windows[:, -1] - windows.mean(axis=1), windows.std(1, ddof=1))
        ),
    }


def bands(x: Array, w: int) -> Outputs:
    def place(windows: Array) -> Array:
        centre, reach = windows.mean(axis=1), 2 * windows.std(axis=1)
        inside = ratio(windows[:, -1] - (centre - reach), 2 * reach)
        return np.where(flat(windows), 0.5, inside)

    middle, reach = mean(x, w), 2 * deviation(x, w, 0)
    return {
        "upper": middle + reach,
        "middle": middle,
        "lower": middle - reach,
        "percent_b": trailing(x, w, place),
        "bandwidth": 2 * reach,
    }


# --- technical ------------------------------------------------------------------------------


def percent_of_deviation(values: Array, x: Array) -> Array:
    return 100 * ratio(values, deviation(x, 60, 1))


def true_range(hlc: tuple[Array, Array, Array]) -> Array:
    high, low, close = hlc
    before = shift(close, 1)
    return np.max([high - low, np.abs(high - before), np.abs(low - before)], axis=0)


# --- clock ----------------------------------------------------------------------------------

_ZONES = {
    "tokyo": (ZoneInfo("Asia/Tokyo"), 9, 18),
    "london": (ZoneInfo("Europe/London"), 8, 17),
    "ny": (ZoneInfo("America/New_York"), 8, 17),
}


def _days_to_holiday(day: date, closed: Mapping[date, str]) -> int:
    ahead = 0
    while day + timedelta(days=ahead) not in closed:
        ahead += 1
    return ahead


def _minutes_to_close(now: datetime) -> int:
    zone = ZoneInfo("America/New_York")
    local = now.astimezone(zone)
    friday = local.date() + timedelta(days=(4 - local.weekday()) % 7)
    close = datetime.combine(friday, time(17), zone).astimezone(UTC)
    return int((close - now).total_seconds()) // 60 - 1


def calendar(bars: Bars) -> Outputs:
    # Reading a date fills in its year, so that the look-ups below stay honest across New Year.
    closed = {c: holidays.country_holidays(c) for c in ("US", "GB", "JP")}
    ahead: dict[tuple[date, str], int] = {}
    rows = []
    for stamp in bars.ts:
        now = stamp.to_pydatetime().astimezone(UTC)
        local = {name: (now.astimezone(zone), a, b) for name, (zone, a, b) in _ZONES.items()}
        tokyo, london, ny = (a <= t.hour < b and t.weekday() < 5 for t, a, b in local.values())
        for country, days in closed.items():
            if (now.date(), country) not in ahead:
                ahead[now.date(), country] = _days_to_holiday(now.date(), days)
        left = _minutes_to_close(now)
        minute = now.hour * 60 + now.minute
        row = {
            "session_tokyo": tokyo,
            "session_london": london,
            "session_ny": ny,
            "session_overlap_ldn_ny": london and ny,
            "session_hour": now.hour,
            "session_is_open": tokyo or london or ny,
            "session_minutes_to_close": left,
            "dow": now.weekday(),
            "is_month_end": (now + timedelta(days=3)).month != now.month,
            "is_week_roll": left < 60 or left >= 7_200 - 60,
            "days_to_holiday_us": ahead[now.date(), "US"],
            "days_to_holiday_uk": ahead[now.date(), "GB"],
            "days_to_holiday_jp": ahead[now.date(), "JP"],
            "is_weekend_approach": now.strftime("%a") == "Fri" and now.hour >= 16,
            "minutes_since_market_open": min(minute - 60 * h for h in (0, 8, 13) if now.hour >= h),
            "trading_session": int(("0" * 8 + "1" * 5 + "3" * 3 + "2" * 5 + "4" * 3)[now.hour]),
        }
        for name, share in (
            ("hour", now.hour / 24),
            ("minute", minute / 1_440),
            ("dow", now.weekday() / 7),
        ):
            row[f"time_sin_{name}"] = np.sin(2 * np.pi * share)
            row[f"time_cos_{name}"] = np.cos(2 * np.pi * share)
        rows.append(row)
    return {name: np.array([float(row[name]) for row in rows]) for name in rows[0]}


def volatility_state(bars: Bars, window: int, memory: int) -> Outputs:
    returns = np.log(bars.index / shift(bars.index, 1))
    volatility = deviation(returns, window, 1)

    def tercile(windows: Array) -> Array:
        count = (windows <= windows[:, -1:]).sum(axis=1)
        return np.where(3 * count <= memory, 0, np.where(3 * count <= 2 * memory, 1, 2))

    return {"": trailing(volatility, memory, tercile)}


TWINS: dict[tuple[str, str], Callable[..., Outputs]] = {
    ("quadratic", "rate"): lambda bars, w: quadratic(bars.index, w),
    ("quadratic", "bqx"): lambda bars, w: quadratic(bqx(bars), w),
    ("across", "rate"): lambda bars: across(bars.index),
    ("across", "bqx"): lambda bars: across(bqx(bars)),
    ("", "clock"): calendar,
    ("session_vol_regime", "clock"): volatility_state,
}
"""The twin of a family's kernels on a source."""
