"""Eight numbers side by side in kernels: a processor's vector, of which each lane is a number.

The compiler makes vector instructions of simple loops alone. A kernel that keeps many numbers in
registers from step to step says so itself: what was loaded as eight stays eight, and each lane has
the operations of one number in the order in which they are written, on any processor. What is
meant to be alike in all lanes may be a single number. Places are not checked against an array's
length.
"""

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic, lower_builtin, models, register_model, type_callable

from bqx.identity.imported import module_hash

LANES = 8

_NUMBERS = ir.VectorType(ir.DoubleType(), LANES)
_TRUTHS = ir.VectorType(ir.IntType(1), LANES)
_WHOLE = ir.VectorType(ir.IntType(64), LANES)
# A kernel that reached how it is hashed would be known by the folder that it lies in.
_WRITTEN = module_hash(__name__)
_FRACTION, _BIAS, _ROOT_OF_HALF = 52, 1023, 0x3FE6A09E667F3BCD
"""Of the bits of a number: those of its fraction, what its exponent is counted from, and one's."""
_ARITHMETIC = {
    operator.add: "fadd", operator.sub: "fsub", operator.mul: "fmul", operator.truediv: "fdiv",
}  # fmt: skip
_COMPARISONS = {
    operator.gt: ">",
    operator.lt: "<",
    operator.ge: ">=",
    operator.le: "<=",
    operator.eq: "==",
}


class Eight(types.Type):
    """Eight numbers, or whether something holds for each of them."""

    @property
    def identity(self) -> str:
        """What kernels count that read this module: all of it, as operators have no name."""
        return _WRITTEN + self.name


NUMBERS, TRUTHS = Eight("eight numbers"), Eight("eight truths")


@register_model(Eight)
class _Model(models.PrimitiveModel):
    def __init__(self, manager: Any, kind: Eight) -> None:
        super().__init__(manager, kind, _NUMBERS if kind is NUMBERS else _TRUTHS)


