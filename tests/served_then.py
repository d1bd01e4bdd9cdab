"""``bqx serve`` of a market that has passed: the capture's clock is the end of the newest bar."""

import sys
import time

from bqx import cli
from bqx.monitoring import capture


class Then(capture.Capture):
    """A capture that forecasts move on in time."""

    now = 0.0

    def __init__(self, place, share):
        super().__init__(place, share, lambda: self.now or time.time())

    def forecast(self, bundle, x, bars, predictions):
        self.now = 60.0 * (int(bars.minutes[-1]) + 1)
        super().forecast(bundle, x, bars, predictions)


if __name__ == "__main__":
    capture.Capture = Then
    sys.exit(cli.main(sys.argv[1:]))
