"""Whatever is typed after `bqx`: an answer, or one line and status 2, and never a traceback."""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bqx import cli
from bqx.params import KEYS, options

CI = Path(__file__).parents[1] / "params" / "ci.yaml"

DEEP = "[" * 1_000
WRONG = (
    *(".inf", "-.inf", ".nan", "1e999", "-1", "0", "9" * 5_000, "123456789012345678901234567890"),
    *("[]", "{}", "null", "true", "''", "'\\0'", '"\\0"', '"\\ud800"', '"\\n"', "~no-such-user/x"),
    *(DEEP, "{" * 1_000, "&a [*a]", "&a 1", "*a", "{<<: {a: 1}}", "!!int x", "!!bool x", "!!float"),
    *("!!binary x", "!!timestamp x", "!!python/object:os.system x", "? [a]", "a: b: c", "\t", "@"),
    *("[1, [2]]", "[.nan]", "'" + "x" * 5_000 + "'", "2024-01-01", "1:2:3", "0b2", "0x_"),
)
"""Values that hardly any parameter takes, as YAML."""

REFUSED = (
    *("spread_multiple=.inf", "slippage=.inf", "commission=.inf", "markup=.inf", "markup=.nan"),
    *("target_volatility=.inf", "largest_position=1e999", "learning_rate=.nan", "confidence=.inf"),
    *("interest={usd: .inf}", "seed=4294967296", "seed=99999999999999999999", "seed=-1"),
    *("workers=0", "workers=-1", "workers=29", "days=0", "days=3654", "days=1000000000000"),
    *("horizons=[0]", "horizons=[]", "horizons=[1441]", "horizons=[15, 15]", "horizons=15"),
    *("lags=[-1]", "start=9999-12-31", "start='1066-10-14'", "start='x'", "train_days=0"),
    *('out="a\\0b"', "out=''", "out=~no-such-user/x", "out=" + "x" * 300, "out=" + "x/" * 600),
    *('bars="\\0"', "bars=" + "x" * 300, 'bars="\\ud800"', "bars=[1]", "forest_trees=10000000"),
    *("rounds=100000000", "depth=13", "groups=101", "embargo=10000000", "stride=0", "x", "x=1"),
    *("=", "=1", "", "sed=1", "profile=fool", "pairs=[usdeur]", "pairs=eurusd", "models=[]"),
)


