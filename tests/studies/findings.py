"""The book's page of studies: Markdown from the JSON of what their runs have found."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import monitors
import pandas as pd
from written import code_of, note, rounded, table

from bqx.files import read_json, write_json
from bqx.report import figures

HERE = Path(__file__).resolve().parent
BOOK = HERE.parents[1] / "book"
RESULTS, PAGE = (BOOK / f"studies.{kind}" for kind in ("json", "md"))
FIGURE = BOOK / "online.png"


def write(module: Path, found: dict[str, Any]) -> None:
    """Keep what a module has found beside what the other studies have found, and the page."""
    if module == monitors.MODULE:
        monitors.write(found)
        return
    held = read_json(RESULTS) if RESULTS.exists() else {}
    if found:
        write_json(RESULTS, held | {module.stem: rounded(found) | {"code": code_of(module)}})
    renew()


def renew() -> None:
    """Write the page and its figure anew."""
    found = read_json(RESULTS)
    PAGE.write_text(render(found), encoding="utf-8")
    if "test_online_learning" in found:
        figures.year(found["test_online_learning"]).savefig(FIGURE, dpi=110)


def render(found: dict[str, Any]) -> str:
    """The page, with the studies that have been run."""
    made = [_section(name, found.get(name)) for name in SECTIONS]
    head = """# Studies

Made by `make study`: the whole pipeline on many markets whose answer is known, and on real bars.
"""
    return "\n".join((head, *made))


def _section(name: str, found: dict[str, Any] | None) -> str:
    title, text = SECTIONS[name]
    if found is None:
        return f"## {title}\n\nNot recorded yet.\n"
    return f"## {title}\n\n{note(found['code'], HERE / f'{name}.py')}\n\n{text(found)}"


def _without(found: dict[str, Any]) -> str:
    return f"""{found["markets"]} synthetic markets, each learned and traded as a run does it.
Models are judged by their own forecasts, before the validation rows can hold them back: noise,
fitted as hard as ever. A test at 5 % should call about 5 % of them significant.

{_quiet(found)}
Keeping by shrinkage costs {found["cost"]:.4%} of skill on average; {found["promoted"]} had a cell
promoted.
"""


def _every(found: dict[str, Any]) -> str:
    held = found["estimators"]
    return f"""{held["markets"]} other markets, every estimator on each but the transformer, whose
fit takes too long for so many. The gate is that of promotion: an interval of skill above 0, a
deflated Sharpe ratio of at least 0.95 and a probability of overfitting of at most 0.2, with all
estimators and horizons of the market as its trials. An interval by itself counts neither
estimators nor horizons, which is why it alone decides nothing.

{_passed(held)}"""


def _screens(found: dict[str, Any]) -> str:
    rows = [
        (
            row["market"],
            row["screens"],
            row["naming"],
            f"{row['columns']:g}",
            f"{row['planted']} ({row['alike']:.2f})" if row["alike"] else "",
        )
        for row in found["screens"]
    ]
    heads = (
        "market",
        "screens",
        "that name a column",
        "columns named (median)",
        "led by what is planted (median correlation)",
    )
    return f"""Every column of the core profile, on two pairs and nine weeks of small markets. A
column is named at a false discovery rate of 5 % over all columns, pairs and horizons: without a
signal no more than one screen in twenty may name any. Where momentum is planted, the column that
leads should go with the planted drift, by a rank correlation of 0.3 and more. `planted` is as weak
as an attainable skill of 1 %.

{table(heads, rows)}"""


def _three(found: dict[str, Any]) -> str:
    return f"""Share of the attainable skill that an estimator's own forecasts recover out of
sample, over all horizons: momentum that lines see, momentum that turns into its opposite while
London and New York are closed, and a pair that follows another, without and with features
across pairs.

