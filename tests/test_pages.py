"""Numbers on pages that are written by hand are those of the code."""

import re
from pathlib import Path

import pytest

from bqx.evaluation.overfitting import LEAST_DEFLATED, MOST_OVERFITTING
from bqx.features import catalog
from bqx.params import Params
from bqx.serving.registry import MOST_MS

ROOT = Path(__file__).parents[1]
README, METHOD, CODES = "README.md", "book/method.md", "book/codes.md"


def learned() -> int:
    return sum(feature.domain == "learned" for feature in catalog.profile("learned"))


def full() -> int:
    return round(len(catalog.profile("full")), -1)


@pytest.mark.parametrize(
    ("page", "pattern", "number"),
    [
        (README, r"about ([\d,]+) features", full),
        (README, r"and (\d+) codes learnt from", learned),
        (README, r"codes learnt from (\d+) of", lambda: len(catalog.profile("v4"))),
        (README, r"from the (\d+) of the `core`", lambda: len(catalog.profile("core"))),
        (CODES, r"The (\d+) inputs of the v4 list", lambda: len(catalog.profile("v4"))),
        (METHOD, r"deflated Sharpe ratio of at least ([\d.]+) given", lambda: LEAST_DEFLATED),
        (METHOD, r"backtest overfitting may be (\d[.]\d+) at most", lambda: MOST_OVERFITTING),
        (METHOD, r"99 of 100 answers take no more than (\d+) ms", lambda: MOST_MS),
        (METHOD, r"Up to (\d+) minutes carry the last close", lambda: Params().max_fill),
    ],
)
def test_a_number_is_that_of_the_code(page, pattern, number):
    text = " ".join((ROOT / page).read_text(encoding="utf-8").split())
    written = re.findall(pattern, text)
    assert written
    for shown in written:
        assert float(shown.replace(",", "")) == number()
