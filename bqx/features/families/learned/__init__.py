"""Codes learnt from other features on training rows."""