{_recovered(found["planted"])}"""


def _weak(found: dict[str, Any]) -> str:
    setting = ["pairs", "years", "percent"]
    rows = []
    for (pairs, years, _), cells in pd.DataFrame(found["weak"]).groupby(setting):
        mean, total = cells.mean(), cells.sum()
        attainable = mean["oracle"]
        claimed = [
            f"{total[f'{name}_claimed']:.0f} of {total['folds']:.0f}" for name in ("raw", "oracle")
        ]
        rows.append(
            (pairs, years, len(cells), f"{attainable:.3%}", f"{mean['raw']:.4%}",
             f"{mean['kept']:.4%}", f"{mean['kept'] / attainable:.0%}" if attainable else "",
             claimed[0], claimed[1] if attainable else "")
        )  # fmt: skip
    heads = (
        "pairs", "years", "markets", "attainable", "pooled ridge, its own", "kept of it",
        "recovered", "folds claimed", "by a perfect forecast",
    )  # fmt: skip
    return f"""Skill in sigma of a pooled ridge over all pairs, horizons and five folds, before and
after the validation rows of all pairs say how much is kept of it; `recovered` is what is kept as a
share of the attainable. Claims are those of a run: of each fold, all pairs and horizons together,
with a family error of 5 %.

{table(heads, rows)}
{_kinds(found.get("kinds", []))}"""


def _kinds(found: list[dict[str, Any]]) -> str:
    if not found:
        return "Other kinds of signal: not recorded yet."
    rows = [
        (
            row["kind"],
            f"`{row['learner']}`",
            f"{row['oracle']:.3%}",
            f"{row['raw']:.4%}",
            f"{row['kept']:.4%}",
            f"{row['kept'] / row['oracle']:.0%}",
            f"{row['raw_claimed']} of {row['folds']}",
            f"{row['oracle_claimed']} of {row['folds']}",
        )
        for row in found
    ]
    heads = (
        "signal", "learner", "attainable", "its own", "kept of it", "recovered", "folds claimed",
        "by a perfect forecast",
    )  # fmt: skip
    return f"""The same on six pairs and a year of two other kinds: momentum that turns into its
opposite while London and New York are closed (lines see what is left of the two), and pairs that
follow others, with features across pairs among the candidates.

{table(heads, rows)}"""


def _bars(found: dict[str, Any]) -> str:
    return _real(found["real"])


def _sessions(found: dict[str, Any]) -> str:
    rows = [
        (
            row["part"],
            f"{row['rows']:,}",
            f"{row['ic']:.4f}",
            f"{row['skill']:.4%}",
            f"{row['t']:.2f}",
            f"{row['bound']:.2f}",
            "yes" if row["claimed"] else "no",
            f"{row['folds_claimed']} of {row['folds']}",
        )
        for row in found["sessions"]
    ]
    heads = (
        "hours", "forecasts", "information coefficient", "skill before shrinkage", "t", "its bound",
        "claimed", "folds claimed",
    )  # fmt: skip
    return f"""A pooled ridge over {", ".join(found["pairs"])}, until {found["until"]}, learned on
all hours and tested out of sample on those of each part alone; a session lasts until the next one
opens. Each line is a test of its own at 5 %: seven lines were looked at.

{table(heads, rows)}"""


def _claims(found: dict[str, Any]) -> str:
    held = found["claims"]
    gate = [
        (minutes, f"{row['sd']:.3f}", *(f"{row[size]:.5f}" for size in ("0.05", "0.01", "0.001")))
        for minutes, row in sorted(held["gate"].items(), key=lambda item: int(item[0]))
    ]
    family = ", ".join(
        f"{row['claimed']} of {row['markets']} at {minutes} minutes"
        for minutes, row in held["family"].items()
    )
    covered = [(name, f"{share:.1%}") for name, share in held["coverage"].items()]
    return f"""Null forecasts whose autocorrelation falls by e in so many minutes, overlapping
labels, 26 days of unequal volatility: standard deviation of t, and how often it is rejected by
nominal size.

{table(("memory (min)", "sd of t", "0.05", "0.01", "0.001"), gate)}
Null markets of three pairs, two horizons and two folds that claim anything at all, at a nominal
5 %: {family}.

Intervals of skill in sigma at 95 % that hold the truth:

