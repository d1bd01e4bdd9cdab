"""Frozen, validated parameters of a run and of each notebook; an unknown key is an error.

One flat YAML file holds every parameter of a run. A notebook's ``parameters`` cell holds the keys
that `NOTEBOOK_KEYS` lists for it, under the same names; what an earlier notebook has settled stands
in its artefacts instead, see `SETTLED`.
"""

from bqx.params.keys import (
    COLUMN_KEYS,
    KEYS,
    NOTEBOOK_KEYS,
    PLACE_KEYS,
    SELECTION_KEYS,
    SETTLED,
    SPLIT_KEYS,
)
from bqx.params.model import Lengths, Params, root
from bqx.params.reading import described, for_notebook, from_settings, load

__all__ = [
    "COLUMN_KEYS",
    "KEYS",
    "NOTEBOOK_KEYS",
    "PLACE_KEYS",
    "SELECTION_KEYS",
    "SETTLED",
    "SPLIT_KEYS",
    "Lengths",
    "Params",
    "described",
    "for_notebook",
    "from_settings",
    "load",
    "root",
]
