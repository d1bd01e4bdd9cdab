"""The page of real bars and README's table say what their verdicts said."""

from typing import Any

import markets

from bqx.files import read_json

KEPT: dict[str, Any] = read_json(markets.RESULTS)


def test_page_and_readme_are_those_of_the_verdicts() -> None:
    hint = "run: python tests/pages.py"
    assert markets.PAGE.read_text(encoding="utf-8") == markets.render(KEPT), hint
    readme = markets.README.read_text(encoding="utf-8")
    assert markets.shown(readme, KEPT) == readme, hint
    assert markets.summary(KEPT) in readme


def test_the_walk_has_nothing_and_real_bars_have_its_raw_r2() -> None:
    assert {"majors"} <= set(KEPT) <= set(markets.TITLES)
    if walk := KEPT.get("null"):
        assert walk["approved"] == 0
        assert not walk["claimed"]
        assert walk["skill_lo"] <= 0 <= walk["skill_hi"]
        assert abs(KEPT["majors"]["r2"] - walk["r2"]) < 0.02


def test_a_number_that_changes_changes_the_page() -> None:
    other = KEPT | {"majors": KEPT["majors"] | {"skill": 0.0, "net_sharpe": 1.25}}
    text = markets.render(other)
    assert "Skill +0.00000, net Sharpe +1.2." in text
    assert text != markets.render(KEPT)
