"""Regimes of both domains: hidden states, run lengths and cumulative sums (see ``hmm``,
``run_lengths`` and ``changepoints``), and how the two domains' states meet.

Of the rate, moves are log returns; of BQX, its one-row changes.
"""

from functools import partial

import numpy as np

from bqx.features.declare import family
from bqx.features.families.volatility import hidden_states
from bqx.features.rolling import changepoints, hmm, run_lengths
from bqx.features.rolling.ago import changes
from bqx.features.rolling.quadratic import fit
from bqx.features.rolling.returns import log_returns
from bqx.features.rolling.sums import F
from bqx.features.sources import BQX, BQX_WINDOW, momentum
from bqx.features.spec import FLAG, Family, Output, Source, read
from bqx.features.steps import Steps
from bqx.market.bars import Bars
from bqx.market.sessions import DAY

FORGETTING = 120
"""Rows after which a filter has forgotten where it began: to 1e-9 with what six pairs teach in
either domain (median of their largest differences; 7e-8 at worst)."""

RUN = 250
"""Longest run that is told from longer ones."""

TREND = 60
"""Rows of the quadratic trend whose curvature is summed."""


def _returns(bars: Bars) -> F:
    return log_returns(bars.index, 1)


def _changes(bars: Bars) -> F:
    return changes(momentum(bars), 1)


def _curvature(bars: Bars) -> F:
    return fit(bars.index, TREND, bars.first_market_minute)[:, 0]


RETURNS = Source("rate", "rate", "1", 2, _returns, series="log returns")
"""One-row log returns."""

CHANGES = Source("bqx", "bqx", "1", BQX_WINDOW + 2, _changes, series="changes of BQX")
"""One-row changes of BQX over 15 minutes."""

CURVATURE = Source("rate", "rate", "pt/bar^2", TREND, _curvature, series="trend curvature")
"""Quadratic term of the trend of the rate index over 60 rows."""

MOVES = Source(
    "both",
    "cross",
    "1",
    BQX_WINDOW + 2,
    lambda bars: np.column_stack([_returns(bars), _changes(bars)]),
)
"""Log returns and changes of BQX, two columns."""

_DOMAINS = {"rate": "idx", "bqx": "bqx"}
_regime = partial(family, table="hmm_regime", laggable=False)
_state = partial(
    _regime,
    "hmm",
    windows=FORGETTING,
    about="states of small, middle and large moves given the last rows, with a model of the "
    "training rows, never smoothed",
)


def _held(window: int) -> int:
    return window + DAY - 1


_alone = partial(Steps, last=read, reads=lambda *window: 1)
_of_state = partial(Steps, rows=_held, reads=lambda window: 1)
_goes_on = partial(_of_state, hidden_states.go_on, begin=hidden_states.begin)
_both_go_on = partial(_of_state, hidden_states.go_on_both, begin=hidden_states.begin_both)


def _probabilities(domain: str) -> dict[str, Output]:
    two = ("{s}_hmm_calm_w{0}", "{s}_hmm_trend_w{0}")
    return {
        **{
            name: Output(
                *FLAG,
                alias=f"hmm_state_prob_{name}_{domain}",
                spanned_by=two if name == "shock" else (),
                title=f"Probability of the {noun} state of {{x}}",
                formula=f"p({name} | last {{0}} rows)",
            )
            for name, noun in (("calm", "calm"), ("trend", "middle"), ("shock", "shock"))
        },
        "transition": Output(
            *FLAG,
            alias=f"hmm_state_transition_prob_{domain}",
            title="Probability that {x} leave the likeliest state in the next row",
            formula="1 - sum(p(k) A[k, argmax(p)]), p given the last {0} rows",
        ),
        "entropy": Output(
            "nat",
            0.0,
            float(np.nextafter(np.log(hmm.STATES), 2.0)),
            alias=f"regime_entropy_{domain}",
            title="Entropy of the state probabilities of {x}",
            formula="-sum(p ln p), p given the last {0} rows",
        ),
        "persistence": Output(
            *FLAG,
            alias=f"regime_persistence_{domain}",
            spanned_by=two,
            title="Probability that the state of {x} stays the same in the next row",
            formula="sum(p(k) A[k, k]), p given the last {0} rows",
        ),
    }


def _hidden(source: Source) -> tuple[Family, ...]:
    domain = _DOMAINS[source.domain]
    duration = Output(
        "bar",
        1.0,
        float(DAY),
        alias=f"hmm_state_duration_{domain}",
        capped=True,
        title="Rows in the likeliest state of {x}, to 1,440",
        formula="rows since argmax(p) changed, p given the last {0} rows",
    )
    declare = partial(_state, sources=source, fit=hidden_states.learn)
    return (
        declare(
            hidden_states.states,
            _probabilities(domain),
            steps=_goes_on(hidden_states.known_states),
        ),
        declare(
            hidden_states.durations,
            {"duration": duration},
            lookback=_held,
            steps=_goes_on(hidden_states.known_durations),
        ),
    )


