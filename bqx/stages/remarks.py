"""Sentences about a user's bars, each with what can be done; none is a check of the product."""

from typing import Any

import numpy as np
import pandas as pd

from bqx.market import sessions

HOLES = 0.05
"""Share of open minutes in long holes from which it is to be told."""
SHORTEST = 40
"""Trading days below which a verdict says little."""
TRADED = 0.5
KNOWN = 0.05
"""Largest share of a target that the martingale explains where theory says none."""
ABSENT = 0.5
LEAK = 0.5
"""Skill from which bars or features are to be doubted."""
COVERED, COVERED_BY_CONDITION = 0.02, 0.05
"""How far coverage may lie from what was asked for."""

NOTHING = "Nothing to remark."


def of_bars(coverage: pd.DataFrame, days: int, shares: pd.DataFrame, max_fill: int) -> list[str]:
    """Of holes, length, and what the martingale explains where theory says none.

    Parameters
    ----------
    coverage : one row per pair: pair, rows, holes.
    days : trading days of the bars.
    shares : see `bqx.stages.bars.known_shares`.
    max_fill : longest hole that carries the last close, minutes.
    """
    lines = [
        f"{row.pair}: {row.holes / row.rows:.0%} of the open minutes lie in holes of more than "
        f"{max_fill} minutes. Every window and label that touches one is blank, so that little may "
        "be left to learn from: fetch the missing hours, take another source or other months, or "
        "raise max_fill, which carries the last close through longer holes."
        for row in coverage.itertuples()
        if row.holes > HOLES * row.rows
    ]
    if days < SHORTEST:
        lines.append(
            f"The bars have {days} trading days: intervals will be wide and few folds fit. Give "
            "some months for a verdict."
        )
    free = shares.loc[shares["theory"] == 0, "r2"]
    if free.isna().any():
        lines.append(
            "Some windows and horizons have no label at all: the bars are too short, or holes "
            "blank them. Give more bars, or shorter windows and horizons."
        )
    if (free.abs() >= KNOWN).any():
        lines.append(
            f"The martingale explains up to {free.abs().max():.2f} of a target where it should "
            "explain nothing: a trend in few bars, rates that stand still, or a filled feed. Look "
            "at the table of the bars above, and give more of them."
        )
    return lines or [NOTHING]


def of_features(shares: pd.DataFrame) -> list[str]:
    """Of features that have few values or none; ``shares``: pair, feature, missing, needs."""
    lines = []
    for pair, pair_shares in shares.groupby("pair", sort=False):
        sparse = pair_shares[(pair_shares["missing"] >= ABSENT) & (pair_shares["missing"] < 1.0)]
        never = pair_shares[(pair_shares["missing"] == 1.0) & (pair_shares["needs"] == "")]
        if len(sparse):
            lines.append(
                f"{pair}: {len(sparse)} features, such as {sparse['feature'].iloc[0]}, lack a "
                "value in more than half of the rows, since holes blank their windows. Fetch the "
                "missing hours, or take a profile with shorter windows."
            )
        if len(never):
            lines.append(
                f"{pair}: {len(never)} features, such as {never['feature'].iloc[0]}, never have a "
                "value: the bars are shorter than their warm-up, or no stretch without holes is "
                "as long. Give more bars, or take a profile with shorter windows."
            )
    return lines or [NOTHING]


def of_fits(cells: pd.DataFrame, conditions: pd.DataFrame, coverage: float) -> list[str]:
    """Of skill that is too good, and intervals that hold too many or too few labels.

    Parameters
    ----------
    cells : one row per pair and horizon: skill, coverage.
    conditions : the same by condition and value, with effective_rows.
    coverage : share of labels that intervals were asked to hold.
    """
    lines = []
    if (cells["skill"] >= LEAK).any():
        best = cells.loc[cells["skill"].idxmax()]
        lines.append(
            f"{best['pair']} at {best['horizon']} minutes: a skill of {best['skill']:.2f} is a "
            "leak until proven otherwise. Look for rates that stand still or were filled with bqx "
            "bars, and for features that read ahead with bqx certify."
        )
    mean = float(cells["coverage"].mean())
    if not abs(mean - coverage) < COVERED:
        lines.append(
            f"Intervals hold {mean:.1%} of the labels, asked for were {coverage:.0%}: the test "
            "days are few or unlike those before. Give more bars, or longer validation_days."
        )
    enough = conditions[conditions["effective_rows"] >= 500]
    by_condition = enough.groupby(["condition", "value"])["coverage"].mean()
    low = by_condition[by_condition <= coverage - COVERED_BY_CONDITION]
    lines += [
        f"Intervals hold {share:.1%} of the labels where {kind} is {value}: do not rely on them "
        "there."
        for (kind, value), share in low.items()
    ]
    return lines or [NOTHING]


def of_quality(coverage: pd.DataFrame) -> list[str]:
    """Of pairs with few traded minutes; ``coverage``: see `bqx.monitoring.quality.coverage`."""
    lines = [
        f"{row.pair}: only {row.traded:.0%} of the minutes have a bar of their own. Fetch the "
        "missing hours or leave the pair out."
        for row in coverage.itertuples()
        if not row.traded > TRADED
    ]
    return lines or [NOTHING]


def trading_days(minutes: np.ndarray[Any, np.dtype[np.int64]]) -> int:
    """Trading days that rows of a grid belong to."""
    return len(np.unique(sessions.trading_days(minutes)))
