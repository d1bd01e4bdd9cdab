"""The catalog as a page of the book: every feature with its formula, filtered while one types."""

from html import escape

from bqx.features import catalog
from bqx.features.lags import CAUSALITY_LAG, LAGS
from bqx.features.notation import NOTATION
from bqx.features.spec import Feature

HEADS = ("Feature", "What it is", "Formula", "Unit", "Bars", "Lagged")

INTRO = """\
# Catalog

{count:,} features, each of one pair at one minute. *Bars* are those that it reads: the last one \
included, none after it. *Lagged* features also enter {lags} rows earlier, those marked {far} also \
{far} rows earlier. What letters and functions mean stands below the table.

<label for="filter">Only those with</label> <input id="filter" type="search" \
placeholder="bqx slope"> <span id="shown"></span>

"""


def page() -> str:
    """The page in MyST Markdown, of what the catalog declares."""
    heads = "".join(f"<th>{head}</th>" for head in HEADS)
    rows = "\n".join(map(_row, catalog.FEATURES.values()))
    meanings = "\n".join(f"| `{sign}` | {meaning} |" for sign, meaning in NOTATION.items())
    table = (
        '<div class="pst-scrollable-table-container"><table class="table" id="features">\n'
        f"<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table></div>"
    )
    lags = ", ".join(map(str, LAGS))
    intro = INTRO.format(count=len(catalog.FEATURES), lags=lags, far=CAUSALITY_LAG)
    return f"{intro}{table}\n\n## Notation\n\n| Sign | Meaning |\n|---|---|\n{meanings}\n"


def _row(feature: Feature) -> str:
    cells = (
        f"<code>{feature.name}</code>",
        escape(feature.title),
        f"<code>{escape(feature.formula)}</code>",
        escape(feature.unit),
        str(feature.lookback),
        ("yes" if feature.laggable else "no")
        + (f", {CAUSALITY_LAG}" if feature.causality_lag else ""),
    )
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
