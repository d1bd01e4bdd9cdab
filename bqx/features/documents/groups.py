"""Groups of features by what they speak of, as the inventory curates its selection."""

from bqx.features.spec import Feature

_BY_TABLE = {
    "dual_domain": "dual",
    "cross_pair": "cross_pair",
    "time": "time_and_regime",
    "event_regime": "time_and_regime",
    "regimes": "time_and_regime",
    "hmm_regime": "time_and_regime",
}

_BY_DOMAIN = {"rate": "rate", "bqx": "bqx", "clock": "time_and_regime", "learned": "learned"}


def group_of(feature: Feature) -> str:
    """Group of a feature, one of `bqx.params.rules.GROUPS`: of its table, else of its domain.

    >>> from bqx.features import catalog
    >>> group_of(catalog.FEATURES["rate_quadratic_r2_w15"])
    'rate'
    """
    return _BY_TABLE.get(feature.family.table) or _BY_DOMAIN.get(feature.domain, "cross_pair")
