"""The later list, v3: it prints 1,080 features and itemises more."""

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
    expand,
    in_domains,
)
from bqx.features.families.cross_pair import relatives
from bqx.features.families.distribution import autocorrelation
from bqx.features.families.microstructure import quotes, spread
from bqx.features.families.technical import bollinger

CORRELATION = expand(
    "corr_{base,quote}_{15,30,60}min_{1,2} {delta,z}_corr_{base,quote}_{15,30,60}min "
    "rel_str_{base,quote} div_{base,quote,tri_arb,cross_mom} "
    "{corr_stability,lead_lag,spread_zscore,vol_ratio}_{15,30,60}min "
    "coint_{residual,halflife,zscore}"
)
STATISTICS = expand(
    "{mean,std,skew,kurt}_{5,15,30,60,120}min p{5,10,25,50,75,90,95}_15min p{50,75,90}_60min "
    "{range,iqr,mad,cv,entropy}_{15,30,60}min autocorr_lag{1,5,15}"
)
BANDS = expand("bb_{upper,middle,lower,width}_{20,30,60,120} bb_percent_b_{20,60} bb_slope_{20,60}")

_COINTEGRATION = expand(
    "coint_ect_{idx,bqx}_{eurusd_triangle,audusd_cluster,euraud_cross,usd_majors} "
    "coint_ect_{velocity,accel}_{idx,bqx}_20 coint_half_life_{idx,bqx} "
    "coint_vec_weight_{idx,bqx}_{eur,gbp,aud} coint_deviation_zscore_{idx,bqx} "
    "coint_regime_inbound_{idx,bqx} ect_{alignment,divergence,zscore_gap,velocity_alignment,"
    "joint_inbound}_idx_bqx ect_lead_lag_correlation_20"
)
_REALIZED = expand(
    "{parkinson_vol,garman_klass_vol,rogers_satchell_vol,yang_zhang_vol,bipower_var,"
    "realized_quarticity,jump_test_stat,signed_jump}_{idx,bqx}_20_1m "
    "{vol_of_vol,vol_acceleration}_{idx,bqx}_20 ewma_vol_ratio_{idx,bqx}_5_20 "
    "vol_regime_{high,duration,transition_prob}_{idx,bqx} realized_skewness_{idx,bqx}_20 "
    "vol_regime_alignment_idx_bqx realized_vol_ratio_bqx_idx jump_synchrony_idx_bqx "
    "{parkinson_vol,garman_klass_vol,rogers_satchell_vol,yang_zhang_vol,bipower_var,"
    "realized_quarticity,jump_test_stat}_idx_20_5m"
)
_REGIMES = expand(
    "hmm_state_{prob_calm,prob_trend,prob_shock,duration,transition_prob}_{idx,bqx} "
    "bocpd_{run_length,hazard_rate,growth_prob}_{idx,bqx} cusum_{returns_idx,a2_idx,"
    "momentum_bqx,velocity_bqx} cusum_alarm_flag_{idx,bqx} regime_agreement_idx_bqx "
    "regime_transition_lag_idx_bqx double_transition_flag"
)
_PANEL = expand(
    "xs_{rank,pct,dispersion}_{return,bqx,a1,a2,vol,ect} "
    "xs_breadth_positive_{a2,a1,return,bqx} xs_breadth_high_vol xs_synchrony_{return,bqx} "
    "xs_gap_{bqx,a2}_sister{1,2} panel_pc1_{level,change_5,share} "
    "xs_{rank_correlation_idx_bqx,dispersion_ratio_bqx_idx,breadth_agreement_idx_bqx}"
)
_PARABOLIC = expand(
    "{,d_}{t2,t1,b}_{rate,bqx}_w{5,15,30,60} ratio_{t1_t2,b_t1,b_t2}_{rate,bqx}_w{5,15,30,60} "
    "{,d_}gap_{t2,t1,b}_w{5,15,30,60} {ratio,delta}_{t2,t1,b}_{rate,bqx}_{w5_w30,w15_w60} "
    "signfrac_{t2,t1,b}_{rate,bqx}_windows agree_t2_t1_{rate,bqx}_w{5,15,30,60} "
    "panel_std_{t2,t1,b}_{rate,bqx}_w{5,15,30,60} panel_signfrac_{t2,t1,b}_{rate,bqx}_w{15,60} "
    "gap_{t2,t1,b}_bqx_sister{1,2}_w15 {,d_}pc1_{t2,t1}_bqx_w15"
)
_SCALES = expand(
    "rate_idx_{30m,60m}_{sma_10,ema_20,vol_20} "
    "bqx_{30m,60m}_{sma_10,vol_20,ema_20,slope_10,z_20,range_20,autocorr_20} "
    "{,bqx_}rsi_{30m,60m}_14 {,bqx_}macd_{30m,60m} {,bqx_}atr_{30m,60m}_14 "
    "{,bqx_}bb_width_{30m,60m} {,bqx_}{sma,vol}_1m_vs_{30m,60m}_ratio "
    "{,bqx_}{trend,regime}_1m_vs_{30m,60m}_agreement "
    "{,bqx_}scale_{30m,60m}_{dominance,divergence_flag}"
)
_SPECTRAL = expand(
    "fft_{dominant_freq,dominant_power,secondary_freq,harmonic_ratio,low_freq_power,"
    "high_freq_power,spectral_entropy,spectral_edge_freq,power_trend,freq_stability,noise_ratio,"
    "cyclic_strength}_{idx,bqx} "
    "wavelet_{detail_d1_energy,detail_d2_energy,detail_d3_energy,approx_a3_energy,"
    "energy_ratio_d1_d3,trend_strength,detail_entropy,singularity,scale_energy_max,coherence,"
    "a3_slope}_{idx,bqx} "
    "ssa_{trend_component,oscillatory_component,noise_component,trend_variance_explained,"
    "osc_variance_explained,noise_variance,separability,reconstruction_error,comp1_slope,"
    "comp2_curvature}_{idx,bqx} fft_energy_vshort_{idx,bqx}_2_4m fft_energy_short_{idx,bqx}_5_15m "
    "fft_energy_medium_{idx,bqx}_20_60m fft_energy_ratio_hf_lf_{idx,bqx} "
    "fft_coherence_idx_bqx_{2_4m,5_15m,20_60m} wavelet_phase_diff_idx_bqx "
    "spectral_divergence_flag fft_dominant_freq_gap_idx_bqx"
)

