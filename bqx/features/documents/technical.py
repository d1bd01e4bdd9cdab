"""The documents' lists of technical and Fibonacci features, by the names that they use.

A name is the alias of a feature, except where documents name one feature differently: ``ALIASES``
then gives the alias that the catalog keeps. The v1 lists hold the rate domain alone, the others
either domain. The v1 list's vwap, cumulative over a month, is dropped; its ten moving averages
stand in the moving-average table.
"""

from bqx.features.documents.lists import expand

INVENTORY_TECHNICAL = expand(
    "rsi_14 rsi_21 macd_line macd_signal macd_histogram stoch_k_14 stoch_d_3 cci_20 williams_r_14 "
    "roc_12 adx_14 plus_di_14 minus_di_14 atr_14 atr_pct_14"
)

ENHANCED_TECHNICAL = expand(
    "rsi_7 rsi_14 rsi_21 rsi_28 rsi_14_delta_5 rsi_14_z_60 rsi_14_zone macd_line macd_signal "
    "macd_histogram macd_line_5_35 macd_hist_delta_1 macd_hist_z_60 macd_cross stoch_k_14 "
    "stoch_d_3 stoch_k_21 stoch_d_21_3 stoch_kd_diff stoch_k_14_delta_5 stoch_zone cci_14 cci_20 "
    "cci_30 cci_50 cci_20_delta_5 cci_20_z_60 cci_20_zone williams_r_7 williams_r_14 "
    "williams_r_21 williams_r_28 williams_r_14_delta_5 williams_r_14_z_60 williams_r_14_zone "
    "roc_5 roc_12 roc_25 roc_60 roc_12_delta_5 roc_12_z_60 roc_12_sign atr_7 atr_14 atr_28 "
    "atr_pct_14 atr_pct_28 atr_14_28_ratio atr_14_z_60 adx_14 plus_di_14 minus_di_14 di_diff_14 "
    "dx_14 adx_28 adx_14_delta_5"
)

V1_TECHNICAL = expand(
    "ema_10 ema_20 ema_50 ema_100 ema_200 sma_10 sma_20 sma_50 sma_100 sma_200 rsi_14 macd "
    "macd_signal macd_histogram stoch_k stoch_d cci_20 williams_r_14 roc_12 momentum_10 "
    "momentum_20 trix ultimate_oscillator awesome_oscillator keltner_channel_upper "
    "keltner_channel_lower atr_14 historical_volatility_20 chaikin_volatility "
    "donchian_channel_upper donchian_channel_middle donchian_channel_lower mass_index "
    "vortex_indicator_plus vortex_indicator_minus ulcer_index obv adl cmf_20 fi_13 eom_14 vpt nvi "
    "pvi mfi_14"
)

INVENTORY_FIBONACCI = expand(
    "fib_23_6 fib_38_2 fib_50_0 fib_61_8 fib_ext_127_2 fib_ext_161_8 dist_to_fib_38_2 "
    "dist_to_fib_61_8 fib_range_high fib_range_low"
)

ENHANCED_FIBONACCI = expand(
    "fib_ret_236 fib_ret_382 fib_ret_500 fib_ret_618 fib_ret_786 fib_ext_1272 fib_ext_1618 "
    "fib_ext_2618 pivot_point resistance_1 support_1 dist_to_382 dist_to_500 dist_to_618 "
    "dist_to_pivot above_618 below_382 at_500 swing_range swing_range_norm"
)

V1_FIBONACCI = expand(
    "fib_retracement_23_6 fib_retracement_38_2 fib_retracement_50_0 fib_retracement_61_8 "
    "fib_retracement_78_6 fib_extension_127_2 fib_extension_161_8 fib_extension_261_8 "
    "fib_nearest_level fib_grid_position fib_time_since_swing fib_grid_strength"
)

ALIASES = {
    "macd": "macd_line",
    "stoch_k": "stoch_k_14",
    "stoch_d": "stoch_d_3",
    "fib_23_6": "fib_ret_236",
    "fib_38_2": "fib_ret_382",
    "fib_50_0": "fib_ret_500",
    "fib_61_8": "fib_ret_618",
    "fib_ext_127_2": "fib_ext_1272",
    "fib_ext_161_8": "fib_ext_1618",
    "dist_to_fib_38_2": "dist_to_382",
    "dist_to_fib_61_8": "dist_to_618",
}
"""Names of a document by alias of the catalog, where they differ."""
