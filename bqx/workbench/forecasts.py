"""Out-of-sample forecasts of a study: what they add, and what trading them would have made."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bqx.errors import ParameterError
from bqx.evaluation import skill
from bqx.learning import targets
from bqx.learning.targets import Target
from bqx.learning.training import PairResult
from bqx.market import sessions
from bqx.market.bars import Bars
from bqx.params import Params, from_settings
from bqx.stages.accounts import judged_rows
from bqx.stages.pair_scores import on_rows
from bqx.trading import backtest, costs, own_signal, performance, signals
from bqx.trading.costs import Costs

Series = NDArray[np.float64]
Column = Literal["forecast", "raw"]
"""Forecasts as far as they are kept, or the model's own."""


@dataclass(frozen=True, repr=False)
class Forecasts:
    """Forecasts of the innovation in sigma on test rows.

    ``results`` : fits and forecasts by pair, see `training.PairResult`.
    """

    bars: Mapping[str, Bars]
    params: Params
    results: Mapping[str, PairResult]

    @cached_property
    def frame(self) -> pd.DataFrame:
        """pair, ts_utc, fold, horizon, and in sigma: forecast (what is kept), raw (the model's)."""
        frames = [result.forecasts.assign(pair=pair) for pair, result in self.results.items()]
        return pd.concat(frames, ignore_index=True)

    def kept(self) -> pd.DataFrame:
        """Share of the model's forecast that validation supports, (pair, fold) by horizon."""
        rows = {
            (pair, fold_fit.number): fold_fit.evidence.betas
            for pair, result in self.results.items()
            for fold_fit in result.fits
        }
        table = pd.DataFrame(rows).T.rename_axis(index=["pair", "fold"])
        return table.rename_axis(columns="horizon (min)")

    def score(self, column: Column = "forecast") -> pd.DataFrame:
        """Skill against the martingale forecast, one row per pair and horizon.

        ``column`` : ``forecast``, or ``raw`` for the model's own before it was shrunk. Intervals
        hold for all rows together.
        """
        if column not in get_args(Column):
            raise ParameterError(
                f"column: no forecast, got {column!r}; expected {' or '.join(get_args(Column))}."
            )
        cells = len(self.bars) * len(self.params.horizons)
        confidence = skill.simultaneous(self.params.confidence, cells)
        rows = {}
        for pair, bars in self.bars.items():
            day, zero = sessions.trading_days(bars.minutes), np.zeros(len(bars))
            for horizon, series in self._series(pair, column).items():
                target = self._target(bars, horizon)
                rows[pair, horizon] = skill.score(
                    target.label("innovation"),
                    series,
                    zero,
                    sigma=1.0,
                    day=day,
                    window=target.window,
                    horizon=horizon,
                    confidence=confidence,
                    seed=self.params.seed,
                ).row()
        shown = ["days", "skill", "skill_lo", "skill_hi", "ic", "ic_t", "ic_p"]
        return pd.DataFrame(rows).T.rename_axis(index=KEY)[shown].astype(float)

    def account(self, spread_multiple: float = 1.0) -> pd.DataFrame:
        """What trading the forecasts made after all costs, one row per pair and horizon.

        ``spread_multiple`` : of the spread that is paid, on top of the parameter.
        """
        paid = self.params.spread_multiple * spread_multiple
        params = from_settings(self.params.model_dump() | {"spread_multiple": paid})
        rows = {}
        for pair, bars in self.bars.items():
            priced = costs.make(bars, params)
            size = signals.size(bars, params.target_volatility, params.largest_position)
            for horizon, series in self._series(pair, "forecast").items():
                daily = self._daily(bars, series, horizon, priced=priced, size=size)
                summary = performance.summary(daily, params.confidence, params.seed)
                sums = 1e4 * daily[["gross", "cost", "net"]].sum()
                rows[pair, horizon] = {
                    "trades": summary.trades,
                    "gross (bp)": sums["gross"],
                    "cost (bp)": sums["cost"],
                    "net (bp)": sums["net"],
                    "net_sharpe": summary.net_sharpe,
                    "net_sharpe_lo": summary.net_sharpe_lo,
                    "net_sharpe_hi": summary.net_sharpe_hi,
                    "reason": summary.reason,
                }
        return pd.DataFrame(rows).T.rename_axis(index=KEY)

    def _daily(
        self, bars: Bars, series: Series, horizon: int, *, priced: Costs, size: Series
    ) -> pd.DataFrame:
        """Account by day of the forecasts of one pair and horizon."""
        target, judged = self._target(bars, horizon), judged_rows(series, horizon)
        wait = signals.delay(target.window, horizon, self.params.entry)
        move = signals.expected_move(series * target.sigma, target.window, horizon)
        signal = np.nan_to_num(
            own_signal.rule_of(self.params)(move, *priced.expected(horizon, wait)) * size
        )
        return backtest.run(
            bars.rows(judged.start, judged.stop),
            signals.delayed(signal, bars, wait, 0.0)[judged],
            horizon - wait,
            costs=priced.rows(judged.start, judged.stop),
        ).daily()

    def _target(self, bars: Bars, horizon: int) -> Target:
        return targets.make(bars, self.params.window(horizon), horizon)

    def _series(self, pair: str, column: str) -> dict[int, Series]:
        return on_rows(self.results[pair].forecasts, self.bars[pair], column)

    def __repr__(self) -> str:
        cells, rows = self.frame.groupby(KEY).ngroups, len(self.frame)
        return f"Forecasts of {cells} pairs and horizons on {rows:,} test rows"

    def _repr_html_(self) -> str:
        return f"<p>{self!r}</p>{self.score().round(4).to_html()}"


KEY = ["pair", "horizon"]
"""What a cell is."""
