"""Settings of the learners and of their weights."""

from dataclasses import dataclass

STATIC, MARTINGALE = "static", "martingale"
LEARNERS = ("linear_slow", "linear_fast", "forest", "boosted")
"""Members that learn; see `learners.fresh`."""
MEMBERS = (STATIC, MARTINGALE, *LEARNERS)
"""Members of an ensemble: the champion as it was fitted, the forecast 0, and those that learn."""


@dataclass(frozen=True)
class Settings:
    """What the learners of one pair and horizon are.

    ``trees``, ``bagging`` : of the adaptive random forest, and mean weight of a row in a tree;
    ``stages``, ``rate`` : of the boosted trees; ``depth`` : deepest level of the forest's trees;
    ``slow``, ``fast`` : learning rates of the linear learners, whose memory is about so many rows
    as one over them; ``drift``, ``warning`` : chances of a false alarm of ADWIN.
    ``memory`` : forecasts whose absolute errors decide the weights; ``temperature`` : error that
    divides them, as a share of their mean: 1 leaves weights all but equal, 0.01 tells one per cent
    of error apart. ``run_in`` : labels that are learnt before the static forecast is left.
    """

    trees: int = 100
    bagging: int = 6
    depth: int = 5
    stages: int = 50
    rate: float = 0.05
    slow: float = 1e-5
    fast: float = 1e-4
    drift: float = 0.002
    warning: float = 0.01
    memory: int = 14_400
    temperature: float = 0.01
    run_in: int = 500
    seed: int = 0
