"""Run the notebooks in order and build the book from their executed copies."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import nbformat
import papermill
from nbclient.exceptions import DeadKernelError
from papermill.exceptions import PapermillExecutionError, strip_color
from tqdm import tqdm

from bqx import errors
from bqx.errors import ArtefactError, BqxError, ParameterError
from bqx.files import alone, remove_leftovers
from bqx.identity.imported import imports_of, module_hash
from bqx.params import NOTEBOOK_KEYS, PLACE_KEYS, Params
from bqx.params.own_files import own_files
from bqx.report import beforehand, book, verdict
from bqx.report.own_kernel import OwnKernel
from bqx.runs import known_trials
from bqx.runs.run import Run, digest, sha256
from bqx.stages import fetched

SOURCES = Path(__file__).resolve().parents[2]
"""Checkout with the folders ``notebooks`` and ``book``."""

CHILD_ENVIRONMENT = {
    # One thread a process: pairs run in parallel, and idle pools of threads slow them down.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "NUMBA_NUM_THREADS": "1",
    # Its warning about frozen modules says nothing about the notebook.
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
}
"""Environment of kernels and of the book's builder, where a variable is not set already."""

MOST_SHOWN = 1_000
"""Most characters of a message from a notebook."""

OWN_ERRORS = tuple(vars(errors))
"""Names of errors whose message says what was expected, and the mend."""


def run(params: Params, from_stage: str | None = None, sources: Path = SOURCES) -> Path:
    """Run the notebooks into the run folder, build the book, and return its first page.

    A notebook is kept when its source, parameters, upstream artefacts and the package's code are
    those of its last success, and everything that it made is intact.

    Parameters
    ----------
    params : of the whole run.
    from_stage : number or stem of the notebook from which on everything runs again.
    sources : folder that holds ``notebooks`` and ``book``.

    Raises
    ------
    BqxError : a notebook or the book failed, or another run works in the folder.
    """
    for name, value in CHILD_ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    notebooks = _notebooks(sources)
    again = _first_again(notebooks, from_stage)
    fetched.fetch(params)
    beforehand.check(params)
    known_trials.machine().begin()
    store = _opened(params)
    with _alone(store.folder):
        store.update(params=params.model_dump())
        for number, notebook in enumerate(notebooks, 1):
            stem = notebook.stem
            key = _key(store, notebook)
            kept = number < again and store.complete(stem, key)
            seconds = 0.0 if kept else _execute(store, notebook)
            if not kept:
                store.record(stem, key, f"notebooks/{notebook.name}", seconds)
            if stem == "01_bars":
                beforehand.check_bars(params, store)
            _say(f"{number}/{len(notebooks)} {stem}", "kept" if kept else f"{seconds:.1f} s")
        start = time.perf_counter()
        for fault in verdict.write(store)["ledger"]["faults"]:
            tqdm.write(
                f"note: {fault} The trials are at least so many, and nothing is promoted.",
                sys.stderr,
            )
        index = book.build(store, sources / "book", notebooks)
        _say("book", f"{time.perf_counter() - start:.1f} s")
    return index


def _opened(params: Params) -> Run:
    """The run folder; ArtefactError when it cannot be made or written."""
    try:
        store = Run.open(params.folder, params)
        (store.folder / ".lock").touch()
    except OSError as error:
        raise ArtefactError(
            f"{params.folder}: no run folder, got {error.strerror}; expected one that can be "
            "written. Name another with --out."
        ) from None
    return store


def _say(what: str, outcome: str) -> None:
    tqdm.write(f"{what:<24}{outcome:>10}")
    sys.stdout.flush()


