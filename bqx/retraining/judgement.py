"""Whether challengers are promoted: by tests whose errors are known, and beside it what the
documents' rules would say."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from bqx.evaluation import claims
from bqx.evaluation.reasons import Reason
from bqx.market import sessions
from bqx.retraining.forecasts import CHALLENGER, CHAMPION
from bqx.retraining.training import Trained
from bqx.serving.registry import gate

INFORMATION = "t of the claim of information"
BETTER = "t of the gain over the served version"
FIRST = "no version is served: t of the gain over the martingale"
NOTHING_KEPT = "nothing is kept of its forecasts"
MARTINGALE = "martingale"
MODELS = (CHALLENGER, CHAMPION, MARTINGALE)
"""Those that are scored beside each other, by the names of their scores."""
WITHIN = 0.02
"""Share of R² that a new model may lose by one of the documents' rules."""
REVIEW = 0.05
"""Fall of R² from which a person looks, by another."""


@dataclass(frozen=True)
class Judgement:
    """What was decided of a pair's challenger.

    ``reasons`` : against it; none where it passes. ``horizons`` : those at which it gains.
    ``documents`` : their rules' answers by name, which decide nothing here.
    ``scores`` : of the models on the same rows, see `scores_of`.
    """

    pair: str
    reasons: tuple[Reason, ...]
    horizons: tuple[int, ...]
    documents: dict[str, str]
    scores: dict[str, dict[str, float]]


def judge(trained: Mapping[str, Trained], seed: int) -> dict[str, Judgement]:
    """Judge the challengers of one retraining together.

    A challenger passes where its forecasts hold information, claimed for its pair among all pairs
    of the retraining (`claims.claim`), and where what it keeps of them errs less than the served
    version, or the martingale where none is served, beyond chance for its pair among all
    (`claims.step_down`). On markets without information either lets one pass in 5 of 100
    retrainings at most, however many pairs there are.
    """
    products = pd.concat(
        [_products(pair, challenger.compared) for pair, challenger in trained.items()]
    )
    claimed = claims.claim(products, seed)
    by_pair = claimed[claimed["level"] == claims.PAIR].set_index("pair")
    gains = _gains(trained)
    test = claims.step_down(gains.to_numpy(), claims.FAMILY_ERROR, seed)
    better = dict(
        zip(gains.columns, zip(test.t, test.bound, test.rejected, strict=True), strict=True)
    )
    out = {}
    for pair, challenger in trained.items():
        row, (t, bound, is_better) = by_pair.loc[pair], better[pair]
        against = []
        if not row["claimed"]:
            against.append(Reason(INFORMATION, float(row["t"]), ">", float(row["bound"])))
        if not is_better:
            against.append(_not_better(challenger.compared, float(t), float(bound)))
        scores = scores_of(challenger.compared)
        out[pair] = Judgement(
            pair,
            gate(against, challenger.needed, challenger.present, challenger.latency_ms),
            _gaining(challenger.compared),
            documents(scores, challenger),
            scores,
        )
    return out


def _products(pair: str, compared: pd.DataFrame) -> pd.DataFrame:
    """What `claims.claim` needs, of the challenger before shrinkage; days joined where a label
    reaches beyond one."""
    longest = 2 * int(compared["horizon"].max())
    sums = pd.DataFrame(
        {
            "horizon": compared["horizon"],
            "day": sessions.joined_days(compared["day"].to_numpy(), longest),
            "rows": 1,
            "product": compared["raw"] * compared["label"],
            "power": compared["raw"] ** 2,
            "label": compared["label"] ** 2,
        }
    )
    daily = sums.groupby(["horizon", "day"], as_index=False).sum()
    return daily.assign(fold=0, pair=pair)


def _not_better(compared: pd.DataFrame, t: float, bound: float) -> Reason:
    """What a challenger does not beat: the served version, or the martingale where none is."""
    rule = BETTER if CHAMPION in compared else FIRST
    note = "" if compared[CHALLENGER].any() else NOTHING_KEPT
    return Reason(rule, t, ">", bound, note=note)


def gain(compared: pd.DataFrame) -> pd.Series:
    """(n,) squared error of the champion, the martingale where there is none, less that of the
    challenger, in sigma squared."""
    label = compared["label"]
    before = compared.get(CHAMPION, 0.0)
    return (label - before) ** 2 - (label - compared[CHALLENGER]) ** 2


def _gains(trained: Mapping[str, Trained]) -> pd.DataFrame:
    """(days, pairs) gains of each day over all horizons, 0 where a pair has none."""
    by_day = {
        pair: gain(challenger.compared).groupby(challenger.compared["day"]).sum()
        for pair, challenger in trained.items()
    }
    return pd.DataFrame(by_day).fillna(0.0)


def _gaining(compared: pd.DataFrame) -> tuple[int, ...]:
    sums = gain(compared).groupby(compared["horizon"]).sum()
    return tuple(int(horizon) for horizon in sums.index[sums > 0.0])


def scores_of(compared: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Of challenger, champion where there is one, and martingale: ``skill`` and ``mae`` in sigma,
    ``r2`` and ``direction`` of the target, means over the horizons."""
    out = {}
    for name in MODELS:
        if name == CHAMPION and CHAMPION not in compared:
            continue
        forecast = pd.Series(0.0, compared.index) if name == MARTINGALE else compared[name]
        rows = []
        for _, horizon_rows in compared.groupby("horizon"):
            error = horizon_rows["label"] - forecast[horizon_rows.index]
            level = horizon_rows["known"] + horizon_rows["sigma"] * forecast[horizon_rows.index]
            spread = horizon_rows["actual"] - horizon_rows["actual"].mean()
            signed = (horizon_rows["actual"] != 0) & (level != 0)
            agree = np.sign(horizon_rows["actual"]) == np.sign(level)
            rows.append(
                {
                    "skill": 1.0 - float((error**2).sum() / (horizon_rows["label"] ** 2).sum()),
                    "mae": float(error.abs().mean()),
                    "r2": 1.0
                    - float(((horizon_rows["actual"] - level) ** 2).sum() / (spread**2).sum()),
                    "direction": float(agree[signed].mean()) if signed.any() else np.nan,
                }
            )
        out[name] = {key: float(value) for key, value in pd.DataFrame(rows).mean().items()}
    return out


def documents(scores: Mapping[str, Mapping[str, float]], own: Trained) -> dict[str, str]:
    """What the documents' rules say of a challenger: they compare one number of two samples, which
    on a market without information is as good as a coin, and lets nearly all pass within 2 %."""
    before = CHAMPION if CHAMPION in scores else MARTINGALE
    new, current = scores[CHALLENGER]["r2"], scores[before]["r2"]
    missing = sorted(set(own.needed) - set(own.present))
    review = new < current - REVIEW or bool(missing)
    return {
        "R² better": "promote" if new > current else "keep",
        "R² better or within 2 %": "promote" if new >= current - WITHIN * abs(current) else "keep",
        "manual review": "review" if review else "none",
    }
