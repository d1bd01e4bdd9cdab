"""What can be declared of bar files, as options of every command that reads them."""

import argparse
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from bqx.errors import ParameterError
from bqx.market import declared
from bqx.params.model import Params
from bqx.params.reading import of_texts


def add(parser: argparse.ArgumentParser) -> None:
    """Add the options: the parameters of the same names, with their meaning and their values."""
    for key in declared.KEYS:
        field = Params.model_fields[key]
        names = dict.fromkeys((declared.option(key), f"--{key}"))
        about = " ".join(str(field.description).split())
        if field.annotation is bool:
            parser.add_argument(*names, action="store_true", dest=key, help=about)
            continue
        is_choice = get_origin(field.annotation) is Literal
        shown = "|".join(get_args(field.annotation)[1:]) if is_choice else "CLOCK"
        parser.add_argument(*names, default="", metavar=shown, dest=key, help=about)


def place(text: str) -> Path:
    """A path that a command was given; an empty one is none."""
    if not text:
        raise argparse.ArgumentTypeError("got an empty name; expected a folder or a file")
    return Path(text)


def add_file(parser: argparse.ArgumentParser) -> None:
    """Add the file of parameters, and those that win over it."""
    parser.add_argument(
        "params", type=place, nargs="?", metavar="FILE", help="YAML file of parameters"
    )
    parser.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="KEY=VALUE",
        dest="overrides",
        help="parameters that win over the file",
    )


def file_of(asked: argparse.Namespace) -> Path:
    """The file of parameters, which may stand behind ``--set key=value`` too.

    Raises ParameterError where none was given.
    """
    if asked.params is None and asked.overrides and "=" not in asked.overrides[-1]:
        asked.params = asked.overrides.pop()
    if asked.params is None:
        raise ParameterError(
            "FILE: not there, got no file of parameters; expected one such as params/ci.yaml. "
            "Name it after the command."
        )
    return Path(asked.params)


def add_bars(parser: argparse.ArgumentParser) -> None:
    """Add the folder of bars and the options."""
    parser.add_argument(
        "--bars", type=place, required=True, metavar="DIR", help="folder or file of bars"
    )
    add(parser)


def texts(asked: argparse.Namespace) -> list[str]:
    """What was declared, as ``key=value`` texts."""
    values = {key: getattr(asked, key) for key in declared.KEYS}
    return [f"{key}={'true' if v is True else v}" for key, v in values.items() if v]


def values(asked: argparse.Namespace) -> dict[str, Any]:
    """What was declared, by the names of `bqx.market.declared.Declared`.

    Raises ParameterError for a value that breaks its rule.
    """
    return of_texts(texts(asked)).declared
