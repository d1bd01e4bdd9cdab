"""Users' own files, whatever they are for, import what lies beside them, as a script does."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bqx.errors import ArtefactError, ParameterError
from bqx.features import own_modules
from bqx.identity import own_code
from bqx.learning import models
from bqx.learning.models import model_class
from bqx.params import from_settings
from bqx.trading import own_signal

BESIDE = "beside_of_a_test"

FEATURES = f"""
import numpy as np
from {BESIDE} import FACTOR
from bqx.features.sources import RATE
from bqx.features.spec import Family, Output

def step(x, first_minute, window):
    return FACTOR * np.ones((len(x), 1))

FAMILIES = (Family("beside", "mine", step, {{"": Output("1")}}, ((5,),), (RATE,), "mine"),)
"""
MODEL = f"""
from dataclasses import dataclass
from {BESIDE} import FACTOR
from bqx.learning.models.ridge import Ridge

@dataclass
class Mine(Ridge):
    def factor(self):
        return FACTOR
"""
SIGNAL = f"""
from __future__ import annotations
from dataclasses import dataclass
import numpy as np

@dataclass
class Rule:
    least: float

def side(move, buy_cost, sell_cost):
    from {BESIDE} import FACTOR
    return np.sign(move).astype(int) * (abs(move) > Rule(FACTOR).least)
"""


def of_features() -> float:
    (family,) = own_modules.families("kit/near_of_a_test.py")
    return float(family.kernel(np.zeros(1), 0, 5)[0, 0])


def of_model() -> float:
    return model_class("kit/near_of_a_test.py:Mine")().factor()


def of_signal() -> float:
    rule = own_signal.rule_of(from_settings({"signal": "kit/near_of_a_test.py:side"}))
    moves = np.arange(100.0)
    return float(moves[rule(moves, moves, moves) == 0].max())


KINDS = pytest.mark.parametrize(
    ("source", "read"),
    [(FEATURES, of_features), (MODEL, of_model), (SIGNAL, of_signal)],
    ids=["features", "model", "signal"],
)


@pytest.fixture
def kit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pyproject.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    # As of a command: what it is started from is no place of modules.
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    monkeypatch.setattr(own_modules, "_FILES", {})
    monkeypatch.setattr(own_code, "_READ", {})
    for name in [name for name in sys.modules if "of_a_test" in name]:
        monkeypatch.delitem(sys.modules, name)
    (tmp_path / "kit").mkdir()
    (tmp_path / "kit" / f"{BESIDE}.py").write_text("FACTOR = 3")
    return tmp_path / "kit"


@KINDS
def test_it_imports_what_lies_beside_it(source: str, read: Callable[[], float], kit: Path) -> None:
    (kit / "near_of_a_test.py").write_text(source)
    assert read() == 3


@KINDS
def test_what_has_changed_beside_it_is_read_again(
    source: str, read: Callable[[], float], kit: Path
) -> None:
    (kit / "near_of_a_test.py").write_text(source)
    (kit / f"{BESIDE}.py").write_text("from deeper_of_a_test import FACTOR")
    (kit / "deeper_of_a_test.py").write_text("FACTOR = 5")
    assert read() == 5
    (kit / "deeper_of_a_test.py").write_text("FACTOR = 10 + 1")
    assert read() == 11


@KINDS
def test_a_name_that_another_module_has_is_refused(
    source: str, read: Callable[[], float], kit: Path
) -> None:
    (kit / "near_of_a_test.py").write_text(f"{source}\nimport json\n")
    (kit / "json.py").write_text("")
    with pytest.raises(
        ParameterError, match=r"another module is called json; call .*json\.py something"
    ):
        read()


def test_code_beside_a_model_is_part_of_what_fitted_it(kit: Path) -> None:
    (kit / "near_of_a_test.py").write_text(MODEL)
    x, y = np.random.default_rng(0).standard_normal((2, 50, 2), np.float32)
    own = model_class("kit/near_of_a_test.py:Mine")().fit(x, y)
    own.save(kit / "model")
    assert type(models.load(kit / "model")) is type(own)
    (kit / f"{BESIDE}.py").write_text("FACTOR = 3.5")
    with pytest.raises(ArtefactError, match="fitted by other code"):
        models.load(kit / "model")
