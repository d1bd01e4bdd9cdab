"""What the README shows is what happens."""

import re
from pathlib import Path

import numpy as np
import pytest

from bqx import cli
from bqx.learning.models import register
from bqx.market import simulated
from bqx.params import Params

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PYTHON = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
"""What it shows of code: the first lines, an own feature, an own model."""


def test_the_example_prints_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    example = PYTHON[0]
    exec(compile(example, "README.md", "exec"), {})
    assert capsys.readouterr().out == example.splitlines()[-1].removeprefix("# ") + "\n"


def test_the_feature_of_your_own_does_not_read_ahead(tmp_path: Path) -> None:
    (tmp_path / "bars").mkdir()
    frame = simulated.simulate("null", ("eurusd",), days=7).frames["eurusd"]
    frame.iloc[:2_000].reset_index().to_parquet(tmp_path / "bars" / "eurusd.parquet")
    own = tmp_path / "my_features.py"
    own.write_text(PYTHON[1], encoding="utf-8")
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
    assert len(README.splitlines()) <= 170


def test_the_model_of_your_own_is_fitted_stored_and_read_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("my_model.py").write_text(PYTHON[2], encoding="utf-8")
    rng = np.random.default_rng(1)
    x = rng.normal(size=(400, 3)).astype(np.float32)
    y = np.column_stack([x[:, 0], -x[:, 1]]) + 0.1 * rng.normal(size=(400, 2))
    own = register.make("my_model.py:Marginal", Params()).fit(x, y)
    forecasts = own.predict(x)
    assert np.diag(np.corrcoef(forecasts.T, y.T)[:2, 2:]).min() > 0.9
    own.save(tmp_path / "model")
    np.testing.assert_array_equal(register.load(tmp_path / "model").predict(x), forecasts)