def printed(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> tuple[int, str]:
    """Status and errors of a command in this process."""
    try:
        status = cli.main(arguments)
    except SystemExit as error:  # of argparse, which shows the usage too
        status = int(error.code or 0)
    return status, capsys.readouterr().err


def is_told(text: str) -> bool:
    """Whether errors are lines of bqx, each short enough to read."""
    return "Traceback" not in text and all(
        len(line) < 3_000 and line.isprintable() for line in text.splitlines()
    )


@pytest.mark.parametrize("override", REFUSED, ids=lambda text: text[:40])
def test_wrong_values_are_refused_in_one_line(
    override: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, text = printed(capsys, ["params", str(CI), "--set", override])
    assert status == 2
    assert text.startswith("bqx: ")
    assert text.count("\n") == 1
    assert is_told(text)


@pytest.mark.parametrize("value", WRONG, ids=lambda text: text[:20])
def test_no_value_of_any_parameter_ends_in_a_traceback(
    value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    # A third of the parameters each time; the marker fuzz has them all.
    for key in KEYS[len(value) % 3 :: 3]:
        status, text = printed(capsys, ["params", str(CI), "--set", f"{key}={value}"])
        assert (status, text.count("\n")) in ((0, 0), (2, 1)), (key, text)
        assert is_told(text)


FILES = {
    "binary": bytes(range(256)),
    "latin-1": "out: r\xe9sultats\n".encode("latin-1"),
    "deep": b"out: " + b"[" * 5_000,
    "deep maps": b"{a: " * 2_000,
    "digits": b"seed: " + b"9" * 5_000,
    "merge": b"a: &a {seed: 1}\n<<: *a\n",
    "laughs": b"a: &a [x, x]\n" + b"".join(b"b%d: [*a, *a]\n" % n for n in range(9)),
    "list": b"- 1\n",
    "empty": b"",
    "null bytes": b"out: x\0\n",
    "two documents": b"seed: 1\n---\nseed: 2\n",
    "tab": b"\tseed: 1",
    "unknown": b"x" * 5_000 + b": 1\n",
    "numbers": b"1: 2\n",
    "twice": b"seed: 1\nseed: 2\n",
    "large": b"#" * 2_000_000,
    "utf-16": "seed: 1".encode("utf-16"),
    "tag": b"seed: !!python/name:os.system\n",
}


@pytest.mark.parametrize("name", FILES)
def test_files_that_are_no_parameters_are_refused_in_one_line(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "some.yaml"
    path.write_bytes(FILES[name])
    for command in ("params", "run"):
        status, text = printed(capsys, [command, str(path)])
        assert (status, text.count("\n")) == (2, 1), text
        assert is_told(text)
    assert [p.name for p in tmp_path.iterdir()] == ["some.yaml"]


def test_places_that_are_no_files_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    for place in (tmp_path, tmp_path / "pipe", tmp_path / "loop", tmp_path / "none", "/dev/zero"):
        status, text = printed(capsys, ["params", str(place)])
        assert (status, text.count("\n")) == (2, 1), text
    for place in (tmp_path, tmp_path / "pipe", tmp_path / "loop", "", "s3:/x", "x://y", "ftp://a"):
        status, text = printed(capsys, ["verify", str(place)])
        assert (status, text.count("\n")) == (2, 1), text


@pytest.mark.parametrize("workers", ["0", "-1", "29", "x", "1.5", "", "9" * 5_000, "\u0661"])
@pytest.mark.parametrize("command", [["compile"], ["build", "--bars", "x", "--out", "y"]])
def test_workers_have_limits(
    command: list[str], workers: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, text = printed(capsys, [*command, f"--workers={workers}"])
    assert status == 2
    assert "no such number" in text
    assert is_told(text)


def parsers(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """A parser, and those of all commands below it."""
    yield parser
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for own in action.choices.values():
                yield from parsers(own)


def test_no_path_of_any_command_may_be_empty(capsys: pytest.CaptureFixture[str]) -> None:
    """An unset variable of a shell is an empty text, and would be the folder one is in."""
    every = [action for own in parsers(cli._parser()) for action in own._actions]
    assert len({action.dest for action in every if action.type is options.place}) > 15
    assert not [action.dest for action in every if action.type is Path]
    for command in (["alert", "--state="], ["ready", "backup", "", "x"], ["compare", "", "x"]):
        assert printed(capsys, command)[0] == 2


def test_no_option_leaves_its_sentence_to_the_next() -> None:
    every = [action for own in parsers(cli._parser()) for action in own._actions]
    said = {f"{action.dest}: {action.help}" for action in every if action.help}
    assert len(said) > 100
    assert not [text for text in said if text.endswith(("default", ";", ",", ":"))]


REAL = [
    ["alert", "--budget"],
    ["cost", "budgets", "--account", "x", "--budget"],
    ["ready", "load", "http://127.0.0.1:9/", "--rate"],
    ["ready", "load", "http://127.0.0.1:9/", "--seconds"],
    ["cloud", "local", "update", "x", "y", "--bake"],
    ["cloud", "local", "point", "x", "eurusd", "z", "--canary"],
    ["cloud", "local", "deploy", "x", "y", "--instances"],
]


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "-1", "1e400", "1e99", "x", ""])
@pytest.mark.parametrize("command", REAL, ids=lambda words: " ".join(words[:3]))
def test_numbers_have_limits(
    command: list[str], number: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, text = printed(capsys, [*command[:-1], f"{command[-1]}={number}"])
    assert status == 2
    assert "no such number" in text
    assert is_told(text)


NO_TIMES = ("x", "99999-01-01", "2024-13-01", "nan", "1e400", "now x", "0001-01-01", "9999-12-31")


@pytest.mark.parametrize("time", ["", *NO_TIMES])
@pytest.mark.parametrize("option", ["--from", "--to"])
def test_times_that_are_none_are_refused(
    option: str, time: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, text = printed(capsys, ["build", "--bars", "x", "--out", "y", option, time])
    assert (status, text.count("\n")) == (2, 1)
    assert f"{option}: no time, got" in text


@pytest.mark.parametrize("time", NO_TIMES)
def test_a_time_to_retrain_at_is_one(time: str, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["retrain", str(CI), "--registry", "x", "--place", "y", "--now", time]
    status, text = printed(capsys, command)
    assert (status, text.count("\n")) == (2, 1)
    assert "--now: no time, got" in text


def processes(cases: list[list[str]], folder: Path) -> None:
    for arguments in cases:
        done = subprocess.run(
            [sys.executable, "-m", "bqx", *arguments],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[1])},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 2, (arguments, done.stderr)
        assert is_told(done.stderr), (arguments, done.stderr)
    assert not list(folder.iterdir())


SAMPLE = [
    ["run", str(CI), "--out", "/proc/nowhere"],
    ["run", str(CI), "--set", "days=1", "--out", "run"],
    ["run", str(CI), "--set", "bars=/nope", "--out", "run"],
]


def test_a_process_refuses_and_leaves_nothing(tmp_path: Path) -> None:
    processes(SAMPLE, tmp_path)


@pytest.mark.fuzz
def test_processes_refuse_and_leave_nothing(tmp_path: Path) -> None:
    runs = [["run", str(CI), "--out", "run", "--set", override] for override in REFUSED[::2]]
    processes(
        [
            *runs,
            ["run", str(CI), "--out", "/dev/null"],
            ["run", str(CI), "--set", "train_days=400", "--out", "run"],
            ["run", str(CI), "--from", "99", "--out", "run"],
            ["build", "--bars", "/nope", "--out", "x"],
            ["certify", "--bars", "/nope", "--cuts", "0"],
            ["db", "load", "--store", "/nope"],
            ["verify", "/proc"],
            ["catalog", "--profile", "\udcff"],
        ],
        tmp_path,
    )


@pytest.mark.fuzz
@pytest.mark.parametrize("value", WRONG, ids=lambda text: text[:20])
def test_no_value_of_every_parameter_ends_in_a_traceback(
    value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for key in KEYS:
        status, text = printed(capsys, ["params", str(CI), "--set", f"{key}={value}"])
        assert (status, text.count("\n")) in ((0, 0), (2, 1)), (key, text)
        assert is_told(text)
