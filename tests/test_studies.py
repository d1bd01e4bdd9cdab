"""The book's page of studies says what the JSON of their last runs says."""

import json
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent / "studies"))
import findings
import monitors
from written import code_of


def test_the_page_is_made_from_the_results() -> None:
    results = json.loads(findings.RESULTS.read_text())
    assert findings.PAGE.read_text() == findings.render(results), "run: python tests/pages.py"
    assert results.keys() <= findings.SECTIONS.keys()
    assert "## Real bars" in findings.PAGE.read_text()


def test_the_page_of_monitoring_is_made_from_its_results() -> None:
    results = json.loads(monitors.RESULTS.read_text())
    assert monitors.PAGE.read_text() == monitors.render(results), "run: python tests/pages.py"
    rows = {row["detector"]: row for row in monitors.characteristic(results)}
    assert rows["always"]["quiet"] == rows["always"]["found"] == 1.0
    assert rows["never"]["quiet"] == rows["never"]["found"] == 0.0
    assert monitors.FIGURE.is_file()


def test_a_study_says_when_its_code_has_changed_and_which_was_never_recorded() -> None:
    planted = {"kind": "lead", "cross": True, "ridge": 0.5}
    found = {"test_planted_markets": {"planted": [planted], "code": "ab"}}
    text = findings.render(found)
    assert "Measured on older code" in text
    assert "| lead, features across pairs too | 50% |" in text
    assert text.count("Not recorded yet.") == len(findings.SECTIONS) - 1
    found["test_planted_markets"]["code"] = code_of(findings.HERE / "test_planted_markets.py")
    assert "Measured on older code" not in findings.render(found)
