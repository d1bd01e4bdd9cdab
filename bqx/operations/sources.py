"""What alerts need and no monitor of forecasts measures: server, trainings, versions and cost."""

import http.client
import json
import sys
import time
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from bqx.cloud.calls import Call, Clients, CloudError, make
from bqx.cloud.endpoint_requests import ENDPOINT
from bqx.errors import ParameterError
from bqx.monitoring.metrics import BY_NAME
from bqx.operations.panels import WATCHING
from bqx.params import addresses
from bqx.serving.registry_folder import Folder

TIMEOUT = 5.0
"""Seconds that a server may take for an answer."""
MOST_BYTES = 1 << 24
"""Of an answer."""
OWN = "bqx_"
"""How the names of bqx's own metrics begin."""

Numbers = dict[str, float | None]
Counters = dict[str, float]

_BUCKET = BY_NAME["request_seconds"].exposed + "_bucket"


def server(url: str, before: Mapping[str, float]) -> tuple[Numbers, Counters]:
    """What a server says of itself since its counters were read before, and its counters now.

    The others are None where nothing was asked meanwhile, or the server does not answer; one whose
    answers are no metrics is none of bqx and does not either.

    Raises ParameterError for an address that is none.
    """
    addresses.http("--server", url)
    names = ("endpoint_up", "error_rate", "cache_hit_rate", "latency_p99_ms")
    numbers: Numbers = dict.fromkeys(names) | {"endpoint_up": 0.0}
    try:
        _get(f"{url}/ping")
        counters = _counters(_get(f"{url}/metrics"))
        if any(value < before.get(key, 0.0) for key, value in counters.items()):
            before = {}  # it was started anew since
        rates = _rates({key: value - before.get(key, 0.0) for key, value in counters.items()})
    except (OSError, http.client.HTTPException, LookupError, ValueError):
        return numbers, dict(before)
    return numbers | {"endpoint_up": 1.0} | rates, counters


def _counters(text: str) -> Counters:
    """Counters of a page of metrics; ValueError for one that has none of bqx."""
    samples = [s for family in text_string_to_metric_families(text) for s in family.samples]
    bqx_samples = [s for s in samples if s.name.startswith(OWN)]
    if not bqx_samples:
        raise ValueError("no metric of bqx")
    return {_key(s): s.value for s in bqx_samples if s.name.endswith(("_total", "_bucket"))}


def _key(sample: Any) -> str:
    return f"{sample.name}{json.dumps(sample.labels, sort_keys=True)}"


def _rates(since: Mapping[str, float]) -> Numbers:
    """Rates of what was counted since, of those who do not only watch."""
    parts = [(key.partition("{"), value) for key, value in since.items()]
    every = [(name, json.loads("{" + labels), value) for (name, _, labels), value in parts]
    rows = [row for row in every if row[1].get("route") not in WATCHING]

    def total(metric: str, label: str, start: str = "") -> float:
        name = BY_NAME[metric].exposed
        counted = [(labels[label], value) for exposed, labels, value in rows if exposed == name]
        return sum(value for text, value in counted if text.startswith(start))

    asked, forecasts = total("requests", "code"), total("forecasts", "source")
    buckets: dict[float, float] = {}
    for name, labels, value in rows:
        if name == _BUCKET:
            bound = float(labels["le"])
            buckets[bound] = buckets.get(bound, 0.0) + value
    hits = total("forecasts", "source", "memory")
    return {
        "error_rate": total("requests", "code", "5") / asked if asked else None,
        "cache_hit_rate": hits / forecasts if forecasts else None,
        "latency_p99_ms": _quantile(buckets, 0.99),
    }


def _quantile(buckets: Mapping[float, float], share: float) -> float | None:
    """Milliseconds below which a share of the answers lies, linear within its bin."""
    bounds = sorted(buckets)
    if not bounds or not buckets[bounds[-1]]:
        return None
    wanted, low, below = share * buckets[bounds[-1]], 0.0, 0.0
    for bound in bounds[:-1]:
        if buckets[bound] >= wanted:
            inside = (wanted - below) / max(buckets[bound] - below, 1e-12)
            return 1e3 * (low + inside * (bound - low))
        low, below = bound, buckets[bound]
    return 1e3 * low


def _get(url: str) -> str:
    end, content = time.monotonic() + TIMEOUT, b""
    with urllib.request.urlopen(url, timeout=TIMEOUT) as response:
        while more := response.read1(1 << 16):
            content += more
            if time.monotonic() > end or len(content) > MOST_BYTES:
                raise TimeoutError("an answer without an end")
    return content.decode()


def approvals(registry: Path, since: float, until: float) -> Numbers:
    """Versions that were approved from one time on and before another, epoch seconds.

    Times are whole seconds, as the log has them.

    Raises ParameterError where there is no registry.
    """
    store = Folder(registry)
    if not store.exists:
        raise ParameterError(
            f"--registry: none, got {registry}; expected one such as runs/registry/files."
        )
    times = [
        datetime.fromisoformat(line["time"]).timestamp()
        for line in store.log()
        if line["status"] == "approved"
    ]
    return {"model_deployed": float(sum(since <= time < until for time in times))}


def trainings(place: Path, since: float, until: float) -> Numbers:
    """Trainings of the local platform that began, and that failed, between two such times.

    Raises ParameterError where there is no folder.
    """
    if not place.is_dir():
        raise ParameterError(
            f"--platform: no folder, got {place}; expected one of `bqx cloud local train` such as "
            "runs/cloud."
        )
    jobs = [path for path in (place / "training").glob("*/") if path.is_dir()]
    begun = [path / "input/config/hyperparameters.json" for path in jobs]
    failed = [path / "output/failure" for path in jobs]

    def fresh(paths: list[Path]) -> float:
        return float(sum(path.exists() and since <= path.stat().st_mtime < until for path in paths))

    return {"retraining_started": fresh(begun), "training_failed": fresh(failed)}


def charges(of: Clients, budget: float, now: datetime | None = None) -> Numbers:
    """Charges of this month that AWS has estimated so far, USD, and their share of a budget.

    Raises CloudError where AWS refuses.
    """
    now = now or datetime.now(UTC)
    begin = max(now.replace(day=1, hour=0, minute=0, second=0), now - timedelta(days=2))
    query = {
        "Namespace": "AWS/Billing",
        "MetricName": "EstimatedCharges",
        "Dimensions": [{"Name": "Currency", "Value": "USD"}],
        "StartTime": begin,
        "EndTime": now,
        "Period": 6 * 3_600,
        "Statistics": ["Maximum"],
    }
    answer = make(Call("cloudwatch", "get_metric_statistics", query), of)
    points = sorted(answer["Datapoints"], key=lambda point: point["Timestamp"])
    spent = float(points[-1]["Maximum"]) if points else None
    return {
        "cost_to_date": spent,
        "cost_share_of_budget": None if spent is None else spent / budget,
    }


def endpoint(of: Clients) -> Numbers:
    """Containers of the platform's endpoint; None, and why on standard error, where AWS does not
    tell."""
    try:
        description = make(Call("sagemaker", "describe_endpoint", {"EndpointName": ENDPOINT}), of)
    except CloudError as error:
        print(error, file=sys.stderr)
        return {"instances": None}
    variants = description.get("ProductionVariants", ())
    return {"instances": float(sum(variant.get("CurrentInstanceCount", 0) for variant in variants))}
