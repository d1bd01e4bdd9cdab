"""Parameters that earlier notebooks have settled, read from what they wrote."""

from typing import Any

from bqx.errors import ParameterError
from bqx.params import SETTLED, Params
from bqx.runs.artefacts import COLUMNS, SPLIT
from bqx.runs.run import Run


def settled(run: Run, stem: str = "~") -> Params:
    """The run's parameters with all that notebooks before one have settled.

    Columns, folds and target stand in the artefacts themselves, what else was fitted by in the
    manifest. A notebook that has not run yet settles nothing.

    Parameters
    ----------
    run : its parameters are those at hand; only what was given may contradict.
    stem : of the notebook that goes on; default all.

    Raises
    ------
    ParameterError : a parameter was given that an earlier notebook has settled otherwise.
    ArtefactError : columns or split are damaged or stale.
    """
    values: dict[str, Any] = {}
    maker: dict[str, str] = {}
    stages = run.stages
    for name, keys in SETTLED.items():
        if name < stem and name in stages:
            recorded = dict(stages[name]["params"])
            for artefact in (COLUMNS, SPLIT):
                if artefact.maker == name:
                    recorded |= artefact.read(run)["parameters"]
            values |= {key: recorded[key] for key in keys if key in recorded}
            maker |= dict.fromkeys(keys, name)
    params = run.params
    stated = {key: getattr(params, key) for key in params.model_fields_set}
    complete = Params(**(stated | values))
    wrong = [key for key in values if key in stated and stated[key] != getattr(complete, key)]
    if wrong:
        raise ParameterError(
            "\n".join(
                f"{stem}: {key} is settled by {maker[key]}, got {stated[key]!r}; expected "
                f"{getattr(complete, key)!r}. Leave it out, or run {maker[key]} with {key} of "
                f"{stated[key]!r} first."
                for key in wrong
            )
        )
    return complete
