"""What a month of each design costs, line by line: quantities times prices."""

from dataclasses import dataclass
from typing import Literal

from bqx.market import sessions
from bqx.market.pairs import PAIRS
from bqx.operations.cost.prices import Table, price

HOURS = 730.0
"""Hours of a month."""
DOCUMENTED_HOURS = 720.0
"""Hours of the documents' month."""
HORIZONS = 5
MINUTES = 60.0 * HOURS
OPEN = sessions.WEEK / (7 * sessions.DAY)
"""Share of the week in which the market is open."""
REQUESTS = 1.0
"""Millions of requests a month that the documents count on."""
WEEKS = 4.0
"""Retrainings of a month."""

Kind = Literal["endpoint", "training", "requests", "watching", "storage"]


@dataclass(frozen=True)
class Line:
    """A quantity at a price; ``share`` : factor on the price, such as that of spot."""

    item: str
    kind: Kind
    quantity: float
    price: str
    share: float = 1.0

    def usd(self, table: Table) -> float:
        """USD a month."""
        return self.quantity * price(self.price, table) * self.share


@dataclass(frozen=True)
class Design:
    """A design of the system; ``table`` : whose prices it is computed with."""

    name: str
    about: str
    table: Table
    lines: tuple[Line, ...]

    @property
    def usd(self) -> float:
        """USD a month."""
        return sum(line.usd(self.table) for line in self.lines)

    @property
    def usd_a_pair(self) -> float:
        """USD a month and pair, what is shared in equal parts."""
        return self.usd / len(PAIRS)

    def of(self, *kinds: Kind) -> float:
        """USD a month of some kinds of lines."""
        return sum(line.usd(self.table) for line in self.lines if line.kind in kinds)


PROCESSING_HOURS = 3.0
TRAINING_HOURS = len(PAIRS) * 8.0 / 60.0
TUNING_HOURS = 15.0
"""Hours on one ml.m5.2xlarge: processing and 28 trainings of a run, tuning of a quarter."""


def _training(runs: float, machine: str, share: float = 1.0) -> tuple[Line, ...]:
    hours = {
        "processing": runs * PROCESSING_HOURS,
        "28 trainings": runs * TRAINING_HOURS,
        "tuning, a third of a quarter's": TUNING_HOURS / 3.0,
    }
    return tuple(
        Line(item, "training", item_hours, machine, share) for item, item_hours in hours.items()
    )


def _lambda(item: str, ms: float, mb: float, chip: str) -> tuple[Line, ...]:
    seconds = 1e6 * REQUESTS * ms / 1e3 * mb / 1024.0
    return (
        Line(item, "requests", seconds, f"lambda {chip}"),
        Line(f"{item}, requests", "requests", REQUESTS, "lambda requests"),
    )


def _watched(metrics: float, logs: float, alarms: float) -> tuple[Line, ...]:
    return (
        Line("logs", "watching", logs, "logs"),
        Line("logs stored, packed to 15 percent", "watching", 0.15 * logs, "logs stored"),
        Line("metrics", "watching", metrics, "metric"),
        Line("alarms", "watching", alarms, "alarm"),
        Line("dashboard", "watching", 1, "dashboard"),
        Line("alerts, 1,000", "watching", 1e-3, "sns"),
    )


def _kept(gigabytes: float = 85.0) -> tuple[Line, ...]:
    return (
        Line("objects", "storage", gigabytes, "s3 storage"),
        Line("secrets", "storage", 2, "secret"),
        Line("images", "storage", 3, "ecr"),
    )


def as_written(instances: float = 1.0, runs: float = 1.0) -> Design:
    """The documents' third version with their prices, units and hours, so many retrainings."""
    machine = "ml.m5.2xlarge training"
    return Design(
        "documents, as written",
        "an endpoint of one ml.m5.2xlarge, one retraining a month, units and prices as written",
        "documents",
        (
            *_training(runs, machine),
            Line("endpoint", "endpoint", instances * DOCUMENTED_HOURS, "ml.m5.2xlarge"),
            Line("REST API", "requests", REQUESTS, "api rest"),
            Line("Lambda, features", "requests", REQUESTS, "lambda requests 3008"),
            Line("Lambda, forecasts", "requests", REQUESTS, "lambda requests"),
            Line("objects", "storage", 85.0, "s3 storage"),
            Line("requests to S3, 15 million", "storage", 15_000.0, "s3 requests"),
            Line("monitor, 180 runs as hours", "watching", 180.0, "monitor"),
            Line("logs", "watching", 15.0, "logs"),
            Line("metrics", "watching", 150.0, "metric"),
            Line("SNS, 1,000", "watching", 1.0, "sns"),
        ),
    )


