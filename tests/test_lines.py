"""The three lines of the verdict: they say what stands in the JSON, and never two things."""

import re

from hypothesis import given
from hypothesis import strategies as st

from bqx.report import lines

number = st.floats(-0.01, 0.05).map(lambda x: round(x, 6))
ratio = st.floats(-9, 9).map(lambda x: round(x, 2))
RULES = ("deflated Sharpe ratio", "lower end of the skill's interval", "information claimed")


@st.composite
def interval(draw, values):
    kind = draw(st.sampled_from(["none", "zero", "some"]))
    if kind == "none":
        return None, None, None
    if kind == "zero":
        return 0.0, 0.0, 0.0
    low, value, high = sorted(draw(values) for _ in range(3))
    return value, low, high


@st.composite
def verdicts(draw):
    skill, skill_lo, skill_hi = draw(interval(number))
    net, net_lo, net_hi = draw(interval(ratio))
    cells = []
    for pair in ("eurusd", "usdjpy"):
        for horizon in (15, 75):
            promoted = draw(st.booleans())
            rules = draw(st.lists(st.sampled_from(RULES), min_size=1, unique=True))
            low = draw(st.one_of(st.none(), ratio))
            cell = {"pair": pair, "horizon": horizon, "promoted": promoted, "net_sharpe_lo": low}
            cells.append(cell | {"reasons": [] if promoted else [{"rule": r} for r in rules]})
    information = {
        "claimed": draw(st.booleans()),
        **{"t": draw(ratio), "bound": 1.64, "folds": 5, "folds_claimed": draw(st.integers(0, 5))},
        **{"skill": skill or 0.0, "skill_lo": skill_lo, "skill_hi": skill_hi, "power": 0.8},
        "ic": draw(st.one_of(st.none(), number)),
        "smallest_skill": draw(st.one_of(st.none(), st.floats(1e-4, 1.0))),
    }
    optional = st.one_of(st.none(), st.floats(-1, 5).map(lambda x: round(x, 3)))
    trading = {
        **{"net_sharpe": net, "net_sharpe_lo": net_lo, "net_sharpe_hi": net_hi},
        **{"expected_move": draw(optional), "round_trip": 1.2, "break_even_cost": draw(optional)},
    }
    three = lines.decide(information, trading, cells)
    status = st.sampled_from(["approved", "rejected", "archived"])
    registry = [{"pair": pair, "status": draw(status)} for pair in ("eurusd", "usdjpy")]
    verdict = dict(zip(("information", "tradable", "promoted"), three, strict=True))
    return verdict | {"registry": registry}, cells


@given(verdicts())
def test_each_answer_presupposes_the_one_before(drawn):
    verdict, cells = drawn
    if verdict["promoted"]["cells"]:
        assert verdict["tradable"]["tradable"]
        assert set(verdict["promoted"]["cells"]) <= set(verdict["tradable"]["cells"])
    if verdict["tradable"]["tradable"]:
        assert verdict["information"]["claimed"]
    if verdict["information"]["claimed"]:
        assert len(verdict["promoted"]["cells"]) == sum(cell["promoted"] for cell in cells)


@given(verdicts())
def test_no_two_sentences_contradict_each_other(drawn):
    verdict, _ = drawn
    information, tradable, promoted = told = lines.lines(verdict)
    yes = [
        information.startswith("Information: yes"),
        tradable.startswith("Tradable: yes"),
        re.match(r"Promoted: [1-9]", promoted) is not None,
    ]
    no = [
        information.startswith("Information: none"),
        tradable.startswith("Tradable: no"),
        promoted.startswith("Promoted: none"),
    ]
    assert [a != b for a, b in zip(yes, no, strict=True)] == [True] * 3
    # A yes after a no would contradict it.
    assert sorted(yes, reverse=True) == yes
    assert yes == [
        verdict["information"]["claimed"],
        verdict["tradable"]["tradable"],
        bool(verdict["promoted"]["cells"]),
    ]
    text = " ".join(told)
    assert ("since no information is claimed" in text) == (no[0] and no[1])
    assert ("since nothing is tradable" in text) == (no[1] and no[2])
    # Doubts about the skill go with the answer, never against it.
    assert not (yes[0] and "is no claim" in text)
    assert not (no[0] and "is not certain" in text)
    assert not ("No part of any forecast was kept" in text and "What was kept" in text)
    assert not ("would have lost at no cost" in text and "would have paid" in text)
    # What a forecast expects and up to which cost all of them pay are not about one trade.
    assert ("since a position lasts for many forecasts" in text) == ("would have paid" in text)
    assert "nan" not in text
    assert "None" not in text


@given(verdicts())
def test_the_headline_says_what_the_lines_say(drawn):
    verdict, _ = drawn
    headline = lines.headline(verdict)
    assert ("No information" in headline) == (not verdict["information"]["claimed"])
    assert ("paid for its costs" in headline) == verdict["tradable"]["tradable"]
    assert ("hold" in headline) == (not verdict["tradable"]["tradable"])
    assert ("promoted" in headline) == bool(verdict["promoted"]["cells"])
    for row in verdict["registry"]:
        assert (row["pair"] in headline) == (row["status"] == "approved")
    low = verdict["information"]["skill_lo"]
    may_not_last = verdict["information"]["claimed"] and low is not None and low <= 0
    assert ("is not certain" in headline) == may_not_last
    assert headline.count(".") == 1


@given(verdicts())
def test_every_number_of_a_sentence_stands_in_the_verdict(drawn):
    verdict, _ = drawn
    information, tradable, _ = lines.lines(verdict)
    answer, traded = verdict["information"], verdict["tradable"]
    assert f"t = {answer['t']:.2f}" in information
    if "a skill of +" in information and "would have been" in information:
        assert lines.basis(answer["smallest_skill"]) in information
    if answer["skill_lo"] is not None and "interval" in information:
        for name in ("skill", "skill_lo", "skill_hi"):
            assert lines.basis(answer[name]) in information
    if traded["net_sharpe"] is not None:
        assert f"{traded['net_sharpe']:+.1f}" in tradable
    for cell in traded["cells"]:
        assert cell in tradable


def test_a_skill_of_a_twentieth_of_a_percent_can_be_read():
    assert lines.basis(0.0005) == "+5.0 bp"
    assert lines.basis(-0.0) == "+0.0 bp"


def test_of_many_cells_the_first_are_named():
    cells = [f"eurusd {horizon} min" for horizon in range(20)]
    told = lines.promoted({"cells": cells, "of": 30, "against": {}}, can_trade=True)
    assert told.startswith("Promoted: 20 of 30 cells: eurusd 0 min,")
    assert told.endswith("eurusd 5 min and 14 more.")


def test_a_cost_below_nothing_is_none_that_would_have_paid():
    assert lines.paying(-0.12) == "trading every forecast would have lost at no cost at all"
    assert "up to a cost of 0.12 bp" in lines.paying(0.12)
