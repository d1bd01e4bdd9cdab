"""Every family of the catalog: nanoseconds a value on one thread, beside its peers."""

from collections.abc import Callable
from dataclasses import replace
from statistics import median
from typing import Any

import numpy as np
import pytest
from measure import PAIR, Goal, fresh, panel, seconds
from peers import PEERS, Series
from twins import FITS

from bqx.features import catalog
from bqx.features.engine.compute import compute
from bqx.features.spec import Feature
from bqx.market.bars import Bars

pytestmark = pytest.mark.benchmarks

FUSED = 4
DECOMPOSED = ("ssa",)
TURNS = 2
SOME = 4_000
"""Rows that show whether a family reads other pairs."""


def nanoseconds(work: Callable[[], object], values: float) -> float:
    return seconds(work) / values * 1e9


def reads_others(features: list[Feature], bars: Bars) -> bool:
    """Whether values of a pair depend on other pairs."""
    some = bars.rows(0, min(len(bars), SOME))
    alone, among = (
        compute(each, features, fits=FITS) for each in (replace(some, panel=None), some)
    )
    return not np.array_equal(alone, among, equal_nan=True)


def measured(features: list[Feature], bars: dict[str, Bars], *, shared: bool) -> dict[str, float]:
    """A family with its source, and without it where other families read the source too.

    What other pairs give is made once for all 28: families that read it are measured over them.
    """
    pairs = list(bars.values()) if reads_others(features, bars[PAIR]) else [bars[PAIR]]
    values = len(bars[PAIR]) * len(features) * len(pairs)

    def each(work: Callable[[Bars], object]) -> float:
        def of_all() -> None:
            for of in fresh(pairs):
                work(of)

        return nanoseconds(of_all, values)

    whole = each(lambda of: compute(of, features, fits=FITS))
    source = each(features[0].source.build) if shared else 0.0
    return {"values": len(features), "ns": max(whole - source, 0.0), "ns_with_source": whole}


@pytest.fixture(scope="module")
def families(rows: int, results: dict[str, Any]) -> list[dict[str, Any]]:
    bars = panel(rows)
    series = Series.of(bars[PAIR])
    groups: dict[tuple[str, str], list[Feature]] = {}
    for feature in catalog.profile():
        groups.setdefault((feature.family.name, feature.source.key), []).append(feature)
    readers = [group[0].source for group in groups.values()]
    found = []
    for (name, source), group in groups.items():
        row = {"family": name, "source": source, "table": group[0].table,
               "outputs": len(group[0].family.outputs)}  # fmt: skip
        peers = PEERS.get((name, source), ())
        shared = readers.count(group[0].source) > 1
        took = []
        # By turns, so that a change of the processor's clock falls on all of them.
        for _ in range(TURNS if peers else 1):
            own = measured(group, bars, shared=shared)
            took.append((own, [
                nanoseconds(lambda p=peer: p.work(series),  # type: ignore
                            peer.values * rows / peer.share)
                for peer in peers
            ]))  # fmt: skip
        row |= {of: min(own[of] for own, _ in took) for of in took[0][0]}
        of_peers = zip(peers, *(others for _, others in took), strict=True)
        row["peers"] = [{"peer": peer.name, "ns": min(ns)} for peer, *ns in of_peers]
        found.append(row)
        print(f"\n{row}", end="")
    results["families"] = found
    return found


def times_as_fast(families: list[dict[str, Any]], peer: str, *names: str) -> float:
    """Time of a peer's values over that of as many of ours, over some families of the rate."""
    chosen = [
        (row, found["ns"])
        for row in families
        for found in row["peers"]
        if found["peer"] == peer and (not names or row["family"] in names)
    ]
    return sum(ns for _, ns in chosen) / sum(row["ns"] for row, _ in chosen)


def test_every_peer_belongs_to_a_family(families: list[dict[str, Any]]) -> None:
    assert {(row["family"], row["source"]) for row in families if row["peers"]} == set(PEERS)
    assert sum(row["values"] for row in families) == len(catalog.profile())


def test_a_value_costs_nanoseconds(families: list[dict[str, Any]], results: dict[str, Any]) -> None:
    fused = median(row["ns"] for row in families if row["outputs"] >= FUSED)
    Goal(
        "median fused family, a value", fused, 4.0, 40.0, "ns",
        f"{FUSED} outputs or more of one pass; many take a window's values one by one", more=False,
    ).check(results)  # fmt: skip
    slowest = max(row["ns"] for row in families if row["family"] not in DECOMPOSED)
    Goal(
        "slowest family that decomposes no matrix, a value", slowest, 60.0, 600.0, "ns",
        "run lengths take a logarithm and a power for each of 270 runs in every row", more=False,
    ).check(results)  # fmt: skip


BLOCKS = "a peer keeps one running sum; ours restart, so that no value depends on the first row"


@pytest.mark.parametrize(
    ("what", "peer", "names", "goal", "floor"),
    [("moments", "pandas", ("moments",), 8.0, 2.0),
     ("moments", "polars", ("moments",), 10.0, 1.5),
     ("regression", "statsmodels RollingOLS", ("quadratic",), 20.0, 20.0)],
)  # fmt: skip
def test_times_as_fast_as_peers(
    what: str, peer: str, names: tuple[str, ...], goal: float, floor: float,
    families: list[dict[str, Any]], results: dict[str, Any],
) -> None:  # fmt: skip
    found = times_as_fast(families, peer, *names)
    Goal(f"{what}: times as fast as {peer}", found, goal, floor, "", BLOCKS).check(results)
