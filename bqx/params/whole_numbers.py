"""Whole numbers on the command line."""

import argparse
import re
from collections.abc import Callable

from bqx.market.pairs import PAIRS

MOST_WORKERS = len(PAIRS)
"""Processes that work at the same time."""


def whole(most: int) -> Callable[[str], int]:
    """Reader of a whole number from 1."""

    def read(text: str) -> int:
        number = int(text) if re.fullmatch(r"[0-9]{1,18}", text) else 0
        if not 1 <= number <= most:
            raise argparse.ArgumentTypeError(
                f"no such number, got {text[:40]!r}; expected 1 to {most:,}"
            )
        return number

    return read
