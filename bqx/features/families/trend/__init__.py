"""Momentum, regression and averages of one series."""
