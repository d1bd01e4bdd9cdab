"""Models, one class a file, behind one base class and one register."""

from bqx.learning.models.base import Input, Later, Model, Range, Vector, Weight, forecasts, point
from bqx.learning.models.design import Design, Matrix, design
from bqx.learning.models.register import check_settings, load, make, model_class, space
from bqx.params.rules import MODELS

__all__ = [
    "MODELS",
    "Design",
    "Input",
    "Later",
    "Matrix",
    "Model",
    "Range",
    "Vector",
    "Weight",
    "check_settings",
    "design",
    "forecasts",
    "load",
    "make",
    "model_class",
    "point",
    "space",
]
