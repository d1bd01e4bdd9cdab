"""The hash of reached code follows every way in which a function reaches what decides its value."""

import cProfile
import gc
import importlib.util
import itertools
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import ModuleType

import pytest

from bqx.features.rolling.trailing import zone
from bqx.identity import code_text
from bqx.identity.reached import code_hash

BASE = '''
"""Prose."""
import functools
import numpy as np
import helper as aliased
import helper
from bqx.compiled import kernel

ONE, TWO = 1.0, 2.0
WEIGHTS = np.array([1.0, 2.0])
TABLE = {"up": lambda x: x + 1.0, "down": lambda x: x - 1.0}

def scaled(by):
    def decorate(function):
        @functools.wraps(function)
        def wrapper(x):
            return by * function(x)
        return wrapper
    return decorate

@scaled(2.0)
def decorated(x): return x

class Base:
    def low(self, x): return x - 3.0

class Kind(Base):
    FACTOR = 4.0
    def __init__(self, size): self.size = size
    def high(self, x): return self.low(x) + self.size * self.FACTOR
    @property
    def half(self): return self.size / 8.0

BOX = Kind(9.0)

def factory(n):
    def inner(x): return x * n
    return inner

MADE = factory(5.0)
PAIR = lambda x: x * 6.0, lambda x: x / 6.0

@kernel
def compiled(x): return x * 7.0

def recursive(n):
    def inner(k): return k and inner(k - 1)
    return inner(n)

@functools.cache
def cached(x): return x * 11.0

PARTIAL = functools.partial(lambda x, y: x * y, 12.0)

def lazy(x):
    from helper import late
    return late(x)

def typed(x: "Kind"): return x.half

def swapped(): return ONE - TWO
def weighted(x): return WEIGHTS @ x
def tabled(x): return TABLE["up"](x)
def instance(x): return BOX.high(x)
def closure(x): return MADE(x)
def first(x): return PAIR[0](x)
def jitted(x): return compiled(x)
def attribute(x): return aliased.late(x)
def whole(x, name): return getattr(helper, name)(x)
def frozen(x): return PARTIAL(x) + cached(x)
'''
HELPER = "def late(x):\n    return x * 13.0\n\ndef other(x):\n    return x * 14.0\n"
NAMES = (
    "decorated", "recursive", "lazy", "typed", "swapped", "weighted", "tabled", "instance",
    "closure", "first", "jitted", "attribute", "whole", "frozen", "TABLE", "PAIR", "MADE",
)  # fmt: skip
_numbers = itertools.count()


def module(folder: Path, text: str, helper: str = HELPER) -> ModuleType:
    """A user's module, with another beside it, in a folder of its own."""
    folder = folder / str(next(_numbers))
    folder.mkdir()
    made = None
    for name, content in (("helper", helper), ("user", text)):
        path = folder / f"{name}.py"
        path.write_text(content)
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None
        assert spec.loader is not None
        made = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(made)
    assert made is not None
    return made


def hashes(made: ModuleType) -> dict[str, str]:
    return {
        name: code_hash(*(value.values() if isinstance(value := getattr(made, name), dict)
                          else value if isinstance(value, tuple) else (value,)))
        for name in NAMES
    }  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        ("return by * function", "return by + function", {"decorated"}),
        ("scaled(2.0)", "scaled(2.5)", {"decorated"}),
        ("1.0, 2.0\nW", "2.0, 1.0\nW", {"swapped"}),
        ("array([1.0", "array([1.5", {"weighted"}),
        ("x + 1.0", "x + 1.5", {"tabled", "TABLE"}),
        ("x - 3.0", "x - 3.5", {"instance", "typed"}),
        ("FACTOR = 4.0", "FACTOR = 4.5", {"instance", "typed"}),
        ("size / 8.0", "size / 8.5", {"instance", "typed"}),
        ("Kind(9.0)", "Kind(9.5)", {"instance"}),
        ("factory(5.0)", "factory(5.5)", {"closure", "MADE"}),
        ("return x * n", "return x / n", {"closure", "MADE"}),
        ("x * 6.0", "x * 6.5", {"first", "PAIR"}),
        ("x / 6.0", "x / 6.5", {"first", "PAIR"}),
        ("x * 7.0", "x * 7.5", {"jitted"}),
        ("inner(k - 1)", "inner(k - 2)", {"recursive"}),
        ("x * 11.0", "x * 11.5", {"frozen"}),
        ("12.0)", "12.5)", {"frozen"}),
    ],
)
def test_one_character_of_arithmetic_counts_where_it_is_reached(
    tmp_path: Path, old: str, new: str, changed: set[str]
) -> None:
    before = hashes(module(tmp_path, BASE))
    assert old in BASE
    after = hashes(module(tmp_path, BASE.replace(old, new, 1)))
    assert {name for name in NAMES if before[name] != after[name]} == changed


