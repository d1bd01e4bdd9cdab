"""The rule by which an endpoint's containers become more or fewer, on what was measured."""

import math
import time
from dataclasses import dataclass

from bqx.cloud.local.endpoints import Endpoints


@dataclass(frozen=True)
class Rule:
    """Target tracking.

    ``metric`` : ``invocations`` a minute and container, or ``cpu``, percent; ``target`` : its
    value to be held; ``least``, ``most`` : containers; ``out_cooldown``, ``in_cooldown`` : seconds
    after a change before there may be more, or fewer.
    """

    metric: str = "invocations"
    target: float = 400.0
    least: int = 1
    most: int = 4
    out_cooldown: float = 60.0
    in_cooldown: float = 300.0

    def wanted(self, now: int, value: float, since_change: float) -> int:
        """Containers for a value of the metric, where there are ``now``.

        >>> rule = Rule()
        >>> rule.wanted(1, 900, 100), rule.wanted(3, 100, 100), rule.wanted(3, 100, 400)
        (3, 3, 1)
        """
        # A little below the target is no reason to change, or the number would swing.
        needed = math.ceil(now * value / self.target - 1e-9)
        wanted = min(max(needed, self.least), self.most)
        if wanted < now and value > 0.9 * self.target:
            return now
        cooldown = self.out_cooldown if wanted > now else self.in_cooldown
        return wanted if since_change >= cooldown else now


def apply(
    endpoints: Endpoints, endpoint: str, variant: str, rule: Rule, *, since_change: float
) -> int:
    """Scale a variant by its invocations of the last minute; containers that it has then."""
    state = endpoints.state
    calls = state.measured(endpoint, variant, "seconds", time.time() - 60.0)
    (variant_state,) = [v for v in state.variants(endpoint) if v.name == variant]
    now = len(variant_state.instances)
    wanted = rule.wanted(now, len(calls) / max(now, 1), since_change)
    if wanted != now:
        endpoints.scale(endpoint, variant, wanted)
    return wanted
