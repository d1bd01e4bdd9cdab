"""What Sphinx reads of the book's _config.yml, named as jupyter-book 1 names it."""

from pathlib import Path

import yaml

_folder = Path(__file__).parent
_book = yaml.safe_load((_folder / "_config.yml").read_text(encoding="utf-8"))

html_title = _book["title"]
author = _book["author"]
copyright = _book["copyright"]
extensions = [
    "myst_nb",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_external_toc",
    *_book["sphinx"]["extra_extensions"],
]
external_toc_exclude_missing = _book["only_build_toc_files"]
exclude_patterns = ["_build"]
nb_execution_mode = _book["execute"]["execute_notebooks"]
nb_output_stderr = _book["execute"]["stderr_output"]
myst_enable_extensions = ["colon_fence", "dollarmath"]
numfig = True
html_theme = "sphinx_book_theme"
html_copy_source = False  # all sources are kept beside the pages
html_static_path = ["_static"] if (_folder / "_static").is_dir() else []
html_css_files = [sheet.name for sheet in (_folder / "_static").glob("*.css")]
html_js_files = [script.name for script in (_folder / "_static").glob("*.js")]

globals().update(_book["sphinx"]["config"])