def test_a_function_of_another_module_counts_for_those_that_call_it(tmp_path: Path) -> None:
    before = hashes(module(tmp_path, BASE))
    after = hashes(module(tmp_path, BASE, HELPER.replace("13", "15")))
    changed = {name for name in NAMES if before[name] != after[name]}
    assert changed >= {"attribute", "whole"}
    other = hashes(module(tmp_path, BASE, HELPER.replace("14", "15")))
    assert {"whole"} <= {name for name in NAMES if before[name] != other[name]} <= {"whole", "lazy"}


def test_prose_and_places_do_not_count(tmp_path: Path) -> None:
    before = hashes(module(tmp_path, BASE))
    moved = BASE.replace('"""Prose."""', "# prose\n\n\n").replace("(x):", "(x: float) -> float:")
    moved = moved.replace("def low(self, x)", 'def low(self, x):\n        """Doc."""\n        #')
    moved = moved.replace('"""\n        #: return', '"""\n        return')
    assert hashes(module(tmp_path, moved)) == before


def test_a_patched_function_counts(tmp_path: Path) -> None:
    made = module(tmp_path, BASE)
    before = hashes(made)
    made.aliased.late = lambda x: x * 99.0
    after = hashes(made)
    assert {name for name in NAMES if before[name] != after[name]} == {"attribute"}


def test_a_file_altered_since_it_was_imported_is_not_taken_for_the_code(tmp_path: Path) -> None:
    made = module(tmp_path, BASE)
    before = code_hash(made.swapped)
    path = Path(str(made.__file__))
    path.write_text(BASE.replace("ONE - TWO", "ONE + TWO"))
    os.utime(path, ns=(1, 1))
    altered = module(tmp_path, path.read_text())
    assert len({before, code_hash(made.swapped), code_hash(altered.swapped)}) == 3


TEXTS = """
import importlib.util, sys
from pathlib import Path
spec = importlib.util.spec_from_file_location("code_text", sys.argv[1] + "/identity/code_text.py")
made = importlib.util.module_from_spec(spec)
sys.modules["code_text"] = made
spec.loader.exec_module(made)
text = "".join(made.normal(made.tree(str(p))) for p in sorted(Path(sys.argv[1]).rglob("*.py")))
print(__import__("hashlib").sha256(text.encode()).hexdigest())
"""


def test_the_text_is_the_same_on_every_python() -> None:
    package = str(Path(__file__).parents[1] / "bqx")
    found = {sys.executable}
    beside = Path(sys.base_prefix).parent.glob("3.1[1-9]*/bin/python")
    found |= {str(path) for path in beside}
    hashed = {
        python: subprocess.run(
            [python, "-c", TEXTS, package], capture_output=True, text=True, check=True
        ).stdout
        for python in found
    }
    assert len(set(hashed.values())) == 1, hashed


def test_a_hash_does_not_depend_on_what_was_imported_or_used_before() -> None:
    ask = "from bqx.features.engine import batched; from bqx.identity.reached import code_hash; "
    ask += "print(code_hash(batched._run))"
    use = "from bqx.features import catalog, precompile; precompile.compile_family("
    use += "[catalog.profile('core')[0].name]); "
    answers = {
        subprocess.run(
            [sys.executable, "-c", before + ask], capture_output=True, text=True, check=True
        ).stdout
        for before in ("", "from bqx.features import catalog; ", use)
    }
    assert len(answers) == 1


def test_a_kernel_that_was_called_under_a_profiler_has_the_same_hash() -> None:
    before = code_hash(zone)
    profiler = cProfile.Profile()
    profiler.enable()
    zone(5.0, -1.0, 1.0)
    profiler.disable()
    assert code_text.definition(zone.py_func.__code__) is not None
    assert code_hash(zone) == before


def test_what_else_was_imported_does_not_count() -> None:
    before = code_hash(reads_modules)
    sys.modules["imported_later"] = ModuleType("imported_later")
    try:
        assert code_hash(reads_modules) == before
    finally:
        del sys.modules["imported_later"]
    assert before != code_hash(reads_path)


def reads_modules(name: str) -> bool:
    return name in sys.modules


def reads_path(name: str) -> bool:
    return name in sys.path


def let_others_in(phase: str, info: dict[str, int]) -> None:
    time.sleep(1e-4)


def test_threads_read_code_at_one_time() -> None:
    source = "\n".join(f"a{k} = (b + {k}) * c[{k}]" for k in range(200))
    # A collector that runs Python, as a Dask worker has, lets other threads in amid a tree.
    gc.callbacks.append(let_others_in)
    threshold = gc.get_threshold()
    gc.set_threshold(50)
    try:
        with ThreadPoolExecutor(2) as pool:
            trees = list(pool.map(code_text.parse, [source] * 8))
    finally:
        gc.set_threshold(*threshold)
        gc.callbacks.remove(let_others_in)
    assert {len(tree.body) for tree in trees} == {200}
