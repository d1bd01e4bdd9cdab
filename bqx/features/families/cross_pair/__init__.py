"""Pairs beside other pairs: relatives, currencies, panels, lead and lag."""
