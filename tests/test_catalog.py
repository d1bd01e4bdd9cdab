"""Every feature of the catalog, without exemption: its twin, its properties, its declaration."""

import io
import re
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pandas as pd
import properties
import pytest
from numpy.typing import NDArray
from simulated import MARKET_PAIR, bars_of, random_ticks
from twins import FITS, TWINS

from bqx.causality import cuts
from bqx.errors import ParameterError
from bqx.features import catalog, families
from bqx.features.declare import family as declare
from bqx.features.engine.compute import compute
from bqx.features.notation import NOTATION
from bqx.features.sources import RATE
from bqx.features.spec import Family, Feature, Output
from bqx.market import sessions
from bqx.market.bars import COLUMNS, Bars, join
from bqx.market.pairs import LIQUIDITY, PAIRS

FEATURES = catalog.profile("full")
GOLDEN = Path(__file__).parent / "golden" / "catalog.csv"

Array = NDArray[np.float64]
Group = tuple[str, str]


def groups() -> dict[Group, list[Feature]]:
    out: dict[Group, list[Feature]] = {}
    for feature in FEATURES:
        out.setdefault((feature.family.name, feature.source.key), []).append(feature)
    return out


GROUPS = groups()
each_group = pytest.mark.parametrize(
    "group", GROUPS, ids=[f"{source}-{family}" for family, source in GROUPS]
)


def of_group(broken: dict[str, str], group: Group) -> dict[str, str]:
    return {f.name: broken[f.name] for f in GROUPS[group] if f.name in broken}


# --- twins ----------------------------------------------------------------------------------

TOLERANCE = 1e-9
LOOSER: dict[Group, float] = {("rsi", "bqx"): 1e-7}
"""Bounds above TOLERANCE by family and source, each with its mathematical reason.

The error is taken relative to the value, or to the feature's median magnitude where the value is
smaller: a difference that passes through zero has no digits relative to itself. Measured: 6e-11
for ratios of regression terms (their denominators pass through zero), below 1e-10 elsewhere.
RSI of BQX: both means fade to 3e-8 of their size in a flat stretch, and with them the digits of
their quotient; one row of the walk is off by 1.0e-9.
"""


def test_every_feature_has_a_twin_and_every_twin_a_feature() -> None:
    missing, unused = set(GROUPS) - set(TWINS), set(TWINS) - set(GROUPS)
    assert not missing, f"no twin of {missing}: enter one in TWINS of a tests/naive*.py"
    assert not unused, f"no family of {unused}"
    assert set(LOOSER) <= set(GROUPS)


def against_twin(bars: Bars, group: Group, fewest: int) -> None:
    features = GROUPS[group]
    twin = {w: TWINS[group](bars, *w) for w in dict.fromkeys(f.window for f in features)}
    missing = {f.name for f in features if f.output not in twin[f.window]}
    assert not missing
    for feature, value in zip(features, properties.values(bars, features).T, strict=True):
        expected = twin[feature.window][feature.output]
        assert np.array_equal(np.isnan(value), np.isnan(expected)), feature.name
        known = ~np.isnan(expected)
        assert known.sum() >= fewest, feature.name
        if not known.any():
            continue
        size = np.abs(expected[known])
        error = np.abs(value - expected)[known]
        bound = LOOSER.get(group, TOLERANCE) * np.maximum(size, np.median(size))
        worst = int(np.argmax(error - bound))
        assert (error <= bound).all(), f"{feature.name}: {error[worst]:.1e} of {size[worst]:.1e}"


def needed(group: Group) -> int:
    return max(feature.lookback for feature in GROUPS[group])


@each_group
def test_twin_agrees_on_a_simulated_market(group: Group, noisy: Bars) -> None:
    against_twin(noisy.rows(max(0, len(noisy) - needed(group) - 900), len(noisy)), group, 100)


WALKED = [key for key in GROUPS if needed(key) <= 1_100 and key[1] in ("rate", "bqx")]


@pytest.mark.parametrize("group", WALKED, ids=[f"{source}-{name}" for name, source in WALKED])
def test_twin_agrees_on_a_random_walk(group: Group, walk: Bars) -> None:
    # What needs volume, spreads or other pairs has no value here, and neither has its twin.
    against_twin(walk, group, 0)


