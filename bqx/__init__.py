"""Honest, fast, reproducible short-horizon FX research; the modules are the API."""

from pathlib import Path

from bqx.compiled import forget_stale

__version__ = "0.1.0"

forget_stale(Path(__file__).parent)
