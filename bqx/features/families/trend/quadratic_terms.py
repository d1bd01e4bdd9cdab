"""Quadratic trend in its own terms, and how the terms move together.

Two tables fit ``y = a2 x^2 + a1 x + a0`` by least squares with ``x = 0 .. w-1`` from the oldest
row. The older one (``parabola``) reads rows ``t-w .. t-1`` of the rate index and leaves the current
row out; the later one (``terms``) reads rows ``t-w+1 .. t``. The terms are what each part adds at
the end of the window: they sum to the prediction there. A flat window has no curve: its
coefficients and residuals are 0; its R² is 0 in the older table, as it was written, and NaN in
the later one.
"""

import numpy as np

from bqx.compiled import kernel
from bqx.features.rolling.comoments import correlation
from bqx.features.rolling.products import mean, products
from bqx.features.rolling.quadratic import fit
from bqx.features.rolling.sums import F
from bqx.features.sources import BQX, RATE
from bqx.features.spec import Family, Output, Source

WINDOWS = ((60,), (90,), (150,), (240,), (390,), (630,))
SHARED = ((60,), (90,))
"""Windows that the ``quadratic`` family fits too."""
ALONE = tuple(window for window in WINDOWS if window not in SHARED)


@kernel
def curve(x: F, first_minute: int, window: int) -> F:
    """Fit of each window: (T, 6) a2, a1, a0, R², root mean square and last of the residuals.

    R² of a flat window is NaN.
    """
    rows = len(x)
    out = np.empty((6, rows))
    fitted = fit(x, window, first_minute)
    centre = mean(x, window, first_minute)
    for row in range(rows):
        sigma, rmse, now, middle = fitted[row, 3], fitted[row, 4], x[row], centre[row]
        # A window with a mean and no deviation is flat.
        flat = middle == middle and sigma != sigma
        rest = 1.0 - rmse * rmse * window / (sigma * sigma * (window - 1.0))
        out[0, row] = 0.0 if flat else fitted[row, 0]
        out[1, row] = 0.0 if flat else fitted[row, 1]
        out[2, row] = now if flat else middle + fitted[row, 2]
        out[3, row] = 0.0 if rest < 0.0 else 1.0 if rest > 1.0 else rest
        out[4, row] = 0.0 if flat else rmse
        out[5, row] = 0.0 if flat else fitted[row, 5]
    return out.T


@kernel
def parabola(x: F, first_minute: int, window: int) -> F:
    """Nine readings of the fit to the past ``window`` rows: (T, 9), see the outputs below."""
    rows = len(x)
    out = np.full((9, rows), np.nan)
    curves = curve(x, first_minute, window)
    end = window - 1.0
    for row in range(window, rows):
        a2, a1, a0 = curves[row - 1, 0], curves[row - 1, 1], curves[row - 1, 2]
        r2, last = curves[row - 1, 3], curves[row - 1, 5]
        out[0, row], out[1, row], out[2, row] = a2, a1, a0
        out[3, row], out[4, row] = a2 * end * end, a1 * end
        out[5, row] = r2 if r2 == r2 or a0 != a0 else 0.0
        out[6, row], out[7, row], out[8, row] = curves[row - 1, 4], x[row - 1] - last, last
    return out.T


@kernel
def terms(x: F, first_minute: int, window: int) -> F:
    """Seven readings of the fit to each window: (T, 7), see the outputs below."""
    rows = len(x)
    out = np.empty((7, rows))
    curves = curve(x, first_minute, window)
    end = window - 1.0
    for row in range(rows):
        last = curves[row, 5]
        out[0, row], out[1, row] = curves[row, 0] * end * end, curves[row, 1] * end
        out[2, row], out[3, row], out[4, row] = curves[row, 2], last, curves[row, 3]
        out[5, row], out[6, row] = curves[row, 4], x[row] - last
    return out.T


# Places of the pairs of quadratic, linear, constant and residual among the sums of products.
_CROSS = np.array([1, 2, 3, 5, 6, 8])


@kernel
def term_covariance(x: F, first_minute: int, window: int) -> F:
    """Covariances (ddof 1) of the terms of ``window`` rows over as many rows: (T, 6)."""
    sums = products(terms(x, first_minute, window)[:, :4].copy(), window, first_minute)
    out = np.empty((len(x), len(_CROSS)))
    for row in range(len(x)):
        for i in range(len(_CROSS)):
            out[row, i] = sums[row, _CROSS[i]] / (window - 1.0)
    return out


@kernel
def term_company(x: F, first_minute: int, window: int, rows: int) -> F:
    """Covariances and correlations over ``rows`` rows of the terms of ``window`` rows: (T, 6).

    Of quadratic and linear, residual and quadratic, residual and linear; a correlation with what
    stands still is NaN.
    """
    series = terms(x, first_minute, window)[:, :4].copy()
    sums = products(series, rows, first_minute)
    still = np.zeros(4, dtype=np.int64)
    out = np.full((len(x), 6), np.nan)
    for row in range(len(x)):
        for i in range(4):
            same = row > 0 and series[row, i] == series[row - 1, i]
            still[i] = still[i] + 1 if same else 0
        qq, ql, _, qr, ll, _, lr, _, _, rr = sums[row]
        for i, product in enumerate((ql, qr, lr)):
            out[row, i] = product / (rows - 1.0)
        quadratic, linear, _, residual = still < rows - 1
        if quadratic and linear:
            out[row, 3] = correlation(qq, ll, ql)
        if quadratic and residual:
            out[row, 4] = correlation(qq, rr, qr)
        if linear and residual:
            out[row, 5] = correlation(ll, rr, lr)
    return out


