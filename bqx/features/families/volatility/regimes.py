"""Regimes of both domains: hidden states, run lengths and cumulative sums (see ``markov`` and
``changepoints``), and how the two domains' states meet.

Of the rate, moves are log returns; of BQX, its one-row changes.
"""

from dataclasses import replace

import numpy as np

from bqx.compiled import kernel
from bqx.features.families.volatility import hidden_states
from bqx.features.rolling import changepoints, hmm
from bqx.features.rolling.multivariate import parabola
from bqx.features.rolling.returns import log_returns
from bqx.features.rolling.sums import F
from bqx.features.rolling.trailing import MEMORY, changes
from bqx.features.sources import BQX, BQX_WINDOW, momentum
from bqx.features.spec import Family, Output, Source
from bqx.market.bars import Bars

FORGETTING = 120
"""Rows after which a filter has forgotten where it began: to 1e-9 with what six pairs teach in
either domain (median of their largest differences; 7e-8 at worst)."""

RUN = 250
"""Longest run that is told from longer ones."""

TREND = 60
"""Rows of the quadratic trend whose curvature is summed."""


def _returns(bars: Bars) -> F:
    return log_returns(bars.index)


def _changes(bars: Bars) -> F:
    return changes(momentum(bars), 1)


def _curvature(bars: Bars) -> F:
    return parabola(bars.index, TREND, bars.first_market_minute)[:, 0]


RETURNS = Source("rate", "rate", "1", 2, _returns)
"""One-row log returns."""

CHANGES = Source("bqx", "bqx", "1", BQX_WINDOW + 2, _changes)
"""One-row changes of BQX over 15 minutes."""

CURVATURE = Source("rate", "rate", "pt/bar^2", TREND, _curvature)
"""Quadratic term of the trend of the rate index over 60 rows."""

MOVES = Source(
    "both", "cross", "1", BQX_WINDOW + 2,
    lambda bars: np.column_stack([_returns(bars), _changes(bars)]),
)  # fmt: skip
"""Log returns and changes of BQX, two columns."""

_SHARE = ("1", 0.0, 1.0)
_STATES = ("calm", "trend", "shock")


def _held(window: int) -> int:
    return window + MEMORY - 1


def _hidden(source: Source, domain: str) -> tuple[Family, ...]:
    likeliest = Family(
        "hmm", "hmm_regime", hidden_states.states,
        {
            "calm": Output(*_SHARE, alias=f"hmm_state_prob_calm_{domain}"),
            "trend": Output(*_SHARE, alias=f"hmm_state_prob_trend_{domain}"),
            "shock": Output(
                *_SHARE, alias=f"hmm_state_prob_shock_{domain}",
                spanned_by=("{s}_hmm_calm_w{0}", "{s}_hmm_trend_w{0}"),
            ),
            "transition": Output(
                *_SHARE, alias=f"hmm_state_transition_prob_{domain}",
                about="probability that the next row's state is not the now likeliest",
            ),
            "entropy": Output(
                "nat", 0.0, float(np.nextafter(np.log(hmm.STATES), 2.0)),
                alias=f"regime_entropy_{domain}", about="of the three probabilities",
            ),
            "persistence": Output(
                *_SHARE, alias=f"regime_persistence_{domain}",
                spanned_by=("{s}_hmm_calm_w{0}", "{s}_hmm_trend_w{0}"),
                about="probability that the state stays the same in the next row",
            ),
        },
        ((FORGETTING,),), (source,),
        "states of small, middle and large moves given the last rows, with a model of the training "
        "rows, never smoothed",
        laggable=False, fit=hmm.learn,
    )  # fmt: skip
    held = replace(
        likeliest, kernel=hidden_states.durations, lookback=_held,
        outputs={
            "duration": Output(
                "bar", 1.0, float(MEMORY), alias=f"hmm_state_duration_{domain}",
                capped=True,
                about="rows for which the likeliest state has been so, to 1,440",
            ),
        },
    )  # fmt: skip
    return likeliest, held