{table(("forecast", "share"), covered)}"""


def _quiet(found: dict[str, Any]) -> str:
    rows = [
        (horizon, f"{share:.1%}", f"{found['above'][horizon]:.1%}")
        for horizon, share in found["significant"].items()
    ]
    heads = ("horizon (min)", "information coefficient significant", "interval of skill above 0")
    return table(heads, rows)


def _passed(found: dict[str, Any]) -> str:
    rows = [
        (f"`{name}`" if "," not in name else f"`{name.split(',')[0]}`,{name.split(',')[1]}",
         count, found["skilled"][name])
        for name, count in found["passed"].items()
    ]  # fmt: skip
    return table(("estimator", "passed the gate", "some interval of skill above 0"), rows)


KINDS = {
    ("strong", False): "momentum",
    ("threshold", False): "threshold",
    ("lead", False): "lead, own features alone",
    ("lead", True): "lead, features across pairs too",
}


def _recovered(found: list[dict[str, Any]]) -> str:
    names = [name for name in found[0] if name not in ("kind", "cross")]
    rows = [
        (KINDS[row["kind"], row["cross"]], *(f"{row[name]:.0%}" for name in names)) for row in found
    ]
    return table(("signal", *(f"`{name}`" for name in names)), rows)


def _real(found: dict[str, Any]) -> str:
    facts = found["bars"]
    rows = [
        (f"`{row['model']}`", f"{row['skill']:.5f}", _between(row), f"{row['unshrunk_skill']:.5f}",
         f"{row['r2']:.3f}", f"{row['seconds']:.0f}", f"{row['kb']:.0f}",
         f"{row['milliseconds']:.2f}")
        for row in found["models"]
    ]  # fmt: skip
    heads = (
        "model", "skill", "its interval", "skill before shrinkage", "raw R²", "seconds of all fits",
        "kB a pair", "ms a forecast",
    )  # fmt: skip
    names = [row["model"] for row in found["models"]]
    cells = [
        (row["pair"], row["horizon"], *(f"{row[name]:.5f}" for name in names))
        for row in found["cells"]
    ]
    used = ", ".join(f"{name} in fold {fold}" for fold, name in found["used"].items())
    return f"""{len(found["pairs"])} pairs ({", ".join(found["pairs"])}), {facts["bars"]:,} bars
from {facts["from"][:16]} to {facts["to"][:16]} UTC, five horizons; one fold of 70, 15 and 15 % of
the days, learnt from every thirtieth minute. Skill is over all pairs and horizons, against the
martingale forecast, after the validation rows have shrunk each model: 0 where they do not tell it
from noise. The raw R² is what a change of BQX gives without any model. {found["trials"]}
configurations were tried on these bars. Out of sample the simplest model within the noise is
{found["honest"]}; the documents' margins choose {found["documented"] or "nothing"}. On validation
rows alone the folds chose: {used}.

{table(heads, rows)}
````{{dropdown}} Skill before shrinkage by pair and horizon
{table(("pair", "minutes", *(f"`{name}`" for name in names)), cells)}````
"""


def _between(row: dict[str, Any]) -> str:
    return _ends(row, "skill")


SKILLS = (
    *("profile", "model", "skill", "its interval", "skill before shrinkage"),
    "skill in units of BQX",
)


def _value(row: dict[str, Any], name: str) -> str:
    return f"{row[name]:.5f}"


def _profiles(found: dict[str, Any]) -> str:
    facts, selected = found["bars"], found["selected"]
    differences = [
        (f"`{row['model']}`", *(f(row, n) for n in ("gain", "unshrunk") for f in (_value, _ends)))
        for row in found["differences"]
    ]
    rows, models = [], []
    for name in ("core", "v3"):
        own = found[name]
        minutes = own["minutes"]
        rows.append(
            (
                f"`{name}`",
                own["columns"],
                f"{own['share']:.1%}",
                f"{own['needed']:.0f}",
                ", ".join(f"{domain} {n:.0f}" for domain, n in own["domains"].items()),
                *("none" if own[n] is None else f"{own[n]:.2f}" for n in ("jaccard", "kuncheva")),
                f"{sum(minutes.values()):.0f}",
                f"{own['mb']:,.0f}",
            )
        )
        models += [
            (f"`{name}`", f"`{row['model']}`", f"{row['skill']:.5f}", _between(row),
             f"{row['unshrunk']:.5f}", f"{row['raw']:.5f}")
            for row in own["models"]
        ]  # fmt: skip
    heads = (
        "profile", "columns", f"importance that {selected} reach", "columns for 95 %",
        "chosen by domain", "Jaccard", "Kuncheva", "minutes", "MB",
    )  # fmt: skip
    return f"""What the 1,305 features of `v3` add to the 298 of `core`: {len(found["pairs"])} pairs
