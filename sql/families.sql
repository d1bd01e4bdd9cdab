-- Made by `bqx db ddl` from the catalog; a test keeps them equal. A type a table, which
-- bqx.add_pair makes for each pair.

INSERT INTO bqx.facts (schema_version) VALUES (2);

CREATE TYPE bqx.reg_idx AS (
    ts_utc timestamptz, rate_quadratic_a2_norm_w15 float4, rate_quadratic_a1_norm_w15 float4,
    rate_quadratic_b_norm_w15 float4, rate_quadratic_r2_w15 float4,
    rate_quadratic_rmse_norm_w15 float4, rate_quadratic_resid_norm_w15 float4,
    rate_quadratic_lin_slope_w15 float4, rate_quadratic_quad_apex_w15 float4,
    rate_quadratic_accel_w15 float4, rate_quadratic_resid_mean_w15 float4,
    rate_quadratic_resid_std_w15 float4, rate_quadratic_resid_z_w15 float4,
    rate_quadratic_a2_norm_w30 float4, rate_quadratic_a1_norm_w30 float4,
    rate_quadratic_b_norm_w30 float4, rate_quadratic_r2_w30 float4,
    rate_quadratic_rmse_norm_w30 float4, rate_quadratic_resid_norm_w30 float4,
    rate_quadratic_lin_slope_w30 float4, rate_quadratic_quad_apex_w30 float4,
    rate_quadratic_accel_w30 float4, rate_quadratic_resid_mean_w30 float4,
    rate_quadratic_resid_std_w30 float4, rate_quadratic_resid_z_w30 float4,
    rate_quadratic_a2_norm_w45 float4, rate_quadratic_a1_norm_w45 float4,
    rate_quadratic_b_norm_w45 float4, rate_quadratic_r2_w45 float4,
    rate_quadratic_rmse_norm_w45 float4, rate_quadratic_resid_norm_w45 float4,
    rate_quadratic_lin_slope_w45 float4, rate_quadratic_quad_apex_w45 float4,
    rate_quadratic_accel_w45 float4, rate_quadratic_resid_mean_w45 float4,
    rate_quadratic_resid_std_w45 float4, rate_quadratic_resid_z_w45 float4,
    rate_quadratic_a2_norm_w60 float4, rate_quadratic_a1_norm_w60 float4,
    rate_quadratic_b_norm_w60 float4, rate_quadratic_r2_w60 float4,
    rate_quadratic_rmse_norm_w60 float4, rate_quadratic_resid_norm_w60 float4,
    rate_quadratic_lin_slope_w60 float4, rate_quadratic_quad_apex_w60 float4,
    rate_quadratic_accel_w60 float4, rate_quadratic_resid_mean_w60 float4,
    rate_quadratic_resid_std_w60 float4, rate_quadratic_resid_z_w60 float4,
    rate_quadratic_a2_norm_w75 float4, rate_quadratic_a1_norm_w75 float4,
    rate_quadratic_b_norm_w75 float4, rate_quadratic_r2_w75 float4,
    rate_quadratic_rmse_norm_w75 float4, rate_quadratic_resid_norm_w75 float4,
    rate_quadratic_lin_slope_w75 float4, rate_quadratic_quad_apex_w75 float4,
    rate_quadratic_accel_w75 float4, rate_quadratic_resid_mean_w75 float4,
    rate_quadratic_resid_std_w75 float4, rate_quadratic_resid_z_w75 float4,
    rate_quadratic_a2_norm_w90 float4, rate_quadratic_a1_norm_w90 float4,
    rate_quadratic_b_norm_w90 float4, rate_quadratic_r2_w90 float4,
    rate_quadratic_rmse_norm_w90 float4, rate_quadratic_resid_norm_w90 float4,
    rate_quadratic_lin_slope_w90 float4, rate_quadratic_quad_apex_w90 float4,
    rate_quadratic_accel_w90 float4, rate_quadratic_resid_mean_w90 float4,
    rate_quadratic_resid_std_w90 float4, rate_quadratic_resid_z_w90 float4,
    rate_across_a2_ratio_15_60 float4, rate_across_a2_ratio_30_75 float4,
    rate_across_a2_ratio_45_90 float4, rate_across_a2_ratio_15_90 float4,
    rate_across_a1_ratio_15_60 float4, rate_across_a1_ratio_30_75 float4,
    rate_across_a1_ratio_45_90 float4, rate_across_a1_ratio_15_90 float4,
    rate_across_b_gap_15_45 float4, rate_across_b_gap_30_60 float4, rate_across_b_gap_45_75 float4,
    rate_across_b_gap_60_90 float4, rate_across_r2_spread_15_60 float4,
    rate_across_r2_spread_30_90 float4, rate_across_r2_spread_45_75 float4,
    rate_across_rmse_ratio_15_60 float4, rate_across_rmse_ratio_30_75 float4,
    rate_across_rmse_ratio_45_90 float4
);

CREATE TYPE bqx.reg_bqx AS (
    ts_utc timestamptz, bqx_quadratic_a2_norm_w15 float4, bqx_quadratic_a1_norm_w15 float4,
    bqx_quadratic_b_norm_w15 float4, bqx_quadratic_r2_w15 float4,
    bqx_quadratic_rmse_norm_w15 float4, bqx_quadratic_resid_norm_w15 float4,
    bqx_quadratic_lin_slope_w15 float4, bqx_quadratic_quad_apex_w15 float4,
    bqx_quadratic_accel_w15 float4, bqx_quadratic_resid_mean_w15 float4,
    bqx_quadratic_resid_std_w15 float4, bqx_quadratic_resid_z_w15 float4,
    bqx_quadratic_a2_norm_w30 float4, bqx_quadratic_a1_norm_w30 float4,
    bqx_quadratic_b_norm_w30 float4, bqx_quadratic_r2_w30 float4,
    bqx_quadratic_rmse_norm_w30 float4, bqx_quadratic_resid_norm_w30 float4,
    bqx_quadratic_lin_slope_w30 float4, bqx_quadratic_quad_apex_w30 float4,
    bqx_quadratic_accel_w30 float4, bqx_quadratic_resid_mean_w30 float4,
    bqx_quadratic_resid_std_w30 float4, bqx_quadratic_resid_z_w30 float4,
    bqx_quadratic_a2_norm_w45 float4, bqx_quadratic_a1_norm_w45 float4,
    bqx_quadratic_b_norm_w45 float4, bqx_quadratic_r2_w45 float4,
    bqx_quadratic_rmse_norm_w45 float4, bqx_quadratic_resid_norm_w45 float4,
    bqx_quadratic_lin_slope_w45 float4, bqx_quadratic_quad_apex_w45 float4,
    bqx_quadratic_accel_w45 float4, bqx_quadratic_resid_mean_w45 float4,
    bqx_quadratic_resid_std_w45 float4, bqx_quadratic_resid_z_w45 float4,
    bqx_quadratic_a2_norm_w60 float4, bqx_quadratic_a1_norm_w60 float4,
    bqx_quadratic_b_norm_w60 float4, bqx_quadratic_r2_w60 float4,
    bqx_quadratic_rmse_norm_w60 float4, bqx_quadratic_resid_norm_w60 float4,
    bqx_quadratic_lin_slope_w60 float4, bqx_quadratic_quad_apex_w60 float4,
    bqx_quadratic_accel_w60 float4, bqx_quadratic_resid_mean_w60 float4,
    bqx_quadratic_resid_std_w60 float4, bqx_quadratic_resid_z_w60 float4,
    bqx_quadratic_a2_norm_w75 float4, bqx_quadratic_a1_norm_w75 float4,
    bqx_quadratic_b_norm_w75 float4, bqx_quadratic_r2_w75 float4,
    bqx_quadratic_rmse_norm_w75 float4, bqx_quadratic_resid_norm_w75 float4,
    bqx_quadratic_lin_slope_w75 float4, bqx_quadratic_quad_apex_w75 float4,
    bqx_quadratic_accel_w75 float4, bqx_quadratic_resid_mean_w75 float4,
    bqx_quadratic_resid_std_w75 float4, bqx_quadratic_resid_z_w75 float4,
    bqx_quadratic_a2_norm_w90 float4, bqx_quadratic_a1_norm_w90 float4,
    bqx_quadratic_b_norm_w90 float4, bqx_quadratic_r2_w90 float4,
    bqx_quadratic_rmse_norm_w90 float4, bqx_quadratic_resid_norm_w90 float4,
    bqx_quadratic_lin_slope_w90 float4, bqx_quadratic_quad_apex_w90 float4,
    bqx_quadratic_accel_w90 float4, bqx_quadratic_resid_mean_w90 float4,
    bqx_quadratic_resid_std_w90 float4, bqx_quadratic_resid_z_w90 float4,
    bqx_across_a2_ratio_15_60 float4, bqx_across_a2_ratio_30_75 float4,
    bqx_across_a2_ratio_45_90 float4, bqx_across_a2_ratio_15_90 float4,
    bqx_across_a1_ratio_15_60 float4, bqx_across_a1_ratio_30_75 float4,
    bqx_across_a1_ratio_45_90 float4, bqx_across_a1_ratio_15_90 float4,
    bqx_across_b_gap_15_45 float4, bqx_across_b_gap_30_60 float4, bqx_across_b_gap_45_75 float4,
    bqx_across_b_gap_60_90 float4, bqx_across_r2_spread_15_60 float4,
    bqx_across_r2_spread_30_90 float4, bqx_across_r2_spread_45_75 float4,
    bqx_across_rmse_ratio_15_60 float4, bqx_across_rmse_ratio_30_75 float4,
    bqx_across_rmse_ratio_45_90 float4
);

CREATE TYPE bqx.statistics_idx AS (
    ts_utc timestamptz, rate_moments_mean_w20 float4, rate_moments_std_w20 float4,
    rate_moments_skew_w20 float4, rate_moments_kurt_w20 float4, rate_moments_min_w20 float4,
    rate_moments_max_w20 float4, rate_moments_range_w20 float4, rate_moments_z_score_w20 float4,
    rate_moments_mean_w50 float4, rate_moments_std_w50 float4, rate_moments_skew_w50 float4,
    rate_moments_kurt_w50 float4, rate_moments_min_w50 float4, rate_moments_max_w50 float4,
    rate_moments_range_w50 float4, rate_moments_z_score_w50 float4, rate_moments_mean_w120 float4,
    rate_moments_std_w120 float4, rate_moments_skew_w120 float4, rate_moments_kurt_w120 float4,
    rate_moments_min_w120 float4, rate_moments_max_w120 float4, rate_moments_range_w120 float4,
    rate_moments_z_score_w120 float4, rate_moments_mean_w5 float4, rate_moments_std_w5 float4,
    rate_moments_skew_w5 float4, rate_moments_kurt_w5 float4, rate_moments_mean_w15 float4,
    rate_moments_std_w15 float4, rate_moments_skew_w15 float4, rate_moments_kurt_w15 float4,
    rate_moments_cv_w15 float4, rate_moments_mean_w30 float4, rate_moments_std_w30 float4,
    rate_moments_skew_w30 float4, rate_moments_kurt_w30 float4, rate_moments_cv_w30 float4,
    rate_moments_jb_w30 float4, rate_moments_mean_w60 float4, rate_moments_std_w60 float4,
    rate_moments_skew_w60 float4, rate_moments_kurt_w60 float4, rate_moments_cv_w60 float4,
    rate_moments_jb_w60 float4, rate_autocorr_lag1_w60 float4, rate_autocorr_lag5_w60 float4,
    rate_autocorr_lag15_w60 float4, rate_order_p5_w15 float4, rate_order_p10_w15 float4,
    rate_order_p25_w15 float4, rate_order_p50_w15 float4, rate_order_p75_w15 float4,
    rate_order_p90_w15 float4, rate_order_p95_w15 float4, rate_order_range_w15 float4,
    rate_order_iqr_w15 float4, rate_order_mad_w15 float4, rate_order_entropy_w15 float4,
    rate_order_range_w30 float4, rate_order_iqr_w30 float4, rate_order_mad_w30 float4,
    rate_order_entropy_w30 float4, rate_order_p50_w60 float4, rate_order_p75_w60 float4,
    rate_order_p90_w60 float4, rate_order_range_w60 float4, rate_order_iqr_w60 float4,
    rate_order_mad_w60 float4, rate_order_entropy_w60 float4
);