@each_group
def test_twin_agrees_on_real_bars(group: Group, ticks: Bars) -> None:
    # Sixteen of the 28 pairs and the spread are absent: what needs them is NaN in both.
    if needed(group) < len(ticks) - 100:
        against_twin(ticks, group, 0)


def roughened(panel: dict[str, Bars], count: int, start: int) -> Bars:
    """One of some pairs, from a row on flat in all pairs for 20 rows and in some for 80, then a
    hole of 60 rows in it and in another, and one of a row in a third.
    """
    names = (MARKET_PAIR, *(p for p in LIQUIDITY if p != MARKET_PAIR))[:count]
    frames = {pair: panel[pair].frame.copy() for pair in names}
    for i, frame in enumerate(frames.values()):
        flat = slice(start + 50, start + 130) if i % 3 == 0 else slice(start + 80, start + 100)
        frame.iloc[flat, :4] = frame.iloc[flat.start, 3]
    for i, first, rows in ((0, start + 300, 60), (1, start + 300, 60), (2, start + 500, 1)):
        frames[names[i]].iloc[first : first + rows, : len(COLUMNS)] = np.nan
    made = {pair: Bars(pair, frame, panel[pair].baseline) for pair, frame in frames.items()}
    return join(made)[MARKET_PAIR]


WEEKEND, LATE = 7_200, 12_200
"""Rows from which bars are rough: at a weekend, and where more than a week lies before without a
hole, which the slowest indicators read."""


@pytest.fixture(scope="module", params=[len(PAIRS), 6], ids=["28 pairs", "6 pairs"])
def rough(request: pytest.FixtureRequest, panel: dict[str, Bars]) -> dict[int, Bars]:
    return {start: roughened(panel, request.param, start) for start in (WEEKEND, LATE)}


@pytest.mark.definitions
@each_group
def test_twin_agrees_on_a_market_with_holes(group: Group, rough: dict[int, Bars]) -> None:
    start = WEEKEND if needed(group) < WEEKEND - 40 else LATE
    against_twin(rough[start].rows(start - needed(group) - 40, start + 700), group, 0)


@pytest.mark.parametrize("step", [1e-5, 3.7e-3, -2.0])
def test_straight_lines_have_no_residuals_to_speak_of(step: float) -> None:
    # The index rounds to 1e-14: residuals of an exact line are that, and may not become scores.
    ticks = random_ticks(200, 0)
    bars = bars_of(ticks, np.arange(200) + 28_000_000)
    line = 1.08 + 1e-2 * step * np.arange(200)[:, None] * np.ones(4)
    features = GROUPS["quadratic", "rate"]
    frame = catalog.frame(features).assign(value=properties.values(
        properties.with_rates(bars, line), features)[-1])  # fmt: skip
    metric = frame["name"].str.extract(r"quadratic_(.+)_w")[0]
    assert frame["value"][metric == "resid_z"].isna().all()
    assert frame["value"][metric == "quad_apex"].isna().all()
    np.testing.assert_allclose(frame["value"][metric == "r2"], 1.0, atol=1e-12)
    np.testing.assert_allclose(
        frame["value"][metric == "lin_slope"], 100.0 * 1e-2 * step / bars.baseline, rtol=1e-6
    )


# --- properties -----------------------------------------------------------------------------


CUTS = 200


@pytest.fixture(scope="module")
def ahead(noisy: Bars) -> dict[str, str]:
    at = cuts.cuts(noisy, CUTS, max(f.lookback for f in FEATURES))
    assert len(at) == CUTS
    return properties.ahead(FEATURES, noisy, at)


@pytest.fixture(scope="module")
def blind(smooth: Bars) -> dict[str, str]:
    return properties.blind(FEATURES, smooth)


@pytest.fixture(scope="module")
def insufficient(noisy: Bars) -> dict[str, str]:
    return properties.insufficient(FEATURES, noisy)


@pytest.fixture(scope="module")
def padded(smooth: Bars) -> dict[str, str]:
    return properties.padded(FEATURES, smooth, 60)


@each_group
def test_no_value_reads_ahead(group: Group, ahead: dict[str, str]) -> None:
    assert of_group(ahead, group) == {}


@each_group
def test_the_newest_bar_is_read_by_all_that_read_bars(group: Group, blind: dict[str, str]) -> None:
    assert of_group(blind, group) == {}


