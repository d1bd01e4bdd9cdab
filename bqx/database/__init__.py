"""Bars, their versions, and published features in PostgreSQL."""
