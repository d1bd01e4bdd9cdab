"""Realized volatility, jumps, regimes and hidden states."""
