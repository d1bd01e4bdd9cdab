"""Paper trading: bars minute by minute through the live path, and its account."""
