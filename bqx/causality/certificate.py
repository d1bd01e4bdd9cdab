"""The certificate: the checks over many cuts of the user's own bars and features."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from tqdm import tqdm

from bqx.causality import cuts, fresh, reading_ahead, state, tightness
from bqx.causality.checks import Broken, Leak
from bqx.causality.first_read import Suspicion
from bqx.causality.reading_ahead import ROUNDS, Reading, Task
from bqx.causality.state import Fresh, Parameters
from bqx.causality.user_features import try_kernels
from bqx.errors import BqxError, ParameterError
from bqx.features.engine.compute import warm_up
from bqx.features.spec import Feature, unfolded
from bqx.market import sessions
from bqx.market.bars import Bars

CUTS = 200

SPAN = 250_000_000
"""Values of a history: rows times features, so that many features are tried on fewer rows."""

ALTERED = 3_000_000_000
"""Values that are computed from altered bars, as far as `ROUNDS` need them."""

TURNS = 3
"""Fewest histories; a single pair takes all turns."""


@dataclass(frozen=True)
class Certificate:
    """What the checks found.

    ``features``, ``cuts`` : how many. ``rows`` : of the histories whose values were compared, all
    pairs together; ``compared`` : values, each with the one from altered, removed or fewer bars;
    ``days_ahead`` : from a value to the farthest bar that was altered. ``leaks`` : values that
    changed when later bars did, or when computed again. ``insufficient`` : features whose last
    ``lookback`` bars do not reproduce them. ``loose`` : lookbacks that are padded and newest bars
    that are not felt. ``silent`` : features without a finite value on the compared rows, and
    ``deaf`` : those that felt neither the newest nor the oldest bar that they say they read; of
    both nothing is proven.

    Bars are what is altered: a kernel that takes values from elsewhere, such as a file of later
    closes, is noticed where it feels no bar, and not where it mixes them with bars.
    """

    features: int
    cuts: int
    rows: int
    compared: int
    days_ahead: float
    leaks: tuple[Leak, ...]
    insufficient: Broken
    loose: Broken
    silent: tuple[str, ...]
    deaf: tuple[str, ...]

    @property
    def clean(self) -> bool:
        """Whether no feature reads later bars, or more of the earlier ones than it says."""
        return not (self.leaks or self.insufficient)

    @property
    def status(self) -> int:
        """Exit status: 0 proven, 1 a leak, 3 not proven of some features."""
        return (3 if self.silent or self.deaf else 0) if self.clean else 1

    @property
    def verdict(self) -> str:
        """The offending features and those of which nothing is proven, one a line; the extent."""
        lines = {name: f"{name}: {why}" for name, why in self.insufficient.items()}
        lines |= {leak.feature: str(leak) for leak in self.leaks}
        for name in self.silent:
            lines.setdefault(name, f"{name}: not proven: no finite value on the compared rows")
        for name in self.deaf:
            lines.setdefault(name, f"{name}: not proven: feels none of the bars that it reads")
        offences = len(self.insufficient.keys() | {leak.feature for leak in self.leaks})
        extent = (
            f"{offences} of {self.features} features changed over {self.cuts} cuts, {self.rows:,} "
            f"rows and up to {self.days_ahead:,.1f} days ahead ({self.compared:,} values compared)"
        )
        return "\n".join([*lines.values(), extent])

    def report(self) -> dict[str, Any]:
        """All of it for JSON."""
        return {"clean": self.clean, "status": self.status, "verdict": self.verdict} | asdict(self)


def certify(
    bars: Mapping[str, Bars],
    features: Sequence[Feature],
    count: int = CUTS,
    *,
    tries: int = 16,
    seed: int = 0,
) -> Certificate:
    """Try causality, sufficiency, state and tightness, with a progress bar.

    Values over the whole history (or as much of it as the features' number lets) are compared with
    those of histories that end at a cut, of the last ``lookback`` bars, of bars altered later on,
    and of a fresh process that knows the first bars alone.

    Parameters
    ----------
    bars : of pairs on one grid with their panel, see `bars.align`; pairs take turns.
    features : to be tried, all of them at every cut.
    count : rows to cut at, see `cuts.cuts`.
    tries : rows at which sufficiency is tried, and at most each of the others.

    Raises
    ------
    ParameterError : no features or cuts; a kernel that fails, or does not give (T, outputs).
    BarError : fewer than three rows.
    """
    first = next(iter(bars.values()), None)
    rows = len(first) if first else 0
    if not first or not features or count < 1 or count % 1 or rows < 3:
        raise ParameterError(
            f"certify: nothing to try, got {len(features)} features, {count} cuts and "
            f"{rows} rows; expected whole numbers, at least 1, 1 and 3. Give more."
        )
    try:
        begun = Fresh.begin(bars, features)
        learnt = state.fits(bars, features, state.training_rows(bars))
        try_kernels(first, features, learnt[first.pair])
        return _Proof(bars, features, learnt, begun, tries=tries, seed=seed).certificate(count)
    except (BqxError, KeyboardInterrupt):
        fresh.stop()
        raise
    except Exception as error:
        fresh.stop()
        raise ParameterError(
            f"certify: a kernel fails on altered bars, got {type(error).__name__}: {error}; "
            "expected values or NaN whatever the bars are. Mend the kernel."
        ) from error


class _Proof:
    """The checks, one after the other."""

    def __init__(
        self,
        bars: Mapping[str, Bars],
        features: Sequence[Feature],
        learnt: Parameters,
        fresh: Fresh,
        *,
        tries: int,
        seed: int,
    ) -> None:
        self.bars, self.features, self.learnt, self.fresh = bars, features, learnt, fresh
        self.tries, self.seed = tries, seed
        self.length = len(next(iter(bars.values())))
        self.turns = max(len(bars), TURNS)
        self.span = min(self.length, max(SPAN // len(unfolded(features)), 4 * warm_up(features)))
        values = self.turns * self.span * len(unfolded(features))
        self.rounds = int(np.clip(ALTERED // values, 2, 8))
        self.reading = Reading()
        self.hours = np.zeros(cuts.HOURS, np.int64)
        self.leaks: dict[str, Leak] = {}
        self.insufficient: Broken = {}

    def certificate(self, count: int) -> Certificate:
        """What is found at so many cuts."""
        unfelt: list[Broken] = []
        with tqdm(total=self.turns + 3, desc="causality", unit="history") as bar:
            for turn in range(self.turns):
                self._turn(turn, count // self.turns + (turn < count % self.turns))
                bar.update()
            bar.set_description("fresh process")
            self._state()
            bar.update()
            bar.set_description("tightness")
            pair, bars = next(iter(self.bars.items()))
            valued = [feature for feature in self.features if feature.name in self.reading.spoke]
            for check in (tightness.blind, tightness.padded):
                unfelt.append(check(valued, bars, self.tries, self.learnt[pair], self.seed))
                bar.update()
        newest, oldest = unfelt
        names = [feature.name for feature in self.features]
        return Certificate(
            features=len(names),
            cuts=self.reading.cuts,
            rows=self.turns * self.span,
            compared=self.reading.compared,
            days_ahead=self.reading.ahead / sessions.WEEK * 7.0,
            leaks=tuple(self.leaks[name] for name in names if name in self.leaks),
            insufficient={n: self.insufficient[n] for n in names if n in self.insufficient},
            loose=oldest | newest,
            silent=tuple(name for name in names if name not in self.reading.spoke),
            deaf=tuple(name for name in names if name in newest and name in oldest),
        )

    def _turn(self, turn: int, count: int) -> None:
        rng = np.random.default_rng([self.seed, turn])
        pair = list(self.bars)[turn % len(self.bars)]
        # The first history begins with the bars, the last ends with them.
        room = self.length - self.span
        start = room if turn == self.turns - 1 else int(rng.integers(room + 1)) if turn else 0
        bars = self.bars[pair].rows(start, start + self.span)
        late = np.arange(min(warm_up(self.features), len(bars) - 1), len(bars))
        task = Task(
            bars,
            self.learnt[pair],
            cuts.cuts(bars, count, seed=self.seed + turn, met=self.hours),
            rng.choice(late, -(-self.tries // self.turns)),
            [ROUNDS[(turn * self.rounds + i) % len(ROUNDS)] for i in range(self.rounds)],
            self.seed + turn,
            holed=turn % 3 == 2,
            keep=None if turn else self.fresh.rows,
        )
        remaining = [feature for feature in self.features if feature.name not in self.leaks]
        reading_ahead.read(remaining, task, self.reading)
        for several in self.reading.suspicions.values():
            for suspicion in several:
                self._explain(suspicion, pair)
        self.reading.suspicions.clear()

    def _explain(self, suspicion: Suspicion, pair: str, *, elsewhere: bool = False) -> None:
        name = suspicion.feature.name
        if name in self.leaks:
            return
        explanation = self.fresh.explained(suspicion, self.learnt[pair], elsewhere=elsewhere)
        if isinstance(explanation, Leak):
            self.leaks[name] = explanation
        else:
            self.insufficient.setdefault(name, explanation)

    def _state(self) -> None:
        pair = next(iter(self.bars))
        self.leaks |= self.fresh.fit_leaks(self.features, self.learnt)
        for suspicion in self.fresh.suspicions(self.features, self.reading.kept, self.learnt):
            self._explain(suspicion, pair, elsewhere=True)
