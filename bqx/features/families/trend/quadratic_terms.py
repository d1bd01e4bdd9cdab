"""Quadratic trend in its own terms, and how the terms move together.

Two tables fit ``y = a2 x^2 + a1 x + a0`` by least squares with ``x = 0 .. w-1`` from the oldest
row. The older one (``parabola``) reads rows ``t-w .. t-1`` of the rate index and leaves the current
row out; the later one (``terms``) reads rows ``t-w+1 .. t``. The terms are what each part adds at
the end of the window: they sum to the prediction there. A flat window has no curve: its
coefficients and residuals are 0; its R² is 0 in the older table, as it was written, and NaN in
the later one.
"""

from functools import partial

import numpy as np

from bqx.compiled import kernel
from bqx.features.declare import family
from bqx.features.families.trend.quadratic_curves import (
    begin_past,
    parabola,
    past_goes_on,
    terms,
    terms_go_on,
)
from bqx.features.rolling.abreast_sums import products_of, products_with
from bqx.features.rolling.comoments import correlation
from bqx.features.rolling.products import PRODUCTS, products
from bqx.features.rolling.quadratic import fit_of, size_of_fit
from bqx.features.rolling.sums import F
from bqx.features.sources import BQX, RATE
from bqx.features.spec import Family, Output, Source, read
from bqx.features.steps import Steps

WINDOWS = (60, 90, 150, 240, 390, 630)
SHARED, ALONE = WINDOWS[:2], WINDOWS[2:]
"""Windows that the ``quadratic`` family fits too, and the others."""


# Places of the pairs of quadratic, linear, constant and residual among the sums of products.
_CROSS = np.array([1, 2, 3, 5, 6, 8])


@kernel
def term_covariance(x: F, first_minute: int, window: int) -> F:
    """Covariances (ddof 1) of the terms of ``window`` rows over as many rows: (T, 6)."""
    series = terms(x, first_minute, window)[:, :4].copy()
    return _covariances(products(series, window, first_minute), window)


@kernel
def _covariances(sums: F, window: int) -> F:
    """The same of sums of products (T, 10)."""
    out = np.empty((len(sums), len(_CROSS)))
    for row in range(len(sums)):
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
    still = np.full(4, -1.0)
    out = np.full((len(x), 6), np.nan)
    for row in range(len(x)):
        _count_rests(series[row], series[max(row - 1, 0)], still)
        _accompany(out[row], sums[row], still, rows)
    return out


@kernel
def _count_rests(now: F, before: F, still: F) -> None:
    """Count rows in which terms have not moved."""
    for i in range(4):
        still[i] = still[i] + 1.0 if now[i] == before[i] else 0.0


@kernel
def _accompany(out: F, sums: F, still: F, rows: int) -> None:
    """Covariances and correlations of sums of products (10,), NaN of what stands still."""
    qq, ql, qr, ll, lr, rr = sums[0], sums[1], sums[3], sums[4], sums[6], sums[9]
    out[0], out[1], out[2] = ql / (rows - 1.0), qr / (rows - 1.0), lr / (rows - 1.0)
    quadratic, linear = still[0] < rows - 1, still[1] < rows - 1
    residual = still[3] < rows - 1
    if quadratic and linear:
        out[3] = correlation(qq, ll, ql)
    if quadratic and residual:
        out[4] = correlation(qq, rr, qr)
    if linear and residual:
        out[5] = correlation(ll, rr, lr)


def _begin_company(window: int, rows: int) -> F:
    """State of `_company_goes_on`: the terms before and how long they have not moved, then those of
    the fit and of the products.
    """
    before = np.full(4, np.nan), np.zeros(4)
    return np.concatenate((*before, fit_of(window), products_of(rows)))


@kernel
def _company_goes_on(x: F, minute: int, window: int, rows: int, state: F) -> F:
    """What `term_company` gives of a row (1, P), from the states of the rows before: (6, P)."""
    size, pairs = 8 + size_of_fit(window), x.shape[1]
    sums, out = np.empty((PRODUCTS, pairs)), np.full((6, pairs), np.nan)
    now = np.ascontiguousarray(terms_go_on(x, minute, window, state[8:size])[:4])
    products_with(now, minute, rows, state[size:], sums)
    for k in range(pairs):
        _count_rests(now[:, k], state[:4, k], state[4:8, k])
        _accompany(out[:, k], sums[:, k], state[4:8, k], rows)
    state[:4] = now
    return out


