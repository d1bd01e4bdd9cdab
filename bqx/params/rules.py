"""What the values of parameters may be, beyond what their types say.

Each function returns the value or raises ValueError with the rule that the value breaks.
"""

import difflib
import re
from collections.abc import Iterable
from datetime import date, datetime
from pathlib import Path
from sys import float_info
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from bqx.market.pairs import CURRENCIES, PAIRS

MODELS = {
    "martingale": "martingale:Martingale",
    "pooled_ridge": "pooled_ridge:PooledRidge",
    "partial_ridge": "partial_ridge:PartialRidge",
    "ridge": "ridge:Ridge",
    "elasticnet": "elasticnet:ElasticNet",
    "forest": "forest:RandomForest",
    "pooled_xgboost": "pooled_xgb:PooledXGBoost",
    "xgboost": "xgb:XGBoost",
    "xgboost_quantile": "quantile:XGBoostQuantile",
    "multi_horizon": "multihorizon:MultiHorizon",
    "multi_task": "multitask:MultiTask",
    "tft": "transformer:Transformer",
    "ensemble": "ensemble:Ensemble",
    "stacking": "stacking:Stacking",
}
"""The register of models: file and class of each, the simpler before the more complex."""

FEW = ("eurusd", "gbpusd", "eurgbp")
"""Pairs of the synthetic market where none are named."""

NONE: dict[str, Any] = {}
"""Nothing by name."""

GROUPS = ("rate", "bqx", "dual", "cross_pair", "time_and_regime", "learned")
"""Groups of columns; `bqx.features.documents.groups` says which is in which."""

INTEREST = dict(zip(CURRENCIES, (4.0, 5.25, 4.35, 5.5, 5.4, 5.0, 1.75, -0.1), strict=True))
"""Overnight interest by currency, annual percent: about the policy rates of January 2024."""


def ascending(values: Any) -> Any:
    """Minutes as an ascending tuple."""
    if not isinstance(values, list | tuple):
        raise ValueError("a list of minutes")
    if all(isinstance(value, int) for value in values) and list(values) != sorted(set(values)):
        raise ValueError("ascending minutes, each once")
    return tuple(values)


def horizons(values: Any) -> Any:
    """Minutes, at least one of them."""
    if values in ([], ()):
        raise ValueError("one or more ascending minutes, such as [15, 30, 45]")
    return values


def near(value: Any, known: Iterable[str]) -> str:
    """What a value that is unknown may mean.

    >>> near("xgbost", MODELS), near("?", MODELS)
    ("may mean 'xgboost'", 'is none')
    """
    matches = difflib.get_close_matches(str(value).lower(), known, 1)
    return f"may mean {matches[0]!r}" if matches else "is none"


def pairs(values: Any) -> Any:
    """Known pairs as a tuple, each once."""
    if not isinstance(values, list | tuple):
        raise ValueError("a list of pairs, [] for all there are")
    for value in values:
        if value not in PAIRS:
            raise ValueError(
                f"pairs in market convention and lower case; {value!r} {near(value, PAIRS)}"
            )
    if len(set(values)) < len(values):
        raise ValueError("each pair once")
    return tuple(values)


def own_model(name: Any) -> tuple[str, str] | None:
    """File and class of a user's own model, None for what is not ``FILE.py:Class``.

    >>> own_model("research/my_model.py:Mine")
    ('research/my_model.py', 'Mine')
    """
    match = re.fullmatch(r"([\w./-]+\.py):([A-Za-z_]\w*)", str(name))
    return (match[1], match[2]) if match else None


def models(values: Any) -> Any:
    """Names of models as a tuple, each once, a user's own after those of the register."""
    if not isinstance(values, list | tuple) or not 0 < len(set(map(str, values))) == len(values):
        raise ValueError("a list of one or more models, such as [ridge, xgboost], each once")
    for value in values:
        if str(value) not in MODELS and not own_model(value):
            raise ValueError(
                f"some of {', '.join(MODELS)}, or FILE.py:Class; {value!r} {near(value, MODELS)}"
            )
    order = list(MODELS)
    return tuple(sorted(values, key=lambda v: order.index(v) if v in MODELS else len(order)))


def features(values: Any) -> Any:
    """Files of a user's own features as a tuple, each once."""
    rule = "a list of .py files from the project's root, each once"
    if not isinstance(values, list | tuple) or len(set(map(str, values))) < len(values):
        raise ValueError(rule)
    if not all(re.fullmatch(r"[\w./-]+\.py", str(value)) for value in values):
        raise ValueError(rule)
    return tuple(values)


def names(values: Any) -> Any:
    """Names or patterns of features as a tuple, each once."""
    rule = "a list of families, tables or patterns of names, each once"
    if not isinstance(values, list | tuple) or len(set(map(str, values))) < len(values):
        raise ValueError(rule)
    if not all(re.fullmatch(r"[\w*?]+", str(value)) for value in values):
        raise ValueError(rule)
    return tuple(values)


def signal(value: Any) -> Any:
    """Empty, or file and function of a user's own rule."""
    if value != "" and not own_model(value):
        raise ValueError("'' or FILE.py:function")
    return value


def _iso(value: Any, kind: type[date] | type[datetime], rule: str) -> Any:
    try:
        kind.fromisoformat(value)
    except (TypeError, ValueError):
        raise ValueError(rule) from None
    return value


def start(value: Any) -> Any:
    """An ISO date of the years in which there are markets to simulate."""
    rule = "an ISO date such as '2024-01-07', from 1971 to 2199"
    if not 1971 <= date.fromisoformat(_iso(value, date, rule)).year < 2200:
        raise ValueError(rule)
    return value


