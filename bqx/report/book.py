"""The book of a run: its pages, front page and executed notebooks, built by Sphinx."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat

from bqx.errors import BqxError
from bqx.files import copy_folder
from bqx.operations.cost import page as cost_page
from bqx.report import asked, catalog_page, front_page
from bqx.runs import artefacts
from bqx.runs.run import Run

TOUR = "00_tour.ipynb"
"""Notebook that no run executes: it stands in the book as it is stored, with its outputs."""

ERROR_LINES = 12
"""Most lines of a failed book."""


def build(store: Run, pages: Path, notebooks: list[Path]) -> Path:
    """Build the book in a folder of its own and put it in the place of the previous one.

    Its folder ``_sources`` is a Jupyter Book that jupyter-book 1 builds as well.
    """
    build = store.folder / ".book"
    shutil.rmtree(build, ignore_errors=True)
    copy_folder(pages, build)
    if (store.folder / "figures").is_dir():
        copy_folder(store.folder / "figures", build / "figures")
    (build / "notebooks").mkdir()
    for notebook in notebooks:
        chapter = _chapter(store.folder / "notebooks" / notebook.name)
        nbformat.write(chapter, build / "notebooks" / notebook.name)
    tour = notebooks[0].parent / TOUR
    if tour.exists():
        shutil.copyfile(tour, build / "notebooks" / TOUR)
    computed = {
        "catalog": catalog_page.page(),
        "cost": cost_page.page(),
        "asked": asked.page(store, pages),
    }
    for name, page in {**front_page.pages(store), **computed}.items():
        (build / f"{name}.md").write_text(page, encoding="utf-8")
    html = build / "_build" / "html"
    done = subprocess.run(
        [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-d", html.parent, build, html],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        faults = [line for line in done.stdout.splitlines() if "WARNING" in line or "ERROR" in line]
        shown = faults or done.stdout.splitlines()
        raise BqxError("book: not built\n" + "\n".join(shown[-ERROR_LINES:]) + f"\nIn {build}")
    for path in (artefacts.VERDICT.path(), artefacts.SHEET.path()):
        shutil.copy(store.folder / path, html)
    book, before = store.folder / "book", store.folder / ".book-before"
    shutil.rmtree(before, ignore_errors=True)
    if book.exists():
        book.rename(before)
    html.rename(book)
    shutil.rmtree(html.parent)
    (book / "_sources").rmdir()  # Sphinx leaves it empty
    build.rename(book / "_sources")
    shutil.rmtree(before, ignore_errors=True)
    return book / "index.html"


def _chapter(executed: Path) -> Any:
    """An executed notebook for readers: words, figures and tables, and a link to its code."""
    notebook = nbformat.read(executed, as_version=4)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.metadata["tags"] = sorted({*cell.metadata.get("tags", []), "remove-input"})
    link = f'<a href="../_sources/notebooks/{executed.name}" download>This page with its code</a>'
    cell = nbformat.v4.new_markdown_cell(link, id="code")
    notebook.cells.append(cell)
    return notebook
