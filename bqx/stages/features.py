"""Notebook 02: the catalog's features of every pair, published as a store."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bqx.causality import certificate
from bqx.database import published
from bqx.errors import ArtefactError, ParameterError
from bqx.feature_store import build as building
from bqx.feature_store import manifest as manifests
from bqx.feature_store import month_file, pair_months
from bqx.feature_store.history import History
from bqx.feature_store.object_store import Folder
from bqx.feature_store.store import Store
from bqx.features import catalog
from bqx.features.engine.compute import table, warm_up
from bqx.features.engine.requirements import INPUTS, needs
from bqx.features.lags import Column
from bqx.features.spec import Feature
from bqx.files import digest
from bqx.market.bars import Bars
from bqx.market.pairs import PAIRS
from bqx.parallel import over_pairs
from bqx.params import NOTEBOOK_KEYS, Params
from bqx.params.own_files import own_files
from bqx.runs import artefacts
from bqx.runs.run import Run, Stage
from bqx.stages import remarks as sentences
from bqx.stages.bars import load

NAME = "02_features"

FOLDER = artefacts.FEATURES.path()
"""The store, in the run folder."""


def _published(params: Params) -> tuple[Feature, ...]:
    """The profile without fitted features, whose values belong to a fold."""
    return tuple(feature for feature in catalog.profile(params.profile) if not feature.fit_key)


def build(params: Params) -> pd.DataFrame:
    """Compute, or read from ``published``, and store every feature of every pair.

    A folder per table and pair, a file per month.

    Returns one row per pair and feature: share missing after warm-up, mean, deviation, and the
    pairs and columns that the run lacks and it cannot do without.
    """
    run = Run.open(params.folder, params)
    bars = load(run).bars
    own_features = catalog.adopt(params.own_features)
    features = _published(params)
    inputs = (*artefacts.roots(artefacts.BARS), *own_files(params, ("features",)))
    with run.stage(NAME, NOTEBOOK_KEYS[NAME], inputs) as stage:
        if own_features:
            certify(bars, own_features)
        stage.note(catalog_hash=catalog.catalog_hash(catalog.FEATURES.values()))
        artefacts.CATALOG.write(stage, catalog.frame(features).to_dict("records"))
        _write(stage, bars, features)
    return _shares(run, bars, features)


def certify(bars: dict[str, Bars], features: tuple[Feature, ...]) -> None:
    """Refuse a user's own features that read ahead, or none of the bars that they say they read,
    before anything reads their values.

    Raises ParameterError for them, and for a kernel that fails.
    """
    proof = certificate.certify(bars, features)
    if not proof.clean or proof.deaf:
        raise ParameterError(
            f"features: not causal, got\n{proof.verdict}\nexpected values of bars, that do not "
            "depend on what comes after them. Mend the kernel; bqx certify --bars FOLDER "
            "--features FILE tries it alone."
        )


def _write(stage: Stage, bars: dict[str, Bars], features: tuple[Feature, ...]) -> None:
    """Write the files whose bars or columns are not what they were; the others stay."""
    tables = catalog.tables(features)
    months = building.months_of(next(iter(bars.values())))
    origin = {"bars": stage.run.manifest["data_hash"], "months": list(months)}
    key = digest(origin)
    folder = Folder(stage.path(f"{FOLDER}/{manifests.MANIFEST}").parent)
    try:
        before = manifests.read(folder)
    except ArtefactError:  # a damaged one is replaced
        before = {"builds": {}, "files": {}}
    paths = {pair: building.paths_of(tables, pair, months) for pair in bars}
    absent = {
        pair: building.missing(folder, before, tables, pair, list(months), key) for pair in bars
    }
    files = {
        path: before["files"].get(path) for pair_paths in paths.values() for path in pair_paths
    }
    absent_paths = {path for of_pair in absent.values() for path in of_pair}
    stage.add(*(f"{FOLDER}/{path}" for path in files if path not in absent_paths))
    address = (stage.run.params.published,) if stage.run.params.published else ()

    def write(entries: dict[str, Any]) -> None:
        files.update(entries)
        stage.add(*(f"{FOLDER}/{path}" for path in entries))

    pair_months.make(
        bars,
        months,
        tables,
        absent,
        stage.run.params.workers,
        work=published.write_files if address else pair_months.write_files,
        place=(folder.place, key, *address),
        write=write,
        backend=stage.run.params.backend,
    )
    stage.write_json(f"{FOLDER}/{month_file.CATALOG}", month_file.listed(features))
    stage.write_json(
        f"{FOLDER}/{manifests.MANIFEST}", manifests.content({key: origin}, files, features)
    )


def histories(run: Run, bars: Mapping[str, Bars]) -> dict[str, History]:
    """History of each of a run's pairs, with the published features.

    Without them where the run has none, or has them of other bars; what is computed by other code
    today is not read.

    Raises ArtefactError when the manifest of the store is damaged.
    """
    entry = run.stages.get(NAME, {})
    # A user's own files lie elsewhere, and are part of what their features are known by.
    made_here = {
        path: content
        for path, content in entry.get("inputs", {}).items()
        if not Path(path).is_absolute()
    }
    current = entry and made_here.items() <= run.outputs.items()
    folder = str(run.need(f"{FOLDER}/{manifests.MANIFEST}").parent) if current else ""
    return {pair: History(pair_bars, folder) for pair, pair_bars in bars.items()}


def _shares(run: Run, bars: dict[str, Bars], features: tuple[Feature, ...]) -> pd.DataFrame:
    columns, place = [Column(feature) for feature in features], str(run.folder / FOLDER)
    tasks = {pair: (place, pair, columns, _lacking(pair_bars)) for pair, pair_bars in bars.items()}
    shares: dict[str, pd.DataFrame] = {}
    workers, backend = run.params.workers, run.params.backend
    over_pairs(_pair_shares, tasks, workers, write=shares.__setitem__, backend=backend)
    return pd.concat([shares[pair] for pair in bars], ignore_index=True)


def _pair_shares(
    place: str, pair: str, columns: Sequence[Column], lacking: tuple[str, ...]
) -> pd.DataFrame:
    """What a pair's files hold of each feature; ``lacking`` is what its bars lack."""
    store, shares = Store(place), []
    for members in catalog.tables(column.feature for column in columns).values():
        frame = store.read(pair, members).iloc[warm_up(members) :]
        moments = {"missing": frame.isna().mean(), "mean": frame.mean()}
        table = pd.DataFrame(moments | {"deviation": frame.std(ddof=0)})
        shares.append(table.rename_axis("feature").reset_index().assign(pair=pair))
        never = [member for member in members if table.loc[member.name, "missing"] == 1.0]
        missed = needs(never, pair, lacking)
        shares[-1]["needs"] = [" ".join(missed.get(name, ())) for name in table.index]
    return pd.concat(shares, ignore_index=True)


