"""Parameters from a flat YAML file, from ``key=value`` texts, and from a notebook's names."""

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from bqx.errors import ParameterError
from bqx.params.keys import KEYS, NOTEBOOK_KEYS
from bqx.params.model import Params


class _Loader(yaml.SafeLoader):
    """YAML without dates, which notebooks could not take, and without repeated keys."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [(tag, regexp) for tag, regexp in found if tag != "tag:yaml.org,2002:timestamp"]
        for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        names = [key.value for key, _ in node.value]
        for name in names:
            if names.count(name) > 1:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {name!r} stands twice", node.start_mark
                )
        return super().construct_mapping(node, deep)


def _rule(message: str) -> str:
    return (
        message.removeprefix("Value error, ")
        .removeprefix("Input should be ")
        .removeprefix("Value should ")
    )


def _unknown(where: str, key: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(key, known, 1, 0.5)
    mend = f"Did you mean {near[0]!r}?" if near else "Remove it."
    return f"{where}: unknown parameter, got {key!r}; expected one of {', '.join(known)}. {mend}"


def _validated(values: dict[str, Any], where: str, known: Sequence[str] = KEYS) -> Params:
    unknown = [str(key) for key in values if key not in known]
    if unknown:
        raise ParameterError("\n".join(_unknown(where, key, known) for key in unknown))
    try:
        return Params(**values)
    except ValidationError as error:
        lines = []
        for item in error.errors():
            key = ".".join(str(part) for part in item["loc"])
            if not key:
                lines.append(f"{where}: {_rule(item['msg'])}. Correct one of them.")
                continue
            lines.append(
                f"{where}: {key} has a wrong value, got {item['input']!r}; "
                f"expected {_rule(item['msg'])}. Correct it."
            )
        raise ParameterError("\n".join(lines)) from None


def _parsed(text: str, where: str) -> Any:
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        what = " ".join(str(error).split())
        raise ParameterError(
            f"{where}: not YAML, got {what}; expected `key: value` lines. Correct the file."
        ) from None


def load(path: Path, overrides: Sequence[str] = ()) -> Params:
    """Read a flat YAML file of parameters.

    Parameters
    ----------
    path : the file.
    overrides : ``key=value`` texts that win over the file; the values are YAML.

    Raises
    ------
    ParameterError : the file is absent or no mapping, a key is unknown, or a value breaks its rule;
        the message names file, key, value, rule and the nearest known key.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ParameterError(
            f"{path}: cannot be read, got {error.strerror}; expected a YAML file of parameters. "
            "Correct the path."
        ) from None
    values = _parsed(text, str(path))
    if not isinstance(values, dict):
        raise ParameterError(
            f"{path}: no parameters, got {type(values).__name__}; expected `key: value` lines. "
            "Correct the file."
        )
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals:
            raise ParameterError(
                f"--set: no value, got {override!r}; expected key=value. Write {override}=VALUE."
            )
        if key not in KEYS:
            raise ParameterError(_unknown("--set", key, KEYS))
        values[key] = _parsed(value, f"--set {key}")
    return _validated(values, str(path))


def for_notebook(stem: str, names: Mapping[str, Any]) -> Params:
    """Parameters of one notebook: its own keys from ``names``, every other one at its default.

    ``names`` is the notebook's ``globals()``, where papermill has put the values of a file.

    Raises ParameterError for a value that breaks its rule.
    """
    if stem not in NOTEBOOK_KEYS:
        raise ParameterError(_unknown("for_notebook", stem, tuple(NOTEBOOK_KEYS)))
    keys = NOTEBOOK_KEYS[stem]
    return _validated({key: names[key] for key in keys if key in names}, stem, keys)
