"""The book's page of benchmarks says what the JSON of the last runs says, and how old it is."""

import json
import sys
from pathlib import Path

import pytest

from bqx.report import figures

sys.path.append(str(Path(__file__).parent / "benchmarks"))
import page
from written import code_of, features_code, rounded

RESULTS = json.loads(page.RESULTS.read_text())


def test_the_page_is_that_of_the_results_and_of_this_code() -> None:
    assert page.PAGE.read_text() == page.render(RESULTS), "run: python tests/pages.py"
    assert page.FIGURE.stat().st_size > 10_000
    assert "benchmarks.png" in page.PAGE.read_text()


def test_every_family_and_goal_stands_on_the_page() -> None:
    text = page.PAGE.read_text()
    assert all(
        f"`{row['source']}` {row['family']} |" in text
        for row in RESULTS["test_families"]["families"]
    )
    goals = [goal for section in RESULTS.values() for goal in section["goals"]]
    assert goals
    assert all(f"| {goal['what']} |" in text for goal in goals)


def test_results_are_whole() -> None:
    families = RESULTS["test_families"]
    found = page.peers(families)
    rows = [(row["ns"], len(row["peers"]) or 1) for row in families["families"]]
    assert found["ns"].tolist() == [ns for ns, peers in rows for _ in range(peers)]
    assert found["ns"].min() > 0
    beside = [peer["ns"] for row in families["families"] for peer in row["peers"]]
    assert found["peer_ns"].dropna().tolist() == beside
    assert len(figures.benchmarks(found).axes) == 2
    assert rounded({"a": [1.23456, 7]}) == {"a": [1.23, 7]}


def test_a_section_says_when_its_code_has_changed() -> None:
    found = RESULTS["test_live_speed"]
    now = found | {"code": code_of(page.HERE / "test_live_speed.py")}
    old = "Measured on older code"
    before = page.render({"test_live_speed": found | {"code": "ab", "catalog": "cd"}})
    assert f"{old}**: it has changed since." in before
    alike = page.render({"test_live_speed": found | {"code": "ab", "catalog": features_code()}})
    assert f"{old}**: all features' own code is the same" in alike
    text = page.render({"test_live_speed": now})
    assert old not in text
    assert text.count("Not measured yet.") == len(page.SECTIONS) - 1
    # Each section by the code that it imports: what only another one measures is none of it.
    assert code_of(page.HERE / "test_database_speed.py") != now["code"]


def test_load_stands_beside_what_the_documents_ask_for() -> None:
    found = {
        "documents": [("an answer, P50", 100.0, 20.5), ("an answer, P99", 200.0, 300.0)],
        "times": [("requests", 60_000, ""), ("answers", 99.87, "a second")],
        "goals": [],
        "code": code_of(page.HERE / "test_load.py"),
        "machine": RESULTS["test_live_speed"]["machine"],
    }
    section = page.render({"test_load": found}).partition("## Under load")[2].partition("\n## ")[0]
    assert "| an answer, P50 | 20.5 | 100 | held |" in section
    assert "| an answer, P99 | 300 | 200 | not held |" in section
    assert "| requests | 60,000 |" in section
    assert "Measured on this code." in section


def test_what_another_machine_took_stands_beside() -> None:
    goal = {"what": "a", "found": 3, "goal": 2, "floor": 9, "unit": "s", "limit": "slow"}
    goal |= {"more": False}
    at = {"processor": "P", "cores": 2, "memory_gb": 8, "python": "3.11", "load": 1.0}
    found = RESULTS["test_indicators"] | {
        "goals": [goal],
        "machine": at | {"numbers_in_register": 4},
        "earlier": {"goals": [goal | {"found": 1}], "machine": at | {"processor": "Q"}},
    }
    text = page.render({"test_indicators": found})
    assert "| a | 3 | at most 2 s | missed: slow | 1 |" in text
    assert "P with registers of 4 numbers, 2 cores, 8 GB, Python 3.11" in text
    assert "On another machine: Q, 2 cores, 8 GB, of older code." in text


def test_what_a_run_finds_is_kept_beside_what_others_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RESULTS", "PAGE", "FIGURE"):
        copy = tmp_path / getattr(page, name).name
        copy.write_bytes(getattr(page, name).read_bytes())
        monkeypatch.setattr(page, name, copy)
    module = page.HERE / "test_backtest_speed.py"
    goal = {"what": "a", "found": 1, "goal": 1, "floor": 1, "unit": "", "limit": "", "more": True}
    page.write(module, {"parts": [("fills", 1.0, 22.22222)], "ratio": 22.22222, "goals": [goal]})
    page.write(module, {"ratio": 33.3, "goals": [goal | {"found": 2}]})
    kept = json.loads(page.RESULTS.read_text())
    assert all(kept[name] == RESULTS[name] for name in RESULTS if name != module.stem)
    own = kept[module.stem]
    assert (own["parts"], own["ratio"]) == ([["fills", 1.0, 22.2]], 33.3)
    assert [goal["found"] for goal in own["goals"]] == [2]
    text = page.PAGE.read_text()
    assert "33.3 times as fast" in text
    assert text == page.render(kept)
