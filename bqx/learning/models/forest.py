"""A random forest over all horizons, as the field's documents set it."""

import hashlib
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import skops.io
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestRegressor
from threadpoolctl import threadpool_limits

from bqx.learning.models import artefact
from bqx.learning.models.design import Design, Matrix, design

Vector = NDArray[np.float64]

TRUSTED = ["sklearn.tree._tree.Tree"]
"""The one type beyond plain ones that a stored forest holds; never read from the file itself."""
FILE = "forest.skops"
SCHEMA = "schema.json"


@dataclass
class RandomForest:
    """Bagged trees of several outputs, a split chosen for all horizons together.

    ``deepest`` : most splits above a leaf; ``least`` : fewest rows in a leaf; ``tried`` : share of
    the columns that a split looks at; ``bag`` : share of the rows that a tree draws.
    """

    NAME: ClassVar[str] = "forest"

    trees: int = 100
    deepest: int = 10
    least: int = 10
    tried: float = 0.3
    bag: float = 0.5
    seed: int = 0
    forest: RandomForestRegressor = field(init=False, repr=False)

    def fit(
        self,
        x: Matrix | Design,
        y: Vector,
        weight: Vector | None = None,
        validation: tuple[Matrix | Design, Vector] | None = None,
    ) -> Self:
        """Fit to (n, C) columns and (n, H) labels; a forest needs no validation part."""
        with threadpool_limits(1):
            self.forest = RandomForestRegressor(
                n_estimators=self.trees,
                max_depth=self.deepest,
                min_samples_split=2 * self.least,
                min_samples_leaf=self.least,
                max_features=self.tried,
                max_samples=self.bag,
                random_state=self.seed,
                n_jobs=1,
            ).fit(design(x).values, y if y.shape[1] > 1 else y.ravel(), weight)
        return self

    def predict(self, x: Matrix | Design) -> Vector:
        """(n, H) forecasts of (n, C) columns."""
        values = design(x).values
        forecast = np.zeros((len(values), self.forest.n_outputs_))
        # The forest's own method starts threads at each call, which cost more than a row does.
        for tree in self.forest.estimators_:
            forecast += tree.tree_.predict(values).reshape(len(values), -1)
        return forecast / self.trees

    def save(self, folder: Path) -> None:
        """Write the model's folder."""
        artefact.save(self, folder)

    def settings(self) -> dict[str, Any]:
        """Settings of the forest."""
        names = ("trees", "deepest", "least", "tried", "bag", "seed")
        return {name: getattr(self, name) for name in names}

    def parts(self) -> artefact.Parts:
        """The forest in the format of skops, the same bytes for the same trees."""
        return {FILE: _settled(skops.io.dumps(self.forest))}

    @classmethod
    def restore(cls, settings: Mapping[str, Any], parts: artefact.Parts) -> Self:
        """The model of some settings and parts; skops refuses types that are not trusted."""
        model = cls(**settings)
        model.forest = skops.io.loads(parts[FILE], trusted=TRUSTED)
        return model


def _settled(archive: bytes) -> bytes:
    """An archive of skops without addresses in memory and times, which differ from run to run."""
    with zipfile.ZipFile(io.BytesIO(archive)) as held:
        contents = {name: held.read(name) for name in held.namelist()}
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
    held = io.BytesIO()
    np.save(held, clean, allow_pickle=False)
    return held.getvalue()
