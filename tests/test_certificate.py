"""The certificate: planted leaks are all caught, honest features are not flagged."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import leaks
import numpy as np
import pandas as pd
import pytest
from leaks import HONEST, PAIRS_HERE, READING, planted
from numpy.typing import NDArray

from bqx import cli
from bqx.causality import alterations, certificate, checks, cuts, fresh
from bqx.causality.checks import STATE, Leak
from bqx.errors import ParameterError
from bqx.features import catalog, own_modules
from bqx.features.spec import Feature
from bqx.market import bars as bar_frames
from bqx.market import sessions, simulated
from bqx.market.bars import Bars
from bqx.market.pairs import PAIRS

Array = NDArray[np.float64]


@pytest.fixture(scope="module")
def raw() -> dict[str, pd.DataFrame]:
    """Twelve days of three pairs over a clock change, with holes, volume and spread."""
    frames = simulated.simulate("null", PAIRS_HERE, "2024-03-03", days=12, seed=5).frames
    rng = np.random.default_rng(5)
    out = {}
    for pair, frame in frames.items():
        kept = rng.random(len(frame)) > 0.01
        kept[3_000:3_020] = False
        frame = frame.assign(
            volume=rng.integers(1, 90, len(frame)), spread=rng.integers(1, 5, len(frame)) * 1e-5
        )
        out[pair] = bar_frames.validate(frame[kept], pair)
    return out


@pytest.fixture(scope="module")
def market_bars(raw: dict[str, pd.DataFrame]) -> dict[str, Bars]:
    return bar_frames.align(raw)


def honest() -> list[Feature]:
    return [planted(name, build, lookback) for name, (build, lookback) in HONEST.items()]


@pytest.fixture(scope="module")
def mixed(market_bars: dict[str, Bars]) -> certificate.Certificate:
    features = [planted(name, build) for name, (build, _) in READING.items()]
    features += [planted(name, build) for name, (build, _) in leaks.CACHED.items()]
    features += [planted(name, build) for name, build in leaks.UNSTEADY.items()]
    features += [planted(name, build, rows) for name, (build, rows) in leaks.AWKWARD.items()]
    features += [leaks.fitted(name, fit) for name, fit in (leaks.FITS | leaks.HONEST_FITS).items()]
    every = catalog.profile()
    features += [*honest(), *every[:: max(len(every) // 40, 1)]]
    return certificate.certify(market_bars, features, 60)


def found(proof: certificate.Certificate, name: str) -> Leak:
    (leak,) = [leak for leak in proof.leaks if leak.feature == name]
    return leak


def first_read(leak: Leak, bars: dict[str, Bars]) -> int:
    """Rows from the cut to the first row that was read."""
    assert leak.first_read is not None
    ts = bars[leak.pair].ts
    at, read = (ts.get_loc(pd.Timestamp(stamp)) for stamp in (leak.cut, leak.first_read))
    assert leak.minutes_ahead == read - at > 0
    return int(leak.minutes_ahead)


def test_the_planted_suite_is_large_enough(mixed: certificate.Certificate) -> None:
    assert len(READING) + len(leaks.CACHED) + len(leaks.UNSTEADY) + len(leaks.FITS) >= 60
    assert mixed.features - len(mixed.leaks) >= 50


@pytest.mark.parametrize("name", READING)
def test_every_leak_is_named_with_cut_and_first_row_read(
    name: str, mixed: certificate.Certificate, market_bars: dict[str, Bars]
) -> None:
    leak = found(mixed, f"{name}_planted")
    rows = first_read(leak, market_bars)
    expected = READING[name][1]
    assert expected is None or rows == expected
    assert leak.through
    assert leak.cut in str(leak)
    assert str(leak.first_read) in mixed.verdict


@pytest.mark.parametrize("name", leaks.CACHED)
def test_what_is_cached_is_named_with_the_first_row_read(
    name: str, mixed: certificate.Certificate, market_bars: dict[str, Bars]
) -> None:
    leak = found(mixed, f"{name}_planted")
    assert first_read(leak, market_bars) == leaks.CACHED[name][1]
    assert leak.through == (STATE,)


@pytest.mark.parametrize("name", leaks.UNSTEADY)
def test_what_is_not_the_same_again_is_named(name: str, mixed: certificate.Certificate) -> None:
    assert found(mixed, f"{name}_planted").through == (STATE,)


@pytest.mark.parametrize("name", leaks.FITS)
def test_a_fit_that_reads_behind_its_training_rows_is_named(
    name: str, mixed: certificate.Certificate, market_bars: dict[str, Bars]
) -> None:
    leak = found(mixed, f"{name}_fitted")
    bars = market_bars[leak.pair]
    assert bars.ts.get_loc(pd.Timestamp(leak.cut)) == len(bars) // 2 - 1
    assert first_read(leak, market_bars) == 1
    assert leak.through == ("its fit",)


def test_what_is_read_is_named(mixed: certificate.Certificate) -> None:
    for name, through in {
        "next_row": ("close",),
        "next_open": ("open",),
        "next_volume": ("volume",),
        "next_spread": ("spread",),
        "filled_ahead": ("filled",),
        "a_day_of_another_pair": ("gbpusd",),
        "rows_left": ("the number of bars",),
    }.items():
        assert found(mixed, f"{name}_planted").through == through, name
    one_bar = found(mixed, "one_bar_planted")
    assert one_bar.first_read == sessions.timestamps(np.array([leaks.AT]))[0].isoformat()


def test_no_honest_feature_is_flagged(mixed: certificate.Certificate) -> None:
    honest = {f"{name}_planted" for name in (*HONEST, *leaks.AWKWARD)} | set(catalog.FEATURES)
    honest |= {f"{name}_fitted" for name in leaks.HONEST_FITS}
    assert not honest & ({leak.feature for leak in mixed.leaks} | set(mixed.insufficient))
    assert not (honest - set(catalog.FEATURES)) & set(mixed.silent)
    late = {"last_row_planted", "peer_before_planted"}  # they never feel their newest bar
    assert {name for name in mixed.loose if name.removesuffix("_planted") in HONEST} == late


def test_a_clean_list_has_the_one_verdict(market_bars: dict[str, Bars]) -> None:
    proof = certificate.certify(market_bars, honest(), 12)
    assert proof.clean
    assert proof.status == 0
    assert (proof.silent, proof.deaf) == ((), ())
    assert proof.cuts == 12
    assert proof.rows == 3 * len(market_bars["eurusd"])
    assert proof.verdict == (
        f"0 of {len(HONEST)} features changed over 12 cuts, {proof.rows:,} rows and up to "
        f"{proof.days_ahead:,.1f} days ahead ({proof.compared:,} values compared)"
    )
    assert 10.0 < proof.days_ahead < 13.0
    # What never feels its newest bar, or feels no oldest, is told, and is no leak.
    assert list(proof.loose) == ["last_row_planted", "peer_before_planted"]
    json.dumps(proof.report(), allow_nan=False)


def test_a_short_lookback_is_an_offence(market_bars: dict[str, Bars]) -> None:
    proof = certificate.certify(market_bars, [planted("change", HONEST["change"][0], 10)], 8)
    assert proof.leaks == ()
    assert proof.status == 1
    assert proof.verdict.startswith("change_planted: not reproduced by its last 10 bars: ")


def test_the_rounding_of_a_running_sum_is_shown_and_explained(market_bars: dict[str, Bars]) -> None:
    mean = planted("mean", lambda bars: pd.Series(bars.index).rolling(30).mean().to_numpy(), 30)
    proof = certificate.certify(market_bars, [mean], 8)
    assert proof.status == 1
    told = re.search(
        r"its last 30 bars: (\S+) instead of (\S+) at .*pandas' rolling", proof.verdict
    )
    assert told
    assert float(told[1]) == pytest.approx(float(told[2]))
    assert float(told[1]) != float(told[2])
    short = certificate.certify(market_bars, [planted("change", HONEST["change"][0], 10)], 8)
    assert "rounding" not in short.verdict
    # A mean without an end differs by more than that from what its declared rows give.
    endless = planted("endless", lambda bars: pd.Series(bars.index).ewm(span=30).mean(), 30)
    proof = certificate.certify(market_bars, [endless], 8)
    assert proof.status == 1
    assert "not reproduced by its last 30 bars" in proof.verdict
    assert "rounding" not in proof.verdict


def test_padding_blindness_and_absence_are_told(market_bars: dict[str, Bars]) -> None:
    features = [
        planted("wide", lambda bars: np.where(np.arange(len(bars)) < 8, np.nan, bars.index), 9),
        planted("dead", lambda bars: 0.0 * bars.index),
        planted("never", lambda bars: bars.index * np.nan),
        # As of a file of later closes, which no change of bars changes.
        planted("elsewhere", lambda bars: np.sin(bars.first_market_minute + np.arange(len(bars)))),
    ]
    proof = certificate.certify(market_bars, features, 4)
    assert proof.loose == {
        "wide_planted": "the oldest of its 9 bars never matters",
        "dead_planted": "the oldest of its 1 bars never matters",
        "elsewhere_planted": "never feels the newest bar that it reads",
    }
    assert proof.silent == ("never_planted",)
    assert proof.deaf == ("elsewhere_planted",)
    assert proof.status == 3
    assert proof.verdict.startswith("never_planted: not proven: no finite value")
    assert "elsewhere_planted: not proven: feels none of the bars that it reads" in proof.verdict
    assert certificate.certify(market_bars, features[3:], 4).status == 3


FAR = {"a_minute": 1, "an_hour": 60, "a_day": 1_440, "a_week": 7_200, "a_month": 30_857,
       "sixty_days": 61_714}  # fmt: skip
"""Market minutes; 60 days are 61,714 of them."""


@pytest.fixture(scope="module")
def months() -> dict[str, Bars]:
    """A hundred days of a pair."""
    frames = simulated.simulate("null", ("eurusd",), "2024-03-03", days=100, seed=6).frames
    return bar_frames.align({p: bar_frames.validate(f, p) for p, f in frames.items()})


@pytest.fixture(scope="module")
def far(months: dict[str, Bars]) -> certificate.Certificate:
    def of(rows: int) -> leaks.Build:
        return lambda bars: leaks.ahead(bars, rows).to_numpy()

    def at_month_ends(bars: Bars) -> Array:
        return leaks.where(bars, bars.ts.day == bars.ts.days_in_month, 100)

    features = [planted(name, of(rows), 1 + rows // 100) for name, rows in FAR.items()]
    features += [planted("at_month_ends", at_month_ends, 700), planted("row", *HONEST["row"])]
    return certificate.certify(months, features, 60)


@pytest.mark.parametrize("name", [*FAR, "at_month_ends"])
def test_leaks_of_any_distance_are_named(
    name: str, far: certificate.Certificate, months: dict[str, Bars]
) -> None:
    leak = found(far, f"{name}_planted")
    assert first_read(leak, months) == (FAR | {"at_month_ends": 100})[name]
    assert "row_planted" not in {leak.feature for leak in far.leaks}


def test_cuts_meet_edges_and_every_hour_of_the_week(market_bars: dict[str, Bars]) -> None:
    bars = market_bars["eurusd"]
    rows = cuts.cuts(bars, 60, 100)
    assert len(rows) == len(set(rows)) == 60
    assert rows.min() >= 100
    assert rows.max() < len(bars) - 1
    np.testing.assert_array_equal(rows, cuts.cuts(bars, 60, 100))
    assert len(cuts.cuts(bars.rows(0, 10), 200)) == 9
    met = np.zeros(cuts.HOURS, np.int64)
    both = np.concatenate([cuts.cuts(bars, 100, seed=seed, met=met) for seed in (0, 1)])
    of_week = sessions.market_minutes(bars.minutes[both]) % sessions.WEEK
    np.testing.assert_array_equal(met, np.bincount(of_week // 60, minlength=cuts.HOURS))
    assert met.all()
    assert (of_week >= sessions.WEEK - 60).sum() >= 10
    assert (both < 300).sum() >= 10


def test_alterations_leave_what_comes_before_and_what_is_absent(
    market_bars: dict[str, Bars],
) -> None:
    bars = market_bars["eurusd"].rows(0, 200)
    assert bars.panel is not None
    later = np.arange(200) > 150
    for kind in alterations.KINDS:
        future = alterations.disguise(bars, kind).on(later)
        assert future.panel is not None
        old, new = bars.panel.closes, future.panel.closes
        np.testing.assert_array_equal(new[:151], old[:151])
        np.testing.assert_array_equal(new[:, PAIRS.index("eurusd")], future.close)
        for pair in PAIRS_HERE:
            assert not checks.same(new[151:], old[151:])[:, PAIRS.index(pair)].any()
        assert np.isnan(new[:, PAIRS.index("audusd")]).all()
        volumes = [each.frame["volume"].to_numpy()[151:] for each in (bars, future)]
        assert not checks.same(*volumes).all()


def test_single_rows_meet_every_minute_of_the_day(market_bars: dict[str, Bars]) -> None:
    minutes = market_bars["eurusd"].minutes
    met = np.zeros(sessions.DAY, np.int64)
    rng = np.random.default_rng(0)
    for _ in range(16):
        rows = np.flatnonzero(alterations.single(minutes, 100, rng, met))
        assert np.diff(rows).min() > 100
    assert (met > 0).mean() > 0.75


MODULE = """
import numpy as np
from numba import njit
from bqx.features.sources import RATE
from bqx.features.spec import Family, Output


