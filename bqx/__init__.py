"""Honest, fast, reproducible short-horizon FX research; the packages are the API."""

__version__ = "0.1.0"
