"""Moments, quantiles and autocorrelation of one series."""
