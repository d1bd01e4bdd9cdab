"""The twins of all families, gathered from the modules ``naive*`` that write them down."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import naive
import numpy as np
from numpy.typing import NDArray

_MODULES = [import_module(path.stem) for path in sorted(Path(__file__).parent.glob("naive*.py"))]

TWINS: dict[tuple[str, str], Callable[..., naive.Outputs]] = {}
"""The twin of a family's kernels on a source."""

FITS: dict[str, NDArray[np.float64]] = {}
"""Parameters of the fitted families in tests."""

for module in _MODULES:
    assert not TWINS.keys() & getattr(module, "TWINS", {}).keys(), f"{module.__name__}: twins twice"
    TWINS |= getattr(module, "TWINS", {})
    FITS |= getattr(module, "FITS", {})
