"""``--record`` keeps what a whole run of the benchmarks has found, for the book."""

from collections.abc import Iterator
from typing import Any

import measure
import page
import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record", action="store_true", help="write the results into the book")


@pytest.fixture(scope="session")
def results(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    found: dict[str, Any] = {"machine": measure.machine()}
    yield found
    if request.config.getoption("--record"):
        page.write(found)
