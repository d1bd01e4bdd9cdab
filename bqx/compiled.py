"""Kernels: functions compiled by Numba and kept on disk for as long as their code is what it was.

A compiled kernel is found again by its content: the code that it reaches, its argument types,
Numba's and Python's versions and the processor it was compiled for. Times of files do not count, so
that a copied tree, an image or a mounted folder that nobody may write holds good kernels. Nothing
is read, written or deleted before a kernel is first called.

Numba's private names stand in this module alone. Where one of them is missing, kernels are kept by
Numba's own rules and called one by one from Python: slower, with the same values.
"""

import hashlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import numba
from numba import njit, types

from bqx.errors import ParameterError
from bqx.identity.reached import code_hash

try:
    from llvmlite import binding, ir
    from numba.core import cgutils
    from numba.core.caching import IndexDataCacheFile, NullCache
    from numba.core.codegen import CPUCodeLibrary, JITCodeLibrary, JITCPUCodegen
    from numba.core.compiler import Compiler, CompileResult
    from numba.core.dispatcher import Dispatcher
    from numba.cpython.unsafe.tuple import tuple_setitem
    from numba.extending import intrinsic, overload
    from numba.np import arrayobj
except ImportError:
    NATIVE = False
else:
    NATIVE = "BQX_PLAIN_KERNELS" not in os.environ
"""Whether kernels are kept by content and called by address; off with BQX_PLAIN_KERNELS set."""

if vars(numba.config)["DISABLE_JIT"]:
    raise ParameterError(
        "NUMBA_DISABLE_JIT: got it set; expected kernels that may be compiled. Unset it."
    )

GENERIC = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
"""Environment in which kernels are compiled for every processor of this architecture."""

VALUES = types.Array(types.float64, 2, "A")
"""What the kernel of a family returns, whatever the order of its values in memory."""


def kernel(function: Callable[..., Any] | None = None, sized: bool = False, **options: Any) -> Any:
    """Compile a function when it is first called; a division by zero gives infinity or NaN.

    ``sized`` : anew for every constant that a kernel calls it with, so that its loops are of known
    lengths. ``options`` : ``nogil`` or ``fastmath`` of `numba.njit`.
    """
    if function is None:
        return lambda decorated: kernel(decorated, sized, **options)
    if NATIVE:
        options["pipeline_class"] = _Compiler
    options |= {"error_model": "numpy", "no_cfunc_wrapper": True}
    compiled = njit(cache=not NATIVE, **options)(function)
    if NATIVE:
        inlined = njit(**options | {"no_cpython_wrapper": True})(function)
        compiled._cache, inlined._cache = _Kept(function), _Kept(function, _Inlined)
        _call(compiled, inlined, sized)
    return compiled


def _call(compiled: Any, inlined: Any, sized: bool) -> None:
    """Have kernels that call a kernel take in the form that is made for them.

    One that is not ``sized`` is compiled for every number of a constant's kind: for each constant
    by itself, and all that it calls with it, took a quarter of the time.
    """
    template, overload = compiled.get_call_template, compiled.get_overload

    def template_of(args: Any, kws: Any) -> Any:
        if not sized:
            args = tuple(map(types.unliteral, args))
            kws = {name: types.unliteral(kind) for name, kind in kws.items()}
        return (inlined.get_call_template if _Compiler.under_way else template)(args, kws)

    def overload_of(signature: Any) -> Any:
        return (inlined.get_overload if _Compiler.under_way else overload)(signature)

    compiled.get_call_template, compiled.get_overload = template_of, overload_of


def numbers_in_register(context: Any) -> int:
    """Numbers that a register of the processor holds for which a kernel is compiled: 4 or 8."""
    features = str(context.codegen().magic_tuple()) if NATIVE else ""
    return 8 if "+avx512f" in features else 4


def _folders(function: Callable[..., Any]) -> Iterator[Path]:
    """Where a kernel may be kept, in the order in which it is looked for and written."""
    if chosen := os.environ.get("NUMBA_CACHE_DIR"):
        yield Path(chosen) / function.__module__
    beside = Path(function.__code__.co_filename).parent
    if beside.is_dir():
        yield beside / "__pycache__"
    home = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    yield Path(home) / "bqx" / "kernels" / function.__module__


pointer: Any = None
call: Any = None
with_item: Any = None
"""A tuple of whole numbers with another one at a place."""

