"""``--record`` keeps what a whole run of the studies has found, for the book."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import findings
import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record", action="store_true", help="write the findings into the book")


@pytest.fixture(scope="module")
def studied(request: pytest.FixtureRequest) -> Iterator[dict[str, Any]]:
    found: dict[str, Any] = {}
    yield found
    if request.config.getoption("--record"):
        findings.write(Path(request.module.__file__), found)