({", ".join(found["pairs"])}), {facts["bars"]:,} bars from {facts["from"][:16]} to
{facts["to"][:16]} UTC, folds: {found["folds"]}, five horizons, every fortieth minute, {selected}
columns of either chosen by a forest of 100 trees. Both are judged on the same rows. Skill is in
sigma and, last, in units of BQX, after the validation rows have shrunk each model: 0 where they do
not tell it from noise. Minutes are those of a machine that did other things as well.

Skill of `v3` over `core`, the same days:

{table(("model", "gain", "its interval", "gain before shrinkage", "its interval"), differences)}
{table(heads, rows)}
{table(SKILLS, models)}"""


def _ends(row: dict[str, Any], name: str) -> str:
    if row[f"{name}_lo"] is None:
        return "none"
    return f"{row[f'{name}_lo']:.5f} to {row[f'{name}_hi']:.5f}"


YEARS = {
    "sudden": "momentum that turns into its opposite after six months",
    "gradual": "momentum that fades, and is its opposite at last",
    "steady": "momentum that stays",
    "null": "no signal",
}
SHOWN = ("static", "retrained", "online", "documented", "oracle")


def _online(found: dict[str, Any]) -> str:
    kinds, real = found["online"], found.get("real")
    rows = [
        (text, *(f"{kinds[kind]['year'][name]:.3%}" for name in SHOWN))
        for kind, text in YEARS.items()
    ]
    if real:
        own = [f"{real['year'][name]:.3%}" for name in SHOWN[:-1]]
        rows.append((f"real minutes of {', '.join(real['pairs'])}, 2018", *own, "unknown"))
    members = [
        name for name in kinds["sudden"]["year"] if name.startswith(("linear", "for", "boo"))
    ]
    each = [
        (text, *(f"{kinds[kind]['year'][name]:.3%}" for name in members))
        for kind, text in YEARS.items()
    ]
    names = (*SHOWN, *members)
    after = {name: kinds["sudden"]["after"][name] for name in names}
    back = [
        ("first month with a skill above 0", *(_month(own["month"]) for own in after.values())),
        ("mean skill of six months", *(f"{own['skill']:.3%}" for own in after.values())),
    ]
    update = found["update"]
    return f"""A champion, fitted once on two months, and what learns beside it over the next
twelve: the same ridge refitted every week on the last six months (`retrained`), the online
ensemble with weights that tell one per cent of error apart (`online`), and with the documents'
weights (`documented`). A forecast every 20 minutes, 30 minutes ahead, two markets of each kind;
skill in sigma over the year, not shrunk. An update of 28 pairs and five horizons takes
{update["seconds"]:.1f} seconds of a processor with {update["trees"]} trees and
{update["columns"]} columns.

{table(("market", *(f"`{name}`" for name in SHOWN)), rows)}
```{{figure}} online.png
:alt: Skill by month of a champion fitted once, of weekly retraining and of online learning

Skill by month: a champion fitted once, refitted every week, and learning online.
```

After the sudden change:

{table(("", *(f"`{name}`" for name in names)), back)}
Members by themselves:

{table(("market", *(f"`{name}`" for name in members)), each)}"""


def _month(number: int | None) -> str:
    return "none" if number is None else str(number)


ABLATED = {
    "strong": "Momentum in a pair's own past",
    "lead": "Pairs that lead others",
    "real": "Real minutes of four majors, 2018",
}
QUARTERLY = 0.03
"""Raw R² that a new feature shall add, by the documents' quarterly review."""


def _ablation(found: dict[str, Any]) -> str:
    return "\n".join(
        _ablated(title, found["ablation"][name])
        for name, title in ABLATED.items()
        if name in found["ablation"]
    )


