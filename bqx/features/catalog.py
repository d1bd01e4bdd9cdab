"""All families joined: the features by name, profiles, and the hash that ties artefacts to them."""

import hashlib
import json
from collections.abc import Iterable

import pandas as pd

from bqx.errors import ParameterError
from bqx.features import (
    backward,
    bollinger,
    bucketed,
    climate,
    clock,
    comovement,
    correlation,
    crosssection,
    derived,
    directional,
    distribution,
    dollar,
    dual,
    errorcorrection,
    events,
    fibonacci,
    interactions,
    lagged,
    learned,
    moving,
    order,
    oscillators,
    parabolic,
    parabolic_panel,
    peers,
    price_indicators,
    quotes,
    realized,
    regimes,
    regression,
    scales,
    sisters,
    spectrum,
    spread,
    ssa,
    statistics,
    stochastic,
    terms,
    volume,
    volume_bqx,
    volume_indicators,
    volume_rate,
    wavelet,
)
from bqx.features.profiles import Lists
from bqx.features.spec import Family, Feature

_MODULES = (
    regression,
    statistics,
    distribution,
    order,
    bollinger,
    oscillators,
    stochastic,
    directional,
    price_indicators,
    volume_indicators,
    fibonacci,
    moving,
    lagged,
    backward,
    terms,
    derived,
    clock,
    volume,
    volume_rate,
    volume_bqx,
    spread,
    quotes,
    events,
    realized,
    dual,
    parabolic,
    parabolic_panel,
    bucketed,
    scales,
    spectrum,
    wavelet,
    ssa,
    correlation,
    peers,
    comovement,
    climate,
    sisters,
    dollar,
    crosssection,
    interactions,
    errorcorrection,
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
    *learned.families(Lists(join(_DEFINED)).members("v4")),
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


def catalog_hash(features: Iterable[Feature]) -> str:
    """SHA-256 over the features' declarations, hexadecimal."""
    rows = [feature.row() for feature in features]
    return hashlib.sha256(json.dumps(rows, sort_keys=True).encode()).hexdigest()
