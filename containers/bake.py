"""Compile what the features' kernels are not alone in: targets, folds, models, a forecast.

A small training on a simulated market, and its bundle asked for a forecast, as the containers do.
"""

import json
import tempfile
from pathlib import Path

from bqx.market import simulated
from bqx.serving.container_models import LoadedModels
from bqx.serving.jobs import processing, training
from bqx.serving.jobs.platform import Platform

PAIR = "eurusd"
SMALL = {"pair": PAIR, "selected": "8", "forest_trees": "4", "rounds": "20", "horizons": "[15, 75]"}


def main() -> None:
    """Train with every model that needs no extra, and forecast."""
    with tempfile.TemporaryDirectory() as name:
        platform = Platform(Path(name))
        bars = Path(name) / "input" / "data" / "bars"
        bars.mkdir(parents=True)
        frame = simulated.simulate("strong", (PAIR,), "2024-01-07", days=28, seed=1).frames[PAIR]
        frame.rename_axis("ts_utc").reset_index().to_parquet(bars / f"{PAIR}.parquet")
        hyperparameters = Path(name) / "input" / "config" / "hyperparameters.json"
        hyperparameters.parent.mkdir()
        for model in ("ridge", "xgboost", "forest"):
            hyperparameters.write_text(json.dumps(SMALL | {"model": model}))
            training.train(platform, Path(name) / model)
            loaded = LoadedModels(1 << 40)
            loaded.load(model, Path(name) / model / f"1-{PAIR}")
            kept = loaded.get(model)
            # A model of which nothing is kept forecasts without its columns and its own kernels.
            assert kept is not None
            assert any(kept.served[PAIR].bundle.betas.values()), model
        (platform.processing / "input").mkdir(parents=True)
        bars.rename(platform.processing / "input" / "bars")
        processing.process(platform, ["lags=[60]", "horizons=[15]"])


if __name__ == "__main__":
    main()