CREATE TYPE bqx.statistics_bqx AS (
    ts_utc timestamptz, bqx_moments_mean_w20 float4, bqx_moments_std_w20 float4,
    bqx_moments_skew_w20 float4, bqx_moments_kurt_w20 float4, bqx_moments_min_w20 float4,
    bqx_moments_max_w20 float4, bqx_moments_range_w20 float4, bqx_moments_z_score_w20 float4,
    bqx_moments_mean_w50 float4, bqx_moments_std_w50 float4, bqx_moments_skew_w50 float4,
    bqx_moments_kurt_w50 float4, bqx_moments_min_w50 float4, bqx_moments_max_w50 float4,
    bqx_moments_range_w50 float4, bqx_moments_z_score_w50 float4, bqx_moments_mean_w120 float4,
    bqx_moments_std_w120 float4, bqx_moments_skew_w120 float4, bqx_moments_kurt_w120 float4,
    bqx_moments_min_w120 float4, bqx_moments_max_w120 float4, bqx_moments_range_w120 float4,
    bqx_moments_z_score_w120 float4, bqx_moments_mean_w5 float4, bqx_moments_std_w5 float4,
    bqx_moments_skew_w5 float4, bqx_moments_kurt_w5 float4, bqx_moments_mean_w15 float4,
    bqx_moments_std_w15 float4, bqx_moments_skew_w15 float4, bqx_moments_kurt_w15 float4,
    bqx_moments_cv_w15 float4, bqx_moments_mean_w30 float4, bqx_moments_std_w30 float4,
    bqx_moments_skew_w30 float4, bqx_moments_kurt_w30 float4, bqx_moments_cv_w30 float4,
    bqx_moments_jb_w30 float4, bqx_moments_mean_w60 float4, bqx_moments_std_w60 float4,
    bqx_moments_skew_w60 float4, bqx_moments_kurt_w60 float4, bqx_moments_cv_w60 float4,
    bqx_moments_jb_w60 float4, bqx_autocorr_lag1_w60 float4, bqx_autocorr_lag5_w60 float4,
    bqx_autocorr_lag15_w60 float4, bqx_order_p5_w15 float4, bqx_order_p10_w15 float4,
    bqx_order_p25_w15 float4, bqx_order_p50_w15 float4, bqx_order_p75_w15 float4,
    bqx_order_p90_w15 float4, bqx_order_p95_w15 float4, bqx_order_range_w15 float4,
    bqx_order_iqr_w15 float4, bqx_order_mad_w15 float4, bqx_order_entropy_w15 float4,
    bqx_order_range_w30 float4, bqx_order_iqr_w30 float4, bqx_order_mad_w30 float4,
    bqx_order_entropy_w30 float4, bqx_order_p50_w60 float4, bqx_order_p75_w60 float4,
    bqx_order_p90_w60 float4, bqx_order_range_w60 float4, bqx_order_iqr_w60 float4,
    bqx_order_mad_w60 float4, bqx_order_entropy_w60 float4
);

CREATE TYPE bqx.statistics_return_idx AS (
    ts_utc timestamptz, return_distribution_skew_w60 float4, return_distribution_kurt_w60 float4,
    return_distribution_mad_w60 float4, return_distribution_entropy_w60 float4,
    return_distribution_autocorr_w60 float4
);

CREATE TYPE bqx.bollinger_idx AS (
    ts_utc timestamptz, rate_bollinger_upper_w20 float4, rate_bollinger_middle_w20 float4,
    rate_bollinger_lower_w20 float4, rate_bollinger_percent_b_w20 float4,
    rate_bollinger_upper_w50 float4, rate_bollinger_middle_w50 float4,
    rate_bollinger_lower_w50 float4, rate_bollinger_percent_b_w50 float4,
    rate_bollinger_bandwidth_w20 float4, rate_bollinger_bandwidth_w50 float4,
    rate_bollinger_upper_w30 float4, rate_bollinger_middle_w30 float4,
    rate_bollinger_lower_w30 float4, rate_bollinger_upper_w60 float4,
    rate_bollinger_middle_w60 float4, rate_bollinger_lower_w60 float4,
    rate_bollinger_upper_w120 float4, rate_bollinger_middle_w120 float4,
    rate_bollinger_lower_w120 float4, rate_bollinger_width_w20 float4,
    rate_bollinger_width_w30 float4, rate_bollinger_width_w60 float4,
    rate_bollinger_width_w120 float4, rate_bollinger_percent_b_w60 float4,
    rate_bollinger_slope_w20 float4, rate_bollinger_slope_w60 float4
);

CREATE TYPE bqx.bollinger_bqx AS (
    ts_utc timestamptz, bqx_bollinger_upper_w20 float4, bqx_bollinger_middle_w20 float4,
    bqx_bollinger_lower_w20 float4, bqx_bollinger_percent_b_w20 float4,
    bqx_bollinger_upper_w50 float4, bqx_bollinger_middle_w50 float4, bqx_bollinger_lower_w50 float4,
    bqx_bollinger_percent_b_w50 float4, bqx_bollinger_bandwidth_w20 float4,
    bqx_bollinger_bandwidth_w50 float4, bqx_bollinger_upper_w30 float4,
    bqx_bollinger_middle_w30 float4, bqx_bollinger_lower_w30 float4, bqx_bollinger_upper_w60 float4,
    bqx_bollinger_middle_w60 float4, bqx_bollinger_lower_w60 float4,
    bqx_bollinger_upper_w120 float4, bqx_bollinger_middle_w120 float4,
    bqx_bollinger_lower_w120 float4, bqx_bollinger_width_w30 float4, bqx_bollinger_width_w60 float4,
    bqx_bollinger_width_w120 float4, bqx_bollinger_percent_b_w60 float4,
    bqx_bollinger_slope_w20 float4, bqx_bollinger_slope_w60 float4
);

CREATE TYPE bqx.technical_idx AS (
    ts_utc timestamptz, rate_rsi_w14 float4, rate_rsi_delta_5_w14 float4, rate_rsi_z_60_w14 float4,
    rate_rsi_zone_w14 float4, rate_rsi_w7 float4, rate_rsi_w21 float4, rate_rsi_w28 float4,
    rate_macd_line_w12_26_9 float4, rate_macd_signal_w12_26_9 float4,
    rate_macd_histogram_w12_26_9 float4, rate_macd_histogram_delta_1_w12_26_9 float4,
    rate_macd_histogram_z_60_w12_26_9 float4, rate_macd_cross_w12_26_9 float4,
    rate_macd_line_w5_35 float4, rate_roc_w12 float4, rate_roc_delta_5_w12 float4,
    rate_roc_z_60_w12 float4, rate_roc_sign_w12 float4, rate_roc_w5 float4, rate_roc_w25 float4,
    rate_roc_w60 float4, rate_stochastic_k_w14_3 float4, rate_stochastic_d_w14_3 float4,
    rate_stochastic_williams_r_w14_3 float4, rate_stochastic_kd_diff_w14_3 float4,
    rate_stochastic_k_delta_5_w14_3 float4, rate_stochastic_zone_w14_3 float4,
    rate_stochastic_williams_r_delta_5_w14_3 float4, rate_stochastic_williams_r_z_60_w14_3 float4,
    rate_stochastic_williams_r_zone_w14_3 float4, rate_stochastic_k_w21_3 float4,
    rate_stochastic_d_w21_3 float4, rate_stochastic_williams_r_w21_3 float4,
    rate_stochastic_williams_r_w7 float4, rate_stochastic_williams_r_w28 float4,
    rate_cci_w20 float4, rate_cci_delta_5_w20 float4, rate_cci_z_60_w20 float4,
    rate_cci_zone_w20 float4, rate_cci_w14 float4, rate_cci_w30 float4, rate_cci_w50 float4,
    rate_directional_adx_w14 float4, rate_directional_plus_di_w14 float4,
    rate_directional_minus_di_w14 float4, rate_directional_di_diff_w14 float4,
    rate_directional_dx_w14 float4, rate_directional_adx_delta_5_w14 float4,
    rate_directional_adx_w28 float4, rate_atr_w14 float4, rate_atr_pct_w14 float4,
    rate_atr_z_60_w14 float4, rate_atr_w28 float4, rate_atr_pct_w28 float4, rate_atr_w7 float4,
    rate_atr_ratio_w14_28 float4
);

CREATE TYPE bqx.technical_bqx AS (
    ts_utc timestamptz, bqx_rsi_w14 float4, bqx_rsi_delta_5_w14 float4, bqx_rsi_z_60_w14 float4,
    bqx_rsi_zone_w14 float4, bqx_rsi_w7 float4, bqx_rsi_w21 float4, bqx_rsi_w28 float4,
    bqx_macd_line_w12_26_9 float4, bqx_macd_signal_w12_26_9 float4,
    bqx_macd_histogram_w12_26_9 float4, bqx_macd_histogram_delta_1_w12_26_9 float4,
    bqx_macd_histogram_z_60_w12_26_9 float4, bqx_macd_cross_w12_26_9 float4,
    bqx_macd_line_w5_35 float4, bqx_roc_w12 float4, bqx_roc_delta_5_w12 float4,
    bqx_roc_z_60_w12 float4, bqx_roc_sign_w12 float4, bqx_roc_w5 float4, bqx_roc_w25 float4,
    bqx_roc_w60 float4, bqx_stochastic_k_w14_3 float4, bqx_stochastic_d_w14_3 float4,
    bqx_stochastic_williams_r_w14_3 float4, bqx_stochastic_kd_diff_w14_3 float4,
    bqx_stochastic_k_delta_5_w14_3 float4, bqx_stochastic_zone_w14_3 float4,
    bqx_stochastic_williams_r_delta_5_w14_3 float4, bqx_stochastic_williams_r_z_60_w14_3 float4,
    bqx_stochastic_williams_r_zone_w14_3 float4, bqx_stochastic_k_w21_3 float4,
    bqx_stochastic_d_w21_3 float4, bqx_stochastic_williams_r_w21_3 float4,
    bqx_stochastic_williams_r_w7 float4, bqx_stochastic_williams_r_w28 float4, bqx_cci_w20 float4,
    bqx_cci_delta_5_w20 float4, bqx_cci_z_60_w20 float4, bqx_cci_zone_w20 float4,
    bqx_cci_w14 float4, bqx_cci_w30 float4, bqx_cci_w50 float4, bqx_directional_adx_w14 float4,
    bqx_directional_plus_di_w14 float4, bqx_directional_minus_di_w14 float4,
    bqx_directional_di_diff_w14 float4, bqx_directional_dx_w14 float4,
    bqx_directional_adx_delta_5_w14 float4, bqx_directional_adx_w28 float4, bqx_atr_w14 float4,
    bqx_atr_pct_w14 float4, bqx_atr_z_60_w14 float4, bqx_atr_w28 float4, bqx_atr_pct_w28 float4,
    bqx_atr_w7 float4, bqx_atr_ratio_w14_28 float4
);

