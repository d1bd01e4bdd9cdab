"""From declared features to values: history, live, fitted, compiled ahead."""
