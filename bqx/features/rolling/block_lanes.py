"""Running sums within four or eight blocks at once, one in each lane of a processor's registers.

A sum waits for the one before it, and blocks do not depend on each other. A square of as many rows
as lanes is read, turned so that a register holds one row of every block, summed, turned back and
written: every value has the bits that one block after the other gives it, on every processor.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from bqx.compiled import numbers_in_register

LANES = 8
"""Blocks side by side at most; as many rows may be read around the blocks."""

_NUMBER, _COUNT = ir.DoubleType(), ir.IntType(64)
_SERIES = (types.float64, 1)

Step = Callable[[Any, Any, Any, Any, list[Any]], list[Any]]
"""From the builder, a row's values, their distances and weight and the sums so far to the sums
with it."""

Ending = Callable[["_Blocks", Any, Any, list[list[Any]]], list[list[Any]]]
"""From the first of some rows, counted from a block's start and among the weights, and the sums in
these rows of every lane's block to what is written of each."""


def _count(value: int) -> Any:
    return ir.Constant(_COUNT, value)


def _counts(values: Sequence[int], bits: int = 64) -> Any:
    return ir.Constant(ir.VectorType(ir.IntType(bits), len(values)), list(values))


def _ahead(b: Any, address: Any, rows: Any) -> Any:
    """The address so many rows on."""
    return b.add(address, b.shl(rows, _count(3)))


def _number(b: Any, address: Any, row: Any) -> Any:
    """The number of a row, given where that of row 0 lies."""
    return b.load(b.inttoptr(_ahead(b, address, row), _NUMBER.as_pointer()))


def _in_all(b: Any, value: Any, places: int) -> Any:
    """A value in each of so many places."""
    unknown = ir.Constant(ir.VectorType(value.type, places), ir.Undefined)
    one = b.insert_element(unknown, value, _count(0))
    return b.shuffle_vector(one, one, _counts([0] * places, 32))


def _turned(b: Any, rows: list[Any]) -> list[Any]:
    """A square of numbers transposed: squares of 1, then 2, then 4 of them change places."""
    rows, side, size = list(rows), 1, len(rows)
    while side < size:
        near = [k + (size - side if k & side else 0) for k in range(size)]
        far = [k + side for k in near]
        for i in (i for i in range(size) if not i & side):
            one, other = rows[i], rows[i + side]
            rows[i] = b.shuffle_vector(one, other, _counts(near, 32))
            rows[i + side] = b.shuffle_vector(one, other, _counts(far, 32))
        side *= 2
    return rows