CREATE TYPE bqx.technical_ohlcv_idx AS (
    ts_utc timestamptz, rate_momentum_w10 float4, rate_momentum_w20 float4, rate_trix_w15 float4,
    rate_ultimate_w7_14_28 float4, rate_awesome_w5_34 float4, rate_keltner_upper_w20 float4,
    rate_keltner_lower_w20 float4, rate_donchian_upper_w20 float4, rate_donchian_middle_w20 float4,
    rate_donchian_lower_w20 float4, rate_historical_volatility_w20 float4,
    rate_chaikin_volatility_w10_10 float4, rate_mass_index_w9_25 float4,
    rate_vortex_plus_w14 float4, rate_vortex_minus_w14 float4, rate_ulcer_w14 float4,
    rate_accumulation_obv_w1440 float4, rate_accumulation_adl_w1440 float4,
    rate_accumulation_vpt_w1440 float4, rate_accumulation_nvi_w1440 float4,
    rate_accumulation_pvi_w1440 float4, rate_chaikin_flow_w20 float4, rate_force_w13 float4,
    rate_ease_w14 float4, rate_flow_index_w14 float4
);

CREATE TYPE bqx.fibonacci_idx AS (
    ts_utc timestamptz, rate_fibonacci_high_w100 float4, rate_fibonacci_low_w100 float4,
    rate_fibonacci_ret_236_w100 float4, rate_fibonacci_ret_382_w100 float4,
    rate_fibonacci_ret_500_w100 float4, rate_fibonacci_ret_618_w100 float4,
    rate_fibonacci_ret_786_w100 float4, rate_fibonacci_ext_1272_w100 float4,
    rate_fibonacci_ext_1618_w100 float4, rate_fibonacci_ext_2618_w100 float4,
    rate_fibonacci_pivot_w100 float4, rate_fibonacci_resistance_w100 float4,
    rate_fibonacci_support_w100 float4, rate_fibonacci_from_382_w100 float4,
    rate_fibonacci_from_500_w100 float4, rate_fibonacci_from_618_w100 float4,
    rate_fibonacci_from_pivot_w100 float4, rate_fibonacci_above_618_w100 float4,
    rate_fibonacci_below_382_w100 float4, rate_fibonacci_at_500_w100 float4,
    rate_fibonacci_range_w100 float4, rate_fibonacci_range_norm_w100 float4,
    rate_swing_from_ret_236_w1440 float4, rate_swing_from_ret_382_w1440 float4,
    rate_swing_from_ret_500_w1440 float4, rate_swing_from_ret_618_w1440 float4,
    rate_swing_from_ret_786_w1440 float4, rate_swing_from_ext_1272_w1440 float4,
    rate_swing_from_ext_1618_w1440 float4, rate_swing_from_ext_2618_w1440 float4,
    rate_swing_nearest_w1440 float4, rate_swing_place_w1440 float4, rate_swing_age_w1440 float4,
    rate_swing_strength_w1440 float4
);

CREATE TYPE bqx.fibonacci_bqx AS (
    ts_utc timestamptz, bqx_fibonacci_high_w100 float4, bqx_fibonacci_low_w100 float4,
    bqx_fibonacci_ret_236_w100 float4, bqx_fibonacci_ret_382_w100 float4,
    bqx_fibonacci_ret_500_w100 float4, bqx_fibonacci_ret_618_w100 float4,
    bqx_fibonacci_ret_786_w100 float4, bqx_fibonacci_ext_1272_w100 float4,
    bqx_fibonacci_ext_1618_w100 float4, bqx_fibonacci_ext_2618_w100 float4,
    bqx_fibonacci_pivot_w100 float4, bqx_fibonacci_resistance_w100 float4,
    bqx_fibonacci_support_w100 float4, bqx_fibonacci_from_382_w100 float4,
    bqx_fibonacci_from_500_w100 float4, bqx_fibonacci_from_618_w100 float4,
    bqx_fibonacci_from_pivot_w100 float4, bqx_fibonacci_above_618_w100 float4,
    bqx_fibonacci_below_382_w100 float4, bqx_fibonacci_at_500_w100 float4,
    bqx_fibonacci_range_w100 float4, bqx_fibonacci_range_norm_w100 float4
);

CREATE TYPE bqx.moving_averages_idx AS (
    ts_utc timestamptz, rate_sma_w5 float4, rate_sma_w20 float4, rate_sma_w50 float4,
    rate_sma_w10 float4, rate_sma_w100 float4, rate_sma_w200 float4, rate_ema_w5 float4,
    rate_ema_w20 float4, rate_ema_w50 float4, rate_ema_w10 float4, rate_ema_w100 float4,
    rate_ema_w200 float4
);

CREATE TYPE bqx.moving_averages_bqx AS (
    ts_utc timestamptz, bqx_sma_w5 float4, bqx_sma_w20 float4, bqx_sma_w50 float4,
    bqx_sma_w10 float4, bqx_sma_w100 float4, bqx_sma_w200 float4, bqx_ema_w5 float4,
    bqx_ema_w20 float4, bqx_ema_w50 float4, bqx_ema_w10 float4, bqx_ema_w100 float4,
    bqx_ema_w200 float4
);

CREATE TYPE bqx.lagged_idx AS (
    ts_utc timestamptz, rate_lag_w1 float4, rate_lag_w2 float4, rate_lag_w3 float4,
    rate_lag_w4 float4, rate_lag_w5 float4, rate_lag_w6 float4, rate_lag_w7 float4,
    rate_lag_w8 float4, rate_lag_w9 float4, rate_lag_w10 float4, rate_lag_w11 float4,
    rate_lag_w12 float4, rate_lag_w13 float4, rate_lag_w14 float4, rate_lag_w15 float4,
    rate_lag_w16 float4, rate_lag_w17 float4, rate_lag_w18 float4, rate_lag_w19 float4,
    rate_lag_w20 float4, rate_lag_w21 float4, rate_lag_w22 float4, rate_lag_w23 float4,
    rate_lag_w24 float4, rate_lag_w25 float4, rate_lag_w26 float4, rate_lag_w27 float4,
    rate_lag_w28 float4, rate_lag_w29 float4, rate_lag_w30 float4, rate_lag_w31 float4,
    rate_lag_w32 float4, rate_lag_w33 float4, rate_lag_w34 float4, rate_lag_w35 float4,
    rate_lag_w36 float4, rate_lag_w37 float4, rate_lag_w38 float4, rate_lag_w39 float4,
    rate_lag_w40 float4, rate_lag_w41 float4, rate_lag_w42 float4, rate_lag_w43 float4,
    rate_lag_w44 float4, rate_lag_w45 float4, rate_lag_w46 float4, rate_lag_w47 float4,
    rate_lag_w48 float4, rate_lag_w49 float4, rate_lag_w50 float4, rate_lag_w51 float4,
    rate_lag_w52 float4, rate_lag_w53 float4, rate_lag_w54 float4, rate_lag_w55 float4,
    rate_lag_w56 float4, rate_lag_w57 float4, rate_lag_w58 float4, rate_lag_w59 float4,
    rate_lag_w60 float4, return_lag_w1 float4, return_lag_w2 float4, return_lag_w3 float4,
    return_lag_w4 float4, return_lag_w5 float4, return_lag_w6 float4, return_lag_w7 float4,
    return_lag_w8 float4, return_lag_w9 float4, return_lag_w10 float4, return_lag_w11 float4,
    return_lag_w12 float4, return_lag_w13 float4, return_lag_w14 float4, return_lag_w15 float4,
    return_lag_w16 float4, return_lag_w17 float4, return_lag_w18 float4, return_lag_w19 float4,
    return_lag_w20 float4, return_lag_w21 float4, return_lag_w22 float4, return_lag_w23 float4,
    return_lag_w24 float4, return_lag_w25 float4, return_lag_w26 float4, return_lag_w27 float4,
    return_lag_w28 float4, return_lag_w29 float4, return_lag_w30 float4, return_lag_w31 float4,
    return_lag_w32 float4, return_lag_w33 float4, return_lag_w34 float4, return_lag_w35 float4,
    return_lag_w36 float4, return_lag_w37 float4, return_lag_w38 float4, return_lag_w39 float4,
    return_lag_w40 float4, return_lag_w41 float4, return_lag_w42 float4, return_lag_w43 float4,
    return_lag_w44 float4, return_lag_w45 float4, return_lag_w46 float4, return_lag_w47 float4,
    return_lag_w48 float4, return_lag_w49 float4, return_lag_w50 float4, return_lag_w51 float4,
    return_lag_w52 float4, return_lag_w53 float4, return_lag_w54 float4, return_lag_w55 float4,
    return_lag_w56 float4, return_lag_w57 float4, return_lag_w58 float4, return_lag_w59 float4,
    return_lag_w60 float4
);

CREATE TYPE bqx.lagged_bqx AS (
    ts_utc timestamptz, bqx_lag_w1 float4, bqx_lag_w2 float4, bqx_lag_w3 float4, bqx_lag_w4 float4,
    bqx_lag_w5 float4, bqx_lag_w6 float4, bqx_lag_w7 float4, bqx_lag_w8 float4, bqx_lag_w9 float4,
    bqx_lag_w10 float4, bqx_lag_w11 float4, bqx_lag_w12 float4, bqx_lag_w13 float4,
    bqx_lag_w14 float4, bqx_lag_w15 float4, bqx_lag_w16 float4, bqx_lag_w17 float4,
    bqx_lag_w18 float4, bqx_lag_w19 float4, bqx_lag_w20 float4, bqx_lag_w21 float4,
    bqx_lag_w22 float4, bqx_lag_w23 float4, bqx_lag_w24 float4, bqx_lag_w25 float4,
    bqx_lag_w26 float4, bqx_lag_w27 float4, bqx_lag_w28 float4, bqx_lag_w29 float4,
    bqx_lag_w30 float4, bqx_lag_w31 float4, bqx_lag_w32 float4, bqx_lag_w33 float4,
    bqx_lag_w34 float4, bqx_lag_w35 float4, bqx_lag_w36 float4, bqx_lag_w37 float4,
    bqx_lag_w38 float4, bqx_lag_w39 float4, bqx_lag_w40 float4, bqx_lag_w41 float4,
    bqx_lag_w42 float4, bqx_lag_w43 float4, bqx_lag_w44 float4, bqx_lag_w45 float4,
    bqx_lag_w46 float4, bqx_lag_w47 float4, bqx_lag_w48 float4, bqx_lag_w49 float4,
    bqx_lag_w50 float4, bqx_lag_w51 float4, bqx_lag_w52 float4, bqx_lag_w53 float4,
    bqx_lag_w54 float4, bqx_lag_w55 float4, bqx_lag_w56 float4, bqx_lag_w57 float4,
    bqx_lag_w58 float4, bqx_lag_w59 float4, bqx_lag_w60 float4
);

