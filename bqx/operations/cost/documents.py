"""The sums of the field's documents, done again: what they state, and what comes out."""

from bqx.market.pairs import PAIRS
from bqx.operations.cost import designs, versions
from bqx.operations.cost.claim import Claim
from bqx.operations.cost.designs import DOCUMENTED_HOURS
from bqx.operations.cost.prices import price

DAYS = 365.0


def _written(name: str) -> float:
    return price(name, "documents")


_ENDPOINT = DOCUMENTED_HOURS * _written("ml.m5.2xlarge")
_SMALL = DOCUMENTED_HOURS * _written("ml.m5.xlarge")

PHASED: tuple[Claim, ...] = (
    Claim("phased", "endpoint", 270.0, _ENDPOINT, "720 hours of its price are 387"),
    Claim(
        "phased",
        "a month",
        450.0,
        designs.at_real_prices().usd,
        "holds, by errors that cancel",
        to=550.0,
    ),
    Claim(
        "phased",
        "a month of the first product",
        350.0,
        designs.as_written().usd,
        "it leaves no part of the 512 out",
        to=400.0,
    ),
    Claim(
        "phased",
        "saved a year against 730, at least",
        2_400.0,
        12.0 * 164.0,
        "12 times the 164 to 264 that it states for a month",
    ),
    Claim(
        "phased",
        "saved a year against 730, at most",
        3_200.0,
        12.0 * 264.0,
        "12 times the 164 to 264 that it states for a month",
    ),
    Claim("four stages", "inference of 2 instances", 180.0, 2 * _SMALL, "one costs 168 to 194"),
    Claim(
        "four stages",
        "daily batch, left out",
        0.0,
        30.0 * 2.5,
        "2 to 3 a run, and no line of it in the budget",
    ),
    Claim(
        "four stages",
        "processing of 60 to 90 minutes",
        0.40,
        1.25 * _written("ml.m5.2xlarge training"),
        "half of its own price",
        to=0.60,
    ),
    Claim("four stages", "total", 286.0, 45.0 + 180.0 + 12.0 + 49.0, "holds"),
    Claim(
        "four stages",
        "retraining",
        10.0,
        len(PAIRS) * 10.0 / 60.0 * price("ml.m5.xlarge"),
        "28 times 10 minutes",
        to=15.0,
    ),
    Claim(
        "four stages",
        "tuning of all pairs, of 5 to 10 each",
        45.0,
        7.5 * len(PAIRS),
        "45 is the budget of all training",
    ),
    Claim(
        "four stages",
        "transformers, left out",
        0.0,
        84.0 * price("ml.p3.2xlarge"),
        "56 to 112 hours a cycle on a GPU, and no line of it in the budget",
    ),
)
"""Of the plan in phases, and of the plan with four stages."""


_ONCE, _MONTHLY, _GAIN, _DEVELOPMENT = 160.0, 100.0, 21_000.0, 25_000.0
_FIRST_YEAR = _ONCE + 12.0 * _MONTHLY
_INVESTED = _DEVELOPMENT + _FIRST_YEAR

ENHANCEMENT: tuple[Claim, ...] = (
    Claim("enhancement", "once", 160.0, 20.0 + 50.0 + 40.0 + 50.0, "holds"),
    Claim("enhancement", "a month", 100.0, 50.0 + 30.0 + 2.0 + 18.0, "holds"),
    Claim("enhancement", "first year", 1_360.0, _FIRST_YEAR, "holds, without development"),
    Claim(
        "enhancement",
        "return, in its table",
        1_544.0,
        100.0 * _GAIN / _FIRST_YEAR,
        "holds as gain over cost; a return takes the cost off first",
        "%",
    ),
    Claim(
        "enhancement",
        "return, its cost taken off",
        1_544.0,
        100.0 * (_GAIN - _FIRST_YEAR) / _FIRST_YEAR,
        "the same figures as a return",
        "%",
    ),
    Claim(
        "enhancement",
        "gain behind the 195 % of its text",
        21_000.0,
        1.952 * _DEVELOPMENT,
        "195 % of 25,000 of development are 48,800: another gain than its table's",
    ),
    Claim(
        "enhancement",
        "return in the first year, with development",
        195.0,
        100.0 * (_GAIN - _INVESTED) / _INVESTED,
        "with the 25,000 of development and the gain of its table it is a loss",
        "%",
    ),
    Claim(
        "enhancement",
        "payback",
        24.0,
        DAYS * _FIRST_YEAR / _GAIN,
        "holds, without development",
        "days",
    ),
    Claim(
        "enhancement",
        "payback, with development",
        24.0,
        DAYS * (_DEVELOPMENT + _ONCE) / (_GAIN - 12.0 * _MONTHLY),
        "the same with it",
        "days",
    ),
    Claim(
        "enhancement",
        "calls of Lambda a month",
        2_592_000.0,
        60.0 * 24.0 * 30.0,
        "seconds of a month; one a minute are 43,200",
        "calls",
    ),
)
"""Of the plan to enhance, its return and its payback."""


def claims() -> tuple[Claim, ...]:
    """All of them."""
    return (*versions.SECOND, *versions.THIRD, *PHASED, *ENHANCEMENT)
