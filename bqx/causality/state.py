"""Whether values and fits depend on what was computed before, by a fresh process that did not."""

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace

import numpy as np

from bqx.causality import alterations, fresh
from bqx.causality.checks import BEFORE, STATE, Array, Features, Fits, Leak, Rows, same, values
from bqx.causality.first_read import REMOVED, Suspicion, again, explain, first, leak, unlike
from bqx.features.engine import fitting
from bqx.features.engine.compute import warm_up
from bqx.features.spec import Feature, unfolded
from bqx.market.bars import Bars

FITTED_ROWS = 10_000
"""First rows on which fitted families learn, at most half of all; then it is frozen."""

SAMPLED = 400
"""Rows of a history, beside those before its end, at which a fresh process computes values."""

AllBars = Mapping[str, Bars]
Parameters = Mapping[str, Mapping[str, Array]]
"""What fitted families have learnt, by pair."""


def training_rows(bars: AllBars) -> int:
    """First rows on which fitted families learn."""
    return max(min(FITTED_ROWS, min(map(len, bars.values())) // 2), 1)


def fits(bars: AllBars, features: Features, count: int) -> Parameters:
    """Parameters of fitted families from the first rows of each pair."""
    if not any(feature.fit_key for feature in unfolded(features)):
        return {pair: {} for pair in bars}
    rows = np.arange(count)
    shared = fitting.pool(bars, features, rows)
    return {
        pair: fitting.fit(pair_bars, features, rows).beside(shared).parameters
        for pair, pair_bars in bars.items()
    }


@dataclass(frozen=True)
class Fresh:
    """Values that a fresh process computes from the first bars alone, before anything else.

    ``cuts`` : last rows of the histories, shortest first. ``rows`` : at which their values are
    compared, of all histories.
    """

    bars: AllBars
    frozen: fresh.Frozen
    cuts: tuple[int, ...]
    rows: Rows
    answer: "Future[bytes]"

    @staticmethod
    def begin(bars: AllBars, features: Features) -> "Fresh":
        """Start it; to be called before anything is computed here."""
        pair, pair_bars = next(iter(bars.items()))
        training = training_rows(bars)
        last = min(len(pair_bars) - 2, max(training, warm_up(features)) + 2_000)
        cuts = tuple(sorted({last // 4, last // 2, last}))
        near = [np.arange(max(cut - BEFORE, 0), cut + 1) for cut in cuts]
        rows = np.unique(np.concatenate([*near, np.linspace(0, last, SAMPLED).astype(np.int64)]))
        frozen = fresh.freeze(features)
        learning = any(feature.fit_key for feature in unfolded(features))
        early_bars = {
            name: replace(early)
            for name, early in ((name, b.rows(0, last + 1)) for name, b in bars.items())
            if learning or name == pair
        }
        order = (early_bars, cuts, rows, training)
        return Fresh(bars, frozen, cuts, rows, fresh.start(_first_values, frozen, order))

    def suspicions(
        self, features: Features, kept: Mapping[str, Array], learnt: Parameters
    ) -> list[Suspicion]:
        """Values of the whole history that differ from the fresh ones, or when computed again.

        ``kept`` : values of the whole history at the rows.
        """
        pair, bars = next(iter(self.bars.items()))
        _, answers = fresh.result(self.answer)
        backwards = list(reversed(features))
        repeated = values(bars.rows(0, self.cuts[0] + 1), backwards, learnt[pair]).T[::-1]
        early = self.rows[self.rows <= self.cuts[0]]
        out = []
        for i, feature in enumerate(features):
            whole = kept[feature.name]
            for few in (*(answer[i] for answer in answers), repeated[i, early]):
                unequal = np.flatnonzero(~same(whole[: len(few)], few))
                if len(unequal):
                    at = int(unequal[-1])
                    row = int(self.rows[at])
                    out.append(Suspicion(feature, bars, row, float(whole[at]), float(few[at])))
                    break
        return out

    def explained(
        self, suspicion: Suspicion, learnt: Fits, *, elsewhere: bool = False
    ) -> Leak | str:
        """The leak, or the words for a lookback that does not suffice.

        ``elsewhere`` : the bars were the same from the first on, so it is no matter of lookbacks.
        """
        here = explain(suspicion, learnt)
        if isinstance(here, Leak):
            return here
        order = (suspicion.feature.name, replace(suspicion.bars), suspicion.row, dict(learnt or {}))
        read, apart = fresh.result(fresh.start(_first_read, self.frozen, order))
        if read is not None:
            return leak(suspicion, read, REMOVED, apart, (STATE,))
        return again(suspicion) if elsewhere or here is None else here

    def fit_leaks(self, features: Features, learnt: Parameters) -> dict[str, Leak]:
        """Features whose parameters depend on bars behind the training rows.

        They are learnt again after values of bars that are altered behind the training rows were
        computed, and in the fresh process from the first rows alone.
        """
        fitted = [feature for feature in features if feature.fit_key]
        if not fitted:
            return {}
        count = training_rows(self.bars)
        altered = {}
        for pair, bars in self.bars.items():
            later = np.arange(len(bars)) >= count
            altered[pair] = alterations.disguise(bars, alterations.NOISE).on(later)
            values(altered[pair], fitted, learnt[pair])
        after = fits(altered, features, count)
        before, _ = fresh.result(self.answer)
        out = {}
        for feature in fitted:
            for pair in self.bars:
                parameters, *others = (by[pair][feature.fit_key] for by in (learnt, after, before))
                unlike_parameters = [
                    o for o in others if not np.array_equal(parameters, o, equal_nan=True)
                ]
                if unlike_parameters:
                    out[feature.name] = self._fit_leak(
                        feature, pair, parameters, unlike_parameters[0]
                    )
                    break
        return out

    def _fit_leak(self, feature: Feature, pair: str, known: Array, other: Array) -> Leak:
        end = training_rows(self.bars) - 1
        at = int(np.argmin(same(known, other))) if len(known) == len(other) else 0
        suspicion = Suspicion(feature, self.bars[pair], end, float(known[at]), float(other[at]))
        bare = {name: replace(bars) for name, bars in self.bars.items()}
        order = (feature.name, bare, pair, end)
        read = fresh.result(fresh.start(_first_read_by_fit, self.frozen, order))
        if read is None:
            return again(suspicion)
        return leak(suspicion, read, REMOVED, suspicion.other, ("its fit",))


def _first_values(
    features: Features, bars: AllBars, cuts: tuple[int, ...], rows: Rows, training: int
) -> tuple[Parameters, list[Array]]:
    """Parameters, then values (F, rows up to the cut) of each history."""
    learnt = fits(bars, features, training)
    pair, pair_bars = next(iter(bars.items()))
    return learnt, [
        values(pair_bars.rows(0, cut + 1), features, learnt[pair]).T[:, rows[rows <= cut]]
        for cut in cuts
    ]


def _first_read(
    features: Features, name: str, bars: Bars, row: int, learnt: Fits
) -> tuple[int | None, float]:
    """First later row that a value depends on, each time in a copy of this process; the value."""
    feature = next(feature for feature in features if feature.name == name)

    def until(stop: int) -> float:
        early_bars = bars.rows(0, stop + 1)
        return fresh.apart(lambda: float(values(early_bars, [feature], learnt)[row, 0]))

    alone, last = until(row), len(bars) - 1
    if not unlike(alone, until(last)) or unlike(alone, until(row)):
        return None, alone
    return first(lambda stop: unlike(until(stop), alone), row, last), alone


def _first_read_by_fit(
    features: Features, name: str, bars: AllBars, pair: str, end: int
) -> int | None:
    """First row behind the training rows that a fit depends on once values were computed."""
    feature = next(feature for feature in features if feature.name == name)

    def until(stop: int) -> Array:
        early_bars = {other: of.rows(0, stop + 1) for other, of in bars.items()}

        def learn() -> Array:
            learnt = fits(early_bars, [feature], end + 1)
            values(early_bars[pair], [feature], learnt[pair])
            return fits(early_bars, [feature], end + 1)[pair][feature.fit_key]

        return fresh.apart(learn)

    def changed(stop: int) -> bool:
        return not np.array_equal(until(stop), alone, equal_nan=True)

    alone, last = until(end), len(bars[pair]) - 1
    return first(changed, end, last) if changed(last) else None