def _begin_covariance(window: int) -> F:
    """State of `_covariance_goes_on`: that of the fit, and that of the products."""
    return np.concatenate((fit_of(window), products_of(window)))


@kernel
def _covariance_goes_on(x: F, minute: int, window: int, state: F) -> F:
    """What `term_covariance` gives of a row (1, P), from the states of the rows before: (6, P)."""
    size, sums = size_of_fit(window), np.empty((PRODUCTS, x.shape[1]))
    now = np.ascontiguousarray(terms_go_on(x, minute, window, state[:size])[:4])
    products_with(now, minute, window, state[size:], sums)
    return _covariances(sums.T, window).T


_go_on = partial(Steps, last=read, reads=lambda w: 1, abreast=True)

_NOW = {"rate": "rate_index", "bqx": "bqx_backward_return_w15"}


def _of(family: str, *outputs: str, window: str = "{0}") -> tuple[str, ...]:
    return tuple(f"{{s}}_{family}_{output}_w{window}" for output in outputs)


_READINGS = (
    ("quadratic", "w{0}_quadratic_term", "{u}", "Quadratic term", "a2 ({0} - 1)^2"),
    ("linear", "w{0}_linear_term", "{u}", "Linear term", "a1 ({0} - 1)"),
    ("constant", "w{0}_constant_term", "{u}", "Constant term", "a0, fitted over {0} rows"),
    ("residual", "w{0}_residual", "{u}", "Last residual", "x[t] - fit(x, {0})"),
    ("r2", "w{0}_r2", "1", "R²", "1 - var(e) / var(x), over {0} rows", 0.0, 1.0),
    ("rmse", "w{0}_rmse", "{u}", "Fit error", "sqrt(mean(e^2)), over {0} rows", 0.0),
    ("prediction", "w{0}_prediction", "{u}", "Sum of the three terms", "fit(x, {0})"),
)


def _terms(source: Source, windows: tuple[int, ...]) -> Family:
    fitted = windows == SHARED
    spanned = {
        "constant": (_NOW[source.key], *_of("terms", "residual", "quadratic", "linear")),
        "prediction": _of("terms", "quadratic", "linear", "constant"),
    }
    if fitted:
        spanned |= {
            "quadratic": _of("quadratic", "accel"),
            "linear": _of("quadratic", "lin_slope", "accel"),
            "r2": _of("quadratic", "r2"),
            "rmse": _of("quadratic", "resid_std"),
        }
    outputs = {
        name: Output(
            unit,
            *bounds,
            alias=alias,
            spanned_by=spanned.get(name, ()),
            title=f"{noun} of the trend parabola of {{x}}",
            formula=formula,
        )
        for name, alias, unit, noun, formula, *bounds in _READINGS
    }
    return family(
        "terms",
        terms,
        outputs,
        table="terms",
        sources=source,
        windows=windows,
        causality=60,
        about="quadratic trend of the trailing window, current row included, in its terms",
        steps=_go_on(terms_go_on, rows=lambda w: w, begin=fit_of),
    )


_PAST_READINGS = (
    ("a_coef", "{u}/bar^2", "Quadratic coefficient", "a2(x[t-{0}..t-1])"),
    ("b_coef", "{u}/bar", "Linear coefficient", "a1(x[t-{0}..t-1])"),
    ("c_coef", "{u}", "Constant", "a0(x[t-{0}..t-1])"),
    ("a_term", "{u}", "Quadratic term", "a2(x[t-{0}..t-1]) ({0} - 1)^2"),
    ("b_term", "{u}", "Linear term", "a1(x[t-{0}..t-1]) ({0} - 1)"),
    ("r2", "1", "R²", "R2(x[t-{0}..t-1])", 0.0, 1.0),
    ("rmse", "{u}", "Fit error", "rmse(x[t-{0}..t-1])", 0.0),
    ("yhat_end", "{u}", "End value", "fit(x[t-{0}..t-1])"),
    ("resid_end", "{u}", "Last residual", "x[t-1] - fit(x[t-{0}..t-1])"),
)


