"""A random forest over all horizons, as the field's documents set it."""

import hashlib
import io
import json
import zipfile
from dataclasses import dataclass, field
from itertools import count
from typing import Any, ClassVar, Self

import numpy as np
import skops.io
from sklearn.ensemble import RandomForestRegressor
from threadpoolctl import threadpool_limits

from bqx.learning.models.artefact import Parts
from bqx.learning.models.base import Input, Later, Model, Range, Vector, Weight
from bqx.learning.models.design import design

TRUSTED = ["sklearn.tree._tree.Tree"]
"""The one type beyond plain ones that a stored forest holds; never read from the file itself."""
FILE = "forest.skops"
SCHEMA = "schema.json"


@dataclass
class RandomForest(Model):
    """Bagged trees of several outputs, a split chosen for all horizons together.

    ``max_depth`` : most splits above a leaf; ``min_samples_leaf`` : fewest rows in a leaf;
    ``max_features`` : share of the columns that a split looks at; ``max_samples`` : share of the
    rows that a tree draws.
    """

    NAME: ClassVar[str] = "forest"

    SPACE: ClassVar[dict[str, Range]] = {
        "n_estimators": Range(50, 200, step=50),
        "max_depth": Range(3, 20),
        "min_samples_leaf": Range(5, 200, log=True),
        "max_features": Range(0.05, 1.0, log=True),
    }

    n_estimators: int = 100
    max_depth: int = 10
    min_samples_leaf: int = 10
    max_features: float = 0.3
    max_samples: float = 0.5
    forest: RandomForestRegressor = field(init=False, repr=False)

    def fit(self, X: Input, y: Vector, *, weight: Weight = None, validation: Later = None) -> Self:
        """Fit to (n, C) columns and (n, H) labels; a forest needs no validation rows."""
        with threadpool_limits(1):
            self.forest = RandomForestRegressor(
                **self.get_params(), min_samples_split=2 * self.min_samples_leaf, n_jobs=1
            ).fit(design(X).values, y if y.shape[1] > 1 else y.ravel(), weight)
        return self

    def predict(self, X: Input) -> Vector:
        """(n, H) forecasts of (n, C) columns."""
        values = design(X).values
        forecast = np.zeros((len(values), self.forest.n_outputs_))
        # The forest's own method starts threads at each call, which cost more than a row does.
        for tree in self.forest.estimators_:
            forecast += tree.tree_.predict(values).reshape(len(values), -1)
        return forecast / self.n_estimators

    def parts(self) -> Parts:
        """The forest in the format of skops, the same bytes for the same trees."""
        return {FILE: _settled(skops.io.dumps(self.forest))}

    def restore(self, parts: Parts) -> None:
        """Take over what ``parts`` gave; skops refuses types that are not trusted."""
        self.forest = skops.io.loads(parts[FILE], trusted=TRUSTED)


def _settled(archive: bytes) -> bytes:
    """An archive of skops without addresses in memory and times, which differ from run to run."""
    with zipfile.ZipFile(io.BytesIO(archive)) as stored:
        contents = {name: stored.read(name) for name in stored.namelist()}
    schema = json.loads(contents.pop(SCHEMA))
    contents = {name: _padded(content) for name, content in contents.items()}
    named = {name: f"{hashlib.sha256(c).hexdigest()}.npy" for name, c in contents.items()}
    number = count()

    def settle(node: Any) -> Any:
        if isinstance(node, list):
            return [settle(item) for item in node]
        if not isinstance(node, dict):
            return node
        out = {name: settle(item) for name, item in sorted(node.items())}
        if isinstance(node.get("__id__"), int):
            out["__id__"] = next(number)
        if node.get("file") in named:
            out["file"] = named[node["file"]]
        return out

    texts = {named[name]: content for name, content in contents.items()}
    texts[SCHEMA] = json.dumps(settle(schema), sort_keys=True).encode()
    settled = io.BytesIO()
    with zipfile.ZipFile(settled, "w") as out:
        for name in sorted(texts):
            out.writestr(zipfile.ZipInfo(name), texts[name], zipfile.ZIP_DEFLATED)
    return settled.getvalue()


def _padded(content: bytes) -> bytes:
    """A stored array with zeros between its fields, where memory was never written."""
    array = np.load(io.BytesIO(content), allow_pickle=False)
    if array.dtype.names is None:
        return content
    clean = np.zeros(array.shape, array.dtype)
    for name in array.dtype.names:
        clean[name] = array[name]
    padded = io.BytesIO()
    np.save(padded, clean, allow_pickle=False)
    return padded.getvalue()
