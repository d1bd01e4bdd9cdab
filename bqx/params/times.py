"""Times on the command line."""

from typing import TYPE_CHECKING

from bqx.errors import ParameterError

if TYPE_CHECKING:
    import pandas as pd

YEARS = range(1900, 2200)
"""Of all times that are taken; nanoseconds reach little farther."""


def moment(option: str, text: str) -> "pd.Timestamp":
    """A time in UTC, which it is in where it names no zone.

    Raises ParameterError for what is none.
    """
    import pandas as pd

    try:
        time = pd.Timestamp(text)
        if time is not pd.NaT and time.year in YEARS:
            return time.tz_localize("UTC") if time.tz is None else time.tz_convert("UTC")
    except (ValueError, TypeError, LookupError, ArithmeticError, OSError):
        pass  # pandas and its readers of dates raise all of these
    raise ParameterError(
        f"{option}: no time, got {text[:60]!r}; expected one such as 2024-01-08 or "
        f"2024-01-08T09:30, from {YEARS[0]} to {YEARS[-1]}."
    )
