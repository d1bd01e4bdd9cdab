"""The book's page of benchmarks says what the JSON of the last run says."""

import json
import sys
from pathlib import Path

from bqx.report import figures

sys.path.append(str(Path(__file__).parent / "benchmarks"))
import page
from written import rounded

RESULTS = json.loads(page.RESULTS.read_text())


def test_the_page_is_that_of_the_results() -> None:
    assert page.PAGE.read_text() == page.render(RESULTS)
    assert page.FIGURE.stat().st_size > 10_000
    assert "benchmarks.png" in page.PAGE.read_text()


def test_every_family_and_goal_stands_on_the_page() -> None:
    text = page.PAGE.read_text()
    assert all(f"`{row['source']}` {row['family']} |" in text for row in RESULTS["families"])
    assert all(f"| {goal['what']} |" in text for goal in RESULTS["goals"])


def test_results_are_whole() -> None:
    found = page.peers(RESULTS)
    rows = [(row["ns"], len(row["peers"]) or 1) for row in RESULTS["families"]]
    assert found["ns"].tolist() == [ns for ns, peers in rows for _ in range(peers)]
    assert found["ns"].min() > 0
    beside = [peer["ns"] for row in RESULTS["families"] for peer in row["peers"]]
    assert found["peer_ns"].dropna().tolist() == beside
    assert len(figures.benchmarks(found).axes) == 2
    assert rounded({"a": [1.23456, 7]}) == {"a": [1.23, 7]}
