"""All families joined: the features by name, profiles, and what ties artefacts to them.

Families are found by walking ``features/families``: a module that declares ``FAMILIES`` is in the
catalog.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from pkgutil import walk_packages
from typing import TYPE_CHECKING

from bqx.errors import ParameterError
from bqx.features import families, own_modules
from bqx.features.documents import Lists, Plan, plan_of
from bqx.features.families.learned import embeddings
from bqx.features.spec import Family, Feature
from bqx.files import digest

if TYPE_CHECKING:
    import pandas as pd

_ORDER = (
    "trend.quadratic distribution.moments distribution.autocorrelation distribution.quantiles "
    "technical.bollinger technical.oscillators technical.rate_of_change technical.stochastic "
    "technical.directional technical.average_range technical.ohlc technical.ohlcv "
    "technical.fibonacci trend.moving_averages trend.raw_lags trend.bqx trend.quadratic_terms "
    "trend.alignment calendar microstructure.volume microstructure.volume_and_rate "
    "microstructure.volume_and_bqx microstructure.spread microstructure.quotes "
    "volatility.jumps_and_trends volatility.realized rate_vs_bqx trend.quadratic_compared "
    "trend.quadratic_panel technical.resampled technical.multi_scale spectral.fourier "
    "spectral.coherence spectral.wavelet spectral.ssa cross_pair.relatives "
    "cross_pair.currency_peers cross_pair.dollar_block cross_pair.market_regime "
    "cross_pair.sisters cross_pair.currency_factors cross_pair.cross_section cross_pair.lead_lag "
    "cross_pair.cointegration volatility.regimes"
)
"""Modules whose features have the order that models were made with; others follow by name."""


def _found() -> Iterator[Family]:
    """Families that the modules of the folder declare."""
    prefix = f"{families.__name__}."
    names = [name.removeprefix(prefix) for _, name, _ in walk_packages(families.__path__, prefix)]
    places = {name: place for place, name in enumerate(_ORDER.split())}
    for name in sorted(names, key=lambda name: (places.get(name, len(places)), name)):
        yield from getattr(import_module(prefix + name), "FAMILIES", ())


_DEFINED = tuple(_found())


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

LISTS = Lists(FEATURES.copy())
"""What the documents list, resolved to features."""

OWN = "BQX_FEATURES"
"""Environment variable that names files of users' own features, for every command and for processes
that begin later; a run's come from its parameter ``features``."""

_ADOPTED: dict[str, tuple[Feature, ...]] = {}


def adopt(files: Iterable[str]) -> tuple[Feature, ...]:
    """Join the features of users' files to the catalog, and give them.

    Raises
    ------
    ParameterError : a file cannot be imported, declares no families, or a name that is taken.
    """
    paths = [str(Path(file).resolve()) for file in files]
    for file in paths:
        if file not in _ADOPTED:
            # Processes look a function up by its module's name.
            if like := [known for known in _ADOPTED if Path(known).stem == Path(file).stem]:
                raise ParameterError(
                    f"features: two files of one name, got {file} beside {like[0]}; expected "
                    "different ones. Rename one."
                )
            own = join(own_modules.families(file))
            if taken := FEATURES.keys() & own.keys():
                raise ParameterError(
                    f"features: a name is taken, got {min(taken)} of {file}; expected names that "
                    "the catalog has not. Rename the family."
                )
            FEATURES.update(own)
            _ADOPTED[file] = tuple(own.values())
    os.environ[OWN] = os.pathsep.join(_ADOPTED)
    return tuple(feature for file in paths for feature in _ADOPTED[file])


def adopted() -> tuple[str, ...]:
    """Files of users' own features that are part of the catalog."""
    return tuple(_ADOPTED)


def own() -> tuple[Feature, ...]:
    """Users' own features that are part of the catalog."""
    return tuple(feature for features in _ADOPTED.values() for feature in features)


adopt(filter(None, os.environ.get(OWN, "").split(os.pathsep)))


def profile(name: str = "full") -> tuple[Feature, ...]:
    """Features of a profile in catalog order, and users' own.

    Raises ParameterError when there is no such profile.
    """
    return (*LISTS.members(name), *own())


def plan(name: str) -> Plan:
    """Which features of a profile are lagged, users' own as they declare it."""
    listed, others = LISTS.plan(name), plan_of(own())
    return Plan(listed.laggable | others.laggable, (*listed.causality, *others.causality))


def frame(features: Iterable[Feature]) -> pd.DataFrame:
    """Catalog table: one row per feature."""
    import pandas as pd

    return pd.DataFrame([feature.row() for feature in features])


def tables(features: Iterable[Feature]) -> dict[str, tuple[Feature, ...]]:
    """Features by store table, in order."""
    out: dict[str, tuple[Feature, ...]] = {}
    for feature in features:
        out[feature.table] = (*out.get(feature.table, ()), feature)
    return out


def identities(features: Iterable[Feature]) -> dict[str, str]:
    """Identity of each feature by its name; see `Feature.identity`."""
    return {feature.name: feature.identity for feature in features}


def catalog_hash(features: Iterable[Feature]) -> str:
    """SHA-256 over the identities of features, hexadecimal: one word for people to compare."""
    return digest(identities(features))


def changed(held: Mapping[str, str]) -> list[str]:
    """Names of features whose identity is another one than the catalog's, or that it lacks."""
    return [
        name
        for name, identity in held.items()
        if name not in FEATURES or FEATURES[name].identity != identity
    ]
