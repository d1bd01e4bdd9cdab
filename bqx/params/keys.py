"""Which parameters each notebook's ``parameters`` cell holds."""

from bqx.params.model import Params

KEYS = tuple(Params.model_fields)

_WORK = ("workers", "backend")
_BARS = ("market", "bars", "clock", "pairs", "start", "days", "baseline", "max_fill")
_TARGET = ("target_window", "horizons")
_FOLDS = (
    "scheme", "train_days", "validation_days", "test_days", "step_days", "groups", "test_groups",
    "embargo", "stride",
)  # fmt: skip
_COLUMNS = ("profile", "lags", "strict61")
_TRADING = (
    "spread_multiple", "slippage", "commission", "interest", "markup", "target_volatility",
    "largest_position",
)  # fmt: skip
_MODELS = ("models", "model", "device", "trials", "tuning_seconds", "tuned")
_SELECTION = ("selected", "domain_share", "ranked_by", "forest_trees", "forest_depth")

NOTEBOOK_KEYS: dict[str, tuple[str, ...]] = {
    "01_bars": ("out", "seed", *_BARS, *_TARGET),
    "02_features": ("out", *_WORK, "profile"),
    "03_reconciliation": ("out",),
    "04_lagging": ("out", *_COLUMNS),
    "05_selection": ("out", "seed", *_WORK, *_TARGET, *_COLUMNS, *_FOLDS, *_SELECTION),
    "06_training": (
        "out", "seed", *_WORK, *_TARGET, *_COLUMNS, *_FOLDS, *_SELECTION,
        "rounds", "depth", "learning_rate", "target", "confidence", "coverage", "max_fill",
        *_MODELS,
    ),
    "07_deployment": ("out", "serve_pair"),
    "08_backtest": ("out", "seed", *_TARGET, "target", "confidence", *_TRADING),
    "09_monitoring": ("out", "seed", *_WORK, *_TARGET, *_COLUMNS, *_FOLDS),
    "10_quality": ("out", *_WORK),
    "11_models": ("out", "seed", "confidence", "models"),
    "12_registry": ("out", "serve_pair"),
    "13_explanation": (
        "out", "seed", *_WORK, *_TARGET, *_COLUMNS, *_FOLDS, "models", "device",
        "serve_pair",
    ),
}  # fmt: skip
"""Keys of each notebook's ``parameters`` cell."""
