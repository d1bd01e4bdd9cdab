"""No module and no function of the package is too long, and the report says so where one is."""

import subprocess
import sys
from pathlib import Path

import house
import pytest

LONG = "def long(x):\n" + "    x += 1\n" * 49
NEW_LINES = "\n" * 50


def package(folder: Path, text: str) -> Path:
    (folder / "bqx").mkdir()
    (folder / "bqx/room.py").write_text(text)
    return folder / "bqx"


def test_nothing_is_too_long() -> None:
    assert house.too_long(house.ROOT / "bqx") == []


@pytest.mark.parametrize(
    ("text", "named"),
    [
        (LONG, []),
        (LONG + "    return x\n", ["bqx/room.py long: function"]),
        ("async " + LONG + "    return x\n", ["bqx/room.py long: function"]),
        (
            f'def f():\n    """{NEW_LINES}"""\n    x = 1\n    return x\n',
            ["bqx/room.py f: function"],
        ),
        ("def table():\n    return {\n" + "        1: 2,\n" * 60 + "    }\n", []),
        ("x = 1\n" * 300, []),
        ("x = 1\n" * 301, ["bqx/room.py: module"]),
    ],
)
def test_what_is_too_long_is_named(tmp_path: Path, text: str, named: list[str]) -> None:
    lines = house.too_long(package(tmp_path, text))
    assert [line.split(" too long")[0] for line in lines] == named


def test_the_report_shows_every_layer_and_the_longest() -> None:
    text = house.report(house.ROOT / "bqx")
    above = [text.index(f"\n  {layer[0]} ") for layer in house.layers()]
    assert above == sorted(above)
    lines, place = house.functions(house.ROOT / "bqx")[0]
    assert f"{lines} {place}" in text
    assert " 0" not in text.split("longest")[0]


def test_a_layer_counts_all_its_lines(tmp_path: Path) -> None:
    room = package(tmp_path, "x = 1\n") / "market"
    (room / "readers").mkdir(parents=True)
    (room / "bars.py").write_text("x = 1\n" * 3)
    (room / "readers/text.py").write_text("x = 1\n" * 4)
    assert "\n  market 7\n" in house.report(tmp_path / "bqx")


def test_the_command_succeeds_where_nothing_is_too_long() -> None:
    done = subprocess.run([sys.executable, house.__file__], capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
