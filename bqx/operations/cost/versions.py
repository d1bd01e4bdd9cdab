"""The sums of the documents' plans for 70 and for 250 features, done again."""

from bqx.market.pairs import PAIRS
from bqx.operations.cost import designs
from bqx.operations.cost.claim import Claim
from bqx.operations.cost.designs import DOCUMENTED_HOURS, HOURS, TRAINING_HOURS
from bqx.operations.cost.prices import price


def _written(name: str) -> float:
    return price(name, "documents")


_SMALL = DOCUMENTED_HOURS * _written("ml.m5.xlarge")
_CALLS = _written("api rest") + 2 * _written("lambda requests")
_TRAINING = len(PAIRS) * 5.0 / 60.0 * _written("ml.m5.xlarge training")
_MONTHLY = 1.87 + 5.04 / 3.0

SECOND: tuple[Claim, ...] = (
    Claim("v2", "28 trainings of 5 minutes", 0.94, _TRAINING, "holds at its own price"),
    Claim("v2", "training a month", 3.55, _MONTHLY, "holds: a run, and a third of the tuning"),
    Claim("v2", "inference", 194.42, _SMALL + _CALLS, "294.42 less 100, not a sum"),
    Claim("v2", "inference, 1.5 instances", 294.42, 1.5 * _SMALL + _CALLS, "holds"),
    Claim("v2", "total", 533.45, _MONTHLY + 294.42 + 235.48, "holds"),
    Claim(
        "v2, optimised",
        "total of its four parts",
        286.0,
        _MONTHLY + 233.0 + 49.0 + 6.0,
        "another document reaches the same 286 as 45 + 180 + 12 + 49",
    ),
    Claim(
        "v2, optimised",
        "endpoint called its baseline",
        291.0,
        _SMALL,
        "291 is the one with 1.5 instances, and more than the total that it is part of",
    ),
)
"""Of the plan for 70 features."""


_DESIGN = designs.as_written()
_REQUESTS = _DESIGN.of("requests")
_ENDPOINT = _DESIGN.of("endpoint")
_SCALED = _DESIGN.usd + 0.5 * _ENDPOINT
_REAL = price("ml.m5.2xlarge")
_MONITOR = HOURS / 4.0 / 6.0 * price("ml.m5.xlarge")
_WEEKLY = 4.0 * (2.42 + 3.01) + 12.09 / 3.0
_SAGEMAKER = _ENDPOINT + _DESIGN.of("training") + 180.0 * _written("monitor")
_DISCOUNTED = _DESIGN.usd - 0.2 * _SAGEMAKER
_SECONDS = designs.at_real_prices().of("requests") - price("api rest")

THIRD: tuple[Claim, ...] = (
    Claim("v3", "baseline in its title", 475.0, 512.38, "the table below it says 512.38"),
    Claim("v3", "inference", 391.86, _ENDPOINT + _REQUESTS, "a half dollar of API twice"),
    Claim("v3", "total", 512.38, _DESIGN.usd, "the same half dollar"),
    Claim("v3", "with scaling", 703.34, _SCALED, "no sum of its lines"),
    Claim("v3", "optimised: 20 % off 475", 420.0, 0.8 * 475.0, "420 is no fifth less"),
    Claim(
        "v3",
        "optimised: a savings plan",
        410.0,
        _DISCOUNTED,
        "20 % are taken off everything; a plan of SageMaker covers SageMaker",
    ),
    Claim(
        "v3",
        "1.3 instances",
        475.0,
        _DESIGN.usd + 0.3 * _ENDPOINT,
        "below the total of one instance",
    ),
    Claim("v3", "peak of 2 instances", 650.0, _DESIGN.usd + _ENDPOINT, "250 short"),
    Claim(
        "v3",
        "recommended budget",
        500.0,
        _DESIGN.usd,
        "less than it is to pay; two of its alarms ring with one instance, all with 1.3",
    ),
    Claim(
        "v3",
        "hour of ml.m5.2xlarge in training",
        _written("ml.m5.2xlarge training"),
        _REAL,
        "no such price: three times 0.2688, and the same table bills the machine at 0.538",
    ),
    Claim(
        "v3",
        "hour of ml.m5.2xlarge in the endpoint",
        _written("ml.m5.2xlarge"),
        _REAL,
        "17 % over the price",
    ),
    Claim(
        "v3",
        "28 trainings",
        3.39,
        TRAINING_HOURS * _written("ml.m5.2xlarge training"),
        "0.15 hours in one place, 8 minutes in another",
    ),
    Claim(
        "v3",
        "training a month",
        9.46,
        _WEEKLY,
        "one run a month; another document retrains every week",
    ),
    Claim(
        "v3",
        "monitor",
        180.0 * _written("monitor"),
        _MONITOR,
        "180 runs billed as 180 hours, and no such monitor serves these endpoints",
    ),
    Claim(
        "v3",
        "two functions of Lambda",
        0.50,
        _SECONDS,
        "requests without the seconds that they take",
    ),
    Claim(
        "v3",
        "1,000 messages of SNS",
        0.50,
        price("sns") / 1e3,
        "the price of a million",
    ),
    Claim(
        "v3",
        "15 million requests to S3",
        15_000.0 * _written("s3 requests"),
        1_500.0 * price("s3 put") + 13_500.0 * price("s3 get"),
        "PUT is priced by the thousand, GET at 0.0004; with a tenth of PUT",
    ),
    Claim(
        "v3",
        "change of storage and monitoring since v2",
        -124.42,
        111.06 - 89.68,
        "its own lines take 89.68 as the figure before, not 235.48: a rise",
    ),
)
"""Of the plan for 250 features."""
