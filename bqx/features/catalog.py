"""All families joined: the features by name, profiles, and the hash that ties artefacts to them."""

import hashlib
import json
from collections.abc import Iterable

import pandas as pd

from bqx.errors import ParameterError
from bqx.features import bollinger, clock, regression, statistics, technical
from bqx.features.spec import Family, Feature

FAMILIES: tuple[Family, ...] = (
    *regression.FAMILIES,
    *statistics.FAMILIES,
    *bollinger.FAMILIES,
    *technical.FAMILIES,
    *clock.FAMILIES,
)


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


FEATURES = join(FAMILIES)
"""Every feature of the catalog by name."""

PROFILES = {"full": FAMILIES}
"""Named lists of families."""


def profile(name: str = "full") -> tuple[Feature, ...]:
    """Features of a profile in catalog order.

    Raises ParameterError when there is no such profile.
    """
    if name not in PROFILES:
        raise ParameterError(
            f"profile: unknown profile, got {name!r}; expected one of {', '.join(PROFILES)}. "
            "Correct the name."
        )
    return tuple(join(PROFILES[name]).values())


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
