from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from bqx import params
from bqx.errors import ParameterError
from bqx.market.pairs import CURRENCIES, PAIRS
from bqx.params import KEYS, NOTEBOOK_KEYS, Params, for_notebook, load

FILES = sorted((Path(__file__).parents[1] / "params").glob("*.yaml"))
LENGTHS = ("train_days", "validation_days", "test_days", "step_days")


def written(folder: Path, text: str) -> Path:
    path = folder / "some.yaml"
    path.write_text(text)
    return path


def test_every_key_is_described_and_belongs_to_a_notebook():
    assert all(field.description for field in Params.model_fields.values())
    assert set().union(*NOTEBOOK_KEYS.values()) == set(KEYS)


def test_frozen():
    with pytest.raises(ValidationError, match="frozen"):
        Params().seed = 1  # type: ignore[misc]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_parameter_files_load(path):
    overrides = ["bars=somewhere"] if path.stem == "real" else []
    loaded = load(path, overrides)
    assert loaded.out == f"runs/{path.stem}"
    assert len(FILES) == 7


def test_defaults_are_those_of_ci():
    ci = next(path for path in FILES if path.stem == "ci")
    assert load(ci) == Params()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_files_hold_what_differs_from_the_defaults_alone(path):
    values = yaml.safe_load(path.read_text())
    defaults = Params().model_dump(mode="json")
    assert len(values) <= 20
    assert {key for key, value in values.items() if value == defaults[key]} <= {"out"}


def test_parameters_are_described_with_where_they_come_from():
    demo = next(path for path in FILES if path.stem == "demo")
    rows = {row["key"]: row for row in params.described(demo, ["seed=4"])}
    assert tuple(rows) == KEYS
    assert [rows[key]["from"] for key in ("seed", "days", "depth")] == [
        "--set", str(demo), "default",
    ]  # fmt: skip
    assert (rows["seed"]["value"], rows["days"]["value"]) == ("4", "280")
    for key, field in Params.model_fields.items():
        assert rows[key]["meaning"].split() == str(field.description).split()


def test_demo_is_large_enough():
    demo = load(next(path for path in FILES if path.stem == "demo"))
    assert len(demo.pairs) >= 4
    assert len(demo.pairs) * demo.days >= 8 * 90


def test_real_bars_must_be_given():
    real = next(path for path in FILES if path.stem == "real")
    with pytest.raises(ParameterError, match=r"real\.yaml: bars .* got None; .*--set bars=FOLDER"):
        load(real)
    assert load(real, ["bars=/some/folder"]).bars_path == Path("/some/folder")


