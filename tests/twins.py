"""The twins of all families, gathered from the modules that write them down."""

from collections.abc import Callable

import naive
import naive_dual
import naive_market
import naive_pairs
import naive_panels
import naive_parabolic
import naive_regimes
import naive_scales
import naive_spectral
import naive_tables
import naive_technical

TWINS: dict[tuple[str, str], Callable[..., naive.Outputs]] = {
    key: twin
    for module in (
        naive, naive_tables, naive_technical, naive_market, naive_pairs, naive_panels,
        naive_dual, naive_parabolic, naive_scales, naive_spectral, naive_regimes,
    )
    for key, twin in module.TWINS.items()
}  # fmt: skip
"""The twin of a family's kernels on a source."""

FITS = naive_regimes.FITS | naive_panels.FITS
"""Parameters of the fitted families in tests."""