CREATE TYPE bqx.backward_idx AS (
    ts_utc timestamptz, rate_index float4, rate_backward_return_w60 float4,
    rate_backward_endpoint_w60 float4, rate_past_max_w60 float4, rate_past_min_w60 float4,
    rate_past_avg_w60 float4, rate_past_stdev_w60 float4, rate_aggregate_return_w75 float4,
    rate_aggregate_max_w75 float4, rate_aggregate_min_w75 float4, rate_aggregate_avg_w75 float4,
    rate_aggregate_stdev_w75 float4, rate_aggregate_range_w75 float4,
    rate_aggregate_volatility_w75 float4
);

CREATE TYPE bqx.bqx AS (
    ts_utc timestamptz, bqx_backward_return_w15 float4, bqx_backward_endpoint_w15 float4,
    bqx_backward_return_w30 float4, bqx_backward_endpoint_w30 float4,
    bqx_backward_return_w45 float4, bqx_backward_endpoint_w45 float4,
    bqx_backward_return_w60 float4, bqx_backward_endpoint_w60 float4,
    bqx_backward_return_w75 float4, bqx_backward_endpoint_w75 float4, bqx_past_max_w15 float4,
    bqx_past_min_w15 float4, bqx_past_avg_w15 float4, bqx_past_stdev_w15 float4,
    bqx_past_max_w30 float4, bqx_past_min_w30 float4, bqx_past_avg_w30 float4,
    bqx_past_stdev_w30 float4, bqx_past_max_w45 float4, bqx_past_min_w45 float4,
    bqx_past_avg_w45 float4, bqx_past_stdev_w45 float4, bqx_past_max_w75 float4,
    bqx_past_min_w75 float4, bqx_past_avg_w75 float4, bqx_past_stdev_w75 float4,
    bqx_past_max_w60 float4, bqx_past_min_w60 float4, bqx_past_avg_w60 float4,
    bqx_past_stdev_w60 float4, bqx_aggregate_return_w75 float4, bqx_aggregate_max_w75 float4,
    bqx_aggregate_min_w75 float4, bqx_aggregate_avg_w75 float4, bqx_aggregate_stdev_w75 float4,
    bqx_aggregate_range_w75 float4, bqx_aggregate_volatility_w75 float4
);

CREATE TYPE bqx.parabola_idx AS (
    ts_utc timestamptz, rate_parabola_a_coef_w60 float4, rate_parabola_b_coef_w60 float4,
    rate_parabola_c_coef_w60 float4, rate_parabola_a_term_w60 float4,
    rate_parabola_b_term_w60 float4, rate_parabola_r2_w60 float4, rate_parabola_rmse_w60 float4,
    rate_parabola_yhat_end_w60 float4, rate_parabola_resid_end_w60 float4,
    rate_parabola_a_coef_w90 float4, rate_parabola_b_coef_w90 float4,
    rate_parabola_c_coef_w90 float4, rate_parabola_a_term_w90 float4,
    rate_parabola_b_term_w90 float4, rate_parabola_r2_w90 float4, rate_parabola_rmse_w90 float4,
    rate_parabola_yhat_end_w90 float4, rate_parabola_resid_end_w90 float4,
    rate_parabola_a_coef_w150 float4, rate_parabola_b_coef_w150 float4,
    rate_parabola_c_coef_w150 float4, rate_parabola_a_term_w150 float4,
    rate_parabola_b_term_w150 float4, rate_parabola_r2_w150 float4, rate_parabola_rmse_w150 float4,
    rate_parabola_yhat_end_w150 float4, rate_parabola_resid_end_w150 float4,
    rate_parabola_a_coef_w240 float4, rate_parabola_b_coef_w240 float4,
    rate_parabola_c_coef_w240 float4, rate_parabola_a_term_w240 float4,
    rate_parabola_b_term_w240 float4, rate_parabola_r2_w240 float4, rate_parabola_rmse_w240 float4,
    rate_parabola_yhat_end_w240 float4, rate_parabola_resid_end_w240 float4,
    rate_parabola_a_coef_w390 float4, rate_parabola_b_coef_w390 float4,
    rate_parabola_c_coef_w390 float4, rate_parabola_a_term_w390 float4,
    rate_parabola_b_term_w390 float4, rate_parabola_r2_w390 float4, rate_parabola_rmse_w390 float4,
    rate_parabola_yhat_end_w390 float4, rate_parabola_resid_end_w390 float4,
    rate_parabola_a_coef_w630 float4, rate_parabola_b_coef_w630 float4,
    rate_parabola_c_coef_w630 float4, rate_parabola_a_term_w630 float4,
    rate_parabola_b_term_w630 float4, rate_parabola_r2_w630 float4, rate_parabola_rmse_w630 float4,
    rate_parabola_yhat_end_w630 float4, rate_parabola_resid_end_w630 float4
);

CREATE TYPE bqx.terms_idx AS (
    ts_utc timestamptz, rate_terms_quadratic_w60 float4, rate_terms_linear_w60 float4,
    rate_terms_constant_w60 float4, rate_terms_residual_w60 float4, rate_terms_r2_w60 float4,
    rate_terms_rmse_w60 float4, rate_terms_prediction_w60 float4, rate_terms_quadratic_w90 float4,
    rate_terms_linear_w90 float4, rate_terms_constant_w90 float4, rate_terms_residual_w90 float4,
    rate_terms_r2_w90 float4, rate_terms_rmse_w90 float4, rate_terms_prediction_w90 float4,
    rate_terms_quadratic_w150 float4, rate_terms_linear_w150 float4,
    rate_terms_constant_w150 float4, rate_terms_residual_w150 float4, rate_terms_r2_w150 float4,
    rate_terms_rmse_w150 float4, rate_terms_prediction_w150 float4,
    rate_terms_quadratic_w240 float4, rate_terms_linear_w240 float4,
    rate_terms_constant_w240 float4, rate_terms_residual_w240 float4, rate_terms_r2_w240 float4,
    rate_terms_rmse_w240 float4, rate_terms_prediction_w240 float4,
    rate_terms_quadratic_w390 float4, rate_terms_linear_w390 float4,
    rate_terms_constant_w390 float4, rate_terms_residual_w390 float4, rate_terms_r2_w390 float4,
    rate_terms_rmse_w390 float4, rate_terms_prediction_w390 float4,
    rate_terms_quadratic_w630 float4, rate_terms_linear_w630 float4,
    rate_terms_constant_w630 float4, rate_terms_residual_w630 float4, rate_terms_r2_w630 float4,
    rate_terms_rmse_w630 float4, rate_terms_prediction_w630 float4
);

CREATE TYPE bqx.terms_bqx AS (
    ts_utc timestamptz, bqx_terms_quadratic_w60 float4, bqx_terms_linear_w60 float4,
    bqx_terms_constant_w60 float4, bqx_terms_residual_w60 float4, bqx_terms_r2_w60 float4,
    bqx_terms_rmse_w60 float4, bqx_terms_prediction_w60 float4, bqx_terms_quadratic_w90 float4,
    bqx_terms_linear_w90 float4, bqx_terms_constant_w90 float4, bqx_terms_residual_w90 float4,
    bqx_terms_r2_w90 float4, bqx_terms_rmse_w90 float4, bqx_terms_prediction_w90 float4,
    bqx_terms_quadratic_w150 float4, bqx_terms_linear_w150 float4, bqx_terms_constant_w150 float4,
    bqx_terms_residual_w150 float4, bqx_terms_r2_w150 float4, bqx_terms_rmse_w150 float4,
    bqx_terms_prediction_w150 float4, bqx_terms_quadratic_w240 float4, bqx_terms_linear_w240 float4,
    bqx_terms_constant_w240 float4, bqx_terms_residual_w240 float4, bqx_terms_r2_w240 float4,
    bqx_terms_rmse_w240 float4, bqx_terms_prediction_w240 float4, bqx_terms_quadratic_w390 float4,
    bqx_terms_linear_w390 float4, bqx_terms_constant_w390 float4, bqx_terms_residual_w390 float4,
    bqx_terms_r2_w390 float4, bqx_terms_rmse_w390 float4, bqx_terms_prediction_w390 float4,
    bqx_terms_quadratic_w630 float4, bqx_terms_linear_w630 float4, bqx_terms_constant_w630 float4,
    bqx_terms_residual_w630 float4, bqx_terms_r2_w630 float4, bqx_terms_rmse_w630 float4,
    bqx_terms_prediction_w630 float4, bqx_term_cov_quad_lin_w60 float4,
    bqx_term_cov_quad_const_w60 float4, bqx_term_cov_quad_resid_w60 float4,
    bqx_term_cov_lin_const_w60 float4, bqx_term_cov_lin_resid_w60 float4,
    bqx_term_cov_const_resid_w60 float4, bqx_term_cov_quad_lin_w90 float4,
    bqx_term_cov_quad_const_w90 float4, bqx_term_cov_quad_resid_w90 float4,
    bqx_term_cov_lin_const_w90 float4, bqx_term_cov_lin_resid_w90 float4,
    bqx_term_cov_const_resid_w90 float4, bqx_term_cov_quad_lin_w150 float4,
    bqx_term_cov_quad_const_w150 float4, bqx_term_cov_quad_resid_w150 float4,
    bqx_term_cov_lin_const_w150 float4, bqx_term_cov_lin_resid_w150 float4,
    bqx_term_cov_const_resid_w150 float4, bqx_term_cov_quad_lin_w240 float4,
    bqx_term_cov_quad_const_w240 float4, bqx_term_cov_quad_resid_w240 float4,
    bqx_term_cov_lin_const_w240 float4, bqx_term_cov_lin_resid_w240 float4,
    bqx_term_cov_const_resid_w240 float4, bqx_term_cov_quad_lin_w390 float4,
    bqx_term_cov_quad_const_w390 float4, bqx_term_cov_quad_resid_w390 float4,
    bqx_term_cov_lin_const_w390 float4, bqx_term_cov_lin_resid_w390 float4,
    bqx_term_cov_const_resid_w390 float4, bqx_term_cov_quad_lin_w630 float4,
    bqx_term_cov_quad_const_w630 float4, bqx_term_cov_quad_resid_w630 float4,
    bqx_term_cov_lin_const_w630 float4, bqx_term_cov_lin_resid_w630 float4,
    bqx_term_cov_const_resid_w630 float4
);

