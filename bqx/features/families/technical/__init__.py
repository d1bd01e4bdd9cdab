"""Technical indicators, on bars of one minute and on resampled ones."""