def _lanes(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    """A value as eight: a single number in all lanes."""
    if isinstance(kind, Eight):
        return value
    number = context.cast(builder, value, kind, types.float64)
    one = builder.insert_element(ir.Constant(_NUMBERS, ir.Undefined), number, ir.IntType(32)(0))
    places = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
    return builder.shuffle_vector(one, one, places)


def _operator(symbol: Any, gives: Eight, make: Callable[..., Any]) -> None:
    """Have an operator of two numbers, or of eight and a number, work lane by lane."""

    @type_callable(symbol)
    def typed(_: Any) -> Any:
        def typer(first: Any, second: Any) -> Any:
            kinds = (first, second)
            known = all(kind is NUMBERS or isinstance(kind, types.Number) for kind in kinds)
            return gives if known and NUMBERS in kinds else None

        return typer

    def lowered(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        both = zip(signature.args, values, strict=True)
        return make(builder, *(_lanes(context, builder, *each) for each in both))

    for kinds in ((Eight, Eight), (Eight, types.Number), (types.Number, Eight)):
        lower_builtin(symbol, *kinds)(lowered)


for _symbol, _name in _ARITHMETIC.items():
    _operator(_symbol, NUMBERS, lambda builder, a, b, name=_name: getattr(builder, name)(a, b))
for _symbol, _name in _COMPARISONS.items():
    _operator(_symbol, TRUTHS, lambda builder, a, b, name=_name: builder.fcmp_ordered(name, a, b))


def _in_kernels(typed: Callable[..., Any]) -> Any:
    """What kernels call, of a function that gives its signature and generates its code."""
    return intrinsic(typed)


def _place(context: Any, builder: Any, kinds: Any, values: Any) -> Any:
    """Where eight numbers of a flat array begin."""
    array = context.make_array(kinds[0])(context, builder, values[0])
    start = builder.gep(array.data, [context.cast(builder, values[1], kinds[1], types.intp)])
    return builder.bitcast(start, ir.PointerType(_NUMBERS))


@_in_kernels
def load(_: Any, array: Any, at: Any) -> Any:
    """The eight numbers from a place of a flat array on."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.load(_place(context, builder, signature.args, values), align=8)

    return NUMBERS(array, at), generate


@_in_kernels
def store(_: Any, array: Any, at: Any, value: Any) -> Any:
    """Put eight numbers into a flat array, from a place on."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        eight = _lanes(context, builder, signature.args[2], values[2])
        builder.store(eight, _place(context, builder, signature.args, values), align=8)
        return context.get_dummy_value()

    return types.none(array, at, value), generate


@_in_kernels
def alike(_: Any, number: Any) -> Any:
    """A number in all eight lanes."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return _lanes(context, builder, signature.args[0], values[0])

    return NUMBERS(number), generate


@_in_kernels
def where(_: Any, condition: Any, first: Any, second: Any) -> Any:
    """The first's number in lanes where the condition holds, the second's in others."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        choices = [_lanes(context, builder, signature.args[k], values[k]) for k in (1, 2)]
        return builder.select(values[0], *choices)

    return NUMBERS(condition, first, second), generate


def _called(name: str, builder: Any, *values: Any) -> Any:
    """What an operation of the processor makes of eight numbers, or of twice eight."""
    name = f"llvm.{name}.v{LANES}f64"
    kind = ir.FunctionType(_NUMBERS, [_NUMBERS] * len(values))
    function = builder.module.globals.get(name) or ir.Function(builder.module, kind, name)
    return builder.call(function, values)


@_in_kernels
def absolute(_: Any, value: Any) -> Any:
    """Absolute values."""

    def generate(_: Any, builder: Any, __: Any, values: Any) -> Any:
        return _called("fabs", builder, *values)

    return NUMBERS(value), generate


@_in_kernels
def root(_: Any, value: Any) -> Any:
    """Square roots."""

    def generate(_: Any, builder: Any, __: Any, values: Any) -> Any:
        return _called("sqrt", builder, *values)

    return NUMBERS(value), generate


@_in_kernels
def signed(_: Any, value: Any, sign: Any) -> Any:
    """Numbers with the signs of others."""

    def generate(_: Any, builder: Any, __: Any, values: Any) -> Any:
        return _called("copysign", builder, *values)

    return NUMBERS(value, sign), generate


def _joined(join: Callable[..., Any]) -> Any:
    """One number of the eight: neighbours joined first, then theirs."""

    def typed(_: Any, value: Any) -> Any:
        def generate(_: Any, builder: Any, __: Any, values: Any) -> Any:
            parts = [builder.extract_element(values[0], ir.IntType(32)(k)) for k in range(LANES)]
            while len(parts) > 1:
                parts = [join(builder, *parts[k : k + 2]) for k in range(0, len(parts), 2)]
            return parts[0]

        return types.float64(value), generate

    return intrinsic(typed)


def _choice(sign: str) -> Callable[..., Any]:
    return lambda builder, a, b: builder.select(builder.fcmp_ordered(sign, b, a), b, a)


total = _joined(lambda builder, a, b: builder.fadd(a, b))
largest, smallest = _joined(_choice(">")), _joined(_choice("<"))


def _whole(number: int) -> Any:
    return ir.Constant(_WHOLE, [number] * LANES)


def _above(builder: Any, value: Any) -> Any:
    """The bits of a number less those of the root of 1/2."""
    return builder.sub(builder.bitcast(value, _WHOLE), _whole(_ROOT_OF_HALF))


@_in_kernels
def exponent(_: Any, value: Any) -> Any:
    """The power of two by which positive numbers lie between the roots of 1/2 and of 2."""

    def generate(_: Any, builder: Any, __: Any, values: Any) -> Any:
        power = builder.ashr(_above(builder, values[0]), _whole(_FRACTION))
        return builder.sitofp(power, _NUMBERS)

    return NUMBERS(value), generate


@_in_kernels
def mantissa(_: Any, value: Any) -> Any:
    """Positive numbers without that power: between the roots of 1/2 and of 2."""

    def generate(_: Any, builder: Any, __: Any, values: Any) -> Any:
        power = builder.and_(_above(builder, values[0]), _whole(-(1 << _FRACTION)))
        return builder.bitcast(builder.sub(builder.bitcast(values[0], _WHOLE), power), _NUMBERS)

    return NUMBERS(value), generate


@_in_kernels
def times_two(_: Any, value: Any, power: Any) -> Any:
    """Numbers times whole powers of two, up to 1023; 0 for those below -1022."""

    def generate(_: Any, builder: Any, __: Any, values: Any) -> Any:
        power = builder.fptosi(values[1], _WHOLE)
        power = builder.select(
            builder.icmp_signed("<", power, _whole(-_BIAS)), _whole(-_BIAS), power
        )
        bits = builder.shl(builder.add(power, _whole(_BIAS)), _whole(_FRACTION))
        return builder.fmul(values[0], builder.bitcast(bits, _NUMBERS))

    return NUMBERS(value, power), generate