@dataclass
class _Blocks:
    """Instructions that sum whole blocks of a series, which follow each other in memory.

    Lanes beyond the last block do what that one does. ``x``, ``outs`` and ``older`` are where
    the first block's first row lies, ``weights`` where the weight of the first row summed does.
    """

    b: Any
    lanes: int
    x: Any
    weights: list[Any]
    older: list[Any]
    outs: list[Any]
    size: Any
    blocks: Any
    sums: int
    step: Step
    ending: Ending | None

    def write(self) -> None:
        """As many blocks at a time as there are lanes."""
        b, before = self.b, self.b.block
        loop, done = b.append_basic_block(), b.append_basic_block()
        b.branch(loop)
        b.position_at_end(loop)
        block = b.phi(_COUNT)
        self._abreast(block)
        following = b.add(block, _count(self.lanes))
        block.add_incoming(_count(0), before)
        block.add_incoming(following, b.block)
        b.cbranch(b.icmp_signed("<", following, self.blocks), loop, done)
        b.position_at_end(done)

    def _abreast(self, first: Any) -> None:
        """As many rows at a time, then those that are left."""
        b, last = self.b, self.b.sub(self.blocks, _count(1))
        self.firsts, self.origin = [], ir.Constant(self.wide, ir.Undefined)
        for k in range(self.lanes):
            block = b.add(first, _count(k))
            block = b.select(b.icmp_signed("<", block, last), block, last)
            start = b.mul(block, self.size)
            self.firsts.append(b.shl(start, _count(3)))
            origin = b.add(start, self.size) if self.ending is None else start
            number = _number(b, self.x, origin)
            self.origin = b.insert_element(self.origin, number, _count(k))
        rest = b.and_(self.size, _count(self.lanes - 1))
        whole = b.sub(self.size, rest)
        sums = self._whole_tiles(whole)
        with b.if_then(b.icmp_signed("!=", rest, _count(0))):
            ahead = b.sub(rest, _count(self.lanes)) if self.ending is None else whole
            edge = b.sub(_count(self.lanes), rest) if self.ending is None else rest
            order = ">=" if self.ending is None else "<"
            own = b.icmp_signed(order, _counts(range(self.lanes)), self.in_all(edge))
            self._tile(ahead, whole, sums, own)
        if self.ending is None:  # a window that ends where a block does holds nothing older
            for place in (b.add(out, first) for out in self.outs for first in self.firsts):
                b.store(ir.Constant(_NUMBER, 0.0), b.inttoptr(place, _NUMBER.as_pointer()))

    def _whole_tiles(self, whole: Any) -> list[Any]:
        b, before = self.b, self.b.block
        loop, done = b.append_basic_block(), b.append_basic_block()
        some = b.icmp_signed("<", _count(0), whole)
        b.cbranch(some, loop, done)
        b.position_at_end(loop)
        i, sums = b.phi(_COUNT), [b.phi(self.wide) for _ in range(self.sums)]
        row = b.sub(b.sub(self.size, _count(self.lanes)), i) if self.ending is None else i
        added = self._tile(row, i, sums)
        following = b.add(i, _count(self.lanes))
        b.cbranch(b.icmp_signed("<", following, whole), loop, done)
        b.position_at_end(done)
        last, nothing = [b.phi(self.wide) for _ in sums], self.nothing
        for value, later in ((i, following), *zip(sums, added, strict=True)):
            value.add_incoming(_count(0) if value is i else nothing, before)
            value.add_incoming(later, loop)
        for value, later in zip(last, added, strict=True):
            value.add_incoming(nothing, before)
            value.add_incoming(later, loop)
        return last

    def _tile(self, row: Any, i: Any, sums: list[Any], own: Any = None) -> list[Any]:
        """Sums after some rows of every block; only those that are ``own`` are written anew."""
        b, x = self.b, _ahead(self.b, self.x, row)
        columns = _turned(b, [self.numbers(b.add(x, first)) for first in self.firsts])
        made: list[list[Any]] = [[None] * self.lanes for _ in sums]
        for k in range(self.lanes):
            at = self.lanes - 1 - k if self.ending is None else k
            weight = self.in_all(_number(b, self.weights[0], b.add(i, _count(k))))
            sums = self.step(b, columns[at], b.fsub(columns[at], self.origin), weight, sums)
            for of_rows, value in zip(made, sums, strict=True):
                of_rows[at] = value
        written = [_turned(b, of_rows) for of_rows in made]
        if self.ending is not None:
            written = self.ending(self, row, i, written)
        for out, of_lanes in zip(self.outs, written, strict=True):
            for first, value in zip(self.firsts, of_lanes, strict=True):
                to = b.add(_ahead(b, out, row), first)
                new = value if own is None else b.select(own, value, self.numbers(to))
                b.store(new, b.inttoptr(to, self.wide.as_pointer()), align=8)
        return sums

    @property
    def wide(self) -> Any:
        """The kind of a register."""
        return ir.VectorType(_NUMBER, self.lanes)

    @property
    def nothing(self) -> Any:
        """0 in every place."""
        return ir.Constant(self.wide, [0.0] * self.lanes)

    def numbers(self, address: Any) -> Any:
        """A register's numbers from an address on."""
        return self.b.load(self.b.inttoptr(address, self.wide.as_pointer()), align=8)

    def in_all(self, value: Any) -> Any:
        """A value in every place."""
        return _in_all(self.b, value, self.lanes)

    @property
    def origins(self) -> list[Any]:
        """What each block's distances are from, in every place."""
        b = self.b
        return [
            self.in_all(b.extract_element(self.origin, _count(lane))) for lane in range(self.lanes)
        ]

    def oldest(self, address: Any, row: Any) -> list[Any]:
        """Of a series, the first rows of the windows that end from a row of each block on."""
        b, ahead = self.b, self.b.sub(self.b.add(row, _count(1)), self.size)
        address = _ahead(b, address, ahead)
        return [self.numbers(b.add(address, first)) for first in self.firsts]