def _parabola(windows: tuple[int, ...]) -> Family:
    # One row apart, the fits of the two tables differ by the row that came and the one that went.
    terms_now = _of("terms", "residual", "quadratic", "linear")
    rolled = (*_of("parabola", "a_coef"), _NOW["rate"], *terms_now)
    # All windows of this table end at the same row, whose value is one fit's end and residual.
    ended = _of("parabola", "yhat_end", "resid_end", window=str(WINDOWS[0]))
    first = windows == WINDOWS[:1]
    spanned = {
        "b_coef": rolled,
        "c_coef": rolled if first else _of("parabola", "resid_end", "a_coef", "b_coef") + ended,
        "a_term": _of("parabola", "a_coef"),
        "b_term": _of("parabola", "b_coef"),
        "yhat_end": _of("parabola", "a_coef", "b_coef", "c_coef"),
        "resid_end": () if first else rolled + ended,
    }
    outputs = {
        name: Output(
            unit,
            *bounds,
            alias=f"w{{0}}_{name}",
            spanned_by=spanned.get(name, ()),
            title=f"{noun} of the past rows' parabola",
            formula=formula,
        )
        for name, unit, noun, formula, *bounds in _PAST_READINGS
    }
    return family(
        "parabola",
        parabola,
        outputs,
        table="parabola",
        sources=RATE,
        windows=windows,
        about="quadratic trend of the past rows, the current one left out",
        steps=_go_on(past_goes_on, rows=lambda w: w + 1, begin=begin_past),
        lookback=lambda w: w + 1,
        skips=lambda w: 1,
    )


_NOUNS = {"quad": "quadratic", "lin": "linear", "const": "constant", "resid": "residual"}
_PAIRS = ("quad_lin", "quad_const", "quad_resid", "lin_const", "lin_resid", "const_resid")
_COMPANY = ("quad_lin", "resid_quad", "resid_lin")


def _pair(kind: str, pair: str, alias: str, windows: str, *bounds: float) -> Output:
    """Covariance or correlation of two terms."""
    short = {"Covariance": "cov", "Correlation": "corr"}[kind]
    above, below = (_NOUNS[term] for term in pair.split("_"))
    return Output(
        "1",
        *bounds,
        alias=alias,
        title=f"{kind} of {above} and {below} terms of {{x}}",
        formula=f"{short}({above}(x, {{0}}), {below}(x, {{0}}), {windows})",
    )


FAMILIES = (
    _parabola(WINDOWS[:1]),
    _parabola(WINDOWS[1:]),
    *(_terms(source, windows) for source in (RATE, BQX) for windows in (SHARED, ALONE)),
    family(
        "term_cov",
        term_covariance,
        {pair: _pair("Covariance", pair, f"w{{0}}_cov_{pair}", "{0}") for pair in _PAIRS},
        table="terms",
        sources=BQX,
        windows=WINDOWS,
        about="covariance over the window's rows of two terms of the window",
        lookback=lambda w: 2 * w - 1,
        steps=_go_on(_covariance_goes_on, rows=lambda w: 2 * w - 1, begin=_begin_covariance),
    ),
    family(
        "term_company",
        term_company,
        {
            f"{short}_{pair}": _pair(kind, pair, f"{short}_{pair}_bqx_{{1}}min", "{1}", *bounds)
            for kind, short, bounds in (
                ("Covariance", "cov", ()),
                ("Correlation", "corr", (-1.0, 1.0)),
            )
            for pair in _COMPANY
        },
        table="correlation",
        sources=BQX,
        windows=((15, 60),),
        about="two terms of the shorter window over the rows of the longer one",
        lookback=lambda w, rows: w + rows - 1,
        steps=_go_on(
            _company_goes_on,
            reads=lambda w, rows: 1,
            rows=lambda w, rows: w + rows - 1,
            begin=_begin_company,
        ),
    ),
)
