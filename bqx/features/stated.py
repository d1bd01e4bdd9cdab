"""Feature counts that the field's documents state, for reconciliation with the catalog.

``inventory`` is the list of 730 features, ``enhanced`` the later list that states 1,080. A table
absent from a document has no count there.
"""

from typing import NamedTuple


class Stated(NamedTuple):
    """Counts that two documents state for a store table."""

    table: str
    inventory: int | None
    enhanced: int | None
    about: str


STATED = (
    Stated("reg_idx", 90, 90, "quadratic trend, rate"),
    Stated("reg_bqx", 90, 90, "quadratic trend, BQX"),
    Stated("technical_idx", 15, 56, "technical indicators, rate"),
    Stated("technical_bqx", 15, 56, "technical indicators, BQX"),
    Stated("statistics_idx", 24, None, "statistics, rate"),
    Stated("statistics_bqx", 24, 48, "statistics, BQX"),
    Stated("bollinger_idx", 10, None, "Bollinger bands, rate"),
    Stated("bollinger_bqx", 10, 20, "Bollinger bands, BQX"),
    Stated("time", 20, 20, "time and calendar"),
    Stated("fibonacci_idx", 10, None, "Fibonacci, rate"),
    Stated("fibonacci_bqx", 10, 20, "Fibonacci, BQX"),
    Stated("volume", 15, 32, "volume"),
    Stated("volume_bqx", 8, None, "volume against BQX"),
    Stated("spread", 12, 3, "spread and microstructure"),
    Stated("correlation_idx", 20, 45, "correlation, rate"),
    Stated("correlation_bqx", 25, 45, "correlation, BQX"),
    Stated("moving_averages", 24, 24, "moving averages"),
    Stated("multi_resolution", 30, 30, "5- and 15-minute bars"),
    Stated("dual_domain", 28, 28, "rate against BQX"),
    Stated("cross_pair", 44, 44, "sisters, triangles, dollar factor"),
    Stated("lagged", 180, 180, "series at lags 1 to 60"),
    Stated("event_regime", 26, 26, "events and regimes"),
    Stated("error_correction", None, 30, "error correction"),
    Stated("realized_volatility", None, 40, "realized volatility"),
    Stated("hmm_regime", None, 25, "hidden Markov regimes"),
    Stated("cross_sectional_panel", None, 35, "cross-sectional panel"),
    Stated("parabolic", None, 180, "parabolic comparisons"),
    Stated("multi_scale", None, 60, "30- and 60-minute bars"),
    Stated("spectral", None, 80, "spectrum and wavelets"),
)

TOTALS = {"inventory": 730, "enhanced": 1080}
"""Totals that the documents print."""
