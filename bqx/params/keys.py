"""Which parameters each notebook's ``parameters`` cell holds, and which notebook settles which."""

from bqx.market import declared
from bqx.params.model import Params

KEYS = tuple(Params.model_fields)

_WORK = ("out", "workers", "backend")
PLACE_KEYS = (*_WORK, "published")
"""Parameters that say where and how fast, and so are no part of what an artefact depends on."""

_BARS = ("market", "bars", *declared.KEYS, "pairs", "start", "days", "baseline", "max_fill")
_TRADING = (
    *("entry", "signal", "account", "spread_multiple", "slippage", "commission", "interest"),
    *("markup", "target_volatility", "largest_position", "order_size"),
)

COLUMN_KEYS = ("profile", "features", "include", "exclude", "lags", "strict61")
"""Parameters that notebook 04 settles in its columns."""
SPLIT_KEYS = (
    *("seed", "target_window", "horizons", "target", "scheme"),
    *("train_days", "validation_days", "test_days", "step_days", "expanding"),
    *("groups", "test_groups", "embargo", "stride"),
)
"""Parameters that notebook 05 settles in its split."""
SELECTION_KEYS = (
    *("selected", "domain_share", "quotas", "least_importance", "ranked_by"),
    *("forest_trees", "forest_depth"),
)
"""Parameters by which notebook 05 selects on that split."""
FIT_KEYS = (
    *("rounds", "depth", "learning_rate", "confidence", "coverage"),
    *("models", "model", "settings", "device", "trials", "ranges", "tuning_seconds", "tuned"),
)
"""Parameters by which notebook 06 fits."""

SETTLED: dict[str, tuple[str, ...]] = {
    "01_bars": ("max_fill",),
    "04_lagging": COLUMN_KEYS,
    "05_selection": (*SPLIT_KEYS, *SELECTION_KEYS),
    "06_training": tuple(key for key in FIT_KEYS if key != "confidence"),
}
"""Parameters that a notebook settles for all later ones, which read them from what it wrote."""

NOTEBOOK_KEYS: dict[str, tuple[str, ...]] = {
    "01_bars": ("out", "seed", *_BARS, "target_window", "horizons"),
    "02_features": (*PLACE_KEYS, "profile", "features"),
    "03_reconciliation": ("out",),
    "04_lagging": ("out", *COLUMN_KEYS),
    "05_selection": (*_WORK, *SPLIT_KEYS, *SELECTION_KEYS),
    "06_training": (*_WORK, *FIT_KEYS),
    "08_backtest": (*_WORK, "confidence", *_TRADING),
    "09_monitoring": _WORK,
    "10_quality": _WORK,
    "11_models": ("out", "confidence"),
    "12_registry": ("out",),
    "07_deployment": ("out", "serve_pair"),
    "13_explanation": (*_WORK, "serve_pair"),
    "14_screening": _WORK,
}
"""Keys of each notebook's ``parameters`` cell: those that it acts on and no earlier one settles.

In the order in which a run executes them: what is deployed was judged before.
"""
