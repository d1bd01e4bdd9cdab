"""A store within a certificate: what its files hold is what was proven, and the hash of each."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bqx.errors import ArtefactError
from bqx.feature_store.build import bars_hash
from bqx.feature_store.store import Store
from bqx.features.spec import Feature


def hashes(store: Store, bars: Path, features: Sequence[Feature]) -> dict[str, Any]:
    """Hashes of a store's files, for the certificate of the features on these bars.

    Returns ``place``, ``bars`` (hash of all bar files) and ``files`` (SHA-256 by path).

    Raises
    ------
    ArtefactError : a file is not what was written, or the store holds other features than these,
        values of other code, or values of other bars.
    """
    files = store.verify_all()
    place, proven = store.folder.place, {feature.name for feature in features}
    published = [f for table in store.all_tables for f in store.features(table)]
    others = [f.name for f in published if f.name not in proven or not store.has(f)]
    if others:
        raise ArtefactError(
            f"{place}: not what is proven, got {len(others)} of {len(published)} features of "
            f"another profile or of other code, such as {others[0]}; expected those of the "
            "certificate. Pass the --profile it was built with, or build it again."
        )
    digest = bars_hash(bars)
    unlike = [pair for pair in store.pairs if store.origin(pair)["bars"] != digest]
    if unlike:
        raise ArtefactError(
            f"{place}: of other bars, got {', '.join(unlike)} built from files that are not those "
            f"of {bars}; expected the same. Pass its bars with --bars, or build it again."
        )
    return {"place": place, "bars": digest, "files": files}
