"""``--record`` keeps what a module of benchmarks has found, for the book."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import page
import pytest
from threadpoolctl import threadpool_limits

A_YEAR = 370_000


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record", action="store_true", help="write the results into the book")
    parser.addoption(
        "--rows",
        type=int,
        default=A_YEAR,
        help="minutes of bars for the large ones, default a year",
    )
    parser.addoption(
        "--large",
        type=int,
        default=3_000_000,
        help="rows of the baseline that goes block by block, default 3 million",
    )


@pytest.fixture(scope="session")
def large(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--large"))


@pytest.fixture(scope="session")
def rows(request: pytest.FixtureRequest) -> int:
    return int(request.config.getoption("--rows"))


@pytest.fixture(scope="module")
def results(rows: int, request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    failed = request.session.testsfailed
    found: dict[str, Any] = {"rows": rows}
    with threadpool_limits(1):
        yield found
    if request.config.getoption("--record") and request.session.testsfailed == failed:
        page.write(Path(request.module.__file__), found)
