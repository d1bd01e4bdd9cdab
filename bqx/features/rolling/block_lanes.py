"""Running sums within eight blocks at once, one in each lane of wide registers.

A sum waits for the one before it, and blocks do not depend on each other. Eight rows of eight
blocks are read, turned so that a register holds one row of every block, summed, turned back and
written: every value has the bits that one block after the other gives it, on every processor.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

LANES = 8
"""Blocks side by side, and rows read at a time; as many may be read around the blocks."""

_NUMBER, _COUNT = ir.DoubleType(), ir.IntType(64)
_WIDE = ir.VectorType(_NUMBER, LANES)
_SERIES = (types.float64, 1)
_UNKNOWN = ir.Constant(_WIDE, ir.Undefined)

Step = Callable[[Any, Any, Any, Any, list[Any]], list[Any]]
"""From the builder, a row's values, their distances and weight and the sums so far to the sums
with it."""

Ending = Callable[["_Blocks", int, Any, Any, list[Any]], list[Any]]
"""From the sums in eight rows of the block in a lane, its first row counted from the first block's
and from its own, to what is written."""


def _count(value: int) -> Any:
    return ir.Constant(_COUNT, value)


def _counts(values: Sequence[int], bits: int = 64) -> Any:
    return ir.Constant(ir.VectorType(ir.IntType(bits), LANES), list(values))


def _place(b: Any, address: Any, row: Any, kind: Any = _WIDE) -> Any:
    """Where the numbers from a row on lie, given where those of row 0 do."""
    return b.inttoptr(b.add(address, b.shl(row, _count(3))), kind.as_pointer())


def _in_all(b: Any, value: Any) -> Any:
    """A value in every lane."""
    unknown = ir.Constant(ir.VectorType(value.type, LANES), ir.Undefined)
    one = b.insert_element(unknown, value, _count(0))
    return b.shuffle_vector(one, one, _counts([0] * LANES, 32))


def _turned(b: Any, rows: list[Any]) -> list[Any]:
    """Eight registers transposed: squares of 1, then 2, then 4 numbers change places."""
    side = 1
    while side < LANES:
        near = [k + (LANES - side if k & side else 0) for k in range(LANES)]
        far = [k + side for k in near]
        for i in (i for i in range(LANES) if not i & side):
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
        """Eight blocks at a time."""
        b, before = self.b, self.b.block
        loop, done = b.append_basic_block(), b.append_basic_block()
        b.branch(loop)
        b.position_at_end(loop)
        block = b.phi(_COUNT)
        self._eight(block)
        following = b.add(block, _count(LANES))
        block.add_incoming(_count(0), before)
        block.add_incoming(following, b.block)
        b.cbranch(b.icmp_signed("<", following, self.blocks), loop, done)
        b.position_at_end(done)

    def _eight(self, first: Any) -> None:
        """Eight rows at a time, then those that are left."""
        b, last = self.b, self.b.sub(self.blocks, _count(1))
        self.firsts, self.origin = [], _UNKNOWN
        for k in range(LANES):
            block = b.add(first, _count(k))
            block = b.select(b.icmp_signed("<", block, last), block, last)
            self.firsts.append(b.mul(block, self.size))
            origin = b.add(self.firsts[k], self.size) if self.ending is None else self.firsts[k]
            number = b.load(_place(b, self.x, origin, _NUMBER))
            self.origin = b.insert_element(self.origin, number, _count(k))
        rest = b.and_(self.size, _count(LANES - 1))
        whole = b.sub(self.size, rest)
        sums = self._whole_tiles(whole)
        with b.if_then(b.icmp_signed("!=", rest, _count(0))):
            ahead = b.sub(rest, _count(LANES)) if self.ending is None else whole
            edge = b.sub(_count(LANES), rest) if self.ending is None else rest
            order = ">=" if self.ending is None else "<"
            own = b.icmp_signed(order, _counts(range(LANES)), _in_all(b, edge))
            self._tile(ahead, whole, sums, own)
        if self.ending is None:  # a window that ends where a block does holds nothing older
            for out, row in ((out, row) for out in self.outs for row in self.firsts):
                b.store(ir.Constant(_NUMBER, 0.0), _place(b, out, row, _NUMBER))

    def _whole_tiles(self, whole: Any) -> list[Any]:
        b, before = self.b, self.b.block
        loop, done = b.append_basic_block(), b.append_basic_block()
        some = b.icmp_signed("<", _count(0), whole)
        b.cbranch(some, loop, done)
        b.position_at_end(loop)
        i, sums = b.phi(_COUNT), [b.phi(_WIDE) for _ in range(self.sums)]
        row = b.sub(b.sub(self.size, _count(LANES)), i) if self.ending is None else i
        added = self._tile(row, i, sums)
        following = b.add(i, _count(LANES))
        b.cbranch(b.icmp_signed("<", following, whole), loop, done)
        b.position_at_end(done)
        last = [b.phi(_WIDE) for _ in sums]
        nothing = ir.Constant(_WIDE, [0.0] * LANES)
        for value, later in ((i, following), *zip(sums, added, strict=True)):
            value.add_incoming(_count(0) if value is i else nothing, before)
            value.add_incoming(later, loop)
        for value, later in zip(last, added, strict=True):
            value.add_incoming(nothing, before)
            value.add_incoming(later, loop)
        return last

    def _tile(self, row: Any, i: Any, sums: list[Any], own: Any = None) -> list[Any]:
        """Sums after eight rows of every block; only rows that are ``own`` are written anew."""
        b = self.b
        rows = [b.add(first, row) for first in self.firsts]
        columns = _turned(b, [b.load(_place(b, self.x, each), align=8) for each in rows])
        made: list[list[Any]] = [[None] * LANES for _ in sums]
        for k in range(LANES):
            at = LANES - 1 - k if self.ending is None else k
            weight = b.load(_place(b, self.weights[0], b.add(i, _count(k)), _NUMBER))
            apart = b.fsub(columns[at], self.origin)
            sums = self.step(b, columns[at], apart, _in_all(b, weight), sums)
            for of_rows, value in zip(made, sums, strict=True):
                of_rows[at] = value
        made = [_turned(b, of_rows) for of_rows in made]
        for k, each in enumerate(rows):
            values = [of_lanes[k] for of_lanes in made]
            if self.ending is not None:
                values = self.ending(self, k, each, i, values)
            for out, value in zip(self.outs, values, strict=True):
                to = _place(b, out, each)
                new = value if own is None else b.select(own, value, b.load(to, align=8))
                b.store(new, to, align=8)
        return sums

    def origin_of(self, lane: int) -> Any:
        """What a block's distances are from, in every place."""
        return _in_all(self.b, self.b.extract_element(self.origin, _count(lane)))

    def oldest(self, address: Any, row: Any) -> Any:
        """Of a series, the first rows of the windows that end from a row on."""
        ahead = self.b.sub(self.b.add(row, _count(1)), self.size)
        return self.b.load(_place(self.b, address, ahead), align=8)


