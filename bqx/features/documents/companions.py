"""Lists of companion documents that neither the inventory nor the later list holds."""

from bqx.features.documents.lists import Document, Table, both, expand
from bqx.features.documents.technical import ENHANCED_FIBONACCI
from bqx.features.documents.v3 import BANDS, STATISTICS
from bqx.features.families.learned.autoencoder import CODE
from bqx.features.families.technical import bollinger

_TERMS = "quadratic_term,linear_term,constant_term,residual,r2,rmse,prediction"
_PAIRS = "quad_lin,quad_const,quad_resid,lin_const,lin_resid,const_resid"
_STATES = "prob_calm,prob_trend,prob_shock"
_CODE = ",".join(map(str, range(1, CODE + 1)))
_FLOW = (
    "{uptick,downtick}_ratio_{5,15,30,60}min "
    "{vol_x_volatility,vol_trend,vol_spike,cum_vol_delta,vol_imbalance}_{15,30,60}min "
)

OTHER = Document(
    "other",
    None,
    (
        *both(
            "terms",
            42,
            expand(f"w{{60,90,150,240,390,630}}_{{{_TERMS}}}"),
            lag="trend then",
            laggable=True,
        ),
        Table(
            "term_covariance",
            36,
            expand(f"w{{60,90,150,240,390,630}}_cov_{{{_PAIRS}}}"),
            ("terms_bqx",),
            laggable=True,
            lag="trend then",
        ),
        Table(
            "term_covariance_planned",
            6,
            expand("{cov,corr}_{quad_lin,resid_quad,resid_lin}_bqx_60min"),
            ("correlation_bqx",),
        ),
        Table(
            "backward_idx",
            13,
            expand(
                "rate_w60_{return,max,min,avg,stdev,endpoint} "
                "rate_agg_{return,max,min,avg,stdev,range,volatility}"
            ),
            ("backward_idx",),
            laggable=True,
            lag="state of the window then",
        ),
        *both(
            "statistics",
            48,
            (*STATISTICS, *expand("jb_stat_{30,60}min")),
            {f"{name}_120min": f"{name}_120" for name in ("mean", "std", "skew", "kurt")},
            "the two of Jarque and Bera are not counted",
            "as in the later list",
            True,
        ),
        Table(
            "bollinger_idx",
            20,
            BANDS,
            ("bollinger_idx",),
            laggable=True,
            lag="as in the later list",
        ),
        Table("bollinger_bqx", 20, BANDS, ("bollinger_bqx",), bollinger.PROFILES["v3"]),
        *both("fibonacci", 20, ENHANCED_FIBONACCI),
        *(
            Table(
                f"volume_{named}",
                35,
                expand(
                    f"{level}_{{5,15,30,60,120}}min {with_volume}_{{15,30,60}}min "
                    f"{apart}_{{{windows}}}min {_FLOW}"
                ),
                ("volume_bqx", "volume_idx"),
            )
            for level, with_volume, apart, domain in (
                ("vwap", "corr_rate_vol", "vol_rate_mom_div", "idx"),
                ("vw_bqx", "corr_bqx_vol", "vol_mom_div", "bqx"),
            )
            for named, windows in (
                (f"{domain}", "15,30,60,120"),
                (f"{domain}_executed", "5,15,30,60"),
            )
        ),
        *(
            Table(
                f"hmm_regime_{domain}",
                15,
                expand(
                    f"hmm_state_{{{_STATES},duration,transition_prob}}_{domain} "
                    f"bocpd_{{run_length,hazard_rate,growth_prob,decay_prob}}_{domain} "
                    f"cusum_{{{sums}}}_{domain} cusum_{{alarm_flag,reset_periods}}_{domain} "
                    f"regime_{{entropy,persistence}}_{domain}"
                ),
                (f"hmm_regime_{domain}",),
            )
            for domain, sums in (("idx", "returns,a2"), ("bqx", "momentum,velocity"))
        ),
        Table(
            "currency_pair",
            3,
            expand("{base,quote}_currency_index currency_index_differential"),
            ("currency",),
        ),
        *(
            Table(
                f"{name}_embeddings",
                CODE,
                expand(f"embedding_{{{_CODE}}}"),
                (f"{name}_embeddings",),
                lag="of the features then",
            )
            for name in ("autoencoder", "pca")
        ),
    ),
)
