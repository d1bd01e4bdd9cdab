"""Real numbers on the command line."""

import argparse
from collections.abc import Callable


def real(least: float, most: float) -> Callable[[str], float]:
    """Reader of a finite number between two bounds, both of which it may be."""

    def read(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = float("nan")
        # Not a number is within no bounds.
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(
                f"no such number, got {text[:40]!r}; expected {least:,g} to {most:,g}"
            )
        return number

    return read