CREATE TYPE bqx.correlation_bqx AS (
    ts_utc timestamptz, bqx_term_company_cov_quad_lin_w15_60 float4,
    bqx_term_company_cov_resid_quad_w15_60 float4, bqx_term_company_cov_resid_lin_w15_60 float4,
    bqx_term_company_corr_quad_lin_w15_60 float4, bqx_term_company_corr_resid_quad_w15_60 float4,
    bqx_term_company_corr_resid_lin_w15_60 float4, bqx_relatives_corr_base_1_w15 float4,
    bqx_relatives_corr_base_2_w15 float4, bqx_relatives_corr_quote_1_w15 float4,
    bqx_relatives_corr_quote_2_w15 float4, bqx_relatives_delta_corr_base_w15 float4,
    bqx_relatives_delta_corr_quote_w15 float4, bqx_relatives_lead_lag_w15 float4,
    bqx_relatives_vol_ratio_w15 float4, bqx_relatives_corr_base_1_w30 float4,
    bqx_relatives_corr_base_2_w30 float4, bqx_relatives_corr_quote_1_w30 float4,
    bqx_relatives_corr_quote_2_w30 float4, bqx_relatives_delta_corr_base_w30 float4,
    bqx_relatives_delta_corr_quote_w30 float4, bqx_relatives_lead_lag_w30 float4,
    bqx_relatives_vol_ratio_w30 float4, bqx_relatives_corr_base_1_w60 float4,
    bqx_relatives_corr_base_2_w60 float4, bqx_relatives_corr_quote_1_w60 float4,
    bqx_relatives_corr_quote_2_w60 float4, bqx_relatives_delta_corr_base_w60 float4,
    bqx_relatives_delta_corr_quote_w60 float4, bqx_relatives_lead_lag_w60 float4,
    bqx_relatives_vol_ratio_w60 float4, bqx_relatives_z_corr_base_w15 float4,
    bqx_relatives_z_corr_quote_w15 float4, bqx_relatives_corr_stability_w15 float4,
    bqx_relatives_z_corr_base_w30 float4, bqx_relatives_z_corr_quote_w30 float4,
    bqx_relatives_corr_stability_w30 float4, bqx_relatives_z_corr_base_w60 float4,
    bqx_relatives_z_corr_quote_w60 float4, bqx_relatives_corr_stability_w60 float4,
    bqx_relative_spread_z_w15 float4, bqx_relative_spread_z_w30 float4,
    bqx_relative_spread_z_w60 float4, bqx_cointegration_residual_w1440 float4,
    bqx_cointegration_z_w1440 float4, bqx_cointegration_half_life_w1440 float4,
    bqx_strength_base_w60 float4, bqx_strength_quote_w60 float4, bqx_strength_div_base_w60 float4,
    bqx_strength_div_quote_w60 float4, bqx_strength_div_cross_mom_w60 float4,
    bqx_with_eurusd_w20 float4, bqx_with_gbpusd_w20 float4, bqx_with_audusd_w20 float4,
    bqx_with_nzdusd_w20 float4, bqx_with_usdjpy_w20 float4, bqx_with_eurusd_w60 float4,
    bqx_with_gbpusd_w60 float4, bqx_dollar_systematic_w60 float4,
    bqx_dollar_idiosyncratic_w60 float4, bqx_dollar_decoupled_w20 float4,
    bqx_term_corr_corr_15_60_w60 float4, bqx_term_corr_corr_30_60_w60 float4,
    bqx_term_corr_corr_45_60_w60 float4, bqx_term_structure_slope_w240 float4,
    bqx_term_structure_inversion_w240 float4, bqx_term_structure_steepness_z_w240 float4,
    bqx_term_structure_curvature float4, bqx_eur_gbp_lag_corr_5_w60 float4,
    bqx_eur_gbp_lag_corr_15_w60 float4, bqx_eur_gbp_leads_w60 float4, bqx_mood_w1440 float4,
    bqx_breadth_dispersion_w20 float4, bqx_breadth_synchrony_w20 float4,
    bqx_eurusd_triangle_resid_w20 float4, bqx_eurusd_triangle_resid_z_w20 float4
);

CREATE TYPE bqx.derived_bqx AS (
    ts_utc timestamptz, bqx_momentum_alignment float4, bqx_volatility_regime_w75_1440 float4
);

CREATE TYPE bqx.derived_idx AS (
    ts_utc timestamptz, rate_trend_strength float4
);

CREATE TYPE bqx.time AS (
    ts_utc timestamptz, clock_session_tokyo float4, clock_session_london float4,
    clock_session_ny float4, clock_session_overlap_ldn_ny float4, clock_session_hour float4,
    clock_session_is_open float4, clock_session_minutes_to_close float4, clock_time_sin_hour float4,
    clock_time_cos_hour float4, clock_time_sin_minute float4, clock_time_cos_minute float4,
    clock_time_sin_dow float4, clock_time_cos_dow float4, clock_dow float4,
    clock_is_month_end float4, clock_is_week_roll float4, clock_days_to_holiday_us float4,
    clock_days_to_holiday_uk float4, clock_days_to_holiday_jp float4,
    clock_is_weekend_approach float4, clock_minutes_since_market_open float4,
    clock_trading_session float4, clock_session_vol_regime_w60_1440 float4
);

CREATE TYPE bqx.volume_idx AS (
    ts_utc timestamptz, rate_volume float4, rate_volume_mean_w20 float4, rate_volume_std_w20 float4,
    rate_volume_z_w20 float4, rate_volume_sum_w20 float4, rate_volume_sum_w60 float4,
    rate_volume_std_w60 float4, rate_volume_double_w60 float4, rate_volume_position_w60 float4,
    rate_volume_ratio_w15 float4, rate_volume_ratio_w30 float4, rate_volume_ratio_w60 float4,
    rate_volume_trend_w15 float4, rate_volume_trend_w30 float4, rate_volume_trend_w120 float4,
    rate_volume_trend_w60 float4, rate_volume_trend_w20 float4, rate_volume_spike_w15 float4,
    rate_volume_spike_w30 float4, rate_volume_spike_w60 float4, rate_volume_spike_w120 float4,
    rate_volume_spike_w20 float4, rate_volume_change_w5 float4, rate_volume_regime_w20_1440 float4,
    rate_ticks_up_w5 float4, rate_ticks_down_w5 float4, rate_ticks_up_w15 float4,
    rate_ticks_down_w15 float4, rate_ticks_up_w30 float4, rate_ticks_down_w30 float4,
    rate_ticks_up_w60 float4, rate_ticks_down_w60 float4, rate_ticks_up_w120 float4,
    rate_ticks_down_w120 float4, rate_ticks_up_w20 float4, rate_ticks_down_w20 float4,
    rate_ticks_net_w15 float4, rate_ticks_imbalance_w15 float4, rate_ticks_net_w30 float4,
    rate_ticks_imbalance_w30 float4, rate_ticks_net_w60 float4, rate_ticks_imbalance_w60 float4,
    rate_ticks_net_w20 float4, rate_vwap_w5 float4, rate_vwap_w15 float4, rate_vwap_w30 float4,
    rate_vwap_w60 float4, rate_vwap_w120 float4, rate_vwap_w20 float4,
    rate_volume_return_w60 float4, rate_volume_correlation_level_w15 float4,
    rate_volume_correlation_level_w30 float4, rate_volume_correlation_level_w60 float4,
    rate_volume_correlation_level_w20 float4, rate_volume_correlation_return_w20 float4,
    rate_volume_correlation_size_w60 float4, rate_volume_divergence_w5 float4,
    rate_volume_divergence_w15 float4, rate_volume_divergence_w30 float4,
    rate_volume_divergence_w60 float4, rate_volume_divergence_w120 float4,
    rate_volume_volatility_w15 float4, rate_volume_volatility_w30 float4,
    rate_volume_volatility_w60 float4, rate_volume_volatility_w120 float4
);

CREATE TYPE bqx.volume_bqx AS (
    ts_utc timestamptz, bqx_volume_mean_w5 float4, bqx_volume_mean_w15 float4,
    bqx_volume_mean_w30 float4, bqx_volume_mean_w60 float4, bqx_volume_mean_w120 float4,
    bqx_volume_correlation_w15 float4, bqx_volume_correlation_w30 float4,
    bqx_volume_correlation_w60 float4, bqx_volume_correlation_w120 float4,
    bqx_volume_correlation_w20 float4, bqx_volume_divergence_w5 float4,
    bqx_volume_divergence_w15 float4, bqx_volume_divergence_w30 float4,
    bqx_volume_divergence_w60 float4, bqx_volume_divergence_w120 float4,
    bqx_volume_surge_w60 float4, bqx_volume_drop_w60 float4, bqx_per_volume_w20 float4,
    bqx_volume_confirms_w5 float4, bqx_volume_diverges_w5 float4, bqx_volume_high_w20 float4
);

CREATE TYPE bqx.spread_idx AS (
    ts_utc timestamptz, spread_change_w5 float4, spread_level_mean_w20 float4,
    spread_level_z_w20 float4, spread_level_max_w20 float4, spread_level_spike_w20 float4,
    spread_level_compression_w20 float4, spread_level_std_w30 float4, spread_level_mean_w60 float4,
    spread_level_std_w60 float4, spread_level_range_w60 float4, spread_level_percentile_w60 float4,
    spread_level_double_w60 float4, spread_trend_w20 float4, spread_trend_w60 float4,
    spread_regime_w20_1440 float4, spread_level float4, spread_pct float4, spread_quoted float4,
    spread_imbalance float4, spread_effective float4, spread_half float4, spread_realized float4,
    spread_impact float4, spread_mid_std_w60 float4, spread_mid_toxicity_w60 float4,
    spread_tick_direction float4, spread_tick_rule_w60 float4
);

CREATE TYPE bqx.event_regime_idx AS (
    ts_utc timestamptz, rate_jump_flag_2_5_sigma float4, rate_jump_flag_3_sigma float4,
    rate_jump_count_20 float4, rate_jump_count_60 float4, rate_jump_since float4,
    rate_jump_direction float4, rate_jump_magnitude_z float4, rate_jump_decay_20 float4,
    rate_volatility_regime_20 float4, rate_volatility_regime_60 float4,
    rate_volatility_transition float4, rate_volatility_z_score_20 float4,
    rate_volatility_percentile_100 float4, rate_volatility_acceleration_20 float4,
    rate_volatility_expansion float4, rate_volatility_compression float4,
    rate_volatility_ewma_30 float4, rate_volatility_garch float4, rate_trend_state_regime_20 float4,
    rate_trend_state_regime_60 float4, rate_trend_state_strength_20 float4,
    rate_trend_state_strength_60 float4, rate_trend_state_consistency_20 float4,
    rate_trend_state_reversal float4, rate_trend_state_acceleration_20 float4,
    rate_trend_state_sideways_20 float4
);