def _run_lengths(source: Source, domain: str) -> Family:
    return Family(
        "bocpd", "hmm_regime", changepoints.run_lengths,
        {
            "run_length": Output(
                "bar", 1.0, float(RUN), alias=f"bocpd_run_length_{domain}",
                about="expected rows since the last change, to 250",
            ),
            "hazard_rate": Output(
                *_SHARE, alias=f"bocpd_hazard_rate_{domain}",
                about="probability that a run began with this row, 1/250 before it was seen",
            ),
            "growth_prob": Output(
                *_SHARE, alias=f"bocpd_growth_prob_{domain}",
                about="probability that the likeliest run of the row before goes on",
            ),
            "decay_prob": Output(
                *_SHARE, alias=f"bocpd_decay_prob_{domain}",
                about="probability that a shorter run has taken its place",
            ),
        },
        ((RUN,),), (source,),
        "Bayesian detection of changes of moves with a constant hazard, over the last 250 to 269 "
        "rows; the prior has the mean square of the training rows",
        lookback=lambda window: window + changepoints.STEP - 1,
        laggable=False, fit=changepoints.mean_square,
    )  # fmt: skip


def _sums(source: Source, domain: str, alias: str, output: str, more: bool) -> Family:
    outputs = {output: Output("1", alias=alias)}
    if more:
        outputs |= {
            "alarm": Output(*_SHARE, alias=f"cusum_alarm_flag_{domain}", about="beyond 5"),
            "reset": Output("bar", 0.0, 240.0, alias=f"cusum_reset_periods_{domain}",
                            about="rows since the sum was 0"),
        }  # fmt: skip
    return Family(
        "cusum", "hmm_regime",
        changepoints.cumulative if more else _first_of_sums,
        outputs, ((MEMORY, CUSUM),), (source,),
        "cumulative sum of the last 240 rows in deviations of the last 1,440, beyond an allowance "
        "of 0.5 a row; negative downwards, never reset",
        laggable=False,
    )  # fmt: skip


@kernel
def _first_of_sums(x: F, first_minute: int, memory: int, window: int) -> F:
    return changepoints.cumulative(x, first_minute, memory, window)[:, :1]


CUSUM = 240
"""Rows of a cumulative sum."""

FAMILIES = (
    *_hidden(RETURNS, "idx"),
    _run_lengths(RETURNS, "idx"),
    _sums(RETURNS, "idx", "cusum_returns_idx", "returns", True),
    _sums(CURVATURE, "idx", "cusum_a2_idx", "a2", False),
    *_hidden(CHANGES, "bqx"),
    _run_lengths(CHANGES, "bqx"),
    _sums(BQX, "bqx", "cusum_momentum_bqx", "momentum", False),
    _sums(CHANGES, "bqx", "cusum_velocity_bqx", "velocity", True),
    Family(
        "hmm", "hmm_regime", hidden_states.meeting,
        {
            "agreement": Output(
                *_SHARE, alias="regime_agreement_idx_bqx",
                about="probability that both are in the same state, taken as independent",
            ),
            "double_transition": Output(
                *_SHARE, alias="double_transition_flag",
                lookback=lambda window: window + hidden_states.WITHIN - 1,
                about="1 where both have changed state within 5 rows",
            ),
        },
        ((FORGETTING,),), (MOVES,),
        "likeliest states of log returns and of changes of BQX side by side",
        laggable=False, fit=hidden_states.learn_both,
    ),
    Family(
        "hmm", "hmm_regime", hidden_states.lead,
        {
            "transition_lag": Output(
                "bar", -float(MEMORY), float(MEMORY), alias="regime_transition_lag_idx_bqx",
                capped=True,
                spanned_by=("rate_hmm_duration_w{0}", "bqx_hmm_duration_w{0}"),
                about="rows from the rate's last change of state to BQX's",
            ),
        },
        ((FORGETTING,),), (MOVES,),
        "likeliest states of log returns and of changes of BQX side by side",
        lookback=_held, laggable=False, fit=hidden_states.learn_both,
    ),
)  # fmt: skip

LATER = tuple(
    output.alias
    for family in FAMILIES
    for output in family.outputs.values()
    if not output.alias.startswith(
        ("regime_entropy", "regime_persistence", "bocpd_decay", "cusum_reset")
    )
)
PROFILES = {"v3": LATER}
"""Aliases of the 25 of the later list; the tables of the executed SQL hold four more a domain."""