def _lacking(bars: Bars) -> tuple[str, ...]:
    """Pairs without bars, and columns that the pair's bars have no value of."""
    quoted = np.zeros(len(PAIRS), dtype=bool) if bars.panel is None else bars.panel.baselines > 0
    pairs = [pair for pair, has_bars in zip(PAIRS, quoted, strict=True) if not has_bars]
    return (*pairs, *(name for name in INPUTS if bars.frame[name].isna().all()))


def absent(shares: pd.DataFrame) -> pd.DataFrame:
    """Features without a value in the whole run, counted by pair and what they need."""
    never = shares[shares["missing"] == 1.0]
    return never.groupby(["pair", "needs"], sort=False).agg(
        features=("feature", "size"), such_as=("feature", "first")
    )


def remarks(shares: pd.DataFrame) -> list[str]:
    """What is to be said of features that have few values or none, with what can be done."""
    return sentences.of_features(shares)


def republished(params: Params) -> int:
    """Published values of the last row that differ from those computed from the last bars alone."""
    run = Run.open(params.folder, params)
    store = Store(run.need(FOLDER))
    differ = 0
    for pair, bars in load(run).bars.items():
        for members in catalog.tables(_published(params)).values():
            last = max(len(bars) - max(warm_up(members), 1), 0)
            anew = table(bars.rows(last, len(bars)), members).iloc[-1]
            stored = store.read(pair, members, since=bars.ts[-1]).iloc[-1]
            differ += int((~((anew == stored) | (anew.isna() & stored.isna()))).sum())
    return differ