CREATE TYPE bqx.realized_volatility_idx AS (
    ts_utc timestamptz, rate_realized_parkinson_w20 float4, rate_realized_garman_klass_w20 float4,
    rate_realized_rogers_satchell_w20 float4, rate_realized_yang_zhang_w20 float4,
    rate_realized_bipower_w20 float4, rate_realized_quarticity_w20 float4,
    rate_realized_jump_test_w20 float4, rate_realized_signed_jump_w20 float4,
    rate_realized_vol_of_vol_w20 float4, rate_realized_acceleration_w20 float4,
    rate_realized_ewma_ratio_w20 float4, rate_realized_skewness_w20 float4,
    rate_realized_high_w20 float4, rate_realized_held_w20 float4,
    rate_realized_transition_w20 float4, rate_realized_5m_parkinson_w20 float4,
    rate_realized_5m_garman_klass_w20 float4, rate_realized_5m_rogers_satchell_w20 float4,
    rate_realized_5m_yang_zhang_w20 float4, rate_realized_5m_bipower_w20 float4,
    rate_realized_5m_quarticity_w20 float4, rate_realized_5m_jump_test_w20 float4
);

CREATE TYPE bqx.realized_volatility_bqx AS (
    ts_utc timestamptz, bqx_realized_parkinson_w20 float4, bqx_realized_garman_klass_w20 float4,
    bqx_realized_rogers_satchell_w20 float4, bqx_realized_yang_zhang_w20 float4,
    bqx_realized_bipower_w20 float4, bqx_realized_quarticity_w20 float4,
    bqx_realized_jump_test_w20 float4, bqx_realized_signed_jump_w20 float4,
    bqx_realized_vol_of_vol_w20 float4, bqx_realized_acceleration_w20 float4,
    bqx_realized_ewma_ratio_w20 float4, bqx_realized_skewness_w20 float4,
    bqx_realized_high_w20 float4, bqx_realized_held_w20 float4, bqx_realized_transition_w20 float4
);

CREATE TYPE bqx.realized_volatility AS (
    ts_utc timestamptz, cross_realized_alignment_w20 float4, cross_realized_ratio_w20 float4,
    cross_realized_jumps_w20 float4
);

CREATE TYPE bqx.dual_domain AS (
    ts_utc timestamptz, both_line_rate_on_bqx_beta_w30 float4, both_line_rate_on_bqx_r2_w30 float4,
    both_line_rate_on_bqx_resid_z_w30 float4, both_line_bqx_on_rate_beta_w30 float4,
    both_line_bqx_on_rate_r2_w30 float4, both_line_bqx_on_rate_resid_z_w30 float4,
    both_line_coupling_w15_w60 float4, both_line_decoupling_w30 float4,
    both_trend_diff_a2_w30 float4, both_trend_diff_a1_w30 float4, both_trend_diff_b_w30 float4,
    both_trend_diff_r2_w30 float4, both_moments_var_ratio_w20 float4,
    both_moments_var_ratio_w60 float4, both_moments_skew_diff_w20 float4,
    both_moments_kurt_diff_w20 float4, both_moments_vol_ratio_w30 float4,
    both_moments_vol_diff_w30 float4, both_correlation_lag_0_w60 float4,
    both_correlation_lag_1_w60 float4, both_correlation_lag_5_w60 float4,
    both_correlation_lag_15_w60 float4, both_bands_z_diff_w20 float4,
    both_bands_width_ratio_w20 float4, both_bands_compression_diff_w20 float4,
    both_bands_breakout_diff_w20 float4, both_bands_slope_diff_w20 float4,
    both_bands_mismatch_w20 float4
);

CREATE TYPE bqx.parabolic_idx AS (
    ts_utc timestamptz, rate_parabolic_t2_w5 float4, rate_parabolic_t1_w5 float4,
    rate_parabolic_b_w5 float4, rate_parabolic_t2_w15 float4, rate_parabolic_t1_w15 float4,
    rate_parabolic_b_w15 float4, rate_parabolic_t2_w30 float4, rate_parabolic_t1_w30 float4,
    rate_parabolic_b_w30 float4, rate_parabolic_t2_w60 float4, rate_parabolic_t1_w60 float4,
    rate_parabolic_b_w60 float4, rate_parabolic_d_t2_w5 float4, rate_parabolic_d_t1_w5 float4,
    rate_parabolic_d_b_w5 float4, rate_parabolic_d_t2_w15 float4, rate_parabolic_d_t1_w15 float4,
    rate_parabolic_d_b_w15 float4, rate_parabolic_d_t2_w30 float4, rate_parabolic_d_t1_w30 float4,
    rate_parabolic_d_b_w30 float4, rate_parabolic_d_t2_w60 float4, rate_parabolic_d_t1_w60 float4,
    rate_parabolic_d_b_w60 float4, rate_parabolic_ratio_t1_t2_w5 float4,
    rate_parabolic_ratio_b_t1_w5 float4, rate_parabolic_ratio_b_t2_w5 float4,
    rate_parabolic_ratio_t1_t2_w15 float4, rate_parabolic_ratio_b_t1_w15 float4,
    rate_parabolic_ratio_b_t2_w15 float4, rate_parabolic_ratio_t1_t2_w30 float4,
    rate_parabolic_ratio_b_t1_w30 float4, rate_parabolic_ratio_b_t2_w30 float4,
    rate_parabolic_ratio_t1_t2_w60 float4, rate_parabolic_ratio_b_t1_w60 float4,
    rate_parabolic_ratio_b_t2_w60 float4, rate_parabolic_ratio_t2_w5_w30 float4,
    rate_parabolic_ratio_t2_w15_w60 float4, rate_parabolic_ratio_t1_w5_w30 float4,
    rate_parabolic_ratio_t1_w15_w60 float4, rate_parabolic_ratio_b_w5_w30 float4,
    rate_parabolic_ratio_b_w15_w60 float4, rate_parabolic_delta_t2_w5_w30 float4,
    rate_parabolic_delta_t2_w15_w60 float4, rate_parabolic_delta_t1_w5_w30 float4,
    rate_parabolic_delta_t1_w15_w60 float4, rate_parabolic_delta_b_w5_w30 float4,
    rate_parabolic_delta_b_w15_w60 float4, rate_parabolic_signfrac_t2 float4,
    rate_parabolic_signfrac_t1 float4, rate_parabolic_signfrac_b float4,
    rate_parabolic_agree_t2_t1_w5 float4, rate_parabolic_agree_t2_t1_w15 float4,
    rate_parabolic_agree_t2_t1_w30 float4, rate_parabolic_agree_t2_t1_w60 float4
);

CREATE TYPE bqx.parabolic_bqx AS (
    ts_utc timestamptz, bqx_parabolic_t2_w5 float4, bqx_parabolic_t1_w5 float4,
    bqx_parabolic_b_w5 float4, bqx_parabolic_t2_w15 float4, bqx_parabolic_t1_w15 float4,
    bqx_parabolic_b_w15 float4, bqx_parabolic_t2_w30 float4, bqx_parabolic_t1_w30 float4,
    bqx_parabolic_b_w30 float4, bqx_parabolic_t2_w60 float4, bqx_parabolic_t1_w60 float4,
    bqx_parabolic_b_w60 float4, bqx_parabolic_d_t2_w5 float4, bqx_parabolic_d_t1_w5 float4,
    bqx_parabolic_d_b_w5 float4, bqx_parabolic_d_t2_w15 float4, bqx_parabolic_d_t1_w15 float4,
    bqx_parabolic_d_b_w15 float4, bqx_parabolic_d_t2_w30 float4, bqx_parabolic_d_t1_w30 float4,
    bqx_parabolic_d_b_w30 float4, bqx_parabolic_d_t2_w60 float4, bqx_parabolic_d_t1_w60 float4,
    bqx_parabolic_d_b_w60 float4, bqx_parabolic_ratio_t1_t2_w5 float4,
    bqx_parabolic_ratio_b_t1_w5 float4, bqx_parabolic_ratio_b_t2_w5 float4,
    bqx_parabolic_ratio_t1_t2_w15 float4, bqx_parabolic_ratio_b_t1_w15 float4,
    bqx_parabolic_ratio_b_t2_w15 float4, bqx_parabolic_ratio_t1_t2_w30 float4,
    bqx_parabolic_ratio_b_t1_w30 float4, bqx_parabolic_ratio_b_t2_w30 float4,
    bqx_parabolic_ratio_t1_t2_w60 float4, bqx_parabolic_ratio_b_t1_w60 float4,
    bqx_parabolic_ratio_b_t2_w60 float4, bqx_parabolic_ratio_t2_w5_w30 float4,
    bqx_parabolic_ratio_t2_w15_w60 float4, bqx_parabolic_ratio_t1_w5_w30 float4,
    bqx_parabolic_ratio_t1_w15_w60 float4, bqx_parabolic_ratio_b_w5_w30 float4,
    bqx_parabolic_ratio_b_w15_w60 float4, bqx_parabolic_delta_t2_w5_w30 float4,
    bqx_parabolic_delta_t2_w15_w60 float4, bqx_parabolic_delta_t1_w5_w30 float4,
    bqx_parabolic_delta_t1_w15_w60 float4, bqx_parabolic_delta_b_w5_w30 float4,
    bqx_parabolic_delta_b_w15_w60 float4, bqx_parabolic_signfrac_t2 float4,
    bqx_parabolic_signfrac_t1 float4, bqx_parabolic_signfrac_b float4,
    bqx_parabolic_agree_t2_t1_w5 float4, bqx_parabolic_agree_t2_t1_w15 float4,
    bqx_parabolic_agree_t2_t1_w30 float4, bqx_parabolic_agree_t2_t1_w60 float4
);

