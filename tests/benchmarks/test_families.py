"""Every family of the catalog: nanoseconds a value on one thread, beside its peers."""

from collections.abc import Callable
from statistics import median
from typing import Any

import pytest
from measure import PAIR, ROWS, Goal, fresh, panel, seconds
from peers import PEERS, Series
from twins import FITS

from bqx.bars import Bars
from bqx.features import catalog
from bqx.features.compute import compute
from bqx.features.spec import Feature

pytestmark = pytest.mark.benchmarks


def nanoseconds(work: Callable[[], object], values: float) -> float:
    return seconds(work) / values * 1e9


def measured(features: list[Feature], bars: Bars, shared: bool) -> dict[str, float]:
    """A family with its source, and without it where other families read the source too."""
    values = len(bars) * len(features)
    whole = nanoseconds(lambda: compute(fresh(bars), features, fits=FITS), values)
    source = nanoseconds(lambda: features[0].source.build(fresh(bars)), values)
    own = max(whole - source, 0.0) if shared else whole
    return {"values": len(features), "ns": own, "ns_with_source": whole}


@pytest.fixture(scope="module")
def families(results: dict[str, Any]) -> list[dict[str, Any]]:
    bars = panel()[PAIR]
    series = Series.of(bars)
    groups: dict[tuple[str, str], list[Feature]] = {}
    for feature in catalog.profile():
        groups.setdefault((feature.family.name, feature.source.key), []).append(feature)
    readers = [group[0].source for group in groups.values()]
    rows = []
    for (name, source), group in groups.items():
        row = {"family": name, "source": source, "table": group[0].table}
        row |= measured(group, bars, readers.count(group[0].source) > 1)
        row["peers"] = [
            {"peer": peer.name, "ns": nanoseconds(lambda p=peer: p.work(series),  # type: ignore
                                                  peer.values * ROWS / peer.share)}
            for peer in PEERS.get((name, source), ())
        ]  # fmt: skip
        rows.append(row)
        print(f"\n{row}", end="")
    results["families"] = rows
    return rows


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
    assert sum(row["values"] for row in families) == len(catalog.FEATURES)


def test_a_value_costs_nanoseconds(families: list[dict[str, Any]], results: dict[str, Any]) -> None:
    Goal(
        "median family, a value", median(row["ns"] for row in families), 3.0, 25.0, "ns",
        "most families are one kernel pass of few outputs, so that the pass is not shared out",
        more=False,
    ).check(results)  # fmt: skip


BUSY = "on a busy machine a peer's memory traffic is hidden and our arithmetic is not"


@pytest.mark.parametrize(
    ("what", "peer", "names", "goal", "floor"),
    [("moments", "pandas", ("moments",), 8.0, 2.0),
     ("moments", "polars", ("moments",), 10.0, 1.5),
     ("regression", "statsmodels RollingOLS", ("quadratic",), 20.0, 20.0),
     ("technical indicators", "TA-Lib", (), 2.5, 0.1)],
)  # fmt: skip
def test_times_as_fast_as_peers(
    what: str, peer: str, names: tuple[str, ...], goal: float, floor: float,
    families: list[dict[str, Any]], results: dict[str, Any],
) -> None:  # fmt: skip
    found = times_as_fast(families, peer, *names)
    Goal(f"{what}: times as fast as {peer}", found, goal, floor, "", BUSY).check(results)