@njit
def ahead(x, first_minute, window):
    out = np.full((len(x), 1), np.nan)
    for row in range(len(x) - window):
        out[row, 0] = x[row + window]
    return out


@njit
def behind(x, first_minute, window):
    out = np.full((len(x), 1), np.nan)
    for row in range(window, len(x)):
        out[row, 0] = x[row] - x[row - window]
    return out


def family(name, kernel, lookback):
    return Family(name, "mine", kernel, {"": Output("{u}")}, ((3,),), (RATE,), name,
                  lookback=lookback)


AHEAD = family("ahead", ahead, lambda w: 1)
BEHIND = family("behind", behind, lambda w: w + 1)
"""


@pytest.fixture
def folder(raw: dict[str, pd.DataFrame], tmp_path: Path) -> Path:
    (tmp_path / "bars").mkdir()
    for pair, frame in raw.items():
        frame.iloc[:2_000].reset_index().to_parquet(tmp_path / "bars" / f"{pair}.parquet")
    return tmp_path


def run(folder: Path, families: str, *more: str) -> int:
    (folder / "my_features.py").write_text(MODULE + f"\nFAMILIES = {families}\n")
    return cli.main(
        ["certify", "--bars", str(folder / "bars"), "--cuts", "6",
         "--features", str(folder / "my_features.py"), *more]
    )  # fmt: skip


def test_command_certifies_a_users_families(folder: Path, capsys) -> None:
    report = folder / "report.json"
    assert run(folder, "(BEHIND,)", "--json", str(report)) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("0 of 1 features changed over 6 cuts")
    assert "history" in printed.err  # the progress bar
    assert json.loads(report.read_text())["clean"] is True
    assert run(folder, "(AHEAD, BEHIND)", "--json", str(report)) == 1
    line, extent = capsys.readouterr().out.splitlines()
    assert extent.startswith("1 of 2 features changed over 6 cuts")
    assert line.startswith("rate_ahead_w3: reads ahead: ")
    (leak,) = json.loads(report.read_text())["leaks"]
    assert leak["feature"] == "rate_ahead_w3"
    assert leak["cut"] in line


def test_command_imports_a_module_from_here(folder: Path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(folder)
    (folder / "own_families.py").write_text(MODULE + "\nFAMILIES = (BEHIND,)\n")
    arguments = ["certify", "--bars", "bars", "--cuts", "2", "--features", "own_families"]
    assert cli.main(arguments) == 0
    assert capsys.readouterr().out.startswith("0 of 1 features changed over 2 cuts")


def test_a_file_of_features_imports_its_neighbours(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    (folder / "kernels_beside.py").write_text(MODULE)
    (folder / "features_here.py").write_text(
        "from kernels_beside import BEHIND\nFAMILIES = (BEHIND,)"
    )
    chosen = ["--cuts", "2", "--features", str(folder / "features_here.py")]
    assert cli.main(["certify", "--bars", str(folder / "bars"), *chosen]) == 0
    assert capsys.readouterr().out.startswith("0 of 1 features changed over 2 cuts")


def test_command_says_what_is_not_proven(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    never = "family('never', lambda x, m, w: x[:, None] * np.nan, lambda w: 1)"
    assert run(folder, f"(BEHIND, {never})") == 3
    assert capsys.readouterr().out.startswith("rate_never_w3: not proven: ")


def test_command_certifies_a_profile(folder: Path, capsys, monkeypatch) -> None:
    some = catalog.FAMILIES[0].features()
    monkeypatch.setattr(catalog, "profile", lambda name: some)
    count = len(some)
    assert cli.main(["certify", "--bars", str(folder / "bars"), "--cuts", "2"]) == 0
    assert capsys.readouterr().out.startswith(f"0 of {count} features changed over 2 cuts")


@pytest.mark.parametrize(
    ("families", "message"),
    [
        ("()", "features: no families"),
        ("(1,)", "features: no families"),
        ("1 / 0", "features: cannot be imported, got"),
        ("exit(0)", "a module of yours ended the process, got exit 0"),
        ("(BEHIND, BEHIND)", "two features share a name"),
        (
            "(family('bad', lambda x, m, w: x, lambda w: 1),)",
            "rate_bad_w3: its kernel gives another array, got float64 (1,); expected float64 "
            "(1, 1), one row for each bar and one column for each declared output. Mend ",
        ),
        ("(family('bad', lambda x, m, w: np.stack([x, x], 1), lambda w: 1),)", "float64 (1, 2); "),
        ("(family('bad', lambda x, m, w: x[:5, None], lambda w: 1),)", "float64 (5, 1); "),
        (
            "(family('bad', lambda x, m, w: x[:, None].astype('f4'), lambda w: 1),)",
            "got float32 (1, 1); ",
        ),
        ("(family('bad', lambda x, m, w: 1.0, lambda w: 1),)", "got float; expected"),
        (
            "(family('MY feat!', behind, lambda w: 4),)",
            "features: no name of a feature, got 'rate_MY feat!_w3' of family 'MY feat!'; expected "
            "lower-case letters, digits and underscores, a letter first, at most 63. Rename it in ",
        ),
        (
            "(Family('bad', 'my table', behind, {'': Output('1')}, ((3,),), (RATE,), 'bad'),)",
            "features: no name of a table, got 'my table_idx' of family 'bad'",
        ),
        ("(family('bad', lambda x, m, w: x.nope, lambda w: 1),)", "its kernel fails on 1 rows"),
        (
            "(family('bad', lambda x, m, w: np.lib.stride_tricks.sliding_window_view(x, w), "
            "lambda w: w),)",
            "rate_bad_w3: its kernel fails on 1 rows, got ValueError",
        ),
    ],
)
def test_bad_modules_are_told_in_one_line(folder: Path, families, message, capsys) -> None:
    assert run(folder, families) == 2
    printed = capsys.readouterr().err.splitlines()[-1]
    assert message in printed
    assert printed.startswith("bqx: ")


def test_what_cannot_be_tried_is_refused(market_bars: dict[str, Bars]) -> None:
    honest = [planted("row", *HONEST["row"])]
    for features, count in (([], 5), (honest, 0), (honest, 2.5)):
        with pytest.raises(ParameterError, match="nothing to try"):
            certificate.certify(market_bars, features, count)
    with pytest.raises(ParameterError, match="got 1 features, 5 cuts and 0 rows"):
        certificate.certify({}, honest, 5)
    for name in ("no_such_module", "no_such_file.py"):
        with pytest.raises(ParameterError, match="cannot be imported"):
            own_modules.families(name)


SLOW = """
import os
import time
from pathlib import Path

