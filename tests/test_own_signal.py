"""A user's own rule of trading: read from its file, held to the row it decides on, and traded."""

from pathlib import Path

import numpy as np
import pytest

from bqx.errors import ParameterError
from bqx.market import simulated
from bqx.market.bars import align
from bqx.params import Params, from_settings
from bqx.params import model as of_params
from bqx.trading import own_signal, signals
from bqx.workbench import Study

RULES = """
import numpy as np

MEMORY = []


def twice(move, buy_cost, sell_cost):
    return np.where(move > 2 * buy_cost, 1, np.where(-move > 2 * sell_cost, -1, 0))


def ahead(move, buy_cost, sell_cost):
    return np.sign(np.roll(move, -1)).astype(int)


def mean(move, buy_cost, sell_cost):
    return np.sign(move - move.mean()).astype(int)


def sizes(move, buy_cost, sell_cost):
    return 2 * np.sign(move)


def short(move, buy_cost, sell_cost):
    return np.sign(move)[1:]


def fails(move, buy_cost, sell_cost):
    return move / 0 + [1]


def one(move):
    return np.sign(move)


def leaves(move, buy_cost, sell_cost):
    raise SystemExit(0)


nothing = 3
"""


@pytest.fixture
def rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "my_signal.py").write_text(RULES)
    monkeypatch.chdir(tmp_path)
    assert of_params.root() == tmp_path
    return tmp_path


def series() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    return rng.standard_normal(100), np.full(100, 0.4), np.full(100, 0.6)


def test_without_one_a_trade_is_made_where_the_move_beats_its_cost() -> None:
    np.testing.assert_array_equal(own_signal.rule_of(Params())(*series()), signals.side(*series()))


def test_an_own_rule_decides(rules: Path) -> None:
    sides = own_signal.rule_of(from_settings({"signal": "my_signal.py:twice"}))(*series())
    move, buy, sell = series()
    np.testing.assert_array_equal(sides, signals.side(move, 2 * buy, 2 * sell))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ahead", "decides by other rows"),
        ("mean", "decides by other rows"),
        ("sizes", "gives no sides"),
        ("short", "gives no sides"),
        ("fails", "failed, got"),
        ("one", "failed, got TypeError"),
        ("leaves", "failed, got SystemExit"),
        ("nothing", "is something else"),
        ("absent", "is absent"),
    ],
)
def test_what_is_no_rule_is_one_line(rules: Path, name: str, message: str) -> None:
    with pytest.raises(ParameterError, match=message) as caught:
        # Before a run begins, not at its first trade.
        own_signal.rule_of(from_settings({"signal": f"my_signal.py:{name}"}))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("signal", ["my_signal.py", "side", "x.txt:side", "my_signal.py:"])
def test_what_names_no_function_is_refused(signal: str) -> None:
    with pytest.raises(ParameterError, match="FILE.py:function"):
        from_settings({"signal": signal})


def test_a_file_that_is_not_there_or_fails_is_told(rules: Path) -> None:
    with pytest.raises(ParameterError, match="signal: not there"):
        own_signal.rule_of(from_settings({"signal": "none.py:side"}))
    (rules / "broken.py").write_text("import nothing_of_this_name")
    with pytest.raises(ParameterError, match="cannot be imported, got ModuleNotFoundError"):
        own_signal.rule_of(from_settings({"signal": "broken.py:side"}))


def test_a_study_trades_by_it(rules: Path) -> None:
    frames = simulated.simulate("strong", ("eurusd",), days=70).frames
    accounts = []
    for signal in ("", "my_signal.py:twice"):
        study = Study.of(align(frames), horizons=(15,), target_window=30, signal=signal)
        accounts.append(study.fit("ridge", "rate_moments_z_score_w*").account())
    plain, own = accounts
    assert 0 < own["trades"].sum() < plain["trades"].sum()
