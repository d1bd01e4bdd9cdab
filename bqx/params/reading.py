"""Parameters from a flat YAML file, from ``key=value`` texts, and from a notebook's names."""

import difflib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from bqx.errors import ParameterError
from bqx.params.keys import KEYS, NOTEBOOK_KEYS, SETTLED
from bqx.params.model import Params


class _Loader(yaml.SafeLoader):
    """YAML without dates, which notebooks could not take, and without repeated keys."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [(tag, regexp) for tag, regexp in pairs if tag != "tag:yaml.org,2002:timestamp"]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
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
    mend = f"Did you mean {near[0]!r}?" if near else f"Remove {key}."
    return f"{where}: unknown parameter, got {key!r}; expected one of {', '.join(known)}. {mend}"


def _validated(values: Mapping[str, Any], where: str) -> Params:
    try:
        return Params(**values)
    except ValidationError as error:
        lines = []
        for item in error.errors():
            key = ".".join(map(str, item["loc"]))
            lines.append(
                f"{where}: {key} has a wrong value, got {item['input']!r}; "
                f"expected {_rule(item['msg'])}."
                if key
                else f"{where}: {_rule(item['msg'])}."
            )
        raise ParameterError("\n".join(lines)) from None


def _parsed(text: str, where: str) -> Any:
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        what = " ".join(str(error).split())
        raise ParameterError(
            f"{where}: not YAML, got {what}; expected `key: value` lines."
        ) from None


def given(path: Path, overrides: Sequence[str] = ()) -> dict[str, tuple[Any, str]]:
    """Values that a flat YAML file or an override gives, by key, and where each comes from.

    Raises ParameterError as `load`, but for values that break their rules.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise ParameterError(
            f"{path}: cannot be read, got {error.strerror}; expected a YAML file of parameters."
        ) from None
    content = _parsed(text, str(path))
    if not isinstance(content, dict):
        raise ParameterError(
            f"{path}: no parameters, got {type(content).__name__}; expected `key: value` lines."
        )
    unknown = [_unknown(str(path), str(key), KEYS) for key in content if key not in KEYS]
    if unknown:
        raise ParameterError("\n".join(unknown))
    values = {key: (value, str(path)) for key, value in content.items()}
    return values | _overriding(overrides)


def _overriding(overrides: Sequence[str]) -> dict[str, tuple[Any, str]]:
    values = {}
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals:
            raise ParameterError(
                f"--set: no value, got {override!r}; expected key=value. Write {override}=VALUE."
            )
        if key not in KEYS:
            raise ParameterError(_unknown("--set", key, KEYS))
        values[key] = (_parsed(value, f"--set {key}"), "--set")
    return values


def load(path: Path, overrides: Sequence[str] = ()) -> Params:
    """Read a flat YAML file of parameters; those that it leaves out have their defaults.

    Parameters
    ----------
    path : the file.
    overrides : ``key=value`` texts that win over the file; the values are YAML.

    Raises
    ------
    ParameterError : the file is absent or no mapping, a key is unknown, or a value breaks its rule;
        the message names file, key, value, rule and the nearest known key.
    """
    own = {key: value for key, (value, _) in given(path, overrides).items()}
    return _validated(Params().model_dump() | own, str(path))


def of_texts(overrides: Sequence[str]) -> Params:
    """Parameters of ``key=value`` texts alone, every other one at its default."""
    own = {key: value for key, (value, _) in _overriding(overrides).items()}
    return _validated(own, "options")


def for_notebook(stem: str, names: Mapping[str, Any]) -> Params:
    """Parameters of one notebook from ``names``, every other one at its default.

    Those are its own keys and, where they were given all the same, what an earlier notebook
    settles, which the notebook's stage compares with what was settled. ``names`` is the notebook's
    ``globals()``, where papermill has put the values of a file.

    Raises ParameterError for a value that breaks its rule.
    """
    if stem not in NOTEBOOK_KEYS:
        raise ParameterError(_unknown("for_notebook", stem, tuple(NOTEBOOK_KEYS)))
    before = [key for maker, keys in SETTLED.items() if maker < stem for key in keys]
    known = (*NOTEBOOK_KEYS[stem], *before)
    return _validated({key: names[key] for key in known if key in names}, stem)


def described(path: Path, overrides: Sequence[str] = ()) -> list[dict[str, str]]:
    """Every parameter of a file: its key, value, where the value comes from, and what it means."""
    values, sources = load(path, overrides), given(path, overrides)
    return [
        {
            "key": key,
            "value": json.dumps(values.model_dump(mode="json")[key]),
            "from": sources[key][1] if key in sources else "default",
            "meaning": " ".join(str(field.description).split()),
        }
        for key, field in Params.model_fields.items()
    ]
