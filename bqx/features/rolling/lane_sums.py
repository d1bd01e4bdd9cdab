"""What is summed within blocks in lanes, and what is made of it, see `block_lanes`.

Each sums within the whole blocks of ``size`` rows from row ``start`` to row ``stop``: from a
block's end backwards, of distances from the row after it, of which there is one, and from its first
row on, of distances from that row. Both together are the sums of whole windows, or what is made of
them; windows may not reach back beyond row 0. Plain sums are of the values themselves.

Parameters
----------
x : tuple of the series (T,).
weights : tuple of those of rows in the order of summing, backwards and forwards, (size + `LANES`
    or more,) each; then the powers of exponential means; of trends, whose weights are places, those
    about which the middle is 0; for deviations and scores what sums and squares are multiplied by,
    and the share of the mean that is no deviation. Plain sums, squares and powers have none, and
    the series stands in their place.
older : tuple of the sums from ends backwards, (T,) each: read before the blocks, and written in the
    last of them, 0 at its first row.
outs : tuple of what is written, (T,) each.
turned : tuple of what is written over, (`room`,).

All series are contiguous, and `LANES` rows around the blocks may be read.
"""

from typing import Any

from llvmlite import ir

from bqx.features.rolling.block_lanes import Blocks, summing
from bqx.features.rolling.instructions import NUMBER, count_of, number


def _plain(b: Any, values: Any, _: Any, __: Any, sums: list[Any]) -> list[Any]:
    return [b.fadd(sums[0], values)]


def _weighted(b: Any, _: Any, apart: Any, weight: Any, sums: list[Any]) -> list[Any]:
    return [b.fadd(sums[0], b.fmul(weight, apart))]


def _squares(b: Any, _: Any, apart: Any, __: Any, sums: list[Any]) -> list[Any]:
    return [b.fadd(sums[0], apart), b.fadd(sums[1], b.fmul(apart, apart))]


def _powers(b: Any, _: Any, apart: Any, __: Any, sums: list[Any]) -> list[Any]:
    powers = [apart]
    while len(powers) < len(sums):
        powers.append(b.fmul(powers[-1], apart))
    return [b.fadd(*both) for both in zip(sums, powers, strict=True)]


def _trends(b: Any, _: Any, apart: Any, place: Any, sums: list[Any]) -> list[Any]:
    moments = (
        apart,
        b.fmul(place, apart),
        b.fmul(b.fmul(place, place), apart),
        b.fmul(apart, apart),
    )
    return [b.fadd(*both) for both in zip(sums, moments, strict=True)]


def _whole(at: Blocks, row: Any, _: Any, sums: list[Any]) -> list[Any]:
    """The sums with those up to the end of the block before."""
    return [at.b.fadd(*both) for both in zip(sums, at.rest(row), strict=True)]


def _with_origin(at: Blocks, row: Any, values: Any, sums: list[Any]) -> list[Any]:
    return [*_whole(at, row, values, sums), at.origin]


def _about_middle(at: Blocks, row: Any, values: Any, sums: list[Any]) -> list[Any]:
    """What `four_sums.trend_sums` makes of the sums."""
    b, middle = at.b, at.in_all(number(at.b, at.weights[2], row))
    twice, square = b.fmul(at.constant(2.0), middle), b.fmul(middle, middle)
    t0, t1, t2, squares = _whole(at, row, values, sums)
    first = b.fsub(t1, b.fmul(middle, t0))
    second = b.fadd(b.fsub(t2, b.fmul(twice, t1)), b.fmul(square, t0))
    return [t0, first, second, squares, at.origin]


def _mean(at: Blocks, row: Any, values: Any, sums: list[Any]) -> list[Any]:
    b = at.b
    share = at.in_all(b.fdiv(ir.Constant(NUMBER, 1.0), b.sitofp(at.size, NUMBER)))
    (total,) = _whole(at, row, values, sums)
    return [b.fadd(at.origin, b.fmul(total, share))]


def _about_origin(at: Blocks, row: Any, values: Any, sums: list[Any]) -> list[Any]:
    """Mean of the distances, and standard deviation."""
    b, nothing = at.b, at.constant(0.0)
    share, free = (at.in_all(number(b, at.weights[2], count_of(k))) for k in (0, 1))
    total, square = _whole(at, row, values, sums)
    rest = b.fsub(square, b.fmul(b.fmul(total, total), share))
    rest = b.select(b.fcmp_ordered("<", rest, nothing), nothing, rest)
    return [b.fmul(total, share), at.called("sqrt", b.fmul(rest, free))]


def _mean_and_deviation(at: Blocks, row: Any, values: Any, sums: list[Any]) -> list[Any]:
    """What `sums.mean_std` makes of the sums."""
    mean, std = _about_origin(at, row, values, sums)
    return [at.b.fadd(at.origin, mean), std]


def _score(at: Blocks, row: Any, values: Any, sums: list[Any]) -> list[Any]:
    """What `trailing.z_score` makes of the sums."""
    b, undefined = at.b, at.constant(float("nan"))
    mean, std = _about_origin(at, row, values, sums)
    nothing = at.in_all(number(b, at.weights[2], count_of(2)))
    least = b.fmul(nothing, at.called("fabs", b.fadd(at.origin, mean)))
    score = b.fdiv(b.fsub(b.fsub(values, at.origin), mean), std)
    return [b.select(b.fcmp_ordered(">", std, least), score, undefined)]


def _exponential(at: Blocks, row: Any, values: Any, sums: list[Any]) -> list[Any]:
    """What `weighted.faded` makes of the sums; where it is wanted, how far values are above it."""
    b, powers, origin, (newer,), (rest,) = at.b, at.weights[2], at.origin, sums, at.rest(row)
    now, then = (at.in_all(number(b, powers, b.add(row, count_of(k)))) for k in (0, 1))
    left = at.in_all(number(b, powers, at.size))
    since = b.fadd(b.fmul(now, newer), b.fmul(left, b.fsub(at.oldest(row), origin)))
    mean = b.fadd(origin, b.fadd(since, b.fmul(then, rest)))
    return [mean, b.fsub(values, mean)][: len(at.outs)]


plain_abreast = summing(_plain, _whole)
weighted_abreast = summing(_weighted, _with_origin)
squares_abreast = summing(_squares, _with_origin)
powers_abreast = summing(_powers, _with_origin)
trends_abreast = summing(_trends, _about_middle)
means_abreast = summing(_weighted, _mean)
deviations_abreast = summing(_squares, _mean_and_deviation)
scores_abreast = summing(_squares, _score)
exponentials_abreast = summing(_weighted, _exponential)