def slow(x, first_minute, window):
    (Path(__file__).parent / "busy" / str(os.getpid())).touch()
    time.sleep(300)

FAMILIES = (family("slow", slow, lambda w: 1),)
"""


def test_an_interrupt_ends_the_fresh_process_too(folder: Path) -> None:
    (folder / "my_features.py").write_text(MODULE + SLOW)
    busy = folder / "busy"
    busy.mkdir()
    command = [sys.executable, "-m", "bqx", "certify", "--bars", str(folder / "bars")]
    with subprocess.Popen(
        [*command, "--features", str(folder / "my_features.py")],
        env={**os.environ, "PYTHONPATH": str(Path(cli.__file__).parents[1])},
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    ) as process:
        while len(list(busy.iterdir())) < 2 and process.poll() is None:
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        # joblib may say after it that folders of the processes that were ended are gone.
        assert (
            "bqx: interrupted; run the same command again\n" in (process.communicate(timeout=60)[1])
        )
    assert process.returncode == 130
    until = time.monotonic() + 30  # whoever inherits what was killed collects it
    while any(Path("/proc", path.name).exists() for path in busy.iterdir()):
        assert time.monotonic() < until
        time.sleep(0.1)


def test_an_interrupt_ends_a_copy_of_the_process(tmp_path: Path) -> None:
    def work() -> None:
        (tmp_path / str(os.getpid())).touch()
        time.sleep(300)

    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    signal.setitimer(signal.ITIMER_REAL, 1.0)
    try:
        with pytest.raises(KeyboardInterrupt):
            fresh.apart(work)
    finally:
        signal.signal(signal.SIGALRM, before)
    (copy,) = tmp_path.iterdir()
    assert not Path("/proc", copy.name).exists()
