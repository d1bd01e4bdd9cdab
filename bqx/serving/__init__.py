"""Forecasts on request: the last bars of a pair in, BQX at every horizon out."""