CREATE TYPE bqx.parabolic AS (
    ts_utc timestamptz, both_parabolic_gap_t2_w5 float4, both_parabolic_gap_t1_w5 float4,
    both_parabolic_gap_b_w5 float4, both_parabolic_gap_t2_w15 float4,
    both_parabolic_gap_t1_w15 float4, both_parabolic_gap_b_w15 float4,
    both_parabolic_gap_t2_w30 float4, both_parabolic_gap_t1_w30 float4,
    both_parabolic_gap_b_w30 float4, both_parabolic_gap_t2_w60 float4,
    both_parabolic_gap_t1_w60 float4, both_parabolic_gap_b_w60 float4,
    both_parabolic_d_gap_t2_w5 float4, both_parabolic_d_gap_t1_w5 float4,
    both_parabolic_d_gap_b_w5 float4, both_parabolic_d_gap_t2_w15 float4,
    both_parabolic_d_gap_t1_w15 float4, both_parabolic_d_gap_b_w15 float4,
    both_parabolic_d_gap_t2_w30 float4, both_parabolic_d_gap_t1_w30 float4,
    both_parabolic_d_gap_b_w30 float4, both_parabolic_d_gap_t2_w60 float4,
    both_parabolic_d_gap_t1_w60 float4, both_parabolic_d_gap_b_w60 float4,
    panel_parabolic_std_t2_rate_w5 float4, panel_parabolic_std_t1_rate_w5 float4,
    panel_parabolic_std_b_rate_w5 float4, panel_parabolic_std_t2_rate_w15 float4,
    panel_parabolic_std_t1_rate_w15 float4, panel_parabolic_std_b_rate_w15 float4,
    panel_parabolic_std_t2_rate_w30 float4, panel_parabolic_std_t1_rate_w30 float4,
    panel_parabolic_std_b_rate_w30 float4, panel_parabolic_std_t2_rate_w60 float4,
    panel_parabolic_std_t1_rate_w60 float4, panel_parabolic_std_b_rate_w60 float4,
    panel_parabolic_std_t2_bqx_w5 float4, panel_parabolic_std_t1_bqx_w5 float4,
    panel_parabolic_std_b_bqx_w5 float4, panel_parabolic_std_t2_bqx_w15 float4,
    panel_parabolic_std_t1_bqx_w15 float4, panel_parabolic_std_b_bqx_w15 float4,
    panel_parabolic_std_t2_bqx_w30 float4, panel_parabolic_std_t1_bqx_w30 float4,
    panel_parabolic_std_b_bqx_w30 float4, panel_parabolic_std_t2_bqx_w60 float4,
    panel_parabolic_std_t1_bqx_w60 float4, panel_parabolic_std_b_bqx_w60 float4,
    panel_parabolic_signfrac_t2_rate_w15 float4, panel_parabolic_signfrac_t1_rate_w15 float4,
    panel_parabolic_signfrac_b_rate_w15 float4, panel_parabolic_signfrac_t2_rate_w60 float4,
    panel_parabolic_signfrac_t1_rate_w60 float4, panel_parabolic_signfrac_b_rate_w60 float4,
    panel_parabolic_signfrac_t2_bqx_w15 float4, panel_parabolic_signfrac_t1_bqx_w15 float4,
    panel_parabolic_signfrac_b_bqx_w15 float4, panel_parabolic_signfrac_t2_bqx_w60 float4,
    panel_parabolic_signfrac_t1_bqx_w60 float4, panel_parabolic_signfrac_b_bqx_w60 float4,
    panel_parabolic_pc1_t2_bqx_w15 float4, panel_parabolic_d_pc1_t2_bqx_w15 float4,
    panel_parabolic_pc1_t1_bqx_w15 float4, panel_parabolic_d_pc1_t1_bqx_w15 float4,
    sister_parabolic_1_gap_t2_w15 float4, sister_parabolic_1_gap_t1_w15 float4,
    sister_parabolic_1_gap_b_w15 float4, sister_parabolic_2_gap_t2_w15 float4,
    sister_parabolic_2_gap_t1_w15 float4, sister_parabolic_2_gap_b_w15 float4
);

CREATE TYPE bqx.multi_resolution_idx AS (
    ts_utc timestamptz, rate_bucket_mean_w5_10 float4, rate_bucket_mean_w15_8 float4,
    rate_bucket_vol_w5_20 float4, rate_bucket_vol_w15_12 float4, rate_bucket_rsi_w5_14 float4,
    rate_bucket_rsi_w15_14 float4, rate_bucket_macd_w5_12_26 float4,
    rate_bucket_macd_w15_12_26 float4, rate_bucket_atr_w5_14 float4,
    rate_bucket_state_return_w5 float4, rate_bucket_state_vol_regime_w5 float4,
    rate_bucket_state_trend_regime_w5 float4, rate_bucket_state_jumps_w5 float4,
    volume_bucket_mean_w5_10 float4, spread_bucket_mean_w5_10 float4,
    rate_against_mean_ratio_w5 float4, rate_against_trend_w5 float4,
    rate_against_divergence_w5 float4, rate_against_vol_ratio_w5 float4,
    rate_against_regime_w5 float4, rate_cascade_mean_ratio_w5_15 float4,
    rate_cascade_trend_w5_15 float4, rate_cascade_aligned_w5_15 float4,
    rate_cascade_diverged_w5_15 float4
);

CREATE TYPE bqx.multi_scale_idx AS (
    ts_utc timestamptz, rate_bucket_mean_w30_10 float4, rate_bucket_mean_w60_10 float4,
    rate_bucket_vol_w30_20 float4, rate_bucket_vol_w60_20 float4, rate_bucket_ema_w30_20 float4,
    rate_bucket_ema_w60_20 float4, rate_bucket_rsi_w30_14 float4, rate_bucket_rsi_w60_14 float4,
    rate_bucket_macd_w30_12_26 float4, rate_bucket_macd_w60_12_26 float4,
    rate_bucket_atr_w30_14 float4, rate_bucket_atr_w60_14 float4, rate_bucket_width_w30_20 float4,
    rate_bucket_width_w60_20 float4, rate_against_mean_ratio_w30 float4,
    rate_against_trend_w30 float4, rate_against_divergence_w30 float4,
    rate_against_mean_ratio_w60 float4, rate_against_trend_w60 float4,
    rate_against_divergence_w60 float4, rate_against_vol_ratio_w30 float4,
    rate_against_dominance_w30 float4, rate_against_vol_ratio_w60 float4,
    rate_against_dominance_w60 float4, rate_against_regime_w30 float4,
    rate_against_regime_w60 float4
);

CREATE TYPE bqx.multi_resolution_bqx AS (
    ts_utc timestamptz, bqx_bucket_mean_w5_10 float4, bqx_bucket_mean_w15_8 float4,
    bqx_bucket_vol_w5_20 float4, bqx_bucket_vol_w15_12 float4
);

CREATE TYPE bqx.multi_scale_bqx AS (
    ts_utc timestamptz, bqx_bucket_mean_w30_10 float4, bqx_bucket_mean_w60_10 float4,
    bqx_bucket_vol_w30_20 float4, bqx_bucket_vol_w60_20 float4, bqx_bucket_ema_w30_20 float4,
    bqx_bucket_ema_w60_20 float4, bqx_bucket_rsi_w30_14 float4, bqx_bucket_rsi_w60_14 float4,
    bqx_bucket_macd_w30_12_26 float4, bqx_bucket_macd_w60_12_26 float4,
    bqx_bucket_atr_w30_14 float4, bqx_bucket_atr_w60_14 float4, bqx_bucket_width_w30_20 float4,
    bqx_bucket_width_w60_20 float4, bqx_bucket_shape_slope_10_w30 float4,
    bqx_bucket_shape_z_20_w30 float4, bqx_bucket_shape_range_20_w30 float4,
    bqx_bucket_shape_autocorr_20_w30 float4, bqx_bucket_shape_slope_10_w60 float4,
    bqx_bucket_shape_z_20_w60 float4, bqx_bucket_shape_range_20_w60 float4,
    bqx_bucket_shape_autocorr_20_w60 float4, bqx_against_mean_ratio_w30 float4,
    bqx_against_trend_w30 float4, bqx_against_divergence_w30 float4,
    bqx_against_mean_ratio_w60 float4, bqx_against_trend_w60 float4,
    bqx_against_divergence_w60 float4, bqx_against_vol_ratio_w30 float4,
    bqx_against_dominance_w30 float4, bqx_against_vol_ratio_w60 float4,
    bqx_against_dominance_w60 float4, bqx_against_regime_w30 float4, bqx_against_regime_w60 float4
);

CREATE TYPE bqx.multi_resolution AS (
    ts_utc timestamptz, both_bucket_joint_var_ratio_w5_20 float4,
    both_bucket_joint_correlation_w5_20 float4
);

CREATE TYPE bqx.spectral_idx AS (
    ts_utc timestamptz, rate_spectrum_dominant_freq float4, rate_spectrum_dominant_power float4,
    rate_spectrum_secondary_freq float4, rate_spectrum_harmonic_ratio float4,
    rate_spectrum_low_power float4, rate_spectrum_high_power float4, rate_spectrum_entropy float4,
    rate_spectrum_edge_freq float4, rate_spectrum_power_trend float4,
    rate_spectrum_freq_stability float4, rate_spectrum_noise_ratio float4,
    rate_spectrum_cyclic_strength float4, rate_spectrum_energy_2_4m float4,
    rate_spectrum_energy_5_15m float4, rate_spectrum_energy_20_60m float4,
    rate_spectrum_energy_ratio float4, rate_wavelet_d1_energy float4, rate_wavelet_d2_energy float4,
    rate_wavelet_d3_energy float4, rate_wavelet_a3_energy float4, rate_wavelet_energy_ratio float4,
    rate_wavelet_trend_strength float4, rate_wavelet_entropy float4,
    rate_wavelet_singularity float4, rate_wavelet_largest_share float4,
    rate_wavelet_coherence float4, rate_wavelet_a3_slope float4, rate_ssa_trend float4,
    rate_ssa_oscillation float4, rate_ssa_noise float4, rate_ssa_trend_share float4,
    rate_ssa_oscillation_share float4, rate_ssa_noise_deviation float4,
    rate_ssa_separability float4, rate_ssa_rest float4, rate_ssa_slope float4,
    rate_ssa_curvature float4
);

CREATE TYPE bqx.spectral_bqx AS (
    ts_utc timestamptz, bqx_spectrum_dominant_freq float4, bqx_spectrum_dominant_power float4,
    bqx_spectrum_secondary_freq float4, bqx_spectrum_harmonic_ratio float4,
    bqx_spectrum_low_power float4, bqx_spectrum_high_power float4, bqx_spectrum_entropy float4,
    bqx_spectrum_edge_freq float4, bqx_spectrum_power_trend float4,
    bqx_spectrum_freq_stability float4, bqx_spectrum_noise_ratio float4,
    bqx_spectrum_cyclic_strength float4, bqx_spectrum_energy_2_4m float4,
    bqx_spectrum_energy_5_15m float4, bqx_spectrum_energy_20_60m float4,
    bqx_spectrum_energy_ratio float4, bqx_wavelet_d1_energy float4, bqx_wavelet_d2_energy float4,
    bqx_wavelet_d3_energy float4, bqx_wavelet_a3_energy float4, bqx_wavelet_energy_ratio float4,
    bqx_wavelet_trend_strength float4, bqx_wavelet_entropy float4, bqx_wavelet_singularity float4,
    bqx_wavelet_largest_share float4, bqx_wavelet_coherence float4, bqx_wavelet_a3_slope float4,
    bqx_ssa_trend float4, bqx_ssa_oscillation float4, bqx_ssa_noise float4,
    bqx_ssa_trend_share float4, bqx_ssa_oscillation_share float4, bqx_ssa_noise_deviation float4,
    bqx_ssa_separability float4, bqx_ssa_rest float4, bqx_ssa_slope float4, bqx_ssa_curvature float4
);

CREATE TYPE bqx.spectral AS (
    ts_utc timestamptz, both_spectrum_coherence_2_4m float4, both_spectrum_coherence_5_15m float4,
    both_spectrum_coherence_20_60m float4, both_spectrum_divergence float4,
    both_spectrum_dominant_freq_gap float4, both_wavelet_phase_gap float4
);

