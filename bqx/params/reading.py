"""Parameters from a flat YAML file, from ``key=value`` texts, and from a notebook's names."""

import difflib
import errno
import json
import re
import reprlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from bqx.errors import ParameterError
from bqx.files import open_regular
from bqx.params.keys import KEYS, NOTEBOOK_KEYS, SETTLED
from bqx.params.model import Params

A_VALUE = "a value such as 3, core, [15, 30] or {ridge: {alpha: 3}}"
"""Of a parameter, as YAML has it."""


MOST_BYTES = 1_000_000
"""Of a file of parameters."""

_SHOWN = reprlib.Repr()
_SHOWN.maxstring = _SHOWN.maxother = _SHOWN.maxlong = 120


class _Loader(yaml.SafeLoader):
    """YAML without dates, which notebooks could not take, repeated keys, aliases and merges."""

    yaml_implicit_resolvers = {  # noqa: RUF012
        first: [(tag, regexp) for tag, regexp in pairs if tag != "tag:yaml.org,2002:timestamp"]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.composer.ComposerError(None, None, "an alias", self.peek_event().start_mark)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        names = set()
        for key, _ in node.value:
            problem = None
            if not isinstance(key, yaml.ScalarNode) or key.tag.endswith(":merge"):
                problem = "a key that is no name"
            elif key.value in names:
                problem = f"the key {key.value!r} stands twice"
            if problem:
                raise yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
            names.add(key.value)
        return super().construct_mapping(node, deep)


def _rule(message: str) -> str:
    return (
        message.removeprefix("Value error, ")
        .removeprefix("Input should be ")
        .removeprefix("Value should ")
    )


def _unknown(where: str, key: str, known: Sequence[str]) -> str:
    key = key if len(key) <= 60 else f"{key[:60]}..."
    near = difflib.get_close_matches(key, known, 1)
    mend = (
        f"expected another. Did you mean {near[0]!r}?"
        if near
        else f"expected one of {', '.join(known)}. Remove {key}."
    )
    return f"{where}: unknown parameter, got {key!r}; {mend}"


def _validated(
    values: Mapping[str, Any], where: str, sources: Mapping[str, tuple[Any, str]] | None = None
) -> Params:
    """Parameters; an error names where its value comes from, ``where`` without a source."""
    try:
        return Params(**values)
    except ValidationError as error:
        lines: dict[Any, str] = {}
        for item in error.errors():
            key, rule = ".".join(map(str, item["loc"])), _rule(item["msg"])
            named = item["loc"][:1] or re.findall(r"\w+", rule)
            origins = [(sources or {}).get(str(name), ("", where))[1] for name in named]
            place = next((origin for origin in origins if origin != where), where)
            # Of a list and its items, what is said first says it all.
            lines.setdefault(
                item["loc"][:1],
                f"{place}: {key} has a wrong value, got {_SHOWN.repr(item['input'])}; "
                f"expected {rule}.{_nearest(item)}"
                if key
                else f"{place}: {rule}.",
            )
        raise ParameterError("\n".join(lines.values())) from None


def _nearest(item: Mapping[str, Any]) -> str:
    """Which of the values that a rule names may have been meant."""
    allowed = re.findall(r"'(\w+)'", str(item.get("ctx", {}).get("expected", "")))
    near = difflib.get_close_matches(str(item["input"]).lower(), allowed, 1)
    return f" Did you mean {near[0]!r}?" if near else ""


def _parsed(text: str, where: str, expected: str = "`key: value` lines") -> Any:
    try:
        return yaml.load(text, Loader=_Loader)
    except _NOT_YAML as error:
        what, mend = _fault(error, text)
        raise ParameterError(
            f"{where}: not YAML, got {what[:300]}; expected {expected}.{mend}"
        ) from None


def _fault(error: Exception, text: str) -> tuple[str, str]:
    """What a text has that is no YAML, and where; and how it is mended where that is known."""
    mark = getattr(error, "context_mark", None) or getattr(error, "problem_mark", None)
    if mark is None:
        return " ".join(str(error).split()) or type(error).__name__, ""
    what, mend = getattr(error, "problem", ""), ""
    if text[mark.index : mark.index + 1] == "*":
        what, mend = "a star without quotes", " Write it in quotes, such as ['*']."
    return f"{what} at line {mark.line + 1}, column {mark.column + 1}", mend


_NOT_YAML = (
    *(yaml.YAMLError, RecursionError, ArithmeticError),
    # A tag such as !!int before a text that is none.
    *(ValueError, TypeError, LookupError, AttributeError),
)


def _text(path: Path) -> str:
    """Text of a file of parameters; ParameterError for what is none."""
    try:
        with open_regular(path) as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise OSError(errno.EFBIG, f"more than {MOST_BYTES:,} bytes")
        return content.decode()
    except (OSError, ValueError) as error:
        got = getattr(error, "strerror", None) or "bytes that are no UTF-8"
        raise ParameterError(
            f"{path}: cannot be read, got {got}; expected a YAML file of parameters in UTF-8."
        ) from None


def given(path: Path, overrides: Sequence[str] = ()) -> dict[str, tuple[Any, str]]:
    """Values that a flat YAML file or an override gives, by key, and where each comes from.

    Raises ParameterError as `load`, but for values that break their rules.
    """
    content = _parsed(_text(path), str(path))
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
    values: dict[str, tuple[Any, str]] = {}
    for override in overrides:
        key, equals, value = override.partition("=")
        if not equals:
            raise ParameterError(
                f"--set: no value, got {override!r}; expected key=value. Write {override}=VALUE."
            )
        if key not in KEYS:
            raise ParameterError(_unknown("--set", key, KEYS))
        if key in values:
            raise ParameterError(
                f"--set: {key} twice, got {value!r} after {values[key][0]!r}; expected it once. "
                "Remove one."
            )
        values[key] = (_parsed(value, f"--set {key}", A_VALUE), "--set")
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
    sources = given(path, overrides)
    stated = {key: value for key, (value, _) in sources.items()}
    return _validated(Params().model_dump() | stated, str(path), sources)


def of_texts(overrides: Sequence[str]) -> Params:
    """Parameters of ``key=value`` texts alone, every other one at its default."""
    stated = {key: value for key, (value, _) in _overriding(overrides).items()}
    return _validated(stated, "options")


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
    accepted = (*NOTEBOOK_KEYS[stem], *before)
    return _validated({key: names[key] for key in accepted if key in names}, stem)


def from_settings(settings: Mapping[str, Any]) -> Params:
    """Parameters by key, for the rest the defaults; raises ParameterError as `load` does."""
    for key in settings:
        if key not in KEYS:
            raise ParameterError(_unknown("settings", key, KEYS))
    return _validated(settings, "settings")


def of_notebook(path: Path, overrides: Sequence[str], notebook: str) -> str:
    """YAML of a file's parameters that one notebook's ``parameters`` cell holds.

    ``notebook`` : its number or stem. Raises ParameterError as `load`, and for no such notebook.
    """
    stems = [stem for stem in NOTEBOOK_KEYS if notebook in (stem, stem[:2], stem[:2].lstrip("0"))]
    if not stems:
        raise ParameterError(
            f"--notebook: no such notebook, got {notebook!r}; expected one of "
            f"{', '.join(NOTEBOOK_KEYS)}."
        )
    values = load(path, overrides).model_dump(mode="json", include=set(NOTEBOOK_KEYS[stems[0]]))
    return yaml.safe_dump(values, sort_keys=False)


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
