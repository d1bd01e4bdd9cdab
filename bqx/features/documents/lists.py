"""The feature lists of the field's documents, as data: tables, stated counts and names.

Names come from the documents alone, so that counting them is independent of the catalog.
"""

import re
from collections.abc import Mapping
from itertools import product
from types import MappingProxyType
from typing import NamedTuple


class Table(NamedTuple):
    """A table of a document.

    A name is the alias of a catalog feature in one of ``tables``; ``renamed`` says which alias or
    feature it is where the document calls it something else.
    ``cause`` says why the stated count is not that of the names, ``lag`` why a v1 or v3 table has
    lags or not. ``group`` is the subtotal that it belongs to.
    """

    name: str
    stated: int
    names: tuple[str, ...]
    tables: tuple[str, ...]
    renamed: Mapping[str, str] = MappingProxyType({})
    group: str = ""
    laggable: bool = False
    cause: str = ""
    lag: str = ""


class Document(NamedTuple):
    """A document: its tables and printed totals.

    ``stated`` is its total of features and ``columns`` that with what it adds to them. ``lags``
    says whether the document states what is laggable; ``causality`` lists, by catalog table, the
    names that the 61-minute rule lags.
    """

    name: str
    stated: int | None
    tables: tuple[Table, ...]
    columns: int | None = None
    subtotals: Mapping[str, int] = MappingProxyType({})
    lags: bool = False
    causality: tuple[tuple[str, tuple[str, ...]], ...] = ()


def expand(pattern: str) -> tuple[str, ...]:
    """Names of a pattern: words, in which ``{a,b}`` stands for either.

    >>> expand("sma_{5,10} w{15,30}_r2")
    ('sma_5', 'sma_10', 'w15_r2', 'w30_r2')
    """
    out: list[str] = []
    for word in pattern.split():
        parts = re.split(r"\{([^}]*)\}", word)
        choices = [part.split(",") if i % 2 else [part] for i, part in enumerate(parts)]
        out.extend("".join(chosen) for chosen in product(*choices))
    return tuple(out)


TREND = expand(
    "w{15,30,45,60,75,90}_{a2_norm,a1_norm,b_norm,r2,rmse_norm,resid_norm,lin_slope,quad_apex,"
    "accel,resid_mean,resid_std,resid_z} {a2,a1}_ratio_{15_60,30_75,45_90,15_90} "
    "b_gap_{15_45,30_60,45_75,60_90} r2_spread_{15_60,30_90,45_75} rmse_ratio_{15_60,30_75,45_90}"
)
AVERAGES = expand("{,bqx_}{sma,ema}_{5,10,20,50,100,200}")
LAGGED = expand(f"{{rate_idx,bqx,return}}_lag_{{{','.join(map(str, range(1, 61)))}}}")
RESOLUTIONS = expand(
    "{rate_idx,bqx}_5m_{sma_10,vol_20} return_5m_lag_1 rsi_5m_14 macd_5m atr_5m_14 "
    "var_ratio_5m_bqx_idx xcorr_5m_idx_bqx volume_5m_sma_10 spread_5m_mean_10 vol_regime_5m "
    "trend_regime_5m jump_count_5m_12 {sma,vol}_1m_vs_5m_ratio {trend,regime}_1m_vs_5m_agreement "
    "scale_divergence_flag {rate_idx,bqx}_15m_{sma_8,vol_12} rsi_15m_14 macd_15m "
    "sma_5m_vs_15m_ratio trend_5m_vs_15m_agreement scale_cascade_{aligned,diverged}"
)
CALENDAR = expand(
    "session_{tokyo,london,ny,overlap_ldn_ny,vol_regime,hour,is_open,minutes_to_close} "
    "time_{sin,cos}_{hour,minute,dow} dow is_month_end is_week_roll days_to_holiday_{us,uk,jp}"
)
DUAL = expand(
    "reg_{rate_bqx,bqx_rate}_{beta,r2,resid_z}_30 reg_coupling_15_60 reg_decoupling_flag "
    "{a2,a1,b,r2}_diff_idx_bqx var_ratio_bqx_idx_{20,60} {skew,kurt}_diff_bqx_idx_20 "
    "xcorr_idx_bqx_lag_{0,1,5,15} vol_{ratio,diff}_bqx_idx_30 bb_z_diff_bqx_idx_20 "
    "bb_bandwidth_ratio_20 bb_compression_diff_20 bb_breakout_divergence bb_slope_diff_20 "
    "bb_regime_mismatch_flag"
)
CROSS_PAIR = expand(
    "sister{1,2,3,4,5}_{return_lag_1,return_lag_5,return_lag_15,vol_30,corr_60,beta_60} "
    "tri_resid_{level,z_20,change_5,vol_30} tri_bqx_{resid,resid_z_20,change_5} "
    "tri_alignment_flag usd_factor_{level,change_5,change_15,vol_30,z_60,trend_20}"
)
EVENTS = expand(
    "jump_flag_{2_5,3}_sigma jump_count_{20,60} time_since_last_jump jump_direction "
    "jump_magnitude_z post_jump_decay_20 vol_regime_{20,60,transition} vol_z_score_20 "
    "vol_percentile_100 vol_acceleration_20 vol_{expansion,compression}_flag ewma_vol_30 "
    "garch_vol_estimate trend_{regime,strength}_{20,60} trend_consistency_20 "
    "trend_reversal_flag trend_acceleration_20 sideways_flag_20"
)

DATA_HEALTH = expand(
    "missing_rate_{idx,bqx}_20 ffill_count_idx stale_tick_flag drift_z_{vol_idx,a2_idx,spread} "
    "regime_looks_unusual_flag unhealthy_pairs_count data_quality_score"
)
"""Named beside the later list, and counted there; the quality report has what they are about."""


def in_domains(table: str) -> tuple[str, ...]:
    """Names of a table in the rate domain, in the BQX domain, and in neither."""
    return (f"{table}_idx", f"{table}_bqx", table)


def both(
    name: str,
    stated: int,
    names: tuple[str, ...],
    renamed: Mapping[str, str] = MappingProxyType({}),
    cause: str = "",
    lag: str = "",
    laggable: bool = False,
) -> tuple[Table, Table]:
    """The same list in the rate domain and in the BQX domain."""
    rate, bqx = f"{name}_idx", f"{name}_bqx"
    one = Table(rate, stated, names, (rate,), renamed, "", laggable, cause, lag)
    return one, one._replace(name=bqx, tables=(bqx,))