def baseline(value: Any) -> Any:
    """Empty, or a time."""
    return value and _iso(value, datetime, "'' or a UTC time such as '2018-01-02 00:00'")


def market(value: Any) -> Any:
    """The market's name; unquoted null is YAML's None."""
    return "null" if value is None else value


def place(value: Any) -> Any:
    """A path that every file system can hold."""
    rule = "a path of 1 to 1,000 printable characters, each name in it at most 200 bytes"
    if not isinstance(value, str):
        return value  # which the type refuses
    if not value.isprintable() or not 1 <= len(value) <= 1_000:
        raise ValueError(rule)
    if any(len(name.encode()) > 200 for name in value.split("/")):
        raise ValueError(rule)
    try:
        Path(value).expanduser()
    except RuntimeError:
        raise ValueError("a path whose ~ names a user's folder") from None
    return value


ADDRESSES = ("s3://", "postgresql://")
"""How an address of bars begins."""


def bars(value: Any) -> Any:
    """A folder or file; None stands where the user has to give one."""
    if value is None:
        raise ValueError("a folder or file of one-minute bars: pass --set bars=FOLDER")
    if isinstance(value, str) and "://" in value:
        if not value.startswith(ADDRESSES):
            raise ValueError(f"a folder or file, or an address that begins with {ADDRESSES}")
        return value
    return value and place(value)


def published(value: Any) -> Any:
    """Empty, or a database."""
    if value != "" and not str(value).startswith(ADDRESSES[1]):
        raise ValueError(f"'' or an address that begins with {ADDRESSES[1]}")
    return value


def clock(value: Any) -> Any:
    """A clock, or the clocks from given dates on."""
    rule = "'', a time zone, 'UTC+2', or a list of one or more [from date, clock]"
    if isinstance(value, str):
        return value
    if not isinstance(value, list | tuple) or not value:
        raise ValueError(rule)
    for item in value:
        if not isinstance(item, list | tuple) or [type(x) for x in item] != [str, str]:
            raise ValueError(rule)
        _iso(item[0], date, rule)
    return tuple(tuple(item) for item in value)


def window(value: Any) -> Any:
    """``matched``, or minutes."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    if value != "matched" and not (whole and 2 <= value <= 240):
        raise ValueError("'matched' or a window from 2 to 240 minutes")
    return value


def interest(values: Any) -> Any:
    """A finite number for each of the eight currencies, in their order."""
    rule = f"a number for each of {', '.join(CURRENCIES)}"
    if not isinstance(values, dict) or set(values) != set(CURRENCIES):
        raise ValueError(rule)
    if not all(map(_number, values.values())):
        raise ValueError(rule)
    return {name: float(values[name]) for name in CURRENCIES}


def quotas(values: Any) -> Any:
    """A whole number of columns for each of some groups."""
    rule = f"columns by group, such as {{rate: 70, bqx: 60}}; groups are {', '.join(GROUPS)}"
    if not isinstance(values, dict) or not set(values) <= set(GROUPS):
        raise ValueError(rule)
    for value in values.values():
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MOST:
            raise ValueError(rule)
    return dict(values)


def settings(values: Any) -> Any:
    """Numbers, names or lists of them by name, for each of some models."""
    rule = "settings by model, such as {forest: {n_estimators: 200}}"
    if not isinstance(values, dict):
        raise ValueError(rule)
    for model, by_name in values.items():
        if model not in MODELS and not own_model(model):
            raise ValueError(f"{rule}; {model!r} {near(model, MODELS)}")
        if not isinstance(by_name, dict) or not all(isinstance(name, str) for name in by_name):
            raise ValueError(rule)
        for value in by_name.values():
            items = value if isinstance(value, list | tuple) else [value]
            if not all(_plain(item) for item in items):
                raise ValueError(f"{rule}, of finite numbers, names or lists of them")
    return {model: dict(by_name) for model, by_name in values.items()}


def _plain(value: Any) -> bool:
    return isinstance(value, str | bool) or _number(value)


def ranges(values: Any) -> Any:
    """Lowest and highest value by setting, for each of some models."""
    rule = "[lowest, highest] by setting and model, such as {xgboost: {max_depth: [6, 12]}}"
    for by_name in settings(values).values():
        for span in by_name.values():
            pair = isinstance(span, list | tuple) and len(span) == 2
            if not pair or not all(_number(end) for end in span) or span[0] >= span[1]:
                raise ValueError(rule)
    return {
        model: {name: tuple(span) for name, span in spans.items()}
        for model, spans in values.items()
    }


def _number(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    # Whole numbers may be beyond what can be asked whether it is finite.
    return number and abs(value) <= float_info.max


Market = Annotated[
    Literal["null", "planted", "strong", "threshold", "lead"], BeforeValidator(market)
]
"""Kind of the synthetic market."""

MOST = 1_000_000
"""Largest whole number of a parameter that has no limit of its own."""
Count = Annotated[int, Field(ge=1, le=MOST)]
Size = Annotated[int, Field(ge=0, le=MOST)]
Minutes = Annotated[tuple[Annotated[int, Field(ge=1, le=1_440)], ...], BeforeValidator(ascending)]
Horizons = Annotated[Minutes, BeforeValidator(horizons)]

Clock = Annotated[str | tuple[tuple[str, str], ...], BeforeValidator(clock)]
"""A clock, or (from ISO date, clock) ranges."""
