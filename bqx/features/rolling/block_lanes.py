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
_UNKNOWN = ir.Constant(_WIDE, ir.Undefined)

Step = Callable[[Any, Any, Any, list[Any]], list[Any]]
"""From the builder, a row's distances, its weight and the sums so far to the sums with it."""


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

    Lanes beyond the last block do what that one does.
    """

    b: Any
    x: Any
    outs: list[Any]
    weights: Any
    size: Any
    blocks: Any
    step: Step
    backwards: bool

    def write(self) -> None:
        """Eight rows at a time, then those that are left."""
        b, last = self.b, self.b.sub(self.blocks, _count(1))
        self.firsts, self.origin = [], _UNKNOWN
        for k in range(LANES):
            block = b.select(b.icmp_signed("<", _count(k), last), _count(k), last)
            self.firsts.append(b.mul(block, self.size))
            origin = b.add(self.firsts[k], self.size) if self.backwards else self.firsts[k]
            number = b.load(_place(b, self.x, origin, _NUMBER))
            self.origin = b.insert_element(self.origin, number, _count(k))
        rest = b.and_(self.size, _count(LANES - 1))
        whole = b.sub(self.size, rest)
        sums = self._whole_tiles(whole)
        with b.if_then(b.icmp_signed("!=", rest, _count(0))):
            ahead = b.sub(rest, _count(LANES)) if self.backwards else whole
            edge = b.sub(_count(LANES), rest) if self.backwards else rest
            order = ">=" if self.backwards else "<"
            own = b.icmp_signed(order, _counts(range(LANES)), _in_all(b, edge))
            self._tile(ahead, whole, sums, own)

    def _whole_tiles(self, whole: Any) -> list[Any]:
        b, before = self.b, self.b.block
        loop, done = b.append_basic_block(), b.append_basic_block()
        b.branch(loop)
        b.position_at_end(loop)
        i, sums = b.phi(_COUNT), [b.phi(_WIDE) for _ in self.outs]
        row = b.sub(b.sub(self.size, _count(LANES)), i) if self.backwards else i
        added = self._tile(row, i, sums)
        following = b.add(i, _count(LANES))
        for value, start, later in zip(
            (i, *sums),
            (_count(0), *(ir.Constant(_WIDE, [0.0] * LANES) for _ in sums)),
            (following, *added),
            strict=True,
        ):
            value.add_incoming(start, before)
            value.add_incoming(later, loop)
        b.cbranch(b.icmp_signed("<", following, whole), loop, done)
        b.position_at_end(done)
        return added

    def _tile(self, row: Any, i: Any, sums: list[Any], own: Any = None) -> list[Any]:
        """Sums after eight rows of every block; only rows that are ``own`` are written anew."""
        b = self.b
        rows = [b.add(first, row) for first in self.firsts]
        columns = _turned(b, [b.load(_place(b, self.x, each), align=8) for each in rows])
        made: list[list[Any]] = [[None] * LANES for _ in sums]
        for k in range(LANES):
            at = LANES - 1 - k if self.backwards else k
            weight = b.load(_place(b, self.weights, b.add(i, _count(k)), _NUMBER))
            sums = self.step(b, b.fsub(columns[at], self.origin), _in_all(b, weight), sums)
            for of_rows, value in zip(made, sums, strict=True):
                of_rows[at] = value
        for out, of_rows in zip(self.outs, made, strict=True):
            for each, value in zip(rows, _turned(b, of_rows), strict=True):
                to = _place(b, out, each)
                new = value if own is None else b.select(own, value, b.load(to, align=8))
                b.store(new, to, align=8)
        return sums


def _weighted(b: Any, distance: Any, weight: Any, sums: list[Any]) -> list[Any]:
    return [b.fadd(sums[0], b.fmul(weight, distance))]


def _squares(b: Any, distance: Any, _: Any, sums: list[Any]) -> list[Any]:
    return [b.fadd(sums[0], distance), b.fadd(sums[1], b.fmul(distance, distance))]


def _addresses(context: Any, b: Any, kinds: Any, arrays: Any, start: Any) -> list[Any]:
    """Where the numbers of a row of arrays lie."""
    found = (
        context.make_array(kind)(context, b, each) for kind, each in zip(kinds, arrays, strict=True)
    )
    return [b.add(b.ptrtoint(each.data, _COUNT), b.shl(start, _count(3))) for each in found]


def _are_series(*kinds: Any) -> bool:
    return all(
        isinstance(k, types.Array) and (k.dtype, k.ndim) == (types.float64, 1) for k in kinds
    )


def _weighted_sums(backwards: bool) -> Any:
    @intrinsic
    def of_blocks(
        _: Any, x: Any, weights: Any, out: Any, start: Any, size: Any, blocks: Any
    ) -> Any:
        def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
            x, weights, out, start, size, blocks = arguments
            kinds = signature.args
            of_x, of_out = _addresses(context, b, (kinds[0], kinds[2]), (x, out), start)
            (of_weights,) = _addresses(context, b, kinds[1:2], (weights,), _count(0))
            _Blocks(b, of_x, [of_out], of_weights, size, blocks, _weighted, backwards).write()
            return context.get_dummy_value()

        if not _are_series(x, weights, out):
            return None
        whole = types.int64
        return types.void(x, weights, out, whole, whole, whole), generate

    return of_blocks


def _square_sums(backwards: bool) -> Any:
    @intrinsic
    def of_blocks(
        _: Any, x: Any, total: Any, square: Any, start: Any, size: Any, blocks: Any
    ) -> Any:
        def generate(context: Any, b: Any, signature: Any, arguments: Any) -> Any:
            *arrays, start, size, blocks = arguments
            of_x, *outs = _addresses(context, b, signature.args[:3], arrays, start)
            _Blocks(b, of_x, outs, of_x, size, blocks, _squares, backwards).write()
            return context.get_dummy_value()

        if not _are_series(x, total, square):
            return None
        whole = types.int64
        return types.void(x, total, square, whole, whole, whole), generate

    return of_blocks


weighted_since, weighted_until = _weighted_sums(False), _weighted_sums(True)
"""Write weighted sums within ``blocks`` blocks of ``size`` rows from row ``start`` on.

Of distances from a block's first row from there on, or of those from the row after it backwards
from its end. ``weights`` : (size + `LANES` or more,), in the order of summing. All are contiguous.
"""

squares_since, squares_until = _square_sums(False), _square_sums(True)
"""The same of distances and of their squares, written to two series, without weights."""
