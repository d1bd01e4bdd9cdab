import json

import numpy as np
import pytest

from bqx.errors import ArtefactError
from bqx.evaluation.model_choice import documented, honest
from bqx.runs import fit_log

RNG = np.random.default_rng(0)
KNOWN = RNG.gamma(8.0, 1.0, 60)


def better(by: float, noise: float = 0.02):
    return KNOWN * (1.0 - by + noise * RNG.normal(size=60))


def test_the_simplest_within_the_noise_stays():
    losses = {"ridge": better(0.05), "forest": better(0.05), "xgboost": better(0.052)}
    name, steps = honest(losses, KNOWN, 3, confidence=0.95, seed=0)
    assert name == "ridge"
    assert [(s.model, s.over, s.wins) for s in steps] == [
        ("ridge", "martingale", True), ("forest", "ridge", False), ("xgboost", "ridge", False),
    ]  # fmt: skip
    assert steps[0].low < steps[0].gain < steps[0].high


def test_another_forecast_than_the_martingale_may_be_the_one_that_stays():
    base = better(0.05)
    name, steps = honest({"xgboost": better(0.05)}, base, 1, confidence=0.95, seed=0, base="ridge")
    assert (name, steps[0].over, steps[0].wins) == ("ridge", "ridge", False)
    assert (
        honest({"xgboost": better(0.2)}, base, 1, confidence=0.95, seed=0, base="ridge")[0]
        == "xgboost"
    )
    assert honest({}, base, 1, confidence=0.95, seed=0, base="ridge") == ("ridge", ())


def test_a_real_gain_displaces():
    losses = {"ridge": better(0.02), "xgboost": better(0.10)}
    assert honest(losses, KNOWN, 2, confidence=0.95, seed=0)[0] == "xgboost"


def test_every_trial_asks_for_more_evidence():
    losses = {"xgboost": better(0.02, noise=0.04)}
    few, many = (honest(losses, KNOWN, trials, confidence=0.95, seed=0) for trials in (1, 100_000))
    assert few[0] == "xgboost"
    assert many[0] == "martingale"
    assert many[1][0].low < few[1][0].low


def test_without_evidence_the_martingale_stays():
    passed = 0
    for seed in range(60):
        noise = KNOWN * (1 + 0.05 * np.random.default_rng(seed).normal(size=(3, 60)))
        losses = dict(zip("abc", noise, strict=True))
        passed += honest(losses, KNOWN, 3, confidence=0.95, seed=0)[0] != "martingale"
    # One in twenty at most; a binomial of 60 exceeds 8 by chance once in a hundred.
    assert passed <= 8
    assert honest({"same": KNOWN}, KNOWN, 1, confidence=0.95, seed=0)[0] == "martingale"


@pytest.mark.parametrize(
    ("r2", "alike", "expected"),
    [
        ({"forest": 0.50, "xgboost": 0.531}, None, "xgboost"),
        ({"forest": 0.50, "xgboost": 0.529}, None, "xgboost"),
        ({"forest": 0.50, "xgboost": 0.40}, None, "xgboost"),
        ({"forest": 0.50, "xgboost": 0.40, "tft": 0.439}, None, "xgboost"),
        ({"forest": 0.50, "xgboost": 0.40, "tft": 0.441}, None, "tft"),
        ({"forest": 0.50, "xgboost": 0.54, "stacking": 0.561}, 0.84, "stacking"),
        ({"forest": 0.50, "xgboost": 0.54, "stacking": 0.559}, 0.84, "xgboost"),
        ({"forest": 0.50, "xgboost": 0.54, "stacking": 0.9}, 0.86, "xgboost"),
        ({"forest": 0.50, "xgboost": 0.54, "stacking": 0.9}, None, "xgboost"),
        ({"ridge": 0.5, "xgboost": 0.9}, None, None),
    ],
)
def test_the_documents_margins(r2, alike, expected):
    assert documented(r2, alike) == expected


def test_every_fit_leaves_a_line_and_the_last_of_a_fold_counts(tmp_path):
    assert fit_log.fits(tmp_path).empty
    for seconds in (1.0, 2.0):
        for fold in (0, 1):
            fit_log.record(
                tmp_path, {"model": "ridge", "pair": "eurusd", "fold": fold, "seconds": seconds}
            )
    found = fit_log.fits(tmp_path)
    assert found["seconds"].tolist() == [2.0, 2.0]
    path = tmp_path / fit_log.FILE
    assert len([json.loads(line) for line in path.read_text().splitlines()]) == 4
    path.write_text(path.read_text() + "{")
    assert len(fit_log.fits(tmp_path)) == 2
    path.write_text(path.read_text().replace("1.0", "1.5"))
    with pytest.raises(ArtefactError, match=r"fit_log\.jsonl line 1: altered"):
        fit_log.fits(tmp_path)