_RUNS = (
    ("run_length", "Expected run length of {x}, to 250", "sum(r p(r)), r in 1..{0}"),
    ("hazard_rate", "Probability that a run of {x} began with this row", "p(r = 1), r in 1..{0}"),
    (
        "growth_prob",
        "Probability that the likeliest run of {x} goes on",
        "p(r = argmax(p[t-1]) + 1), r in 1..{0}",
    ),
    (
        "decay_prob",
        "Probability that a shorter run of {x} has begun",
        "p(r <= argmax(p[t-1])), r in 1..{0}",
    ),
)


def _run_lengths_rows(window: int) -> int:
    return window + run_lengths.STEP - 1


def _run_lengths(source: Source) -> Family:
    bounds = {"run_length": ("bar", 1.0, float(RUN))}
    return _regime(
        "bocpd",
        run_lengths.run_lengths,
        {
            name: Output(
                *bounds.get(name, FLAG),
                alias=f"bocpd_{name}_{_DOMAINS[source.domain]}",
                title=title,
                formula=formula,
            )
            for name, title, formula in _RUNS
        },
        sources=source,
        windows=RUN,
        about="Bayesian detection of changes of moves with a constant hazard, over the last 250 to "
        "269 rows; the prior has the mean square of the training rows",
        lookback=_run_lengths_rows,
        fit=run_lengths.mean_square,
        steps=_alone(run_lengths.go_on, rows=_run_lengths_rows, begin=run_lengths.begin),
    )


def _sums(source: Source, name: str, more: bool) -> Family:
    domain = _DOMAINS[source.domain]
    outputs = {
        name: Output(
            "1",
            alias=f"cusum_{name}_{domain}",
            title="Cumulative sum of {x}",
            formula="cusum(x / std(x, {0}), {1}, 0.5)",
        )
    }
    if more:
        outputs |= {
            "alarm": Output(
                *FLAG,
                alias=f"cusum_alarm_flag_{domain}",
                title="Alarm of the cumulative sum of {x}",
                formula="|cusum(x / std(x, {0}), {1}, 0.5)| > 5",
            ),
            "reset": Output(
                "bar",
                0.0,
                240.0,
                alias=f"cusum_reset_periods_{domain}",
                title="Rows since the cumulative sum of {x} was 0",
                formula="rows since cusum(x / std(x, {0}), {1}, 0.5) = 0",
            ),
        }
    return _regime(
        "cusum",
        changepoints.cumulative if more else changepoints.first_of_sums,
        outputs,
        sources=source,
        windows=((DAY, CUSUM),),
        about="cumulative sum of the last 240 rows in deviations of the last 1,440, beyond an "
        "allowance of 0.5 a row; negative downwards, never reset",
        steps=_alone(
            changepoints.go_on if more else changepoints.first_goes_on,
            rows=lambda memory, window: memory,
            begin=changepoints.begin,
            abreast=True,
        ),
    )


CUSUM = 240
"""Rows of a cumulative sum."""

_MEETING = {
    "agreement": Output(
        *FLAG,
        alias="regime_agreement_idx_bqx",
        about="taken as independent",
        title="Probability that rate and BQX are in the same state",
        formula="sum(p(k) q(k)), p, q given the last {0} rows",
    ),
    "double_transition": Output(
        *FLAG,
        alias="double_transition_flag",
        lookback=lambda window: window + hidden_states.WITHIN - 1,
        title="Flag of both rate and BQX changing state within five rows",
        formula="argmax(p), argmax(q) changed in 5 rows, given the last {0} rows",
    ),
}
_LEAD = Output(
    "bar",
    -float(DAY),
    float(DAY),
    alias="regime_transition_lag_idx_bqx",
    capped=True,
    spanned_by=("rate_hmm_duration_w{0}", "bqx_hmm_duration_w{0}"),
    title="Rows from the rate's last change of state to that of BQX",
    formula="duration(r) - duration(delta(B, 1)), given the last {0} rows",
)
_meeting = partial(
    _state,
    sources=MOVES,
    about="likeliest states of log returns and of changes of BQX side by side",
    fit=hidden_states.learn_both,
)

FAMILIES = (
    *_hidden(RETURNS),
    _run_lengths(RETURNS),
    _sums(RETURNS, "returns", True),
    _sums(CURVATURE, "a2", False),
    *_hidden(CHANGES),
    _run_lengths(CHANGES),
    _sums(BQX, "momentum", False),
    _sums(CHANGES, "velocity", True),
    _meeting(
        hidden_states.meeting,
        _MEETING,
        steps=_both_go_on(hidden_states.known_meeting),
    ),
    _meeting(
        hidden_states.lead,
        {"transition_lag": _LEAD},
        lookback=_held,
        steps=_both_go_on(hidden_states.known_lead),
    ),
)