@each_group
def test_lookback_bars_alone_suffice(group: Group, insufficient: dict[str, str]) -> None:
    assert of_group(insufficient, group) == {}


@each_group
def test_lookback_is_not_padded(group: Group, padded: dict[str, str]) -> None:
    assert of_group(padded, group) == {}


def test_first_value_comes_with_the_lookback(smooth: Bars) -> None:
    assert properties.ill_warmed(FEATURES, smooth) == {}


def test_values_stay_in_the_declared_range(noisy: Bars, walk: Bars, clean: Bars) -> None:
    for bars in (noisy, walk, clean):
        assert properties.out_of_range(FEATURES, bars) == {}


def test_values_stay_in_the_declared_range_on_real_bars(week: Bars, ticks: Bars) -> None:
    for bars in (week, ticks):
        assert properties.out_of_range(FEATURES, bars) == {}


def test_units_say_what_doubles_with_the_rates(noisy: Bars) -> None:
    assert properties.off_unit(FEATURES, noisy) == {}


# --- planted defects ------------------------------------------------------------------------


def family(
    name: str, kernel: Callable[..., Array], window: int = 5, extra: int = 0,
    lo: float = -np.inf, hi: float = np.inf, unit: str = "1",
) -> list[Feature]:  # fmt: skip
    """A family of one feature of the rate index whose kernel is (T,) -> (T,)."""
    planted = Family(
        name,
        "planted",
        lambda x, first_minute, w: np.asarray(kernel(pd.Series(x), first_minute, w), float)[
            :, None
        ],
        {"": Output(unit, lo, hi)},
        ((window,),),
        (RATE,),
        name,
        lookback=lambda w: w + extra,
    )
    return list(planted.features())


