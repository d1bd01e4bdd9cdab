"""Volume, spread and quotes."""