if NATIVE:
    with_item = tuple_setitem

    def _refuse(values: Any, target: Any) -> None:
        """Raise: values of this shape do not fit a slice of that shape."""

    @overload(_refuse)
    def _refuse_in_kernels(values: Any, target: Any) -> Any:
        def refuse(values: Any, target: Any) -> None:
            raise ValueError("values: they do not fit the slice that they are assigned to.")

        return refuse

    def _lay_out(library: Any, module: Any) -> None:
        """Say how the processor's memory is laid out, as the optimizer needs to know."""
        module.data_layout = library._codegen._data_layout

    def _optimize(library: Any) -> None:
        manager, builder = library._codegen._module_pass_manager()
        manager.run(library._final_module, builder)

    @contextmanager
    def _replaced(owner: Any, name: str, by: Any) -> Iterator[None]:
        before = getattr(owner, name)
        setattr(owner, name, by)
        try:
            yield
        finally:
            setattr(owner, name, before)

    class _Inlined(JITCodeLibrary):
        """A kernel as other kernels take it in, of which no machine code is made by itself: that of
        all would be a fifth of the time."""

        # Numba sets an environment through it: this one's is set where a caller's is.
        codegen = property(lambda self: self)

        def set_env(self, name: str, environment: Any) -> None:
            """Set nothing: without machine code there is no place for it."""

        def _finalize_final_module(self) -> None:
            self._finalize_dynamic_globals()
            self._verify_declare_only_symbols()
            self._finalized = True

        def serialize_using_object_code(self) -> Any:
            """What is kept of it: its bitcode."""
            return self.serialize_using_bitcode()

        @classmethod
        def _unserialize(cls, codegen: Any, state: Any) -> Any:
            library = cls(codegen, state[0])
            library._final_module = binding.parse_bitcode(state[2])
            library._finalize_final_module()
            return library

    class _Compiler(Compiler):
        """Numba's compiler, with an assignment to a slice that names no shapes when it fails: to
        name them takes code for strings, which would be most of many a kernel.

        A kernel is optimized once, with all that is inlined in it. Numba does so three times, its
        functions one by one first: a tenth of the time, and no kernel is faster for it.
        """

        under_way = False
        """Whether a kernel is compiled: what is called then is called by a kernel."""

        def compile_extra(self, func: Callable[..., Any]) -> Any:
            codegen, inlined = self.state.targetctx.codegen(), self.state.flags.no_cpython_wrapper
            if inlined:
                self.state.library = _Inlined(codegen, func.__qualname__)
            with (
                _replaced(_Compiler, "under_way", True),
                _replaced(arrayobj, "raise_with_shape_context", _refuse),
                _replaced(CPUCodeLibrary, "_optimize_functions", _lay_out),
                _replaced(CPUCodeLibrary, "_optimize_final_module", _optimize),
            ):
                result = super().compile_extra(func)
            for environment in () if inlined else result._find_referenced_environments():
                codegen.set_env(environment.env_name, environment)
            return result

    class _Kept(NullCache):
        """A kernel's compiled forms on disk: a file for each of its signatures and processors."""

        _advised = False

        def __init__(self, function: Callable[..., Any], library: Any = JITCodeLibrary) -> None:
            self._function, self._library = function, library

        @cached_property
        def _code(self) -> str:
            return code_hash(self._function)

        def _name(self, signature: Any, target: tuple[str, ...]) -> str:
            made_by = (self._library.__name__, numba.__version__, sys.version_info[:2], *target)
            content = hashlib.sha256(repr((self._code, str(signature), made_by)).encode())
            qualname = self._function.__qualname__.replace("<", "").replace(">", "")
            return f"{qualname}.{content.hexdigest()[:32]}"

        def load_overload(self, signature: Any, target_context: Any) -> Any:
            """The form kept for this processor, or the generic one; None where there is neither."""
            target_context.refresh()
            triple, *own = target_context.codegen().magic_tuple()
            for target in (own, list(GENERIC.values())):
                name = self._name(signature, (triple, *target))
                for folder in _folders(self._function):
                    try:
                        form = IndexDataCacheFile(str(folder), name, self._code).load(name)
                    except OSError:  # no folder, or one that may not be read
                        continue
                    if form is not None:
                        with _replaced(JITCPUCodegen, "_library_class", self._library):
                            return CompileResult._rebuild(target_context, *form)
            return None

        def save_overload(self, signature: Any, result: Any) -> None:
            """Keep a compiled form where it can be written; say so once where it cannot."""
            if result.lifted or result.library.has_dynamic_globals:
                return
            name = self._name(signature, result.target_context.codegen().magic_tuple())
            for folder in _folders(self._function):
                try:
                    folder.mkdir(parents=True, exist_ok=True)
                    IndexDataCacheFile(str(folder), name, self._code).save(name, result._reduce())
                    return
                except OSError:
                    continue
            if not _Kept._advised:
                _Kept._advised = True
                print(
                    "bqx: compiled kernels cannot be kept, so that every process compiles them "
                    "again. Set NUMBA_CACHE_DIR to a folder that can be written.",
                    file=sys.stderr,
                )

    @intrinsic
    def pointer(_: Any, address: Any) -> Any:
        """The address as a pointer."""

        def generate(_: Any, builder: Any, __: Any, arguments: Any) -> Any:
            return builder.inttoptr(arguments[0], cgutils.voidptr_t)

        return types.voidptr(address), generate

    @intrinsic
    def call(_: Any, address: Any, arguments: Any) -> Any:
        """What the compiled kernel at an address makes of the arguments, a tuple."""

        def generate(context: Any, builder: Any, _: Any, values: Any) -> Any:
            convention = context.call_conv
            function = convention.get_function_type(VALUES, arguments.types)
            status, out = convention.call_function(
                builder,
                builder.inttoptr(values[0], ir.PointerType(function)),
                VALUES,
                arguments.types,
                cgutils.unpack_tuple(builder, values[1]),
            )
            with cgutils.if_unlikely(builder, status.is_error):
                convention.return_status_propagate(builder, status)
            return out

        return VALUES(address, arguments), generate


def address(function: Any, signature: tuple[Any, ...]) -> int | None:
    """Where a kernel's compiled code lies, compiled first where it has to be.

    None where kernels are not called by address, and for a function that is no kernel.

    Raises ParameterError when its values are not float64 of two dimensions.
    """
    if not (NATIVE and isinstance(function, Dispatcher)):
        return None
    function.compile(signature)
    compiled: Any = function.overloads[signature]
    returned = compiled.signature.return_type
    if (getattr(returned, "dtype", None), getattr(returned, "ndim", None)) != (types.float64, 2):
        raise ParameterError(
            f"{function}: its values are of another kind, got {returned}; expected float64, "
            "(T, K). Mend the kernel."
        )
    return int(compiled.library.get_pointer_to_function(compiled.fndesc.llvm_func_name))
