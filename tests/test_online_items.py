"""Forecasts that go on learning in DynamoDB, against moto."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from moto import mock_aws

from bqx.cloud import calls, online_items, template
from bqx.online.settings import MEMBERS


@pytest.fixture
def of(monkeypatch: pytest.MonkeyPatch) -> Iterator[calls.Clients]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield calls.clients("us-east-1")


def stored(label: float) -> pd.DataFrame:
    frame = pd.DataFrame(
        {"pair": "eurusd", "horizon": 15, "minute": range(30), "online": 0.1, "fallen": False}
    ).assign(**dict.fromkeys(MEMBERS, 1e-9), label=label)
    weights = {f"weight_{name}": 1 / len(MEMBERS) for name in MEMBERS}
    return frame.assign(**weights, rsi=np.float32(0.3), absent=np.nan)


def test_a_forecast_and_its_label_are_one_item_that_expires(of: calls.Clients) -> None:
    table = template.endpoint()["Resources"]["Predictions"]["Properties"]
    made = ("TableName", "BillingMode", "AttributeDefinitions", "KeySchema")
    of("dynamodb").create_table(**{name: table[name] for name in made})
    assert online_items.write(stored(np.nan), of) == 30
    assert online_items.write(stored(-0.25), of) == 30
    found: list[dict[str, Any]] = of("dynamodb").scan(TableName="bqx_predictions")["Items"]
    assert len(found) == 30
    last = next(item for item in found if item["minute"]["N"] == "29")
    assert (last["status"]["S"], float(last["label"]["N"])) == ("known", -0.25)
    assert float(last["members"]["M"]["static"]["N"]) == 1e-9
    assert np.float32(last["features"]["M"]["rsi"]["N"]) == np.float32(0.3)
    assert last["features"]["M"]["absent"] == {"NULL": True}
    assert int(last["expires"]["N"]) == (29 + 30 * 1_440) * 60
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires", "Enabled": True}


def test_a_table_that_is_not_there_is_one_line(of: calls.Clients) -> None:
    with pytest.raises(calls.CloudError, match=r"dynamodb\.batch_write_item"):
        online_items.write(stored(0.0), of)


class Busy:
    """A table that takes one item of a request in each of its first answers."""

    def __init__(self, answers: int) -> None:
        self.answers, self.sent = answers, list[int]()

    def batch_write_item(self, RequestItems: dict[str, list[Any]]) -> dict[str, Any]:
        ((table, items),) = RequestItems.items()
        self.sent.append(len(items))
        left = items[1:] if len(self.sent) <= self.answers else []
        return {"UnprocessedItems": {table: left} if left else {}}


def test_a_busy_table_is_given_twice_the_time_before_every_further_try() -> None:
    busy, pauses = Busy(3), list[float]()
    assert online_items.write(stored(0.0).head(25), lambda _: busy, sleep=pauses.append) == 25
    assert busy.sent == [25, 24, 23, 22]
    assert pauses == pytest.approx([0.1, 0.2, 0.4])
    busy, pauses = Busy(99), []
    with pytest.raises(calls.CloudError, match="items are left, got 17 after 8 tries"):
        online_items.write(stored(0.0), lambda _: busy, sleep=pauses.append)
    assert len(pauses) == online_items.TRIES - 1
