"""Logarithms and powers of two, eight at a time, to 2e-14 of a unit and of their size.

Polynomials fitted in Chebyshev's points: of the logarithm in the square of (m - 1) / (m + 1), m
between the roots of 1/2 and of 2; of the power between -1/2 and 1/2.
"""

from bqx.compiled import kernel
from bqx.features.rolling.sums import F
from bqx.lanes import exponent, mantissa, times_two

_NEAREST = 1.5 * 2.0**52
"""A number from which on no double has a fraction."""


@kernel
def log2(x: F) -> F:
    """Logarithms to base 2 of positive numbers."""
    m = mantissa(x)
    s = (m - 1.0) / (m + 1.0)
    q = s * s
    r = q * q
    low = (2.8853900817779286 + 0.9617966939240242 * q) + (
        0.5770780173966106 + 0.41219837759391803 * q
    ) * r
    high = (0.32061811828901154 + 0.2613888937393648 * q) + 0.24357372966551258 * r
    return exponent(x) + s * (low + high * (r * r))


@kernel
def exp2(x: F) -> F:
    """Powers of 2; 0 below 2 ** -1022."""
    power = (x + _NEAREST) - _NEAREST
    f = x - power
    q = f * f
    r = q * q
    low = (1.000000000000014 + 0.6931471805599487 * f) + (
        0.2402265069563887 + 0.055504108664500826 * f
    ) * q
    high = (0.009618129194215754 + 0.001333355822118279 * f) + (
        0.0001540343357504186 + 1.5252662697502548e-05 * f
    ) * q
    highest = 1.3259680480894744e-06 + 1.0207645668890895e-07 * f
    return times_two(low + (high + highest * r) * r, power)