def open_bucket(x: pd.Series, first_minute: int, w: int) -> pd.Series:
    # Every row of a bucket shows the bucket's last close.
    return x.groupby((first_minute + np.arange(len(x))) // w).transform("last")


LEAKS: dict[str, Callable[[pd.Series, int, int], pd.Series]] = {
    "next row": lambda x, _, w: x.shift(-1),
    "centred window": lambda x, _, w: x.rolling(w, center=True).mean(),
    "z-score over all rows": lambda x, _, w: (x - x.mean()) / x.std(),
    "backfill": lambda x, _, w: x.bfill(),
    "scaled by all rows": lambda x, _, w: (x - x.min()) / (x.max() - x.min()),
    "open bucket": open_bucket,
    "future maximum": lambda x, _, w: x[::-1].rolling(w).max()[::-1],
    "window one row late": lambda x, _, w: x.rolling(w).mean().shift(-1),
    "rank among all rows": lambda x, _, w: x.rank(pct=True),
    "interpolated holes": lambda x, _, w: x.interpolate(),
    "smoothed back and forth": lambda x, _, w: x.ewm(span=w).mean()[::-1].ewm(span=w).mean()[::-1],
}


@pytest.mark.parametrize("leak", LEAKS)
def test_planted_leaks_are_caught(leak: str, walk: Bars) -> None:
    features = family(leak, LEAKS[leak])
    # From a row in the long hole on, so that the filled holes' sources lie ahead.
    broken = properties.ahead(features, walk, [705, *range(1_250, 1_300, 3)])
    assert list(broken) == [features[0].name]


def test_an_honest_kernel_passes_where_leaks_are_caught(walk: Bars, clean: Bars) -> None:
    features = family("honest", lambda x, _, w: x.rolling(w).max(), unit="pt")
    for found in (
        properties.ahead(features, walk, cuts.cuts(walk, 60)),
        properties.blind(features, walk),
        properties.insufficient(features, walk),
        properties.padded(features, walk),
        properties.ill_warmed(features, clean),
        properties.out_of_range(features, walk),
        properties.off_unit(features, walk),
    ):
        assert found == {}


def test_planted_blindness_is_caught(walk: Bars) -> None:
    assert properties.blind(family("late", lambda x, _, w: x.shift(1)), walk)
    assert properties.blind(family("deaf", lambda x, _, w: x.notna() * 0.0 + 1.0), walk)


def test_planted_dependence_on_where_history_starts_is_caught(walk: Bars) -> None:
    since_start = family("sum", lambda x, _, w: x.rolling(w).sum() + 1e-9 * x.expanding().sum())
    # A running sum leaves rounding behind that depends on all that went before.
    running = family("running", lambda x, _, w: x.fillna(0.0).cumsum().diff(w), extra=1)
    short = family("short", lambda x, _, w: x.rolling(w + 1).mean())
    for features in (since_start, running, short):
        assert properties.insufficient(features, walk)


def test_planted_padding_is_caught(walk: Bars, clean: Bars) -> None:
    features = family("padded", lambda x, _, w: x.rolling(w).max(), extra=3)
    assert properties.padded(features, walk)
    assert properties.ill_warmed(features, clean)
    hidden = family("hidden", lambda x, _, w: x.rolling(w).max() + 0.0 * x.shift(w + 2), extra=3)
    assert properties.padded(hidden, walk)
    # A flag hardly ever feels its oldest bar; that rows are counted before it shows is no reason.
    counted = family(
        "counted", lambda x, _, w: (x > x.shift(w - 1)).where(np.arange(len(x)) > w + 1), extra=3
    )
    assert properties.padded(counted, walk)


def test_planted_false_declarations_are_caught(walk: Bars) -> None:
    assert properties.out_of_range(family("range", lambda x, _, w: x - 100.0, lo=0.0), walk)
    assert properties.off_unit(family("unit", lambda x, _, w: x, unit="1"), walk)
    assert properties.off_unit(family("unit", lambda x, _, w: x / x.shift(1), unit="pt"), walk)


# --- hard inputs ----------------------------------------------------------------------------


def scaled(factor: float) -> Callable[[Array], Array]:
    return lambda rates: rates * factor


def spiked(rates: Array) -> Array:
    out = rates.copy()
    out[800] *= 1e9
    out[900] *= 1e-9
    return out


HARD: dict[str, Callable[[Array], Array]] = {
    "constant": lambda rates: np.full_like(rates, 1.08),
    "flat from the middle": lambda rates: np.where(np.arange(2_600)[:, None] < 800, rates, 1.3),
    "alternating": lambda rates: np.repeat(1.08 + 1e-5 * (np.arange(2_600) % 2)[:, None], 4, 1),
    "all NaN": lambda rates: rates * np.nan,
    "every other row NaN": lambda rates: np.where(np.arange(2_600)[:, None] % 2, np.nan, rates),
    "NaN at every 600th row": lambda rates: np.where(
        np.arange(2_600)[:, None] % 600 == 0, np.nan, rates
    ),
    "spikes": spiked,
    "times 1e12": scaled(1e12),
    "times 1e150": scaled(1e150),
    "times 1e-12": scaled(1e-12),
    "times 1e-150": scaled(1e-150),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", HARD)
def test_hard_input_gives_values_or_nan(case: str, dtype: type, clean: Bars) -> None:
    # Warnings are errors, so that an overflow or 0/0 in a kernel's NumPy shows here.
    bars = properties.with_rates(clean, HARD[case](properties.rates(clean)))
    values = compute(bars, FEATURES, dtype, fits=FITS)
    assert not np.isinf(values).any()
    if dtype == np.float64 and "e150" not in case and "e-150" not in case:
        assert properties.out_of_range(FEATURES, bars) == {}


@pytest.mark.parametrize("rows", [1, 2, 14, 15, 16, 61])
def test_few_rows_give_values_or_nan(rows: int, clean: Bars) -> None:
    values = compute(clean.rows(0, rows), FEATURES, fits=FITS)
    assert values.shape == (rows, len(FEATURES))
    known = ~np.isnan(values).all(axis=0)
    assert not any(known[i] for i, f in enumerate(FEATURES) if f.lookback > rows)


def test_a_flat_market_gives_neutral_values_or_nan(clean: Bars) -> None:
    flat = properties.with_rates(clean, np.full((2_600, 4), 1.08))
    last = dict(zip((f.name for f in FEATURES), properties.values(flat, FEATURES)[-1], strict=True))
    for name, value in last.items():
        if name.startswith(("rate_quadratic", "bqx_quadratic", "rate_rsi", "rate_stochastic")):
            assert np.isnan(value), name
        if "moments_std" in name or "bandwidth" in name or "moments_range" in name:
            assert value == 0.0, name
        if "percent_b" in name:
            assert value == 0.5, name
    assert last["rate_moments_mean_w20"] == flat.index[-1]
    assert last["rate_bollinger_upper_w50"] == flat.index[-1]


# --- declarations ---------------------------------------------------------------------------


def test_names_are_unique_and_plain() -> None:
    names = [feature.name for feature in FEATURES]
    assert len(set(names)) == len(names)
    assert all(name.isidentifier() and name == name.lower() for name in names)
    assert max(map(len, names)) <= 63 - len("_causality_lag61")  # columns of PostgreSQL


def test_aliases_are_unique_within_a_table() -> None:
    table = catalog.frame(FEATURES)
    assert not table[table["alias"] != ""].duplicated(["table", "alias"]).any()


def test_two_features_of_one_name_are_refused() -> None:
    one = catalog.FAMILIES[0]
    with pytest.raises(ParameterError, match="two features share a name"):
        catalog.join((one, one))


def test_an_unknown_profile_is_refused() -> None:
    with pytest.raises(ParameterError, match="fool"):
        catalog.profile("fool")


EVERY = list(catalog.FEATURES.values())


def test_every_feature_has_a_title_and_a_formula() -> None:
    for feature in EVERY:
        for text in (feature.title, feature.formula):
            assert 2 < len(text) <= 90, (feature.name, text)
            assert text == " ".join(text.split()), feature.name
            assert not set("{}") & set(text), feature.name
        assert feature.title[0] == feature.title[0].upper(), feature.name
        assert not feature.title.endswith((" of", ".")), feature.name
        plain = feature.title.lower().replace(" ", "_")
        assert plain not in (feature.name, feature.family.name, feature.output), feature.name
        assert feature.row()["title"] == feature.title


def test_titles_tell_features_apart() -> None:
    titles = [(f.title, f.window, f.source.key) for f in EVERY]
    assert sorted({title for title in titles if titles.count(title) > 1}) == []


WITHOUT_WINDOW = {
    ("term_structure", "slope"),
    ("term_structure", "inversion"),
    ("eurusd_triangle", "resid"),
}
"""Outputs that do not depend on their family's window."""


def test_formulas_mention_the_window() -> None:
    silent = {
        (feature.family.name, feature.output)
        for feature in EVERY
        if feature.window
        and not set(feature.window) & set(map(int, re.findall(r"\d+", feature.formula)))
    }
    assert silent == WITHOUT_WINDOW


def test_functions_in_formulas_are_in_the_notation() -> None:
    words = {word for symbols in NOTATION for word in re.findall(r"[A-Za-z_]\w*", symbols)}
    used = {word for f in EVERY for word in re.findall(r"([A-Za-z]\w+)\(", f.formula)}
    assert used - words == set()


def test_prose_is_no_part_of_an_identity() -> None:
    feature = EVERY[0]
    spec = replace(feature.spec, title="Another", formula="0", about="no")
    family = replace(feature.family, outputs={**feature.family.outputs, feature.output: spec})
    assert replace(feature, family=family).title == "Another"
    assert replace(feature, family=family).identity == feature.identity


def test_a_family_of_one_output_is_declared_without_tuples() -> None:
    declared = declare(
        "one", np.cumsum, Output("1"), table="t", sources=RATE, windows=(5, 20), title="Sum"
    )
    assert declared.windows == ((5,), (20,))
    assert declared.sources == (RATE,)
    assert declared.about == "Sum"
    assert [feature.name for feature in declared.features()] == ["rate_one_w5", "rate_one_w20"]
    without = declare("one", np.cumsum, {"a": Output("1")}, table="t", sources=RATE, causality=())
    assert [feature.name for feature in without.features()] == ["rate_one_a"]


def test_every_module_that_declares_families_is_found() -> None:
    folder = Path(families.__path__[0])
    modules = [path for path in folder.rglob("*.py") if "\nFAMILIES = (" in path.read_text()]
    for path in modules:
        name = ".".join(path.relative_to(folder).with_suffix("").parts)
        declared = import_module(f"{families.__name__}.{name}").FAMILIES
        assert set(map(id, declared)) <= set(map(id, catalog.FAMILIES)), name
    assert len(modules) > 40


def test_golden_catalog() -> None:
    """Names, units and lookbacks change on purpose only. To accept a change:

    python -c "from bqx.features import catalog as c; c.frame(c.profile())[['name', 'unit',
    'lookback']].to_csv('tests/golden/catalog.csv', index=False)"
    """
    now = catalog.frame(FEATURES)[["name", "unit", "lookback"]]
    then = pd.read_csv(GOLDEN, keep_default_na=False)
    pd.testing.assert_frame_equal(
        pd.read_csv(io.StringIO(now.to_csv(index=False)), keep_default_na=False), then
    )


def test_hash_follows_the_declarations() -> None:
    assert catalog.catalog_hash(FEATURES) == catalog.catalog_hash(list(FEATURES))
    assert catalog.catalog_hash(FEATURES) != catalog.catalog_hash(FEATURES[1:])
    changed = replace(FEATURES[0].family, lookback=lambda w: w + 1).features()
    assert catalog.catalog_hash(changed) != catalog.catalog_hash(FEATURES[0].family.features())


def test_tables_hold_every_feature_once() -> None:
    tables = catalog.tables(FEATURES)
    assert sorted(f.name for fs in tables.values() for f in fs) == sorted(f.name for f in FEATURES)
    assert max(map(len, tables.values())) <= 1_599  # columns of a PostgreSQL table, but the time


FLAGGED = [feature for feature in FEATURES if feature.spanned_by]
FREE = [feature for feature in FEATURES if not feature.spanned_by]


@pytest.mark.parametrize("feature", FLAGGED, ids=[f.name for f in FLAGGED])
def test_spanned_features_are_spanned(feature: Feature, smooth: Bars) -> None:
    of = [catalog.FEATURES[name] for name in feature.spanned_by]
    assert feature not in of
    assert properties.not_spanned(feature, of, smooth) == {}


def varied(features: list[Feature], bars: Bars) -> list[Feature]:
    """Those that are there and not constant on the bars."""
    columns = properties.values(bars, features)
    known = (~np.isnan(columns)).sum(axis=0) > len(bars) // 4
    moves = np.array([np.nanstd(column) > 0 if k else False
                      for column, k in zip(columns.T, known, strict=True)])  # fmt: skip
    return [feature for feature, there in zip(features, moves, strict=True) if there]


# Sixty raw lags of a series span every linear reading of it, so tables are looked at one by one;
# the calendar has a test of its own, since two weeks hold no holidays.
TABLES = {name: features for name, features in catalog.tables(FREE).items() if name != "time"}


@pytest.mark.parametrize("table", TABLES)
def test_features_not_flagged_span_each_other_nowhere(table: str, smooth: Bars) -> None:
    features = varied(list(TABLES[table]), smooth)
    assert properties.twins_of_others(features, smooth) == {}
    assert properties.dependent(features, smooth) == {}


@pytest.mark.parametrize("domain", ["rate", "bqx"])
def test_core_features_not_flagged_span_each_other_nowhere(domain: str, clean: Bars) -> None:
    features = [f for f in catalog.profile("core") if f.domain == domain and not f.spanned_by]
    assert properties.twins_of_others(features, clean) == {}
    assert properties.dependent(features, clean) == {}


def test_clock_features_span_each_other_nowhere() -> None:
    # Three years in steps of 433 minutes: holidays, month ends and clock changes come apart.
    minutes = np.arange(26_824_320, 26_824_320 + 3 * 365 * sessions.DAY, 433)
    minutes = minutes[sessions.is_open(minutes)]
    frame = pd.DataFrame(dict.fromkeys(("open", "high", "low", "close"), 1.0),
                         index=sessions.timestamps(minutes))  # fmt: skip
    calendar = [f for f in FEATURES if f.domain == "clock" and not f.lookback]
    bars = Bars("eurusd", frame, 1.0)
    assert properties.twins_of_others(calendar, bars) == {}
    assert properties.dependent(calendar, bars) == {}
    assert properties.out_of_range(calendar, bars) == {}


def test_planted_duplicates_are_caught(clean: Bars) -> None:
    features = family("one", lambda x, _, w: x.rolling(w).mean())
    features += family("copy", lambda x, _, w: 3.0 - 2.0 * x.rolling(w).mean())
    features += family("other", lambda x, _, w: x.rolling(w).max())
    features += family("mix", lambda x, _, w: x.rolling(w).mean() - x.rolling(w).max())
    assert list(properties.twins_of_others(features, clean)) == ["rate_copy_w5"]
    assert set(properties.dependent(features, clean)) == {"rate_copy_w5", "rate_mix_w5"}
    assert properties.not_spanned(features[0], features[2:3], clean)
    assert not properties.not_spanned(features[3], features[1:3], clean)
