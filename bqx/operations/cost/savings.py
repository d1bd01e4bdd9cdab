"""What each way of saving takes off the documents' design at AWS's prices, by itself."""

from dataclasses import dataclass

from bqx.operations.cost.designs import (
    HOURS,
    MINUTES,
    OPEN,
    REQUESTS,
    WEEKS,
    Design,
    at_real_prices,
)
from bqx.operations.cost.prices import price

_MONITOR = "monitor, every 4 hours, 10 minutes"


@dataclass(frozen=True)
class Saving:
    """USD a month that a measure saves, and what it asks for."""

    what: str
    usd: float
    asks: str


def savings() -> tuple[Saving, ...]:
    """All measures, the largest first; they do not add up where they meet the same line."""
    design = at_real_prices()
    usd = {line.item: line.usd(design.table) for line in design.lines}
    return tuple(sorted(_measures(design, usd), key=lambda saving: -saving.usd))


def _measures(own: Design, usd: dict[str, float]) -> tuple[Saving, ...]:
    return (
        Saving(
            "a smaller machine: ml.c7g.large",
            usd["endpoint"] - HOURS * price("ml.c7g.large"),
            "28 bundles in half a GB, as measured",
        ),
        Saving(
            "no server: functions of Lambda alone",
            usd["endpoint"] + usd["endpoint's volume"],
            "forecasts made every minute, read from S3",
        ),
        Saving(
            "the endpoint closed with the market",
            (1.0 - OPEN) * usd["endpoint"],
            "a schedule for Friday and Sunday, and a cold start",
        ),
        Saving(
            "a savings plan of 20 %",
            (1.0 - price("savings plan share"))
            * (usd["endpoint"] + own.of("training") + usd[_MONITOR]),
            "a year's promise; of SageMaker alone",
        ),
        Saving(
            "30 metrics instead of 150",
            120.0 * price("metric"),
            "aggregates of all pairs; the rest in the logs",
        ),
        Saving(
            "training on spot",
            (1.0 - price("spot share")) * own.of("training"),
            "jobs of minutes, that are tried again",
        ),
        Saving(
            "one object a minute for all pairs",
            usd["PUT to S3, 1.5 million"] - MINUTES / 1e3 * price("s3 put"),
            "the capture that bqx writes",
        ),
        Saving(
            "monitor by bqx instead of by jobs",
            usd[_MONITOR] - HOURS * 20.0 * price("lambda arm"),
            "10 seconds an hour of a function",
        ),
        Saving(
            "HTTP API instead of REST",
            REQUESTS * (price("api rest") - price("api http")),
            "the same requests",
        ),
        Saving(
            "functions on ARM",
            _seconds(own) * (1.0 - price("lambda arm") / price("lambda x86")),
            "an image for that chip",
        ),
        Saving(
            "retraining once a month instead of weekly",
            own.of("training") * (WEEKS - 1.0) / WEEKS,
            "a model three weeks older; skill decides",
        ),
    )


def _seconds(own: Design) -> float:
    compute = [line for line in own.lines if line.price == "lambda x86"]
    return sum(line.usd(own.table) for line in compute)
