"""Models, one class a file, behind one base class and one register."""

from bqx.learning.models.base import Model, Range, Validation, Vector, point
from bqx.learning.models.design import Design, Matrix, design
from bqx.learning.models.register import load, make, model_class
from bqx.params.rules import MODELS

__all__ = [
    "MODELS",
    "Design",
    "Matrix",
    "Model",
    "Range",
    "Validation",
    "Vector",
    "design",
    "load",
    "make",
    "model_class",
    "point",
]