def _plain(b: Any, values: Any, _: Any, __: Any, sums: list[Any]) -> list[Any]:
    return [b.fadd(sums[0], values)]


def _weighted(b: Any, _: Any, apart: Any, weight: Any, sums: list[Any]) -> list[Any]:
    return [b.fadd(sums[0], b.fmul(weight, apart))]


def _squares(b: Any, _: Any, apart: Any, __: Any, sums: list[Any]) -> list[Any]:
    return [b.fadd(sums[0], apart), b.fadd(sums[1], b.fmul(apart, apart))]


def _whole(at: _Blocks, row: Any, _: Any, sums: list[list[Any]]) -> list[list[Any]]:
    """The sums with those up to the end of the block before."""
    return [
        [at.b.fadd(*both) for both in zip(newer, at.oldest(older, row), strict=True)]
        for newer, older in zip(sums, at.older, strict=True)
    ]


def _with_origin(at: _Blocks, row: Any, i: Any, sums: list[list[Any]]) -> list[list[Any]]:
    return [*_whole(at, row, i, sums), at.origins]


def _mean(at: _Blocks, row: Any, i: Any, sums: list[list[Any]]) -> list[list[Any]]:
    b = at.b
    share = at.in_all(b.fdiv(ir.Constant(_NUMBER, 1.0), b.sitofp(at.size, _NUMBER)))
    lanes = zip(at.origins, *_whole(at, row, i, sums), strict=True)
    return [[b.fadd(origin, b.fmul(total, share)) for origin, total in lanes]]


def _about_origin(
    at: _Blocks, row: Any, i: Any, sums: list[list[Any]]
) -> Iterator[tuple[Any, Any, Any]]:
    """Of each lane what distances are from, and their mean and standard deviation."""
    b, kind = at.b, ir.FunctionType(at.wide, [at.wide])
    share, free = (at.in_all(_number(b, at.weights[1], _count(k))) for k in (0, 1))
    root = b.module.declare_intrinsic(f"llvm.sqrt.v{at.lanes}f64", (), kind)
    for origin, total, square in zip(at.origins, *_whole(at, row, i, sums), strict=True):
        rest = b.fsub(square, b.fmul(b.fmul(total, total), share))
        rest = b.select(b.fcmp_ordered("<", rest, at.nothing), at.nothing, rest)
        yield origin, b.fmul(total, share), b.call(root, [b.fmul(rest, free)])


def _mean_and_deviation(at: _Blocks, row: Any, i: Any, sums: list[list[Any]]) -> list[list[Any]]:
    """What `sums.mean_std` makes of the sums."""
    lanes = [
        (at.b.fadd(origin, mean), std) for origin, mean, std in _about_origin(at, row, i, sums)
    ]
    return [list(of_lanes) for of_lanes in zip(*lanes, strict=True)]


def _score(at: _Blocks, row: Any, i: Any, sums: list[list[Any]]) -> list[list[Any]]:
    """What `trailing.z_score` makes of the sums."""
    b, x, scores = at.b, _ahead(at.b, at.x, row), []
    size = b.module.declare_intrinsic(
        f"llvm.fabs.v{at.lanes}f64", (), ir.FunctionType(at.wide, [at.wide])
    )
    nothing = at.in_all(_number(b, at.weights[1], _count(2)))
    undefined = ir.Constant(at.wide, [float("nan")] * at.lanes)
    lanes = zip(at.firsts, _about_origin(at, row, i, sums), strict=True)
    for first, (origin, mean, std) in lanes:
        apart = b.fsub(b.fsub(at.numbers(b.add(x, first)), origin), mean)
        least = b.fmul(nothing, b.call(size, [b.fadd(origin, mean)]))
        moved = b.fcmp_ordered(">", std, least)
        scores.append(b.select(moved, b.fdiv(apart, std), undefined))
    return [scores]


