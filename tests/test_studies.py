"""The book's page of studies says what the JSON of their last runs says."""

import json
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent / "studies"))
import findings


def test_the_page_is_made_from_the_results() -> None:
    results = json.loads(findings.RESULTS.read_text())
    assert findings.PAGE.read_text() == findings.render(results)
    assert "## Real bars" in findings.PAGE.read_text()