CREATE TYPE bqx.correlation_idx AS (
    ts_utc timestamptz, rate_relatives_corr_base_1_w15 float4,
    rate_relatives_corr_base_2_w15 float4, rate_relatives_corr_quote_1_w15 float4,
    rate_relatives_corr_quote_2_w15 float4, rate_relatives_delta_corr_base_w15 float4,
    rate_relatives_delta_corr_quote_w15 float4, rate_relatives_lead_lag_w15 float4,
    rate_relatives_vol_ratio_w15 float4, rate_relatives_corr_base_1_w30 float4,
    rate_relatives_corr_base_2_w30 float4, rate_relatives_corr_quote_1_w30 float4,
    rate_relatives_corr_quote_2_w30 float4, rate_relatives_delta_corr_base_w30 float4,
    rate_relatives_delta_corr_quote_w30 float4, rate_relatives_lead_lag_w30 float4,
    rate_relatives_vol_ratio_w30 float4, rate_relatives_corr_base_1_w60 float4,
    rate_relatives_corr_base_2_w60 float4, rate_relatives_corr_quote_1_w60 float4,
    rate_relatives_corr_quote_2_w60 float4, rate_relatives_delta_corr_base_w60 float4,
    rate_relatives_delta_corr_quote_w60 float4, rate_relatives_lead_lag_w60 float4,
    rate_relatives_vol_ratio_w60 float4, rate_relatives_z_corr_base_w15 float4,
    rate_relatives_z_corr_quote_w15 float4, rate_relatives_corr_stability_w15 float4,
    rate_relatives_z_corr_base_w30 float4, rate_relatives_z_corr_quote_w30 float4,
    rate_relatives_corr_stability_w30 float4, rate_relatives_z_corr_base_w60 float4,
    rate_relatives_z_corr_quote_w60 float4, rate_relatives_corr_stability_w60 float4,
    rate_relative_spread_z_w15 float4, rate_relative_spread_z_w30 float4,
    rate_relative_spread_z_w60 float4, rate_cointegration_residual_w1440 float4,
    rate_cointegration_z_w1440 float4, rate_cointegration_half_life_w1440 float4,
    rate_cointegration_of_one_residual_w1440 float4, rate_strength_base_w60 float4,
    rate_strength_quote_w60 float4, rate_strength_div_base_w60 float4,
    rate_strength_div_quote_w60 float4, rate_strength_div_cross_mom_w60 float4,
    rate_peers_corr_base_w15 float4, rate_peers_corr_quote_w15 float4,
    rate_peers_corr_base_w60 float4, rate_peers_corr_quote_w60 float4,
    rate_peers_stability_w60 float4, rate_with_eurusd_w20 float4, rate_with_gbpusd_w20 float4,
    rate_with_audusd_w20 float4, rate_with_nzdusd_w20 float4, rate_with_usdjpy_w20 float4,
    rate_with_eurusd_w60 float4, rate_with_gbpusd_w60 float4, rate_with_audusd_w60 float4,
    rate_with_nzdusd_w60 float4, rate_with_usdjpy_w60 float4, rate_dollar_systematic_w60 float4,
    rate_dollar_idiosyncratic_w60 float4, rate_majors_cov_determinant_w20 float4,
    rate_majors_cov_trace_w20 float4, rate_majors_cov_eigenvalue_max_w20 float4,
    rate_majors_cov_eigenvalue_ratio_w20 float4, rate_majors_corr_regime_w20 float4,
    rate_majors_corr_breakout_w20 float4, rate_majors_avg_pairwise_corr_w20 float4,
    rate_majors_corr_dispersion_w20 float4
);

CREATE TYPE bqx.cross_pair AS (
    ts_utc timestamptz, sister1_return_lag_w1 float4, sister1_return_lag_w5 float4,
    sister1_return_lag_w15 float4, sister1_vol_w30 float4, sister1_against_corr_w60 float4,
    sister1_against_beta_w60 float4, sister2_return_lag_w1 float4, sister2_return_lag_w5 float4,
    sister2_return_lag_w15 float4, sister2_vol_w30 float4, sister2_against_corr_w60 float4,
    sister2_against_beta_w60 float4, sister3_return_lag_w1 float4, sister3_return_lag_w5 float4,
    sister3_return_lag_w15 float4, sister3_vol_w30 float4, sister3_against_corr_w60 float4,
    sister3_against_beta_w60 float4, sister4_return_lag_w1 float4, sister4_return_lag_w5 float4,
    sister4_return_lag_w15 float4, sister4_vol_w30 float4, sister4_against_corr_w60 float4,
    sister4_against_beta_w60 float4, sister5_return_lag_w1 float4, sister5_return_lag_w5 float4,
    sister5_return_lag_w15 float4, sister5_vol_w30 float4, sister5_against_corr_w60 float4,
    sister5_against_beta_w60 float4, triangle_resid_level float4, triangle_resid_z_20 float4,
    triangle_resid_change_5 float4, triangle_resid_vol_30 float4, triangle_bqx_resid_level float4,
    triangle_bqx_resid_z_20 float4, triangle_bqx_resid_change_5 float4, triangle_aligned float4,
    dollar_factor_level_w1440 float4, dollar_factor_change_5_w1440 float4,
    dollar_factor_change_15_w1440 float4, dollar_factor_vol_30_w1440 float4,
    dollar_factor_z_60_w1440 float4, dollar_factor_trend_20_w1440 float4
);

CREATE TYPE bqx.currency AS (
    ts_utc timestamptz, currency_index_eur float4, currency_index_gbp float4,
    currency_index_aud float4, currency_index_nzd float4, currency_index_usd float4,
    currency_index_cad float4, currency_index_chf float4, currency_index_jpy float4,
    currency_index_base float4, currency_index_quote float4, currency_index_differential float4
);

CREATE TYPE bqx.cross_sectional_panel AS (
    ts_utc timestamptz, panel_xs_rank_return float4, panel_xs_rank_bqx float4,
    panel_xs_rank_a1 float4, panel_xs_rank_a2 float4, panel_xs_rank_vol float4,
    panel_xs_rank_ect float4, panel_xs_pct_return float4, panel_xs_pct_bqx float4,
    panel_xs_pct_a1 float4, panel_xs_pct_a2 float4, panel_xs_pct_vol float4,
    panel_xs_pct_ect float4, panel_xs_dispersion_return float4, panel_xs_dispersion_bqx float4,
    panel_xs_dispersion_a1 float4, panel_xs_dispersion_a2 float4, panel_xs_dispersion_vol float4,
    panel_xs_dispersion_ect float4, panel_xs_breadth_positive_a2 float4,
    panel_xs_breadth_positive_a1 float4, panel_xs_breadth_positive_return float4,
    panel_xs_breadth_positive_bqx float4, panel_xs_breadth_high_vol float4,
    panel_xs_synchrony_return float4, panel_xs_synchrony_bqx float4, panel_xs_pc1_level float4,
    panel_xs_pc1_change_5 float4, panel_xs_pc1_share float4,
    panel_xs_rank_correlation_idx_bqx float4, panel_xs_dispersion_ratio_bqx_idx float4,
    panel_xs_breadth_agreement_idx_bqx float4, panel_gap_bqx_1 float4, panel_gap_bqx_2 float4,
    panel_gap_a2_1 float4, panel_gap_a2_2 float4
);

CREATE TYPE bqx.cross_pair_momentum AS (
    ts_utc timestamptz, sisters_product_quad_1_w60 float4, sisters_product_lin_1_w60 float4,
    sisters_product_quad_2_w60 float4, sisters_product_lin_2_w60 float4,
    sisters_product_quad_1_w90 float4, sisters_product_lin_1_w90 float4,
    sisters_product_quad_2_w90 float4, sisters_product_lin_2_w90 float4,
    sisters_product_quad_1_w150 float4, sisters_product_lin_1_w150 float4,
    sisters_product_quad_2_w150 float4, sisters_product_lin_2_w150 float4,
    sisters_product_quad_1_w240 float4, sisters_product_lin_1_w240 float4,
    sisters_product_quad_2_w240 float4, sisters_product_lin_2_w240 float4,
    sisters_product_quad_1_w390 float4, sisters_product_lin_1_w390 float4,
    sisters_product_quad_2_w390 float4, sisters_product_lin_2_w390 float4,
    sisters_product_quad_1_w630 float4, sisters_product_lin_1_w630 float4,
    sisters_product_quad_2_w630 float4, sisters_product_lin_2_w630 float4
);

CREATE TYPE bqx.cross_pair_volatility AS (
    ts_utc timestamptz, sisters_volatility_ratio_1_w30 float4, sisters_volatility_high_1_w30 float4,
    sisters_volatility_low_1_w30 float4, sisters_volatility_ratio_2_w30 float4,
    sisters_volatility_high_2_w30 float4, sisters_volatility_low_2_w30 float4,
    sisters_volatility_ratio_1_w60 float4, sisters_volatility_high_1_w60 float4,
    sisters_volatility_low_1_w60 float4, sisters_volatility_ratio_2_w60 float4,
    sisters_volatility_high_2_w60 float4, sisters_volatility_low_2_w60 float4
);

CREATE TYPE bqx.cross_pair_correlation_drift AS (
    ts_utc timestamptz, sisters_drift_change_1_w60 float4, sisters_drift_size_1_w60 float4,
    sisters_drift_decoupling_1_w60 float4, sisters_drift_change_2_w60 float4,
    sisters_drift_size_2_w60 float4, sisters_drift_decoupling_2_w60 float4,
    sisters_drift_change_1_w240 float4, sisters_drift_size_1_w240 float4,
    sisters_drift_decoupling_1_w240 float4, sisters_drift_change_2_w240 float4,
    sisters_drift_size_2_w240 float4, sisters_drift_decoupling_2_w240 float4
);

CREATE TYPE bqx.error_correction_idx AS (
    ts_utc timestamptz, rate_ect_triangle_w1440 float4, rate_ect_cluster_w1440 float4,
    rate_ect_cross_w1440 float4, rate_ect_majors_w1440 float4, rate_ect_velocity_w1440 float4,
    rate_ect_accel_w1440 float4, rate_ect_half_life_w1440 float4, rate_ect_weight_eur_w1440 float4,
    rate_ect_weight_gbp_w1440 float4, rate_ect_weight_aud_w1440 float4,
    rate_ect_z_score_w1440 float4, rate_ect_inbound_w1440 float4
);

CREATE TYPE bqx.error_correction_bqx AS (
    ts_utc timestamptz, bqx_ect_triangle_w1440 float4, bqx_ect_cluster_w1440 float4,
    bqx_ect_cross_w1440 float4, bqx_ect_majors_w1440 float4, bqx_ect_velocity_w1440 float4,
    bqx_ect_accel_w1440 float4, bqx_ect_half_life_w1440 float4, bqx_ect_weight_eur_w1440 float4,
    bqx_ect_weight_gbp_w1440 float4, bqx_ect_weight_aud_w1440 float4, bqx_ect_z_score_w1440 float4,
    bqx_ect_inbound_w1440 float4
);

CREATE TYPE bqx.error_correction AS (
    ts_utc timestamptz, both_ect_alignment_w1440 float4, both_ect_divergence_w1440 float4,
    both_ect_lead_lag_w1440 float4, both_ect_z_gap_w1440 float4,
    both_ect_velocity_alignment_w1440 float4, both_ect_joint_inbound_w1440 float4
);

CREATE TYPE bqx.hmm_regime_idx AS (
    ts_utc timestamptz, rate_cusum_returns_w1440_240 float4, rate_cusum_alarm_w1440_240 float4,
    rate_cusum_reset_w1440_240 float4, rate_cusum_a2_w1440_240 float4
);

CREATE TYPE bqx.hmm_regime_bqx AS (
    ts_utc timestamptz, bqx_cusum_momentum_w1440_240 float4, bqx_cusum_velocity_w1440_240 float4,
    bqx_cusum_alarm_w1440_240 float4, bqx_cusum_reset_w1440_240 float4
);