_NOW = {"rate": "rate_index", "bqx": "bqx_backward_return_w15"}


def _of(family: str, *outputs: str, window: str = "{0}") -> tuple[str, ...]:
    return tuple(f"{{s}}_{family}_{output}_w{window}" for output in outputs)


_SHARE = ("1", 0.0, 1.0)


def _terms(source: Source, windows: tuple[tuple[int, ...], ...]) -> Family:
    fitted = windows == SHARED
    now = (_NOW[source.key],)
    outputs = {
        "quadratic": Output("{u}", alias="w{0}_quadratic_term", about="a2 (w-1)^2",
                            spanned_by=_of("quadratic", "accel") if fitted else ()),
        "linear": Output("{u}", alias="w{0}_linear_term", about="a1 (w-1)",
                         spanned_by=_of("quadratic", "lin_slope", "accel") if fitted else ()),
        "constant": Output("{u}", alias="w{0}_constant_term", about="a0",
                           spanned_by=now + _of("terms", "residual", "quadratic", "linear")),
        "residual": Output("{u}", alias="w{0}_residual", about="y - prediction, last row"),
        "r2": Output(*_SHARE, alias="w{0}_r2", about="share of variance explained",
                     spanned_by=_of("quadratic", "r2") if fitted else ()),
        "rmse": Output("{u}", 0.0, alias="w{0}_rmse", about="root mean square of residuals",
                       spanned_by=_of("quadratic", "resid_std") if fitted else ()),
        "prediction": Output("{u}", alias="w{0}_prediction", about="sum of the three terms",
                             spanned_by=_of("terms", "quadratic", "linear", "constant")),
    }  # fmt: skip
    about = "quadratic trend of the trailing window, current row included, in its terms"
    return Family("terms", "terms", terms, outputs, windows, (source,), about, causality=((60,),))


def _parabola(windows: tuple[tuple[int, ...], ...]) -> Family:
    # One row apart, the fits of the two tables differ by the row that came and the one that went.
    rolled = (*_of("parabola", "a_coef"), _NOW["rate"],
              *_of("terms", "residual", "quadratic", "linear"))  # fmt: skip
    # All windows of this table end at the same row, whose value is one fit's end and residual.
    ended = _of("parabola", "yhat_end", "resid_end", window=str(WINDOWS[0][0]))
    first = windows == WINDOWS[:1]
    own = _of("parabola", "resid_end", "a_coef", "b_coef")
    outputs = {
        "a_coef": Output("{u}/bar^2", alias="w{0}_a_coef", about="a2"),
        "b_coef": Output("{u}/bar", alias="w{0}_b_coef", about="a1", spanned_by=rolled),
        "c_coef": Output("{u}", alias="w{0}_c_coef", about="a0",
                         spanned_by=rolled if first else own + ended),
        "a_term": Output("{u}", alias="w{0}_a_term", about="a2 (w-1)^2",
                         spanned_by=_of("parabola", "a_coef")),
        "b_term": Output("{u}", alias="w{0}_b_term", about="a1 (w-1)",
                         spanned_by=_of("parabola", "b_coef")),
        "r2": Output(*_SHARE, alias="w{0}_r2", about="share of variance explained"),
        "rmse": Output("{u}", 0.0, alias="w{0}_rmse", about="root mean square of residuals"),
        "yhat_end": Output("{u}", alias="w{0}_yhat_end", about="fit at the window's end",
                           spanned_by=_of("parabola", "a_coef", "b_coef", "c_coef")),
        "resid_end": Output("{u}", alias="w{0}_resid_end", about="last residual",
                            spanned_by=() if first else rolled + ended),
    }  # fmt: skip
    about = "quadratic trend of the past rows, the current one left out"
    return Family("parabola", "parabola", parabola, outputs, windows, (RATE,), about,
                  lookback=lambda w: w + 1, skips=lambda w: 1)  # fmt: skip


_PAIRS = ("quad_lin", "quad_const", "quad_resid", "lin_const", "lin_resid", "const_resid")
_COMPANY = ("quad_lin", "resid_quad", "resid_lin")

FAMILIES = (
    _parabola(WINDOWS[:1]),
    _parabola(WINDOWS[1:]),
    *(_terms(source, windows) for source in (RATE, BQX) for windows in (SHARED, ALONE)),
    Family(
        "term_cov",
        "terms",
        term_covariance,
        {pair: Output("1", alias=f"w{{0}}_cov_{pair}") for pair in _PAIRS},
        WINDOWS,
        (BQX,),
        "covariance over the window's rows of two terms of the window",
        lookback=lambda w: 2 * w - 1,
    ),
    Family(
        "term_company",
        "correlation",
        term_company,
        {
            **{f"cov_{pair}": Output("1", alias=f"cov_{pair}_bqx_{{1}}min") for pair in _COMPANY},
            **{
                f"corr_{pair}": Output("1", -1.0, 1.0, alias=f"corr_{pair}_bqx_{{1}}min")
                for pair in _COMPANY
            },
        },
        ((15, 60),),
        (BQX,),
        "two terms of the shorter window over the rows of the longer one",
        lookback=lambda w, rows: w + rows - 1,
    ),
)  # fmt: skip
