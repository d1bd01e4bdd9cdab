"""Tables of the book have readers' headings, and the values of what was computed."""

import pandas as pd

from bqx.report.headings import WORDS, heading, readable


def test_ends_of_intervals_say_their_confidence() -> None:
    table = pd.DataFrame({"skill": [0.1], "skill_lo": [0.0], "skill_hi": [0.2]})
    assert list(readable(table)) == ["skill", "skill, 95 % low", "skill, 95 % high"]
    assert list(readable(table, 0.99))[1] == "skill, 99 % low"


def test_values_and_what_is_no_name_stay() -> None:
    index = pd.MultiIndex.from_tuples([("eurusd", 15)], names=["pair", "horizon"])
    table = pd.DataFrame({15: [1.0], "net_sharpe": [2.0]}, index=index)
    shown = readable(table)
    assert list(shown) == [15, "net Sharpe"]
    assert shown.index.names == ["pair", "horizon (min)"]
    assert (shown.to_numpy() == table.to_numpy()).all()
    assert list(table) == [15, "net_sharpe"]
    assert readable(table["net_sharpe"]).index.names == ["pair", "horizon (min)"]


def test_no_heading_is_a_name_of_a_file() -> None:
    for name in [*WORDS, "some_other_name", "skill_lo"]:
        assert "_" not in str(heading(name))
