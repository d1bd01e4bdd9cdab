"""The certificate: planted leaks are all caught, honest features are not flagged."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy.signal import savgol_filter

from bqx import cli
from bqx.causality import certificate, checks, cuts
from bqx.errors import ParameterError
from bqx.features import catalog
from bqx.features.spec import Family, Feature, Output, Source
from bqx.market import bars as bar_frames
from bqx.market import simulated
from bqx.market.bars import Bars
from bqx.market.pairs import PAIRS

Array = NDArray[np.float64]
Build = Callable[[Bars], Array]
PAIRS_HERE = ("eurusd", "gbpusd", "eurgbp")


@pytest.fixture(scope="module")
def raw() -> dict[str, pd.DataFrame]:
    """Two weeks of three pairs, with holes, volume and spread."""
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


def planted(name: str, build: Build, lookback: int = 1) -> Feature:
    """A feature whose values its source makes."""
    source = Source(name, "rate", "pt", lookback, build)
    family = Family(
        "planted", "planted", lambda x, first: x.reshape(-1, 1), {"": Output("1")}, ((),),
        (source,), name, lookback=lambda: 1,
    )  # fmt: skip
    return family.features()[0]


def of_index(change: Callable[[pd.Series], pd.Series]) -> Build:
    return lambda bars: np.array(change(pd.Series(bars.index)), dtype=np.float64)


def known(bars: Bars) -> pd.Series:
    return pd.Series(bars.index).ffill().bfill()


def smoothed_states(bars: Bars) -> Array:
    """Probability of the wilder of two states, given the bars before and after."""
    moves = known(bars).diff().fillna(0.0).to_numpy()
    calm, wild = (np.exp(-0.5 * (moves / s) ** 2) / s + 1e-300 for s in (0.01, 0.03))
    likely = np.column_stack([calm, wild])
    stay = np.array([[0.98, 0.02], [0.02, 0.98]])
    forward, backward = np.empty_like(likely), np.ones_like(likely)
    forward[0] = likely[0] / likely[0].sum()
    for row in range(1, len(likely)):
        now = likely[row] * (forward[row - 1] @ stay)
        forward[row] = now / now.sum()
    for row in range(len(likely) - 2, -1, -1):
        now = stay @ (likely[row + 1] * backward[row + 1])
        backward[row] = now / now.sum()
    both = forward * backward
    return np.asarray(both[:, 1] / both.sum(axis=1))


def savitzky_golay(bars: Bars) -> Array:
    x = known(bars).to_numpy()
    return savgol_filter(x, 7, 2) if len(x) >= 7 else x


def low_pass(bars: Bars) -> Array:
    spectrum = np.fft.rfft(known(bars).to_numpy())
    spectrum[len(spectrum) // 8 :] = 0.0
    return np.fft.irfft(spectrum, len(bars))


def haar(bars: Bars) -> Array:
    """Approximation of a wavelet transform of the whole series: means of aligned blocks."""
    x = known(bars)
    return x.groupby(np.arange(len(x)) // 8).transform("mean").to_numpy()


def trend_left(bars: Bars) -> Array:
    x = known(bars).to_numpy()
    if len(x) < 2 or np.isnan(x).any():
        return x
    return np.asarray(x - np.polyval(np.polyfit(np.arange(len(x)), x, 1), np.arange(len(x))))


def first_component(bars: Bars) -> Array:
    assert bars.panel is not None
    columns = [PAIRS.index(pair) for pair in PAIRS_HERE]
    moves = np.nan_to_num(np.diff(np.log(bars.panel.closes[:, columns]), axis=0, prepend=np.nan))
    return np.asarray(moves @ np.linalg.eigh(moves.T @ moves)[1][:, -1])


def of_peer(bars: Bars, shift: int) -> Array:
    assert bars.panel is not None
    peer = "gbpusd" if bars.pair != "gbpusd" else "eurusd"
    return pd.Series(bars.panel.closes[:, PAIRS.index(peer)]).shift(shift).to_numpy()


def pivots(x: pd.Series) -> pd.Series:
    return x.where((x > x.shift(1)) & (x > x.shift(-1))).ffill()


def by_hour(bars: Bars) -> Array:
    moves = pd.Series(bars.index).diff()
    return moves.groupby(bars.minutes // 60 % 24).transform("mean").to_numpy()


def late_bar(bars: Bars) -> Array:
    # The last row of a bucket is corrected by the bar that comes a minute later.
    x = pd.Series(bars.index)
    return x.where(bars.minutes % 5 != 4, x.shift(-1)).to_numpy()


LEAKS: dict[str, Build] = {
    "next_row": of_index(lambda x: x.shift(-1)),
    "next_return": of_index(lambda x: np.log(x.shift(-1) / x)),
    "label": of_index(lambda x: x.shift(-15) - x),
    "next_open": lambda bars: pd.Series(bars.ohlc[:, 0]).shift(-1).to_numpy(),
    "centred_window": of_index(lambda x: x.rolling(5, center=True).mean()),
    "window_one_row_late": of_index(lambda x: x.rolling(5).mean().shift(-1)),
    "score_over_all_rows": of_index(lambda x: (x - x.mean()) / x.std()),
    "scaled_by_all_rows": of_index(lambda x: (x - x.min()) / (x.max() - x.min())),
    "rank_among_all_rows": of_index(lambda x: x.rank(pct=True)),
    "quantile_bins_of_all_rows": of_index(lambda x: (x > x.quantile(0.7)).astype(float)),
    "backfill": of_index(lambda x: x.bfill()),
    "interpolated_holes": of_index(lambda x: x.interpolate()),
    "holes_filled_with_the_mean": of_index(lambda x: x.fillna(x.mean())),
    "future_maximum": of_index(lambda x: x[::-1].rolling(5).max()[::-1]),
    "there_and_back": of_index(lambda x: x.ewm(span=5).mean()[::-1].ewm(span=5).mean()[::-1]),
    "sum_to_the_end": of_index(lambda x: x[::-1].cumsum()[::-1]),
    "rows_left": lambda bars: np.arange(len(bars), 0, -1.0),
    "savitzky_golay": savitzky_golay,
    "low_pass_of_all_rows": low_pass,
    "wavelet_of_all_rows": haar,
    "detrended_by_all_rows": trend_left,
    "smoothed_states": smoothed_states,
    "component_of_all_rows": first_component,
    "open_bucket": lambda bars: (
        pd.Series(bars.index).groupby(bars.minutes // 60).transform("last").to_numpy()
    ),
    "open_day": lambda bars: (
        pd.Series(bars.index).groupby(bars.minutes // 1_440).transform("max").to_numpy()
    ),
    "mean_by_hour_of_all_rows": by_hour,
    "pivot_before_it_is_known": of_index(pivots),
    "late_bar": late_bar,
    "next_row_of_another_pair": lambda bars: of_peer(bars, -1),
    "next_volume": lambda bars: bars.frame["volume"].shift(-1).to_numpy(),
    "next_spread": lambda bars: bars.frame["spread"].shift(-1).to_numpy(),
}

HONEST: dict[str, tuple[Build, int]] = {
    "row": (lambda bars: bars.index, 1),
    "last_row": (of_index(lambda x: x.shift(1)), 2),
    "extreme": (of_index(lambda x: x.rolling(7).max()), 7),
    "change": (of_index(lambda x: x - x.shift(15)), 16),
    "median": (of_index(lambda x: x.rolling(9).median()), 9),
    "peer": (lambda bars: of_peer(bars, 0), 1),
    "peer_before": (lambda bars: of_peer(bars, 3), 4),
    "volume": (lambda bars: bars.frame["volume"].to_numpy(np.float64), 1),
    "pivot_when_known": (
        lambda bars: (
            pd.Series(bars.index)
            .rolling(3)
            .apply(lambda w: float(w[1] > max(w[0], w[2])), raw=True)
            .to_numpy()
        ),
        3,
    ),
}


@pytest.fixture(scope="module")
def mixed(market_bars: dict[str, Bars]) -> certificate.Certificate:
    features = [planted(name, build) for name, build in LEAKS.items()]
    features += [planted(name, build, lookback) for name, (build, lookback) in HONEST.items()]
    every = catalog.profile()
    return certificate.certify(market_bars, [*features, *every[:: max(len(every) // 80, 1)]], 36)


def test_the_planted_suite_is_large_enough(mixed: certificate.Certificate) -> None:
    assert len(LEAKS) >= 20
    assert mixed.features - len(LEAKS) >= 50


@pytest.mark.parametrize("leak", LEAKS)
def test_every_planted_leak_is_caught(leak: str, mixed: certificate.Certificate) -> None:
    (found,) = [found for found in mixed.leaks if found.feature == f"{leak}_planted"]
    assert 1 <= found.cuts <= mixed.cuts
    assert found.pair in PAIRS_HERE
    assert found.change is None or found.change > 0.0
    assert found.at <= found.cut


def test_no_honest_feature_is_flagged(mixed: certificate.Certificate) -> None:
    assert {leak.feature for leak in mixed.leaks} == {f"{leak}_planted" for leak in LEAKS}
    honest = {f"{name}_planted" for name in HONEST} | set(catalog.FEATURES)
    assert not honest & set(mixed.insufficient)
    late = {"last_row_planted", "peer_before_planted"}  # they never feel their newest bar
    assert {name for name in mixed.loose if name.removesuffix("_planted") in HONEST} == late


def test_a_clean_list_has_the_one_verdict(market_bars: dict[str, Bars]) -> None:
    features = [planted(name, build, lookback) for name, (build, lookback) in HONEST.items()]
    found = certificate.certify(market_bars, features, 12)
    assert found.clean
    assert found.verdict == f"0 of {len(HONEST)} features changed over 12 cuts"
    assert found.silent == ()
    # What never feels its newest bar, or feels no oldest, is told, and is no leak.
    assert list(found.loose) == ["last_row_planted", "peer_before_planted"]
    json.dumps(found.report(), allow_nan=False)


def test_the_verdict_names_cut_alteration_and_size(market_bars: dict[str, Bars]) -> None:
    features = [planted("next", LEAKS["next_row"]), planted("row", *HONEST["row"])]
    found = certificate.certify(market_bars, features, 8)
    (line,) = found.verdict.splitlines()
    (leak,) = found.leaks
    assert line.startswith("next_planted: reads ahead: ")
    assert leak.cut in line
    assert leak.alteration in line
    # Altered are the minutes behind a cut, so the row before the cut shows it.
    assert leak.at == leak.cut
    assert leak.cuts == 8
    assert leak.change == pytest.approx(abs(leak.after - leak.before))


def test_a_short_lookback_is_an_offence(market_bars: dict[str, Bars]) -> None:
    found = certificate.certify(market_bars, [planted("change", HONEST["change"][0], 10)], 8)
    assert found.leaks == ()
    assert not found.clean
    assert found.verdict.startswith("change_planted: not reproduced by its last 10 bars: ")


def test_padding_and_blindness_are_told(market_bars: dict[str, Bars]) -> None:
    features = [
        planted("wide", lambda bars: np.where(np.arange(len(bars)) < 8, np.nan, bars.index), 9),
        planted("dead", lambda bars: 0.0 * bars.index),
    ]
    loose = certificate.certify(market_bars, features, 4).loose
    assert loose == {
        "wide_planted": "the oldest of its 9 bars never matters",
        "dead_planted": "the oldest of its 1 bars never matters",
    }


def test_features_without_a_value_are_not_called_proven(market_bars: dict[str, Bars]) -> None:
    features = [planted("never", lambda bars: bars.index * np.nan), planted("row", *HONEST["row"])]
    assert certificate.certify(market_bars, features, 4).silent == ("never_planted",)


def test_cuts_fall_on_edges_and_anywhere(market_bars: dict[str, Bars]) -> None:
    bars = market_bars["eurusd"]
    rows = checks.cuts(bars, 60, first=100)
    assert len(rows) == len(set(rows)) == 60
    assert rows.min() >= 100
    assert rows.max() < len(bars) - 1
    week = int(np.argmax(np.diff(bars.minutes) > 1))
    assert {week, week + 1} & set(checks.cuts(bars, 3_000))
    np.testing.assert_array_equal(rows, checks.cuts(bars, 60, first=100))
    assert len(checks.cuts(bars.rows(0, 10), 200)) == 9


def test_every_pair_is_altered_and_absent_ones_stay_absent(market_bars: dict[str, Bars]) -> None:
    bars = market_bars["eurusd"].rows(0, 200)
    assert bars.panel is not None
    for name, future in checks.futures(bars, 150, np.random.default_rng(0)):
        assert future.panel is not None
        old, new = bars.panel.closes, future.panel.closes
        np.testing.assert_array_equal(new[:151], old[:151])
        np.testing.assert_array_equal(new[:, PAIRS.index("eurusd")], future.close)
        if name == "removed":
            assert len(future) == len(new) == 151
            continue
        for pair in PAIRS_HERE:
            assert not checks.same(new[151:], old[151:])[:, PAIRS.index(pair)].any()
        assert np.isnan(new[:, PAIRS.index("audusd")]).all()
        volumes = [each.frame["volume"].to_numpy()[151:] for each in (bars, future)]
        assert not checks.same(*volumes).all()


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
    assert printed.out == "0 of 1 features changed over 6 cuts\n"
    assert "cut" in printed.err  # the progress bar
    assert json.loads(report.read_text())["clean"] is True
    assert run(folder, "(AHEAD, BEHIND)", "--json", str(report)) == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert line.startswith("rate_ahead_w3: reads ahead: ")
    (leak,) = json.loads(report.read_text())["leaks"]
    assert leak["feature"] == "rate_ahead_w3"
    assert leak["cut"] in line


def test_command_imports_a_module_from_here(folder: Path, capsys, monkeypatch) -> None:
    monkeypatch.chdir(folder)
    (folder / "own_families.py").write_text(MODULE + "\nFAMILIES = (BEHIND,)\n")
    arguments = ["certify", "--bars", "bars", "--cuts", "2", "--features", "own_families"]
    assert cli.main(arguments) == 0
    assert capsys.readouterr().out == "0 of 1 features changed over 2 cuts\n"


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
    assert capsys.readouterr().out == "0 of 1 features changed over 2 cuts\n"


def test_command_certifies_a_profile(folder: Path, capsys, monkeypatch) -> None:
    some = catalog.FAMILIES[0].features()
    monkeypatch.setattr(catalog, "profile", lambda name: some)
    count = len(some)
    assert cli.main(["certify", "--bars", str(folder / "bars"), "--cuts", "2"]) == 0
    assert capsys.readouterr().out == f"0 of {count} features changed over 2 cuts\n"


@pytest.mark.parametrize(
    ("families", "message"),
    [
        ("()", "--features: no families"),
        ("(1,)", "--features: no families"),
        ("1 / 0", "--features: cannot be imported, got"),
        ("(BEHIND, BEHIND)", "two features share a name"),
        ("(family('bad', lambda x, m, w: x, lambda w: 1),)", "gives another shape, got float64"),
        ("(family('bad', lambda x, m, w: x.nope, lambda w: 1),)", "its kernel fails on 1 rows"),
    ],
)
def test_bad_modules_are_told_in_one_line(folder: Path, families, message, capsys) -> None:
    assert run(folder, families) == 2
    printed = capsys.readouterr().err.splitlines()[-1]
    assert message in printed
    assert printed.startswith("bqx: ")


def test_what_cannot_be_tried_is_refused(market_bars: dict[str, Bars]) -> None:
    for features, cuts in (([], 5), ([planted("row", *HONEST["row"])], 0)):
        with pytest.raises(ParameterError, match="nothing to try"):
            certificate.certify(market_bars, features, cuts)
    for name in ("no_such_module", "no_such_file.py"):
        with pytest.raises(ParameterError, match="cannot be imported"):
            certificate.of_module(name)
