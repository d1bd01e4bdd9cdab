"""A round as a message: what began it, challenger beside champion, what was decided and why."""

from collections.abc import Mapping, Sequence
from typing import Any

from bqx.evaluation.reasons import Reason
from bqx.files import atomic
from bqx.retraining.forecasts import CHAMPION
from bqx.retraining.judgement import MODELS
from bqx.retraining.rounds import BEGUN, JUDGED, PROMOTED, REGISTERED, SHADOWED, WATCHED, Round

FILE = "report.txt"
"""Its first line is a mail's subject."""


def write(own: Round) -> None:
    """Write the message of a round as it stands."""
    with atomic(own.folder / FILE) as path:
        path.write_text(text(own), encoding="utf-8")


def text(own: Round) -> str:
    """Subject, an empty line, and the message."""
    begun = own.read(BEGUN)
    lines = [f"Subject: bqx retraining {own}: {_state(own)}", ""]
    lines.append("Begun by " + "; ".join(str(Reason.of(reason)) for reason in begun["reasons"]))
    if own.has(JUDGED):
        judged = own.read(JUDGED)
        for pair, reasons in judged["failed"].items():
            lines.append(f"{pair}: no challenger. {_reasons(reasons)}")
        for pair, of in judged["pairs"].items():
            lines += ["", *_judged(own, pair, of)]
        lines += ["", "The documents' rules compare one number on two models; they decide nothing."]
    return "\n".join([*lines, ""])


def _state(own: Round) -> str:
    if own.has(WATCHED):
        kept = own.read(WATCHED)["pairs"]
        taken = [pair for pair, of in kept.items() if of["status"] == "taken back"]
        if taken:
            return f"{', '.join(taken)} taken back"
        return f"{len(kept)} promoted and kept" if kept else "nothing promoted"
    if own.has(PROMOTED):
        return f"{len(own.read(PROMOTED)['pairs'])} promoted, under watch"
    return "in the shadow" if own.has(REGISTERED) else "in training"


def _judged(own: Round, pair: str, of: Mapping[str, Any]) -> list[str]:
    version = own.read(REGISTERED)["versions"].get(pair) if own.has(REGISTERED) else None
    lines = [f"{pair}, version {version or 'to come'}", *_table(of["scores"])]
    if CHAMPION not in of["scores"]:
        lines.append("  no version is served: the challenger is compared with the martingale")
    if of["since"]:
        lines.append(f"  learnt since the served version does worse: {of['since']}")
    lines.append(f"  gate: {_reasons(of['reasons']) or 'passed'}")
    lines += [f"  documents, {rule}: {answer}" for rule, answer in of["documents"].items()]
    if own.has(SHADOWED) and (shadow := own.read(SHADOWED)["pairs"].get(pair)):
        lines.append(f"  shadow: {_reasons(shadow['reasons']) or 'passed'}")
        lines += _table(shadow["scores"])
    if own.has(PROMOTED) and (entry := own.read(PROMOTED)["pairs"].get(pair)):
        follows = f"version {entry['follows']}" if entry["follows"] else "no version"
        lines.append(f"  promoted, follows {follows}")
    if own.has(WATCHED) and (kept := own.read(WATCHED)["pairs"].get(pair)):
        details = {key: kept[key] for key in ("reason", "served", "seconds") if key in kept}
        rest = "".join(f", {key} {value}" for key, value in details.items())
        lines.append(f"  watch: {kept['status']}{rest}")
    return lines


def _table(scores: Mapping[str, Mapping[str, float | None]]) -> list[str]:
    if not scores:
        return []
    names = ("skill", "mae", "r2", "direction")
    lines = [f"  {'':<12}" + "".join(f"{name:>11}" for name in names)]
    for model in (name for name in MODELS if name in scores):
        values = [scores[model][name] for name in names]
        cells = [f"{'-':>11}" if value is None else f"{value:>11.4f}" for value in values]
        lines.append(f"  {model:<12}" + "".join(cells))
    return lines


def _reasons(reasons: Sequence[Any]) -> str:
    return "; ".join(str(Reason.of(reason)) for reason in reasons)
