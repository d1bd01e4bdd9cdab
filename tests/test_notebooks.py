"""The notebooks are thin, stripped, and hold the parameters that the library lists for them."""

import ast
from pathlib import Path

import nbformat
import papermill
import pytest

from bqx.params import NOTEBOOK_KEYS, Params

FOLDER = Path(__file__).parents[1] / "notebooks"
TOUR = FOLDER / "00_tour.ipynb"
NOTEBOOKS = sorted(set(FOLDER.glob("*.ipynb")) - {TOUR})
STEMS = [path.stem for path in NOTEBOOKS]

MOST_LINES, MOST_CELLS = 10, 18
TRIED = ("05_selection", "06_training", "08_backtest", "11_models")
"""Notebooks that end with a cell in which the reader changes something."""
PLAIN = (
    "figures.", "print(", "readable(", "artefacts(", "len(", "stage.summary(", "deployed.answer",
    "steps.shrink()", "screen.leading()", "tear_sheets.of_run(", "kinds", "probe[", "valued.pivot(",
    "made.shap.groupby(", "pd.Series(",
)  # fmt: skip
"""How a cell may end that shows something: a figure, or a table with readers' headings."""


def code(path: Path) -> list[str]:
    cells = nbformat.read(path, as_version=4).cells
    return [cell.source for cell in cells if cell.cell_type == "code"]


def test_all_numbered_notebooks_are_there() -> None:
    assert sorted(NOTEBOOK_KEYS) == STEMS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=STEMS)
def test_stored_without_outputs_and_with_cell_ids(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    for cell in notebook.cells:
        assert cell.id
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


@pytest.mark.parametrize("path", NOTEBOOKS, ids=STEMS)
def test_parameters_are_literals_equal_to_the_defaults(path: Path) -> None:
    inferred = papermill.inspect_notebook(path)
    assert tuple(inferred) == NOTEBOOK_KEYS[path.stem]
    defaults = Params()
    for name, parameter in inferred.items():
        value = ast.literal_eval(parameter["default"])
        expected = getattr(defaults, name)
        assert value == (list(expected) if isinstance(expected, tuple) else expected), name


@pytest.mark.parametrize("path", NOTEBOOKS, ids=STEMS)
def test_cells_are_short_and_define_nothing(path: Path) -> None:
    sources = code(path)
    assert len(sources) <= MOST_CELLS
    for number, source in enumerate(sources):
        tree = ast.parse(source)
        forbidden = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.For | ast.While
        assert not any(isinstance(node, forbidden) for node in ast.walk(tree)), source
        if number:
            assert len(source.splitlines()) <= MOST_LINES, source


@pytest.mark.parametrize("path", NOTEBOOKS, ids=STEMS)
def test_opens_with_its_purpose_and_closes_with_checks(path: Path) -> None:
    cells = nbformat.read(path, as_version=4).cells
    assert cells[0].cell_type == "markdown"
    for word in ("**Purpose.**", "**Inputs.**", "**Outputs.**", "**Run time.**"):
        assert word in cells[0].source
    sources = code(path)[: -1 if path.stem in TRIED else None]
    last = ast.parse(sources[-1])
    assert any(isinstance(node, ast.Assert) for node in ast.walk(last))
    assert "artefacts(params" in sources[-2]


@pytest.mark.parametrize("stem", TRIED)
def test_ends_with_a_cell_to_try(stem: str) -> None:
    *_, text, cell = nbformat.read(FOLDER / f"{stem}.ipynb", as_version=4).cells
    assert text.source.startswith("## Try")
    assert "Change" in text.source
    assert cell.cell_type == "code"
    assert len(cell.source.splitlines()) <= 3


def test_training_shows_its_verbs() -> None:
    sources = "\n".join(code(FOLDER / "06_training.ipynb"))
    verbs = [sources.index(f"steps.{verb}()") for verb in ("fit", "choose", "shrink", "score")]
    assert verbs == sorted(verbs)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=STEMS)
def test_tables_have_readers_headings(path: Path) -> None:
    for source in code(path)[2:]:
        last = ast.parse(source).body[-1]
        if not isinstance(last, ast.Expr):
            continue
        assert ast.unparse(last.value).startswith(PLAIN), source


@pytest.mark.parametrize("path", NOTEBOOKS, ids=STEMS)
def test_one_figure_a_cell_under_a_sentence_of_its_own(path: Path) -> None:
    figures, sentence = 0, ""
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "markdown":
            figures, sentence = 0, cell.source
        elif "import" not in cell.source:
            figures += cell.source.count("figures.")
            assert figures == 0 or (figures == 1 and sentence.endswith(".")), cell.source


def test_the_tour_is_short_and_shows_what_it_gives() -> None:
    cells = nbformat.read(TOUR, as_version=4).cells
    sources = [cell for cell in cells if cell.cell_type == "code"]
    assert sum(len(cell.source.splitlines()) for cell in sources) <= 45
    shown = [cell for cell in sources if "nbval-check-output" in cell.metadata.get("tags", ())]
    assert len(shown) >= 6
    assert all(cell.outputs for cell in shown)
