"""Adaptive windowing (ADWIN): a window of the last values, cut where their mean has changed.

river's own keeps its window where nobody can read it; this one is plain numbers, so that a
checkpoint holds it to the last bit, and it is handed to river's forest in the place of river's.

Source: Bifet and Gavaldà (2007), the version with exponential buckets; checked against river's.
"""

from math import log, sqrt

from river.base import DriftDetector

MOST_BUCKETS = 5
"""Buckets of one size before two of them are merged."""
CLOCK = 32
"""Values between two looks for a change."""
LEAST_PART = 5
"""Fewest values on either side of a cut."""
GRACE = 10
"""Values before the first look."""


class Adwin(DriftDetector):
    """Detector of a change of the mean of a stream; ``delta`` : chance of a false alarm."""

    def __init__(self, delta: float = 0.002) -> None:
        super().__init__()
        self.delta = delta
        self._clear()

    def _clear(self) -> None:
        self._reset()
        # A row per size 2**k: sums and sums of squared deviations, oldest first.
        self.sums: list[list[float]] = [[]]
        self.squares: list[list[float]] = [[]]
        self.width = 0
        self.total = 0.0
        self.variance = 0.0
        self.seen = 0

    def update(self, x: float) -> None:
        """Take in the next value; ``drift_detected`` says whether the mean has changed by it."""
        if self.drift_detected:
            self._clear()
        self._insert(float(x))
        self.seen += 1
        self._drift_detected = False
        if self.seen % CLOCK == 0 and self.width > GRACE:
            self._drift_detected = self._shrink()

    def _insert(self, x: float) -> None:
        self.sums[0].append(x)
        self.squares[0].append(0.0)
        if self.width:
            mean = self.total / self.width
            self.variance += self.width * (x - mean) * (x - mean) / (self.width + 1)
        self.width += 1
        self.total += x
        self._compress()

    def _compress(self) -> None:
        row = 0
        while row < len(self.sums) and len(self.sums[row]) > MOST_BUCKETS:
            if row + 1 == len(self.sums):
                self.sums.append([])
                self.squares.append([])
            size = 1 << row
            first, second = self.sums[row][:2]
            between = (first - second) * (first - second) / (2 * size)
            self.squares[row + 1].append(sum(self.squares[row][:2]) + between)
            self.sums[row + 1].append(first + second)
            del self.sums[row][:2], self.squares[row][:2]
            row += 1

    def _shrink(self) -> bool:
        """Drop the oldest buckets as long as some cut of the window shows a change."""
        changed = False
        while self.width > GRACE and self._cut():
            self._drop()
            changed = True
        return changed

    def _cut(self) -> bool:
        """Whether older and newer values of some cut differ beyond chance."""
        count, total = 0, 0.0
        for row in range(len(self.sums) - 1, -1, -1):
            for value in self.sums[row]:
                count += 1 << row
                total += value
                later = self.width - count
                if later < LEAST_PART:
                    return False
                if count < LEAST_PART:
                    continue
                apart = abs(total / count - (self.total - total) / later)
                if apart > self._bound(count, later):
                    return True
        return False

    def _bound(self, earlier: int, later: int) -> float:
        spread = self.variance / self.width
        chance = log(2.0 * log(self.width) / self.delta)
        harmonic = 1.0 / (earlier - LEAST_PART + 1) + 1.0 / (later - LEAST_PART + 1)
        return sqrt(2.0 * harmonic * spread * chance) + 2.0 / 3.0 * chance * harmonic

    def _drop(self) -> None:
        """Take the oldest bucket out of the window."""
        row = len(self.sums) - 1
        size = 1 << row
        total, squares = self.sums[row].pop(0), self.squares[row].pop(0)
        self.width -= size
        self.total -= total
        mean = self.total / self.width
        apart = total / size - mean
        self.variance -= squares + size * self.width * apart * apart / (size + self.width)
        while len(self.sums) > 1 and not self.sums[-1]:
            self.sums.pop()
            self.squares.pop()
