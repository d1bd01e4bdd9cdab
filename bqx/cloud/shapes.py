"""Calls against the shapes that AWS publishes with its own library, before any is shown or made.

botocore checks kinds and absent keys, and leaves names, addresses and lengths to the service: a
dry run would print what is refused later, when the calls before it have been made.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import botocore.session
from botocore import xform_name
from botocore.model import OperationModel, Shape
from botocore.validate import ParamValidator

from bqx.errors import ParameterError


def check(service: str, method: str, arguments: dict[str, Any]) -> None:
    """Check a call of boto3.

    Raises ParameterError for an argument that AWS refuses by its kind, pattern or length.
    """
    shape = _operations(service)[method].input_shape
    faults = [*_faults("", arguments, shape)]
    report = ParamValidator().validate(arguments, shape)
    faults += report.generate_report().splitlines() if report.has_errors() else []
    if faults:
        raise ParameterError(f"{service}.{method}: {faults[0]}. Nothing was made.")


@cache
def _operations(service: str) -> dict[str, OperationModel]:
    model = botocore.session.get_session().get_service_model(service)
    return {xform_name(name): model.operation_model(name) for name in model.operation_names}


def _faults(where: str, value: Any, shape: Shape) -> Iterator[str]:
    """What is wrong with a value that has the kinds of its shape."""
    if shape.type_name == "structure" and isinstance(value, dict):
        # An unknown key is told by botocore.
        for key in (key for key in value if key in shape.members):
            yield from _faults(f"{where}.{key}".lstrip("."), value[key], shape.members[key])
    elif shape.type_name == "list" and isinstance(value, list | tuple):
        yield from _length(where, value, shape)
        for item in value:
            yield from _faults(where, item, shape.member)
    elif shape.type_name == "map" and isinstance(value, dict):
        for key, item in value.items():
            yield from _faults(where, key, shape.key)
            yield from _faults(f"{where}.{key}", item, shape.value)
    elif shape.type_name == "string" and isinstance(value, str):
        yield from _length(where, value, shape)
        pattern = shape.metadata.get("pattern", "")
        if pattern and not _matches(pattern, value):
            yield f"{where} is none, got {value!r:.80}; expected {pattern}"


def _length(where: str, value: Any, shape: Shape) -> Iterator[str]:
    least, most = (shape.metadata.get(name) for name in ("min", "max"))
    if not (least or 0) <= len(value) <= (len(value) if most is None else most):
        yield f"{where} has a wrong length, got {len(value)}; expected {least or 0} to {most}"


def _matches(pattern: str, value: str) -> bool:
    try:
        return re.fullmatch(pattern, value) is not None
    except re.error:
        # A pattern of Java's that Python does not know.
        return True
