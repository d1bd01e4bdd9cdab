"""What is summed within blocks in lanes, and what is made of it, see `block_lanes`.

``until`` : from a block's end backwards, of distances from the row after it, of which there is one;
0 at a block's first row.
``since`` : from its first row on, of distances from that row, and with what ``until`` gave,
``older``, those of whole windows or what is made of them. Windows may not reach back beyond row 0.
Plain sums are of the values themselves.

Each sums within the whole blocks of ``size`` rows from row ``start`` to row ``stop``.

Parameters
----------
x : tuple of the series (T,).
weights : tuple of those of rows in the order of summing, (size + `LANES` or more,); the powers with
    them for exponential means; of trends the places, and those about which the middle is 0; of
    powers and plain sums the series, and for deviations and scores what sums and squares are
    multiplied by, and the share of the mean that is no deviation.
older : tuple of what ``until`` gave, (T,) each.
outs : tuple of what is written, (T,) each.

All series are contiguous, and `LANES` rows around the blocks may be read.
"""

from typing import Any

from llvmlite import ir

from bqx.features.rolling.block_lanes import (
    NUMBER,
    Blocks,
    Lanes,
    ahead,
    count_of,
    number,
    summing,
)


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


def _whole(at: Blocks, row: Any, _: Any, sums: Lanes) -> Lanes:
    """The sums with those up to the end of the block before."""
    older = zip(*(at.of_blocks(address, at.oldest(row)) for address in at.older), strict=True)
    for newer, rest in zip(sums, older, strict=True):
        yield [at.b.fadd(*both) for both in zip(newer, rest, strict=True)]


def _with_origin(at: Blocks, row: Any, i: Any, sums: Lanes) -> Lanes:
    for origin, whole in zip(at.origins, _whole(at, row, i, sums), strict=True):
        yield [*whole, origin]


def _about_middle(at: Blocks, row: Any, i: Any, sums: Lanes) -> Lanes:
    """What `four_sums.trend_sums` makes of the sums."""
    b, middle = at.b, at.numbers(ahead(at.b, at.weights[1], i))
    twice, square = b.fmul(at.constant(2.0), middle), b.fmul(middle, middle)
    for origin, (t0, t1, t2, squares) in zip(at.origins, _whole(at, row, i, sums), strict=True):
        first = b.fsub(t1, b.fmul(middle, t0))
        second = b.fadd(b.fsub(t2, b.fmul(twice, t1)), b.fmul(square, t0))
        yield t0, first, second, squares, origin


def _mean(at: Blocks, row: Any, i: Any, sums: Lanes) -> Lanes:
    b = at.b
    share = at.in_all(b.fdiv(ir.Constant(NUMBER, 1.0), b.sitofp(at.size, NUMBER)))
    for origin, (total,) in zip(at.origins, _whole(at, row, i, sums), strict=True):
        yield [b.fadd(origin, b.fmul(total, share))]


def _about_origin(at: Blocks, row: Any, i: Any, sums: Lanes) -> Lanes:
    """What distances are from, and their mean and standard deviation."""
    b, nothing = at.b, at.constant(0.0)
    share, free = (at.in_all(number(b, at.weights[1], count_of(k))) for k in (0, 1))
    for origin, (total, square) in zip(at.origins, _whole(at, row, i, sums), strict=True):
        rest = b.fsub(square, b.fmul(b.fmul(total, total), share))
        rest = b.select(b.fcmp_ordered("<", rest, nothing), nothing, rest)
        yield origin, b.fmul(total, share), at.called("sqrt", b.fmul(rest, free))


def _mean_and_deviation(at: Blocks, row: Any, i: Any, sums: Lanes) -> Lanes:
    """What `sums.mean_std` makes of the sums."""
    for origin, mean, std in _about_origin(at, row, i, sums):
        yield at.b.fadd(origin, mean), std


def _score(at: Blocks, row: Any, i: Any, sums: Lanes) -> Lanes:
    """What `trailing.z_score` makes of the sums."""
    b, undefined = at.b, at.constant(float("nan"))
    nothing = at.in_all(number(b, at.weights[1], count_of(2)))
    lanes = zip(at.of_blocks(at.x, row), _about_origin(at, row, i, sums), strict=True)
    for value, (origin, mean, std) in lanes:
        least = b.fmul(nothing, at.called("fabs", b.fadd(origin, mean)))
        score = b.fdiv(b.fsub(b.fsub(value, origin), mean), std)
        yield [b.select(b.fcmp_ordered(">", std, least), score, undefined)]


def _exponential(at: Blocks, row: Any, i: Any, sums: Lanes) -> Lanes:
    """What `weighted.faded` makes of the sums."""
    b, powers, oldest = at.b, at.weights[1], at.oldest(row)
    now, then = (at.numbers(ahead(b, powers, b.add(i, count_of(k)))) for k in (0, 1))
    left = at.in_all(number(b, powers, at.size))
    firsts, older = at.of_blocks(at.x, oldest), at.of_blocks(at.older[0], oldest)
    for origin, (newer,), first, rest in zip(at.origins, sums, firsts, older, strict=True):
        since = b.fadd(b.fmul(now, newer), b.fmul(left, b.fsub(first, origin)))
        yield [b.fadd(origin, b.fadd(since, b.fmul(then, rest)))]


plain_until, plain_since = summing(1, _plain), summing(1, _plain, _whole)
weighted_until, weighted_since = summing(1, _weighted), summing(1, _weighted, _with_origin)
squares_until, squares_since = summing(2, _squares), summing(2, _squares, _with_origin)
power_until, power_since = summing(4, _powers), summing(4, _powers, _with_origin)
trend_until, trend_since = summing(4, _trends), summing(4, _trends, _about_middle)
mean_since = summing(1, _weighted, _mean)
deviation_since = summing(2, _squares, _mean_and_deviation)
score_since = summing(2, _squares, _score)
exponential_since = summing(1, _weighted, _exponential)
