"""Profiles: the documents' lists, resolved into features of the catalog.

``full`` is every feature but those that are learnt from others, ``core`` the window-exact start of
the inventory (trend, statistics, Bollinger, technical, clock), ``v1`` to ``v4`` the documents,
``v4_encoded`` v4 and the autoencoder's code, ``learned`` v4 and all that is learnt from it. A name
that no feature bears yet is left out of its profile and counted by the reconciliation.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from bqx.errors import ParameterError
from bqx.features.documents.companions import OTHER
from bqx.features.documents.lists import Table
from bqx.features.documents.v1 import V1
from bqx.features.documents.v2_v4 import V2, V4
from bqx.features.documents.v3 import V3
from bqx.features.spec import Feature

CODES = "autoencoder_embeddings"
"""Table of the autoencoder's code."""

DOCUMENTS = {document.name: document for document in (V1, V2, V3, V4)}
"""Documents that are profiles."""

EVERY = (*DOCUMENTS.values(), OTHER)
"""All documents that list features."""

LEARNED = "learned"
"""The profile, and the domain of the features that v4 does not have."""

ENCODED = "v4_encoded"
"""The profile of v4 and the autoencoder's code of it."""

NAMES = ("full", "core", *DOCUMENTS, ENCODED, LEARNED)
"""Names of the profiles."""

CORE = V2.tables[: [table.name for table in V2.tables].index("time") + 1]
"""Tables of the inventory that make up ``core``."""


@dataclass(frozen=True)
class Plan:
    """Which features of a profile have lags, and which a column under the 61-minute rule.

    ``causality`` may hold features that are not in the profile; they have that column alone.
    """

    laggable: frozenset[Feature]
    causality: tuple[Feature, ...]


def plan_of(features: Iterable[Feature]) -> Plan:
    """Lags that the features declare."""
    features = tuple(features)
    return Plan(
        frozenset(feature for feature in features if feature.laggable),
        tuple(feature for feature in features if feature.causality_lag),
    )


class Lists:
    """The documents' lists over the features of a catalog, by name."""

    def __init__(self, features: Mapping[str, Feature]) -> None:
        self._features = features

    @cached_property
    def _by_alias(self) -> dict[tuple[str, str], Feature]:
        return {(f.table, f.alias): f for f in self._features.values() if f.alias}

    def resolve(self, table: Table) -> dict[str, Feature | None]:
        """Feature of each of a table's names, None where the catalog has none."""
        return {name: self._find(table, name) for name in table.names}

    def _find(self, table: Table, name: str) -> Feature | None:
        alias = table.renamed.get(name, name)
        for where in table.tables:
            if (where, alias) in self._by_alias:
                return self._by_alias[where, alias]
        return self._features.get(alias) if name in table.renamed else None

    def _union(self, tables: Iterable[Table]) -> tuple[Feature, ...]:
        """Features of some tables, each once, in the order of the catalog."""
        chosen = {feature for table in tables for feature in self.resolve(table).values()}
        return tuple(feature for feature in self._features.values() if feature in chosen)

    def members(self, name: str) -> tuple[Feature, ...]:
        """Features of a profile, each once, in the order of the catalog.

        Raises ParameterError when there is no such profile.
        """
        if name not in NAMES:
            raise ParameterError(
                f"profile: unknown profile, got {name!r}; expected one of {', '.join(NAMES)}."
            )
        if name == "full":
            return tuple(f for f in self._features.values() if f.domain != LEARNED)
        if name in (ENCODED, LEARNED):
            learnt = (f for f in self._features.values() if f.domain == LEARNED)
            codes = (f for f in learnt if name == LEARNED or f.table == CODES)
            return (*self.members("v4"), *codes)
        return self._union(CORE if name == "core" else DOCUMENTS[name].tables)

    def plan(self, name: str) -> Plan:
        """Lags of a profile: its document's, or the features' own where it states none."""
        features = self.members(name)
        document = DOCUMENTS.get(name)
        if document is None or not document.lags:
            return plan_of(features)
        return Plan(
            frozenset(self._union(table for table in document.tables if table.laggable)),
            self._union(Table("", len(n), n, (table,)) for table, n in document.causality),
        )

    def unlisted(self) -> tuple[Feature, ...]:
        """Features that stand in no list of any document."""
        listed = set(self._union(table for document in EVERY for table in document.tables))
        return tuple(feature for feature in self._features.values() if feature not in listed)
