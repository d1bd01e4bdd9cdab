"""Spectra, wavelets and singular spectra of trailing windows."""