def at_real_prices(instances: float = 1.0) -> Design:
    """The documents' third version at AWS's prices, retrained weekly as they say elsewhere."""
    return Design(
        "documents, at AWS's prices",
        "the same, with seconds of Lambda, runs of the monitor, and a retraining every week",
        "aws",
        (
            *_training(WEEKS, "ml.m5.2xlarge"),
            Line("endpoint", "endpoint", instances * HOURS, "ml.m5.2xlarge"),
            Line("endpoint's volume", "endpoint", instances * 30.0, "endpoint volume"),
            Line("REST API", "requests", REQUESTS, "api rest"),
            *_lambda("Lambda, features, 150 ms of 3,008 MB", 150.0, 3_008.0, "x86"),
            *_lambda("Lambda, forecasts, 200 ms of 1 GB", 200.0, 1_024.0, "x86"),
            Line("PUT to S3, 1.5 million", "storage", 1_500.0, "s3 put"),
            Line("GET from S3, 13.5 million", "storage", 13_500.0, "s3 get"),
            *_kept(),
            Line(
                "monitor, every 4 hours, 10 minutes", "watching", HOURS / 4.0 / 6.0, "ml.m5.xlarge"
            ),
            *_watched(150.0, 15.0, 20.0),
        ),
    )


def multi_model() -> Design:
    """A multi-model endpoint of the size that 28 bundles need."""
    return Design(
        "multi-model endpoint, the size that suffices",
        "one ml.c7g.large: 28 bundles take half a GB; spot training, HTTP API, monitor by bqx",
        "aws",
        (
            *_training(WEEKS, "ml.m5.2xlarge", price("spot share")),
            Line("endpoint", "endpoint", HOURS, "ml.c7g.large"),
            Line("endpoint's volume", "endpoint", 30.0, "endpoint volume"),
            Line("HTTP API", "requests", REQUESTS, "api http"),
            *_lambda("Lambda, features, 75 ms of 3,008 MB", 75.0, 3_008.0, "arm"),
            *_lambda("Lambda, forecasts, 100 ms of 1 GB", 100.0, 1_024.0, "arm"),
            Line("PUT to S3, one a minute", "storage", MINUTES / 1e3, "s3 put"),
            *_kept(),
            Line("monitor, hourly, 10 s of 2 GB", "watching", HOURS * 20.0, "lambda arm"),
            *_watched(30.0, 3.0, 10.0),
        ),
    )


def functions(provisioned: bool = False) -> Design:
    """Lambda alone: forecasts made every minute and read from S3."""
    warm = 3_600.0 * HOURS * 2.0 if provisioned else 0.0
    warm_lines = (Line("one process kept warm", "requests", warm, "lambda arm provisioned"),)
    return Design(
        f"Lambda alone{', one kept warm' if provisioned else ''}",
        "`bqx cloud template lambda`: all pairs every minute, 1 s of 2 GB; requests read them",
        "aws",
        (
            *_training(WEEKS, "ml.m5.2xlarge", price("spot share")),
            Line("Lambda, every minute", "requests", MINUTES * 2.0, "lambda arm"),
            *_lambda("Lambda, answers, 20 ms of 1 GB", 20.0, 1_024.0, "arm"),
            *(warm_lines if provisioned else ()),
            Line("HTTP API", "requests", REQUESTS, "api http"),
            Line("PUT to S3, three a minute", "storage", 3 * MINUTES / 1e3, "s3 put"),
            Line("GET from S3", "storage", 1e3 * REQUESTS + 2 * MINUTES / 1e3, "s3 get"),
            *_kept(),
            Line("monitor, hourly, 10 s of 2 GB", "watching", HOURS * 20.0, "lambda arm"),
            *_watched(30.0, 3.0, 10.0),
        ),
    )


def small_machine() -> Design:
    """One small machine that trains, serves and watches itself."""
    # Beyond its fifth of two processors.
    surplus = WEEKS * TRAINING_HOURS * 2.0 * 0.8
    return Design(
        "one small machine",
        "`bqx serve --live` on a t4g.small: 2 GB, no account of anything but the machine",
        "aws",
        (
            Line("machine", "endpoint", HOURS, "ec2 t4g.small"),
            Line("training beyond its credits", "training", surplus, "ec2 credit"),
            Line("disk, 30 GB", "storage", 30.0, "ebs gp3"),
            Line("address", "endpoint", HOURS, "ipv4"),
            Line("copy of bars and bundles, 20 GB", "storage", 20.0, "s3 storage"),
        ),
    )


def every() -> tuple[Design, ...]:
    """All designs, the documents' first."""
    return (
        as_written(),
        at_real_prices(),
        multi_model(),
        functions(),
        functions(provisioned=True),
        small_machine(),
    )