def test_overrides_win_and_are_yaml(tmp_path):
    path = written(tmp_path, "seed: 3\nmarket: null\npairs: [eurusd]\n")
    assert load(path).market == "null"
    loaded = load(
        path,
        ["seed=4", "market=planted", "horizons=[15, 30]", "learning_rate=1e-3", "target=level"],
    )
    assert (loaded.seed, loaded.market, loaded.horizons) == (4, "planted", (15, 30))
    assert (loaded.learning_rate, loaded.target) == (0.001, "level")
    assert load(path, ["market=null"]).market == "null"
    assert load(path, ["start=2024-03-01"]).start == "2024-03-01"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("horizon: [15]", r"some\.yaml: unknown parameter, got 'horizon'; .*mean 'horizons'"),
        ("zzz: 1", r"unknown parameter, got 'zzz'; expected one of out, .*Remove zzz\."),
        ("seed: '3'", r"some\.yaml: seed has a wrong value, got '3'; expected a valid integer"),
        ("seed: true", "seed has a wrong value, got True"),
        ("seed: -1", "got -1; expected greater than or equal to 0"),
        ("workers: 0", "workers has a wrong value, got 0"),
        (
            "horizons: []",
            r"horizons has a wrong value, got \[\]; expected one or more ascending minutes, such "
            r"as \[15, 30, 45\]\.$",
        ),
        (
            "models: []",
            r"got \[\]; expected a list of one or more models, such as \[ridge, xgboost\]",
        ),
        ("clock: []", r"wrong value, got \[\]; .* one or more \[from date, clock\]\.$"),
        ("out: ''", r"out has a wrong value, got ''; expected a path of 1 to 1,000 printable"),
        ("horizons: 15", "got 15; expected a list of minutes"),
        ("horizons: [30, 15]", r"got \[30, 15\]; expected ascending minutes, each once"),
        ("lags: [60, 60]", "ascending minutes"),
        ("horizons: [15, x]", r"horizons\.1 has a wrong value, got 'x'"),
        ("pairs: [eurgpb]", "'eurgpb' may mean 'eurgbp'"),
        ("pairs: [usdeur, usdeur]", "market convention"),
        ("pairs: [eurusd, eurusd]", "each pair once"),
        ("pairs: eurusd", "a list of pairs"),
        ("market: nul", "market has a wrong value, got 'nul'; expected 'null', 'planted'"),
        ("start: 2024-13-01", "an ISO date such as"),
        ("baseline: noon", "baseline has a wrong value, got 'noon'"),
        ("clock: [[2018-01-01]]", "clock has a wrong value"),
        ("clock: 3", "clock has a wrong value, got 3"),
        ("target_window: match", "'matched' or a window from 2 to 240 minutes"),
        ("target_window: 1", "a window from 2 to 240"),
        ("target: innovation", "target has a wrong value"),
        ("domain_share: 0.6", "less than or equal to 0.5"),
        (
            "interest: {USD: 5}",
            "interest has a wrong value, .*expected a number for each of EUR, GBP",
        ),
        ("interest: 5.0", "a number for each of"),
        (f"interest: {{{', '.join(f'{c}: 1{0:0400}' for c in CURRENCIES)}}}", "a number for each"),
        (f"ranges: {{xgboost: {{max_depth: [1, 1{0:0400}]}}}}", "ranges has a wrong value"),
        (f"settings: {{xgboost: {{max_depth: 1{0:0400}}}}}", "finite numbers"),
        ("selected: 9\nquotas: {rate: 6, bqx: 4}", "quotas: expected at most selected, 9, got 10"),
        ("slippage: -0.1", "slippage has a wrong value"),
        ("target_volatility: 0", "greater than 0"),
        ("confidence: 1.0", "confidence has a wrong value"),
        ("train_days: 0", "expected all 0 or none"),
        ("serve_pair: eurgbp\npairs: [eurusd]", "serve_pair: expected '' or one of pairs"),
        ("seed: 1\nseed: 2", "the key 'seed' stands twice"),
        ("seed: [1", "not YAML"),
        ("- 1", "no parameters, got list"),
        ("", "no parameters, got NoneType"),
    ],
)
def test_errors_name_file_key_value_and_rule(tmp_path, text, message):
    with pytest.raises(ParameterError, match=message):
        load(written(tmp_path, text))


def test_every_wrong_key_is_named(tmp_path):
    with pytest.raises(ParameterError, match=r"(?s)seed has.*days has"):
        load(written(tmp_path, "seed: x\ndays: 0"))


def test_override_errors(tmp_path):
    path = written(tmp_path, "seed: 1")
    with pytest.raises(ParameterError, match="--set: no value, got 'seed'"):
        load(path, ["seed"])
    with pytest.raises(ParameterError, match="--set: unknown parameter, got 'sed'; .*'seed'"):
        load(path, ["sed=1"])
    got = "a star without quotes at line 1, column 2"
    star = rf"--set exclude: not YAML, got {got}; expected a value"
    for pattern in ("[*]", "[*_w15]"):
        with pytest.raises(ParameterError, match=rf"{star}.*quotes, such as \['\*'\]\."):
            load(path, [f"exclude={pattern}"])
    assert load(path, ["exclude=['*']"]).exclude == ("*",)
    with pytest.raises(ParameterError, match=r"absent\.yaml: cannot be read"):
        load(tmp_path / "absent.yaml")