def _plain(b: Any, values: Any, _: Any, __: Any, sums: list[Any]) -> list[Any]:
    return [b.fadd(sums[0], values)]


def _weighted(b: Any, _: Any, apart: Any, weight: Any, sums: list[Any]) -> list[Any]:
    return [b.fadd(sums[0], b.fmul(weight, apart))]


def _squares(b: Any, _: Any, apart: Any, __: Any, sums: list[Any]) -> list[Any]:
    return [b.fadd(sums[0], apart), b.fadd(sums[1], b.fmul(apart, apart))]


def _whole(at: _Blocks, _: int, row: Any, __: Any, sums: list[Any]) -> list[Any]:
    """The sums with those up to the end of the block before."""
    parts = zip(sums, at.older, strict=True)
    return [at.b.fadd(newer, at.oldest(older, row)) for newer, older in parts]


def _with_origin(at: _Blocks, lane: int, row: Any, _: Any, sums: list[Any]) -> list[Any]:
    return [*_whole(at, lane, row, _, sums), at.origin_of(lane)]


def _mean(at: _Blocks, lane: int, row: Any, _: Any, sums: list[Any]) -> list[Any]:
    size = _in_all(at.b, at.b.sitofp(at.size, _NUMBER))
    return [at.b.fadd(at.origin_of(lane), at.b.fdiv(_whole(at, lane, row, _, sums)[0], size))]


def _exponential(at: _Blocks, lane: int, row: Any, i: Any, sums: list[Any]) -> list[Any]:
    """What `weighted.ewm_mean` makes of the sums."""
    b, powers, origin = at.b, at.weights[1], at.origin_of(lane)
    now, then = (b.load(_place(b, powers, b.add(i, _count(k))), align=8) for k in (0, 1))
    left = _in_all(b, b.load(_place(b, powers, at.size, _NUMBER)))
    started = b.fmul(left, b.fsub(at.oldest(at.x, row), origin))
    since = b.fadd(b.fmul(now, sums[0]), started)
    before = b.fmul(then, at.oldest(at.older[0], row))
    return [b.fadd(origin, b.fadd(since, before))]


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
            _Blocks(b, at[0][0], at[1], at[2], at[3], size, blocks, sums, step, ending).write()
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
    them for exponential means; of squares and plain sums the series.
older : tuple of what ``until`` gave, (T,) each.
outs : tuple of what is written, (T,) each.

All series are contiguous, and `LANES` rows around the blocks may be read.
"""
