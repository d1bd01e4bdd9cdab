"""The inventory of 730 features, v2, and v4, which adds 72 cross-pair interactions."""

from bqx.features.documents import technical
from bqx.features.documents.lists import (
    AVERAGES,
    CALENDAR,
    CROSS_PAIR,
    DUAL,
    EVENTS,
    LAGGED,
    RESOLUTIONS,
    TREND,
    Document,
    Table,
    both,
    expand,
    in_domains,
)
from bqx.features.families.microstructure import quotes, spread, volume_and_bqx

_SHARED = "cross-domain"

V2 = Document(
    "v2",
    730,
    (
        *both("reg", 90, TREND),
        *both("technical", 15, technical.INVENTORY_TECHNICAL),
        *both("statistics", 24, expand("{mean,std,skew,kurt,min,max,range,z_score}_{20,50,120}")),
        *both("bollinger", 10, expand("bb_{upper,middle,lower,bandwidth,percent_b}_{20,50}")),
        Table("time", 20, CALENDAR, ("time",)),
        *both("fibonacci", 10, technical.INVENTORY_FIBONACCI, technical.ALIASES),
        Table(
            "volume",
            15,
            expand(
                "volume_{level,sma_20,std_20,z_20,spike_flag,change_5,trend_20,regime} "
                "vol_{price,return}_corr_20 vol_weighted_price_20 {up,down}tick_ratio_20 "
                "net_flow_20 trade_count_20"
            ),
            ("volume_idx",),
        ),
        Table(
            "volume_bqx",
            8,
            expand(
                "vol_bqx_corr_{20,60} vol_during_bqx_{surge,drop} bqx_per_volume_20 "
                "volume_{confirms,diverges}_bqx_flag high_vol_high_bqx_flag"
            ),
            ("volume_bqx",),
            volume_and_bqx.SAME,
        ),
        Table(
            "spread",
            12,
            expand(
                "spread_{level,pct,z_20,change_5,vol_30,mean_20,max_20,spike_flag,"
                "compression_flag,trend_20,regime,percentile_60}"
            ),
            ("spread_idx",),
            {**spread.SAME, **quotes.SAME},
        ),
        Table(
            "correlation_idx",
            20,
            expand(
                "corr_{eur_usd,gbp_usd,aud_usd,nzd_usd,usd_jpy}_{20,60} "
                "resid_var_{systematic,idiosyncratic} cov_{determinant,trace}_20 "
                "cov_eigenvalue_{max,ratio}_20 corr_regime_20 corr_breakout_flag "
                "avg_pairwise_corr_20 corr_dispersion_20"
            ),
            ("correlation_idx",),
        ),
        Table(
            "correlation_bqx",
            25,
            expand(
                "bqx_corr_{eurusd,gbpusd,audusd,nzdusd,usdjpy}_20 bqx_corr_{eurusd,gbpusd}_60 "
                "bqx_corr_w{15,30,45}_w60 term_{slope,curvature}_bqx term_inversion_flag "
                "term_steepness_z bqx_var_{systematic,idiosyncratic} bqx_eur_leads_gbp_flag "
                "bqx_eur_gbp_lag_corr_{5,15} momentum_regime_cluster "
                "momentum_{dispersion,synchrony}_20 momentum_decoupling_flag "
                "bqx_tri_resid_{eurusd,z_20}"
            ),
            ("correlation_bqx",),
        ),
        Table("moving_averages", 24, AVERAGES, in_domains("moving_averages"), group=_SHARED),
        Table("multi_resolution", 30, RESOLUTIONS, in_domains("multi_resolution"), group=_SHARED),
        Table("dual_domain", 28, DUAL, in_domains("dual_domain"), group=_SHARED),
        Table("cross_pair", 44, CROSS_PAIR, in_domains("cross_pair"), group=_SHARED),
        Table("lagged", 180, LAGGED, in_domains("lagged"), group=_SHARED),
        Table("event_regime", 26, EVENTS, in_domains("event_regime"), group=_SHARED),
    ),
    1_062,
)

V4 = Document(
    "v4",
    802,
    (
        *V2.tables,
        Table(
            "cross_pair_momentum",
            24,
            expand("sister{1,2}_mom_product_w{60,90,150,240,390,630}_{quad,lin}"),
            ("cross_pair_momentum",),
            group="interactions",
            lag="of other pairs",
        ),
        Table(
            "cross_pair_volatility",
            12,
            expand("sister{1,2}_{rel_vol,divergence_hi_flag,divergence_lo_flag}_{30,60}"),
            ("cross_pair_volatility",),
            group="interactions",
            lag="of other pairs",
        ),
        Table(
            "cross_pair_correlation_drift",
            12,
            expand("sister{1,2}_{corr_drift,corr_drift_abs,decoupling_flag}_{60,240}"),
            ("cross_pair_correlation_drift",),
            group="interactions",
            lag="of other pairs",
        ),
        Table(
            "cross_pair_lead_lag",
            24,
            expand("leader{1,2}_{bqx_w60,quad_term}_lag{1,3,5,7,10,15}"),
            ("cross_pair_lead_lag",),
            group="interactions",
            lag="of other pairs",
        ),
    ),
    subtotals={"interactions": 72},
)