def _notebooks(sources: Path) -> list[Path]:
    notebooks = sorted((sources / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    notebooks = [notebook for notebook in notebooks if notebook.name != book.TOUR]
    if not notebooks:
        raise ArtefactError(
            f"{sources / 'notebooks'}: no notebooks, got none; expected 01_bars.ipynb and others. "
            "Run bqx from a checkout of the project (pip install -e)."
        )
    for notebook in notebooks:
        if notebook.stem not in NOTEBOOK_KEYS:
            raise ParameterError(
                f"{notebook.name}: its parameters are unknown, got a stem that is not listed; "
                f"expected one of {', '.join(NOTEBOOK_KEYS)}. List it in NOTEBOOK_KEYS of "
                "bqx/params/keys.py."
            )
    return sorted(notebooks, key=lambda notebook: _order(notebook.stem))


def _order(stem: str) -> int:
    """Place of a notebook in a run, or of what its stage wrote."""
    return list(NOTEBOOK_KEYS).index(stem)


def _first_again(notebooks: list[Path], from_stage: str | None) -> int:
    """Number in the run of the first notebook that runs in any case; beyond all without one."""
    if from_stage is None:
        return len(notebooks) + 1
    for number, notebook in enumerate(notebooks, 1):
        if from_stage in (notebook.stem, notebook.stem[:2], notebook.stem[:2].lstrip("0")):
            return number
    raise ParameterError(
        f"--from: no such notebook, got {from_stage!r}; expected one of "
        f"{', '.join(notebook.stem for notebook in notebooks)}."
    )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the run folder; a killed holder lets go of it."""
    busy = (
        f"{folder}: another run works in it, got a lock; expected none. Wait for it, or give "
        "another folder with --out."
    )
    with alone(folder / ".lock", busy):
        remove_leftovers(folder)
        yield


def _key(store: Run, notebook: Path) -> str:
    """What the result of a notebook depends on."""
    cells = nbformat.read(notebook, as_version=4).cells
    code = "\n".join(cell.source for cell in cells if cell.cell_type == "code")
    keys = [key for key in NOTEBOOK_KEYS[notebook.stem] if key not in PLACE_KEYS]
    bars = store.params.bars_path if "bars" in keys else None
    files = sorted(bars.rglob("*")) if bars and bars.is_dir() else [bars] if bars else []
    files += map(Path, own_files(store.params, keys))
    return digest(
        [
            [[cell.cell_type, cell.source, cell.metadata.get("tags", [])] for cell in cells],
            {key: getattr(store.params, key) for key in keys},
            [(file.name, sha256(file)) for file in files if file.is_file()],
            {
                name: entry["outputs"]
                for name, entry in store.stages.items()
                if _order(name) < _order(notebook.stem)
            },
            module_hash(*imports_of(code)),
        ]
    )


def _values(params: Params, stem: str) -> dict[str, Any]:
    """Literals for a notebook's ``parameters`` cell; paths absolute, as kernels start anywhere."""
    values = params.model_dump(include=set(NOTEBOOK_KEYS[stem]), mode="json")
    values["out"] = str(params.folder.absolute())
    if params.bars_path and not params.bars_address and "bars" in values:
        values["bars"] = str(params.bars_path.absolute())
    return values


def _execute(store: Run, notebook: Path) -> float:
    """Execute a notebook into the run folder and return its seconds."""
    done = store.folder / "notebooks" / notebook.name
    failed = store.folder / "failed" / notebook.name
    for path in (done, failed):
        path.parent.mkdir(exist_ok=True)
        path.unlink(missing_ok=True)
    start = time.perf_counter()
    try:
        papermill.execute_notebook(
            notebook,
            failed,
            _values(store.params, notebook.stem),
            kernel_name="python3",
            kernel_manager_class=OwnKernel,
            # Kernels report that they use the loopback interface and that papermill stopped them.
            extra_arguments=["--log-level=CRITICAL"],
            progress_bar={"desc": notebook.stem, "leave": False, "disable": None},
        )
    except PapermillExecutionError as error:
        cell = _source_cell(notebook, error.cell_index)
        raise BqxError(_failure(notebook, cell, _what(error), failed)) from None
    except DeadKernelError:
        cells = nbformat.read(failed, as_version=4).cells
        begun = [n for n, cell in enumerate(cells) if cell.metadata.papermill.status != "pending"]
        cell = _source_cell(notebook, begun[-1])
        what = "got a dead kernel, perhaps for lack of memory; expected it to run."
        raise BqxError(_failure(notebook, cell, what, failed)) from None
    except OSError as error:
        # A full disk does not say of which file.
        error.filename = error.filename or str(failed)
        raise
    failed.replace(done)
    if not any(failed.parent.iterdir()):
        failed.parent.rmdir()
    return time.perf_counter() - start


def _source_cell(notebook: Path, executed: int) -> int:
    """Number, from 1, of the source cell that stands at an index of the executed copy."""
    tags = [cell.metadata.get("tags", []) for cell in nbformat.read(notebook, as_version=4).cells]
    injected = next((n for n, cell_tags in enumerate(tags, 1) if "parameters" in cell_tags), 0)
    return executed if executed > injected else executed + 1


def _failure(notebook: Path, cell: int, what: str, failed: Path) -> str:
    return f"{notebook.name} cell {cell}: failed, {what} See its traceback in {failed}."


def _what(error: PapermillExecutionError) -> str:
    """What a cell raised, in one line: the message alone where it says how it is mended."""
    message = " ".join(strip_color(str(error.evalue)).split())
    if len(message) > MOST_SHOWN:
        message = f"{message[:MOST_SHOWN]}..."
    if error.ename in OWN_ERRORS:
        return f"since {message}"
    return f"got {error.ename}: {message}; expected it to run."