def _ablated(title: str, found: dict[str, Any]) -> str:
    rows = [
        (row["set"], f"{row['columns']:.0f}", f"{row['skill']:.3%}",
         "" if row["adds"] is None else f"{row['adds']:.3%}",
         "" if row["adds"] is None else f"{row['adds_lo']:.3%} to {row['adds_hi']:.3%}",
         "" if row["adds_r2"] is None or row["set"] == "selected" else
         f"{row['adds_r2']:.4f}, {'kept' if row['adds_r2'] >= QUARTERLY else 'dropped'}")
        for row in found["table"]
    ]  # fmt: skip
    whole, selected = (row["skill"] for row in found["table"][:2])
    kept = f"{selected / whole:.0%} of its skill" if whole > 0.0 else "no skill that could be kept"
    return f"""**{title}**: {found["rows"]:,} training and {found["later"]:,} later rows a pair. The
selected columns have {kept}.

{table(("columns", "number", "skill by themselves", "add to all others", "its interval",
        f"raw R² added, and the rule of {QUARTERLY}"), rows)}"""  # fmt: skip


def _families(found: dict[str, Any]) -> str:
    return f"""What each domain and package of families is worth to a ridge over the columns of `v3`
that have values, of two planted pairs and of four majors, at two horizons together: by itself, and
what is lost where it is taken away. Skill in sigma, not shrunk; intervals over days, those of a
market's groups together at 95 %. Of the enhancement stages, `v3` has no leads and lags of other
pairs: what these add stands under *three kinds of signal*; learning online has a section of its
own, learned codes [theirs](codes.md), and the multi-task network stands among the estimators.

{_ablation(found)}"""


def _retraining(found: dict[str, Any]) -> str:
    nulls, passes = found["nulls"], pd.DataFrame(found["into_nothing"])
    rules = (
        ("the gate", "passed"),
        ("the documents: R² above the current", "above"),
        ("the documents: R² better, or within 2 percent", "within"),
    )
    promoted = [(name, f"{nulls[key]} of {nulls['markets']}") for name, key in rules]
    rows = pd.DataFrame(found["recovery"])
    shares = rows["skill"] / rows["attainable"]
    is_settled = (rows["learnt"] == "six months") & (rows["weeks"] == rows["weeks"].max())
    settled, lines = float(shares[is_settled].mean()), []
    for (learnt, weeks), own in rows.groupby(["learnt", "weeks"], sort=False):
        recovered = shares[own.index]
        lines.append(
            (weeks, learnt, f"{own['passed'].sum()} of {len(own)}", f"{own['skill'].mean():.2%}",
             f"{own['attainable'].mean():.2%}", f"{recovered.mean():.0%}",
             f"{recovered.min():.0%} to {recovered.max():.0%}", f"{recovered.mean() / settled:.0%}")
        )  # fmt: skip
    lines.sort(key=lambda line: (line[1] != "six months", line[0]))
    heads = (
        "weeks after",
        "learnt from",
        "pass",
        "skill",
        "attainable",
        "recovered",
        "from, to",
        "of the learner's own",
    )
    return f"""Markets without any information, two pairs, eleven weeks and a ridge: retrainings in
which some pair passes.

{table(("rule", "pass"), promoted)}
Where a served version's momentum has gone and nothing has come in its place,
{passes["passed"].sum()} of {len(passes)} challengers at four to 26 weeks after it pass, those
included that learn from what came since.

{rows["seed"].nunique()} markets whose momentum turns into its opposite: challengers in the four
weeks after their training, beside one who knows what was planted. One that learns from what came
since is there where the fall of the served version was found and 30 days have come. A ridge does
not reach all that is attainable anywhere: the last column is the share of what it recovers itself
from six months in which nothing turned.

{table(heads, lines)}"""


SECTIONS: dict[str, tuple[str, Callable[[dict[str, Any]], str]]] = {
    "test_information": ("The test of information", _claims),
    "test_null_markets": ("Markets without a signal", _without),
    "test_null_estimators": ("Every estimator without a signal", _every),
    "test_screens": ("Screens of columns", _screens),
    "test_planted_markets": ("Three kinds of signal", _three),
    "test_weak_markets": ("Weak momentum", _weak),
    "test_real_bars": ("Real bars", _bars),
    "test_real_sessions": ("Real bars by session", _sessions),
    "test_ablation_study": ("What families add", _families),
    "test_online_learning": ("A year whose signal drifts", _online),
    "test_recovery": ("Retraining", _retraining),
    "test_profiles": ("1,305 features or 298", lambda found: _profiles(found["profiles"])),
}
"""Title and text of a section, by the module that finds it."""
