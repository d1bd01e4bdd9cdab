"""What the README shows is what happens."""

import re
from pathlib import Path

import pytest

from bqx import cli
from bqx.market import simulated

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_example_prints_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    example, printed = re.findall(r"```(?:python|text)\n(.*?)```", README, re.DOTALL)[:2]
    exec(compile(example, "README.md", "exec"), {})
    assert capsys.readouterr().out == printed


def test_the_feature_of_your_own_does_not_read_ahead(tmp_path: Path) -> None:
    (tmp_path / "bars").mkdir()
    frame = simulated.simulate("null", ("eurusd",), days=7).frames["eurusd"]
    frame.iloc[:2_000].reset_index().to_parquet(tmp_path / "bars" / "eurusd.parquet")
    own = tmp_path / "my_features.py"
    own.write_text(re.findall(r"```python\n(.*?)```", README, re.DOTALL)[1], encoding="utf-8")
    asked = ["certify", "--bars", str(tmp_path / "bars"), "--cuts", "6", "--features", str(own)]
    assert cli.main(asked) == 0


def test_the_commands_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    assert set(re.findall(r"`make ([a-z]+)`", README)) <= targets


def test_files_it_names_are_there() -> None:
    named = re.findall(r"`((?:bqx|tests|params|notebooks)/[\w/.]+)`", README)
    named += re.findall(r"!\[[^]]*\]\(([^)]+)\)", README)
    assert named
    for name in named:
        assert (ROOT / name).exists(), name


def test_it_stays_short() -> None:
    assert len(README.splitlines()) <= 160
