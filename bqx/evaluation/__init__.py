"""Skill against the martingale forecast, and whether it can be believed."""
