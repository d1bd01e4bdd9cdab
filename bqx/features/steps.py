"""Kernels that are made of two, of which the first's rows can be kept."""

from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Steps:
    """A kernel as two, so that the rows of the first are kept while bars move on.

    ``first`` takes what the kernel takes and gives (T, K), a row of which depends on
    ``rows(*window)`` rows of the source; ``last(y, first_minute, *window)`` makes what the kernel
    gives, a row of it of ``reads(*window)`` of these. With ``begin(*window[, parameters])``, a
    state (S,) before any row, ``first`` takes the state after the rows before those it is given in
    the place of the parameters, and leaves that after them. One that runs ``abreast`` takes a row
    of several pairs, (C, P), its market minute and their states (S, P), and gives (K, P).
    """

    first: Callable[..., Array]
    last: Callable[..., Array]
    _: KW_ONLY
    rows: Callable[..., int]
    reads: Callable[..., int]
    begin: Callable[..., Array] | None = None
    abreast: bool = False
