"""All families joined: the features by name, profiles, and what ties artefacts to them."""

from collections.abc import Iterable, Mapping

import pandas as pd

from bqx.errors import ParameterError
from bqx.features.documents import Lists
from bqx.features.families import calendar, rate_vs_bqx
from bqx.features.families.cross_pair import (
    cointegration,
    cross_section,
    currency_factors,
    currency_peers,
    dollar_block,
    lead_lag,
    market_regime,
    relatives,
    sisters,
)
from bqx.features.families.distribution import autocorrelation, moments, quantiles
from bqx.features.families.learned import embeddings
from bqx.features.families.microstructure import (
    quotes,
    spread,
    volume,
    volume_and_bqx,
    volume_and_rate,
)
from bqx.features.families.spectral import fourier, ssa, wavelet
from bqx.features.families.technical import (
    bollinger,
    directional,
    fibonacci,
    multi_scale,
    ohlc,
    ohlcv,
    oscillators,
    resampled,
    stochastic,
)
from bqx.features.families.trend import (
    alignment,
    bqx,
    moving_averages,
    quadratic,
    quadratic_compared,
    quadratic_panel,
    quadratic_terms,
    raw_lags,
)
from bqx.features.families.volatility import jumps_and_trends, realized, regimes
from bqx.features.spec import Family, Feature
from bqx.files import digest

_MODULES = (
    quadratic,
    moments,
    autocorrelation,
    quantiles,
    bollinger,
    oscillators,
    stochastic,
    directional,
    ohlc,
    ohlcv,
    fibonacci,
    moving_averages,
    raw_lags,
    bqx,
    quadratic_terms,
    alignment,
    calendar,
    volume,
    volume_and_rate,
    volume_and_bqx,
    spread,
    quotes,
    jumps_and_trends,
    realized,
    rate_vs_bqx,
    quadratic_compared,
    quadratic_panel,
    resampled,
    multi_scale,
    fourier,
    wavelet,
    ssa,
    relatives,
    currency_peers,
    dollar_block,
    market_regime,
    sisters,
    currency_factors,
    cross_section,
    lead_lag,
    cointegration,
    regimes,
)

_DEFINED = tuple(family for module in _MODULES for family in module.FAMILIES)


def join(families: Iterable[Family]) -> dict[str, Feature]:
    """Features of families by name, in order.

    Raises ParameterError when two features share a name.
    """
    features: dict[str, Feature] = {}
    for family in families:
        for feature in family.features():
            if feature.name in features:
                raise ParameterError(
                    f"catalog: two features share a name, got {feature.name!r} in families "
                    f"{features[feature.name].family.name!r} and {family.name!r}; expected unique "
                    "names. Rename an output."
                )
            features[feature.name] = feature
    return features


FAMILIES: tuple[Family, ...] = (
    *_DEFINED,
    *embeddings.families(Lists(join(_DEFINED)).members("v4")),
)
"""Every family, in the catalog's order: at the end, what is learnt from the others."""

FEATURES = join(FAMILIES)
"""Every feature of the catalog by name."""

LISTS = Lists(FEATURES)
"""What the documents list, resolved to features."""


def profile(name: str = "full") -> tuple[Feature, ...]:
    """Features of a profile in catalog order.

    Raises ParameterError when there is no such profile.
    """
    return LISTS.members(name)


def frame(features: Iterable[Feature]) -> pd.DataFrame:
    """Catalog table: a row a feature."""
    return pd.DataFrame([feature.row() for feature in features])


def tables(features: Iterable[Feature]) -> dict[str, tuple[Feature, ...]]:
    """Features by store table, in order."""
    out: dict[str, tuple[Feature, ...]] = {}
    for feature in features:
        out[feature.table] = (*out.get(feature.table, ()), feature)
    return out


def identities(features: Iterable[Feature]) -> dict[str, str]:
    """Identity of each feature by its name; see `Feature.identity`."""
    return {feature.name: feature.identity() for feature in features}


def catalog_hash(features: Iterable[Feature]) -> str:
    """SHA-256 over the identities of features, hexadecimal: one word for people to compare."""
    return digest(identities(features))


def changed(held: Mapping[str, str]) -> list[str]:
    """Names of features whose identity is another one than the catalog's, or that it lacks."""
    return [
        name
        for name, identity in held.items()
        if name not in FEATURES or FEATURES[name].identity() != identity
    ]
