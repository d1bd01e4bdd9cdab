"""The first list: 228 features, 809 columns with their lags."""

from bqx.features.documents import technical
from bqx.features.documents.lists import Document, Table, expand
from bqx.features.families.cross_pair import relatives
from bqx.features.families.microstructure import volume
from bqx.features.families.technical import bollinger

_COLUMNS = "ts_utc and created_at are counted"
_OWN_PAST = "reads its own trailing window"

V1 = Document(
    "v1",
    228,
    (
        Table(
            "bqx",
            40,
            expand(
                "rate_index w{15,30,45,60,75}_bqx_{return,max_index,min_index,avg_index,"
                "stdev_index,endpoint} agg_bqx_{return,max_index,min_index,avg_index,stdev_index,"
                "range,volatility}"
            ),
            ("backward_bqx", "backward_idx"),
            laggable=True,
            cause=_COLUMNS,
            lag="state of the window then",
        ),
        Table(
            "reg",
            57,
            expand(
                "rate_index w{60,90,150,240,390,630}_{a_coef,b_coef,c_coef,a_term,b_term,r2,rmse,"
                "yhat_end,resid_end}"
            ),
            ("parabola_idx", "backward_idx"),
            laggable=True,
            cause=f"{_COLUMNS}; rate_index is also in bqx",
            lag="trend then",
        ),
        Table(
            "volume",
            10,
            expand(
                "w{15,30,60}_volume_ratio volume_spike volume_trend_slope "
                "cumulative_volume_60min volume_weighted_return volume_price_correlation_60min "
                "relative_volume_position volume_volatility_60min"
            ),
            ("volume_idx",),
            volume.SAME,
            "track 1",
            laggable=True,
            lag="activity then",
        ),
        Table(
            "currency_indices",
            8,
            expand("{usd,eur,gbp,aud,cad,jpy,chf,nzd}_index"),
            ("currency",),
            group="track 1",
            lag="of all pairs; lagged BQX has it",
        ),
        Table(
            "statistics",
            5,
            expand(
                "skewness_60min kurtosis_60min median_absolute_deviation_60min entropy_60min "
                "autocorrelation_lag1"
            ),
            ("statistics_return_idx",),
            group="track 1",
            lag=_OWN_PAST,
        ),
        Table(
            "bollinger",
            5,
            tuple(bollinger.PROFILES["v1"]),
            (),
            bollinger.PROFILES["v1"],
            "track 1",
            lag=_OWN_PAST,
        ),
        Table(
            "time",
            8,
            expand(
                "hour_{sin,cos} day_of_week_{sin,cos} session_overlap is_weekend_approach "
                "minutes_since_market_open trading_session"
            ),
            ("time",),
            {
                "hour_sin": "time_sin_hour",
                "hour_cos": "time_cos_hour",
                "day_of_week_sin": "time_sin_dow",
                "day_of_week_cos": "time_cos_dow",
                "session_overlap": "session_overlap_ldn_ny",
            },
            "track 1",
            lag="the clock is known ahead",
        ),
        Table(
            "spread",
            20,
            expand(
                "spread_{mean,volatility,range,percentile}_60min spread_pct_of_rate "
                "spread_trend_slope spread_spike bid_ask_imbalance "
                "{effective,quoted,realized}_spread price_impact roll_cost {bid,ask}_depth "
                "depth_imbalance mid_price_volatility tick_direction tick_rule order_flow_toxicity"
            ),
            ("spread_idx",),
            group="track 1",
            laggable=True,
            lag="liquidity then",
        ),
        Table(
            "correlation",
            15,
            tuple(relatives.PROFILES["v1"]),
            (),
            relatives.PROFILES["v1"],
            "track 1",
            laggable=True,
            lag="co-movement then",
        ),
        Table(
            "technical",
            45,
            technical.V1_TECHNICAL,
            ("technical_idx", "moving_averages_idx", "technical_ohlcv_idx"),
            technical.ALIASES,
            "track 2",
            lag=_OWN_PAST,
        ),
        Table(
            "fibonacci",
            12,
            technical.V1_FIBONACCI,
            ("fibonacci_idx",),
            group="track 2",
            lag="anchored to swings",
        ),
        Table(
            "derived",
            3,
            expand("momentum_alignment volatility_regime trend_strength"),
            ("derived_bqx", "derived_idx"),
            lag="sums up others",
        ),
    ),
    columns=809,
    lags=True,
    causality=(
        (
            "backward_bqx",
            expand(
                "w60_bqx_{return,max_index,min_index,avg_index,stdev_index,endpoint} "
                "agg_bqx_{return,max_index,min_index,avg_index,stdev_index,range,volatility}"
            ),
        ),
    ),
)
