"""How a family of features is declared: a kernel, its outputs, sources and windows, in one place.

A module of ``features/families`` declares its families with `family` right under their kernels, in
a tuple ``FAMILIES``; the catalog finds it by its folder.

Titles and formulas are templates: ``{0}``, ``{1}`` stand for the windows and ``{x}`` for what the
source calls its series. Formulas are in the notation of ``notation.NOTATION``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from bqx.features.spec import Array, Family, Output, Source

Windows = int | Sequence[int | tuple[int, ...]]
"""A window, or several: each is a number, or a tuple where the kernel takes several numbers."""


def family(
    name: str,
    kernel: Callable[..., Array],
    outputs: Output | Mapping[str, Output],
    *,
    table: str,
    sources: Source | tuple[Source, ...],
    windows: Windows = (),
    causality: Windows = (),
    about: str = "",
    title: str = "",
    **more: Any,
) -> Family:
    """Declare a family: of one output or several, of one source or several.

    Parameters
    ----------
    windows, causality : see ``Windows``; without windows the kernel takes none.
    about : the title where there is nothing to add.
    more : what else a ``Family`` holds.

    >>> RATE = Source("rate", "rate", "pt", 1, lambda bars: bars.index)
    >>> total = family("sum", sum, Output("{u}"), table="t", sources=RATE, windows=(5, 20))
    >>> [feature.name for feature in total.features()]
    ['rate_sum_w5', 'rate_sum_w20']
    """
    return Family(
        name,
        table,
        kernel,
        {"": outputs} if isinstance(outputs, Output) else outputs,
        _tuples(windows) or ((),),
        (sources,) if isinstance(sources, Source) else sources,
        about or title,
        causality=_tuples(causality),
        title=title,
        **more,
    )


def described(outputs: Mapping[str, Output], prose: str) -> dict[str, Output]:
    """Outputs with their titles and formulas.

    ``prose`` has two lines for each output: ``name: title``, and the formula under it.

    >>> described({"a": Output("1")}, "a: Level of {x}\\n    x[t]")["a"].formula
    'x[t]'
    """
    lines = [line.strip() for line in prose.strip().splitlines()]
    out = dict(outputs)
    for heading, formula in zip(lines[::2], lines[1::2], strict=True):
        name, title = heading.split(": ", 1)
        out[name] = replace(out[name], title=title, formula=formula)
    return out


def _tuples(windows: Windows) -> tuple[tuple[int, ...], ...]:
    members = (windows,) if isinstance(windows, int) else windows
    return tuple(window if isinstance(window, tuple) else (window,) for window in members)