def test_values_of_all_kinds(tmp_path):
    text = (
        "clock: [[2018-01-01, UTC+2], [2018-03-11, UTC+3]]\nbaseline: 2018-01-02 00:00\n"
        "target_window: matched\nlags: []\ndomain_share: 0\n"
    )
    loaded = load(written(tmp_path, text))
    assert loaded.clock == (("2018-01-01", "UTC+2"), ("2018-03-11", "UTC+3"))
    assert loaded.baseline == "2018-01-02 00:00"
    assert [loaded.window(h) for h in loaded.horizons] == [15, 30, 45, 60, 75]
    assert Params().window(75) == 15
    assert (loaded.lags, loaded.domain_share) == ((), 0)


def test_interest_is_of_every_currency_in_their_order(tmp_path):
    rates = {"USD": 1, "JPY": 2, "EUR": 3.5, "GBP": 4, "AUD": 5, "NZD": 6, "CAD": 7, "CHF": -1}
    loaded = load(written(tmp_path, f"interest: {yaml.safe_dump(rates, default_flow_style=True)}"))
    assert list(loaded.interest) == list(CURRENCIES)
    assert loaded.interest == rates
    assert all(type(value) is float for value in loaded.interest.values())
    for bad in (True, float("inf"), "5"):
        with pytest.raises(ParameterError, match="interest has a wrong value"):
            for_notebook("08_backtest", {"interest": rates | {"CHF": bad}})


def test_notebooks_take_their_own_keys_only():
    taken = for_notebook("04_lagging", {"out": "x", "lags": [60], "seed": 7, "figures": params})
    assert taken.lags == (60,)
    assert taken.seed == 0
    with pytest.raises(ParameterError, match=r"04_lagging: lags"):
        for_notebook("04_lagging", {"lags": [-60]})
    assert for_notebook("06_training", {"train_days": 5}).train_days == 5
    with pytest.raises(ParameterError, match="06_training: train_days has a wrong value"):
        for_notebook("06_training", {"train_days": "5"})
    with pytest.raises(ParameterError, match="got '04_laging'; .*mean '04_lagging'"):
        for_notebook("04_laging", {})


def test_a_served_pair_is_checked_where_the_pairs_are_known(tmp_path):
    assert for_notebook("07_deployment", {"serve_pair": "usdjpy"}).serve_pair == "usdjpy"
    with pytest.raises(ParameterError, match="serve_pair: expected '' or one of pairs"):
        load(written(tmp_path, "serve_pair: usdjpy"))


def test_paths_start_at_the_project_root(tmp_path, monkeypatch):
    inner = tmp_path / "notebooks" / "deep"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    assert params.root() in (inner, *inner.parents)
    (tmp_path / "pyproject.toml").touch()
    assert Params(out="runs/a").folder == tmp_path / "runs/a"
    assert Params(bars="bars").bars_path == tmp_path / "bars"
    assert Params().bars_path is None
    assert Params(out="/elsewhere").folder == Path("/elsewhere")


@pytest.mark.parametrize("days", [10, 29, 30, 35, 60, 260, 2600])
def test_split_by_length_gives_five_folds_or_more_and_validates_a_tenth(days):
    split = Params(**dict.fromkeys(LENGTHS, 0)).lengths(days)
    folds = (days - split.train - split.validation - split.test) // split.step + 1
    assert folds >= 5
    assert split.validation == days // 10


def test_split_that_is_given_stands():
    given = Params(train_days=8, validation_days=3, test_days=4, step_days=2)
    assert tuple(given.lengths(15)) == (8, 3, 4, 2)
    with pytest.raises(ParameterError, match="got 14 trading days; expected at least 15"):
        given.lengths(14)
    with pytest.raises(ParameterError, match="got 9 trading days; expected at least 10"):
        Params(**dict.fromkeys(LENGTHS, 0)).lengths(9)


def test_all_28_pairs_are_accepted():
    assert Params(pairs=list(PAIRS)).pairs == PAIRS