def _exponential(at: _Blocks, row: Any, i: Any, sums: list[list[Any]]) -> list[list[Any]]:
    """What `weighted.ewm_mean` makes of the sums."""
    b, powers = at.b, at.weights[1]
    now, then = (at.numbers(_ahead(b, powers, b.add(i, _count(k)))) for k in (0, 1))
    left, means = at.in_all(_number(b, powers, at.size)), []
    oldest, older = at.oldest(at.x, row), at.oldest(at.older[0], row)
    for origin, newer, first, rest in zip(at.origins, sums[0], oldest, older, strict=True):
        since = b.fadd(b.fmul(now, newer), b.fmul(left, b.fsub(first, origin)))
        means.append(b.fadd(origin, b.fadd(since, b.fmul(then, rest))))
    return [means]


def _addresses(context: Any, b: Any, kind: Any, arrays: Any, row: Any) -> list[Any]:
    """Where a row of each of a tuple of series lies."""
    found = (
        context.make_array(each)(context, b, b.extract_value(arrays, k)).data
        for k, each in enumerate(kind)
    )
    return [b.add(b.ptrtoint(data, _COUNT), b.shl(row, _count(3))) for data in found]


def _of_blocks(sums: int, step: Step, ending: Ending | None = None) -> Any:
    """A function for kernels: sums from the blocks' first rows on where they have an ending."""

    @intrinsic
    def of_blocks(_: Any, x: Any, weights: Any, older: Any, outs: Any,
                  start: Any, stop: Any, size: Any) -> Any:  # fmt: skip
        def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
            *series, start, stop, size = arguments
            blocks = b.sdiv(b.sub(stop, start), size)
            firsts = (start, _count(0), start, start)
            parts = zip(signature.args[:4], series, firsts, strict=True)
            at = [_addresses(context, b, kind, of, row) for kind, of, row in parts]
            lanes = numbers_in_register(context)
            series = at[0][0], *at[1:]
            _Blocks(b, lanes, *series, size, blocks, sums, step, ending).write()
            return context.get_dummy_value()

        for each in (each for group in (x, weights, older, outs) for each in group):
            if not (isinstance(each, types.Array) and (each.dtype, each.ndim) == _SERIES):
                return None
        rows = (types.int64,) * 3
        return types.void(x, weights, older, outs, *rows), generate

    return of_blocks


plain_until, plain_since = _of_blocks(1, _plain), _of_blocks(1, _plain, _whole)
weighted_until, weighted_since = _of_blocks(1, _weighted), _of_blocks(1, _weighted, _with_origin)
squares_until, squares_since = _of_blocks(2, _squares), _of_blocks(2, _squares, _with_origin)
mean_since = _of_blocks(1, _weighted, _mean)
deviation_since = _of_blocks(2, _squares, _mean_and_deviation)
score_since = _of_blocks(2, _squares, _score)
exponential_since = _of_blocks(1, _weighted, _exponential)
"""Sums within the whole blocks of ``size`` rows from row ``start`` to row ``stop``, for kernels.

``until`` : from a block's end backwards, of distances from the row after it, of which there is one;
0 at a block's first row.
``since`` : from its first row on, of distances from that row, and with what ``until`` gave,
``older``, those of whole windows; then what the distances are from. Windows may not reach back
beyond row 0. Plain sums are of the values themselves.

Parameters
----------
x : tuple of the series (T,).
weights : tuple of those of rows in the order of summing, (size + `LANES` or more,); the powers with
    them for exponential means; of squares and plain sums the series, and for deviations and scores what
    sums and squares are multiplied by, and the share of the mean that is no deviation.
older : tuple of what ``until`` gave, (T,) each.
outs : tuple of what is written, (T,) each.

All series are contiguous, and `LANES` rows around the blocks may be read.
"""
