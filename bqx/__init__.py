"""Honest, fast, reproducible short-horizon FX research; the packages are the API.

``bqx.Study`` is what cells of a notebook begin with, see `workbench.study`.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bqx.workbench.study import Study as Study

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    # Imported where it is asked for, so that a server does not load what it never calls.
    if name == "Study":
        from bqx.workbench.study import Study

        return Study
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
