"""Frozen, validated parameters of a run and of each notebook; an unknown key is an error.

One flat YAML file holds every parameter of a run. A notebook's ``parameters`` cell holds the keys
that `NOTEBOOK_KEYS` lists for it, under the same names.
"""

from bqx.params.keys import KEYS, NOTEBOOK_KEYS
from bqx.params.model import Params, Split, root
from bqx.params.reading import for_notebook, load

__all__ = [
    "KEYS", "NOTEBOOK_KEYS", "Params", "Split", "for_notebook", "load", "root",
]  # fmt: skip