_RATE, _BQX, _CROSS, _ADVANCED = "rate", "bqx", "cross-domain", "advanced"
_LAGGED = "among the 520"
_OWN = "read their own trailing window"

V3 = Document(
    "v3",
    1_080,
    (
        Table("reg_idx", 90, TREND, ("reg_idx",), {}, _RATE, True, lag=_LAGGED),
        Table(
            "technical_idx",
            56,
            technical.ENHANCED_TECHNICAL,
            ("technical_idx",),
            {},
            _RATE,
            True,
            lag=_LAGGED,
        ),
        Table(
            "correlation_idx",
            45,
            CORRELATION,
            ("correlation_idx",),
            relatives.PROFILES["v3_idx"],
            _RATE,
            True,
            lag=_LAGGED,
        ),
        Table("moving_averages", 24, AVERAGES, in_domains("moving_averages"), {}, _RATE, lag=_OWN),
        Table(
            "multi_resolution",
            30,
            RESOLUTIONS,
            in_domains("multi_resolution"),
            {},
            _RATE,
            lag="read earlier bars themselves",
        ),
        Table("time", 20, CALENDAR, ("time",), {}, _RATE, lag="the clock is known ahead"),
        Table(
            "microstructure",
            3,
            expand("spread_{pct,z_20,percentile_60}"),
            ("spread_idx",),
            {**spread.SAME, **quotes.SAME},
            _RATE,
            lag="not among the 520",
        ),
        Table("reg_bqx", 90, TREND, ("reg_bqx",), {}, _BQX, True, lag=_LAGGED),
        Table(
            "technical_bqx",
            56,
            technical.ENHANCED_TECHNICAL,
            ("technical_bqx",),
            {},
            _BQX,
            True,
            lag=_LAGGED,
        ),
        Table(
            "statistics_bqx",
            48,
            STATISTICS,
            ("statistics_bqx",),
            autocorrelation.PROFILES["v3"],
            _BQX,
            True,
            lag=_LAGGED,
        ),
        Table(
            "bollinger_bqx",
            20,
            BANDS,
            ("bollinger_bqx",),
            bollinger.PROFILES["v3"],
            _BQX,
            True,
            lag=_LAGGED,
        ),
        Table(
            "fibonacci_bqx",
            20,
            technical.ENHANCED_FIBONACCI,
            ("fibonacci_bqx",),
            {},
            _BQX,
            lag="anchored to swings",
        ),
        Table(
            "correlation_bqx",
            45,
            CORRELATION,
            ("correlation_bqx",),
            relatives.PROFILES["v3_bqx"],
            _BQX,
            True,
            lag=_LAGGED,
        ),
        Table("dual_domain", 28, DUAL, in_domains("dual_domain"), {}, _CROSS, lag="compares now"),
        Table("cross_pair", 44, CROSS_PAIR, in_domains("cross_pair"), {}, _CROSS, lag="of others"),
        Table("lagged", 180, LAGGED, in_domains("lagged"), {}, _CROSS, lag="lags already"),
        Table(
            "event_regime", 26, EVENTS, in_domains("event_regime"), {}, _CROSS, lag="categorical"
        ),
        Table(
            "volume",
            32,
            expand(
                "{vw_bqx,corr_bqx_vol,vol_mom_div,uptick_ratio,downtick_ratio,vol_x_volatility,"
                "vol_trend,vol_spike}_{15,30,60,120}min"
            ),
            ("volume_bqx", "volume_idx"),
            {},
            _CROSS,
            lag="not among the 520",
        ),
        Table(
            "error_correction",
            30,
            _COINTEGRATION,
            in_domains("error_correction"),
            {},
            _ADVANCED,
            True,
            lag=_LAGGED,
        ),
        Table(
            "realized_volatility",
            40,
            _REALIZED,
            in_domains("realized_volatility"),
            {},
            _ADVANCED,
            True,
            lag=_LAGGED,
        ),
        Table(
            "hmm_regime", 25, _REGIMES, in_domains("hmm_regime"), {}, _ADVANCED, lag="categorical"
        ),
        Table(
            "cross_sectional_panel",
            35,
            _PANEL,
            in_domains("cross_sectional_panel"),
            {},
            _ADVANCED,
            lag="of all pairs",
        ),
        Table(
            "parabolic",
            180,
            _PARABOLIC,
            in_domains("parabolic"),
            {},
            _ADVANCED,
            lag="differences are in it",
        ),
        Table(
            "multi_scale",
            60,
            _SCALES,
            in_domains("multi_scale"),
            {},
            _ADVANCED,
            lag="read earlier bars themselves",
        ),
        Table("spectral", 80, _SPECTRAL, in_domains("spectral"), {}, _ADVANCED, lag=_OWN),
    ),
    2_640,
    {_RATE: 268, _BQX: 254, _CROSS: 208, _ADVANCED: 350},
    lags=True,
    causality=(
        (
            "backward_idx",
            expand(
                "rate_w60_{return,max,min,avg,stdev,endpoint} "
                "rate_agg_{return,max,min,avg,stdev,range,volatility}"
            ),
        ),
        (
            "backward_bqx",
            expand(
                "w60_bqx_{return,max_index,min_index,avg_index,stdev_index,endpoint} "
                "agg_bqx_{return,max_index,min_index,avg_index,stdev_index,range,volatility}"
            ),
        ),
        *(
            (
                table,
                expand(
                    "w60_{quadratic_term,linear_term,constant_term,residual,r2,rmse,prediction}"
                ),
            )
            for table in ("terms_idx", "terms_bqx")
        ),
    ),
)
