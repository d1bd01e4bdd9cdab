"""Every format gives the same bars; every bad file an error naming file, line and mend."""

import re
import time
import zipfile
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from bar_files import RATES, assert_bars, dukascopy, histdata, lines_of, market, metatrader, write
from hypothesis import given, settings
from hypothesis import strategies as st

from bqx.errors import BarError, BqxError, ParameterError
from bqx.market import sessions
from bqx.market.bars import to_grid, validate
from bqx.market.readers import clocks, pair_of, read, read_folder
from bqx.market.readers.times import read_times

SHARED = Path(__file__).parents[2] / "shared" / "data"
needs_real_bars = pytest.mark.skipif(not SHARED.exists(), reason="no real bars here")


@pytest.fixture(scope="module")
def bars() -> pd.DataFrame:
    """Five weeks over the American clock change of March 2018."""
    return market("2018-02-25 22:00", "2018-04-01 20:59")


# formats


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_histdata_csv_has_no_volume(bars, tmp_path, end):
    path = write(tmp_path / "DAT_ASCII_GBPUSD_M1_2018.csv", histdata(bars), end)
    assert_bars(read(path), bars, volume=False)


def test_histdata_zip_with_its_report(bars, tmp_path):
    path = tmp_path / "HISTDATA_COM_ASCII_GBPUSD_M12018.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("DAT_ASCII_GBPUSD_M1_2018.txt", "HistData.com: gaps of the file\n")
        archive.writestr("DAT_ASCII_GBPUSD_M1_2018.csv", "\n".join(histdata(bars)))
    assert_bars(read(path), bars, volume=False)


def test_histdata_in_the_metatrader_layout_keeps_its_clock(bars, tmp_path):
    lines = lines_of(bars.assign(volume=0), "America/New_York", "%Y.%m.%d,%H:%M")
    assert_bars(read(write(tmp_path / "DAT_MT_EURUSD_M1_2018.csv", lines)), bars, volume=False)


def test_metatrader_4(bars, tmp_path):
    got = read(write(tmp_path / "EURUSD1.csv", metatrader(bars)))
    assert_bars(got, bars)
    assert got["spread"].isna().all()


@pytest.mark.parametrize(("pair", "point"), [("eurusd", 1e-5), ("usdjpy", 1e-3)])
def test_metatrader_5_spread_is_in_points(bars, tmp_path, pair, point):
    header = "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>"
    lines = [
        f"{line}\t0\t{n % 30}"
        for n, line in enumerate(lines_of(bars, "Etc/GMT-2", "%Y.%m.%d\t%H:%M:%S", "\t"))
    ]
    scale = point / 1e-5
    rates = [f"{rate * scale:.{3 if scale > 1 else 5}f}" for rate in bars[RATES].to_numpy().ravel()]
    for n, line in enumerate(lines):
        fields = line.split("\t")
        lines[n] = "\t".join([*fields[:2], *rates[4 * n : 4 * n + 4], *fields[6:]])
    got = read(write(tmp_path / f"{pair.upper()}_M1.csv", [header, *lines]))
    np.testing.assert_allclose(got[RATES], bars[RATES] * scale, atol=point / 2)
    np.testing.assert_allclose(got["spread"], np.arange(len(bars)) % 30 * point, atol=1e-12)
    named = read(write(tmp_path / "export.csv", [header, *lines]), pair=pair)
    pd.testing.assert_frame_equal(got, named)
    with pytest.raises(BarError, match="does not tell the pair"):
        read(tmp_path / "export.csv")


def test_metatrader_5_in_utf_16(bars, tmp_path):
    header = "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>"
    lines = lines_of(bars, "Etc/GMT-2", "%Y.%m.%d\t%H:%M", "\t")
    path = tmp_path / "eurusd.csv"
    path.write_text("\r\n".join([header, *lines]), encoding="utf-16")
    assert_bars(read(path), bars)


def test_dukascopy_without_its_flat_weekends(bars, tmp_path):
    lines = dukascopy(bars)
    assert len(lines) > 1.5 * len(bars)
    path = write(tmp_path / "EURUSD_Candlestick_1_M_BID_25.02.2018-01.04.2018.csv", lines)
    assert_bars(read(path), bars)


def test_dukascopy_local_time_names_its_offset(bars, tmp_path):
    wall = lines_of(bars, "Europe/Berlin", "%d.%m.%Y %H:%M:%S.000 GMT%z")
    assert {line[24:32] for line in wall} == {"GMT+0100", "GMT+0200"}
    path = write(tmp_path / "eurusd.csv", ["Local time,Open,High,Low,Close,Volume", *wall])
    assert_bars(read(path), bars)


def test_oanda_bid_and_ask_without_incomplete_candles(bars, tmp_path):
    spread = np.where(np.arange(len(bars)) % 7 == 3, -2e-5, 1.5e-4)
    frame = pd.DataFrame({"time": bars.index.strftime("%Y-%m-%dT%H:%M:%S.000000000Z")})
    for rate in RATES:
        frame[f"bid_{rate[0]}"] = bars[rate].to_numpy()
        frame[f"ask_{rate[0]}"] = bars[rate].to_numpy() + spread
        frame[f"mid_{rate[0]}"] = bars[rate].to_numpy() + spread / 2
    frame["volume"] = bars["volume"].to_numpy()
    frame["complete"] = [*["true"] * (len(bars) - 1), "false"]
    frame.to_csv(tmp_path / "EUR_USD.csv", index=False)
    got = read(tmp_path / "EUR_USD.csv")
    assert_bars(got, bars[:-1])
    np.testing.assert_allclose(got["spread"], np.maximum(spread, 0)[:-1], atol=1e-12)


def test_bars_of_a_run_without_what_it_filled(bars, tmp_path):
    raw = bars.drop(bars.index[[100, 101, *range(500, 540)]])
    grid = to_grid(raw.assign(spread=1e-4))
    assert grid["filled"].any()
    assert grid["close"].isna().any()
    grid.to_parquet(tmp_path / "eurusd.parquet")
    assert_bars(read(tmp_path / "eurusd.parquet"), raw)


def test_oanda_short_names_after_a_comment(bars, tmp_path):
    lines = lines_of(bars, "UTC", "%Y-%m-%dT%H:%M:%SZ")
    path = write(tmp_path / "eurusd.csv", ["# practice account", "time,o,h,l,c,volume", *lines])
    assert_bars(read(path), bars)


@pytest.mark.parametrize(
    "pattern", ["%Y-%m-%d %H:%M:%S+00:00", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%s", "%s000"]
)
def test_generic_csv(bars, tmp_path, pattern):
    lines = lines_of(bars, "UTC", pattern)
    path = write(tmp_path / "eurusd.csv", ["ts_utc,open,high,low,close,volume", *lines])
    assert_bars(read(path), bars)


def test_generic_csv_with_blank_volume_and_foreign_columns(bars, tmp_path):
    frame = bars.assign(volume=np.nan, spread=2e-4, note="x").reset_index()
    frame.to_csv(tmp_path / "eurusd.csv")
    got = read(tmp_path / "eurusd.csv")
    assert_bars(got, bars, volume=False)
    np.testing.assert_allclose(got["spread"], 2e-4)


@pytest.mark.parametrize("index", [True, False])
@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", None])
def test_parquet(bars, tmp_path, index, zone):
    frame = bars.copy()
    frame.index = frame.index.tz_convert(zone)
    (frame if index else frame.reset_index()).to_parquet(tmp_path / "eurusd.parquet", index=index)
    assert_bars(read(tmp_path / "eurusd.parquet"), bars)


def test_parquet_with_times_as_text(bars, tmp_path):
    frame = bars.assign(time=bars.index.strftime("%Y-%m-%dT%H:%M:%SZ"))
    frame.to_parquet(tmp_path / "eurusd.parquet", index=False)
    assert_bars(read(tmp_path / "eurusd.parquet"), bars)


# bad files

HEAD = {
    "histdata": [],
    "metatrader": [],
    "dukascopy": ["Gmt time,Open,High,Low,Close,Volume"],
    "oanda": ["time,bid_o,bid_h,bid_l,bid_c,volume"],
    "generic": ["ts_utc,open,high,low,close,volume"],
}
PATTERN = {
    "histdata": "%Y%m%d %H%M%S",
    "metatrader": "%Y.%m.%d,%H:%M",
    "dukascopy": "%d.%m.%Y %H:%M:%S.000",
    "oanda": "%Y-%m-%dT%H:%M:%SZ",
    "generic": "%Y-%m-%d %H:%M:%S+00:00",
}
ZONE = {"histdata": "America/New_York", "metatrader": "Etc/GMT-2"}
BAD_STAMP = {
    "histdata": ["20180230 170000", "2018-02-01 17:00", "20180228 176000", "29180228 170000", ""],
    "metatrader": ["2018.02.30,17:00", "2018.13.01,17:00", "2018.02.28,24:10", ",17:00"],
    "dukascopy": ["30.02.2018 17:00:00.000", "02.28.2018 17:00:00.000", "28.02.2018 17:00"],
    "oanda": ["2018-02-30T17:00:00Z", "2018-02-28T17:00:00", "20180228 170000"],
    "generic": ["2018-02-30 17:00:00+00:00", "2018-02-28", "n/a"],
}


@pytest.mark.parametrize("source", HEAD)
def test_every_bad_line_is_named(bars, tmp_path, source):
    comma = ";" if source == "histdata" else ","
    good = HEAD[source] + lines_of(bars[:300], ZONE.get(source, "UTC"), PATTERN[source], comma)
    line, place = good[120], f"eurusd.csv line {121}: "
    stamp = comma.join(line.split(comma)[:-5])
    rest = line.split(comma)[-5:]
    bad = {
        comma.join([stamp, *rest[:2]]): "fields",
        line + comma + "1": "fields",
        "": "fields",
        comma.join([stamp, "1,2x", *rest[1:]]).replace("1,2x", "12x"): "open is no number",
        comma.join([stamp, *rest[:3], "", rest[4]]): "close is no number",
        comma.join([stamp, rest[0], "nan", *rest[2:]]): "high is no number",
        comma.join([stamp, *rest[:4], "many"]): "volume is no number",
    }
    bad |= {comma.join([wrong, *rest]): "no time" for wrong in BAD_STAMP[source]}
    for text, what in bad.items():
        path = write(tmp_path / "eurusd.csv", [*good[:120], text, *good[121:]])
        with pytest.raises(BarError, match=f"^{re.escape(place)}.*{what}.*got .*; expected .*\\.$"):
            read(path)


@pytest.mark.parametrize("source", HEAD)
def test_bars_that_break_the_schema_are_named_by_line(bars, tmp_path, source):
    comma = ";" if source == "histdata" else ","
    good = HEAD[source] + lines_of(bars[:300], ZONE.get(source, "UTC"), PATTERN[source], comma)
    stamp = comma.join(good[120].split(comma)[:-5])
    for rates, what in {
        ("1.2", "1.1", "1.15", "1.2"): "high 1.1 is below low 1.15",
        ("1.2", "1.2", "1.1", "1.3"): "high as the largest rate",
        ("0", "1", "0", "1"): "positive rates",
        ("1", "1", "-1", "1"): "positive rates",
    }.items():
        path = write(
            tmp_path / "eurusd.csv",
            [*good[:120], comma.join([stamp, *rates, "1"]), *good[121:]],
        )
        with pytest.raises(BarError, match=f"eurusd.csv line 121 .*{re.escape(what)}"):
            read(path)
    again = comma.join([*good[119].split(comma)[:-1], "7777"])
    for lines, what in {
        (good[120], good[119]): "before the row",
        (good[119], again): "repeats",
    }.items():
        path = write(tmp_path / "eurusd.csv", [*good[:119], *lines, *good[121:]])
        with pytest.raises(BarError, match=f"eurusd.csv line 121 .*{what}"):
            read(path)


def test_the_line_is_right_below_dropped_flat_bars(bars, tmp_path):
    lines = dukascopy(bars)
    bad = len(lines) - 10
    fields = lines[bad].split(",")
    lines[bad] = ",".join([fields[0], "1.2", "1.1", "1.15", "1.2", "3"])
    with pytest.raises(BarError, match=f"line {bad + 1:,} .*high 1.1 is below"):
        read(write(tmp_path / "eurusd.csv", lines))


@pytest.mark.parametrize("content", [b"", b"\n \n"])
def test_an_empty_file(tmp_path, content):
    (tmp_path / "eurusd.csv").write_bytes(content)
    with pytest.raises(BarError, match=r"eurusd.csv: no bars, got an empty file"):
        read(tmp_path / "eurusd.csv")


def test_a_header_without_bars(tmp_path):
    with pytest.raises(BarError, match=r"eurusd.csv: .*expected one bar a line"):
        read(write(tmp_path / "eurusd.csv", HEAD["generic"]))


@pytest.mark.parametrize(
    ("header", "missing"),
    [("ts_utc,open,high,close", "low"), ("day,open,high,low,close", "time"), ("hello", "time")],
)
def test_a_missing_column(tmp_path, header, missing):
    with pytest.raises(BarError, match=f"eurusd.csv: no column for '{missing}', got"):
        read(write(tmp_path / "eurusd.csv", [header, "2018-02-01 10:00,1,1,1,1"]))


def test_files_that_are_no_bars(bars, tmp_path):
    path = tmp_path / "eurusd.csv"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)))
    with pytest.raises(BarError, match=r"eurusd.csv: neither text nor Parquet, got byte 0x89"):
        read(path)
    with pytest.raises(BarError, match=r"gbpusd.csv: cannot be read, got .*No such file"):
        read(tmp_path / "gbpusd.csv")
    path = tmp_path / "eurusd.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", "\n".join(histdata(bars)))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(BarError, match=r"eurusd.zip: cannot be read"):
        read(path)
    path.write_bytes(whole[:2000] + bytes(100) + whole[2100:])
    with pytest.raises(BarError, match=r"eurusd.zip: cannot be read"):
        read(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", "1")
        archive.writestr("b.csv", "1")
    with pytest.raises(BarError, match=r"eurusd.zip: no single file of bars, got \['a.csv'"):
        read(path)


def test_what_a_mac_puts_into_an_archive_is_left_alone(bars, tmp_path):
    path = tmp_path / "DAT_ASCII_GBPUSD_M1_2018.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("__MACOSX/._DAT_ASCII_GBPUSD_M1_2018.csv", b"\x00\x05\x16\x07")
        archive.writestr("DAT_ASCII_GBPUSD_M1_2018.csv", "\n".join(histdata(bars)))
    assert_bars(read(path), bars, volume=False)
    assert_bars(read_folder(tmp_path)["gbpusd"], bars, volume=False)
    with zipfile.ZipFile(path, "w"):
        pass
    with pytest.raises(BarError, match=r"no single file of bars, got \[\]; expected one CSV"):
        read(path)


@pytest.mark.parametrize(
    ("comma", "quote", "header"),
    [(c, q, h) for c in (";", "\t") for q in ("", '"') for h in (True, False)] + [(",", '"', True)],
)
def test_a_comma_before_the_fraction(bars, tmp_path, comma, quote, header):
    lines = []
    for line in lines_of(bars, "UTC", "%Y-%m-%d %H:%M", ";"):
        stamp, *numbers = line.replace(".", ",").split(";")
        lines.append(comma.join([stamp, *(f"{quote}{number}{quote}" for number in numbers)]))
    names = comma.join(["ts_utc", *RATES, "volume"])
    path = write(tmp_path / "eurusd.csv", [names, *lines] if header else lines)
    assert_bars(read(path), bars)
    lines[9] = lines[9].replace("1,", "1.1,", 1)
    write(path, [names, *lines])
    with pytest.raises(BarError, match=r"line 11: open is no number, .* with a decimal comma"):
        read(path)


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (["ts_utc,open,high,low,close"], "no bars, got a header alone; expected one bar a line"),
        (
            ["ts_utc,open,high,low,close", "1964-03-22 22:00,1.2,1.2,1.2,1.2"],
            "line 2: no time of bars, got '1964-03-22 22:00'; expected one from 1970 to 20",
        ),
        (
            ["ts_utc,open,high,low,close,volume", '2018-03-01 22:00,1.2,1.2,1.2,1.2,"1,300"'],
            "line 2: volume is no number, got '1,300'",
        ),
        (
            ["ts_utc,open,high,low,close", "2018-03-01 22:00,1.2,1.2,1.2,1_2"],
            "line 2: close is no number, got '1_2'",
        ),
        (
            ["ts_utc,open,high,low,close", "2018-03-01 22:00,1.2,1.2,1.2,\uff11.2"],
            "line 2: close is no number, got '\uff11.2'",
        ),
        (
            [
                "ts_utc,open,high,low,close",
                *(f"2018-03-01 22:0{m},1.2,1.2,1.2,1.2" for m in (1, 3, 2)),
            ],
            r"line 4 .*expected ascending times \(1 such rows\)\. Sort the rows by their time",
        ),
    ],
)
def test_what_is_wrong_with_a_file_is_told_as_it_is(tmp_path, lines, told):
    with pytest.raises(BarError, match=told):
        read(write(tmp_path / "eurusd.csv", lines))


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_a_bar_of_the_future_is_refused(bars, tmp_path, kind):
    # As a day that was taken for a month, or one digit of a year: by some clocks it is tomorrow.
    later = bars[:3000].copy()
    late = pd.Timestamp.now("UTC").floor("min") + pd.Timedelta(hours=25)
    later.index = later.index[:-1].append(pd.DatetimeIndex([late]))
    path = tmp_path / f"eurusd.{kind}"
    if kind == "csv":
        write(path, [*HEAD["generic"], *lines_of(later, "UTC", PATTERN["generic"])])
    else:
        later.rename_axis("ts_utc").to_parquet(path)
    place = {"csv": "line 3,001", "parquet": "row 3,000"}[kind]
    told = (
        rf"eurusd.{kind} {place}: no time of bars, got '{late:%Y-%m-%d}.*'; expected one from 1970 "
        r"to 20\d\d-\d\d-\d\d, tomorrow by this machine's clock \(1 such rows\)\. Delete"
    )
    with pytest.raises(BarError, match=told):
        read(path)


def test_clocks_ahead_of_utc_are_of_the_present():
    soon = pd.Timestamp.now("UTC").tz_localize(None).floor("min") + pd.Timedelta(hours=14)
    stamps, _ = read_times(pa.chunked_array([[str(soon)]]), str)
    assert stamps[0] == soon


def test_bad_parquet_files(bars, tmp_path):
    path = tmp_path / "eurusd.parquet"
    bars.to_parquet(path)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(BarError, match=r"eurusd.parquet: cannot be read as Parquet"):
        read(path)
    bars.drop(columns="low").to_parquet(path)
    with pytest.raises(BarError, match=r"eurusd.parquet: no column for 'low'"):
        read(path)
    bars.assign(low="x").to_parquet(path)
    with pytest.raises(BarError, match=r"eurusd.parquet row 1: .*'low' .*got 'x'; expected num"):
        read(path)
    bars.assign(close=bars["close"].where(bars.index != bars.index[40])).to_parquet(path)
    with pytest.raises(BarError, match=r"eurusd.parquet row 41 .*positive rates"):
        read(path)
    gap = bars.reset_index()
    gap.loc[7, "ts_utc"] = pd.NaT
    gap.to_parquet(path)
    with pytest.raises(BarError, match=r"eurusd.parquet row 8: no time, got 'None'"):
        read(path)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    st.sampled_from(sorted(HEAD)),
    st.integers(0, 3000),
    st.integers(0, 40),
    st.one_of(st.binary(max_size=8), st.text("0123456789.,;:- \t\n", max_size=8)),
)
def test_any_damage_gives_an_error_of_ours_or_bars(tmp_path_factory, source, start, cut, patch):
    frame = market("2018-02-25 22:00", "2018-02-26 04:00")
    comma = ";" if source == "histdata" else ","
    lines = HEAD[source] + lines_of(frame, ZONE.get(source, "UTC"), PATTERN[source], comma)
    content = "\n".join(lines).encode()
    patch = patch if isinstance(patch, bytes) else patch.encode()
    path = tmp_path_factory.getbasetemp() / "eurusd.csv"
    path.write_bytes(content[:start] + patch + content[start + cut :])
    message = ""
    try:
        got = read(path)
    except BqxError as error:
        message = str(error)
    if message:
        assert re.match(r"(?s)eurusd\.csv.*: .*; expected .*\.", message)
    else:
        pd.testing.assert_frame_equal(got, validate(got, "again"))


# clocks


def spelt(bars: pd.DataFrame, zone: str, ahead: float) -> list[str]:
    """MetaTrader lines on the clock of a zone plus hours."""
    moved = bars.set_axis(bars.index.tz_convert(zone).tz_localize(None) + pd.Timedelta(hours=ahead))
    return lines_of(moved.tz_localize("UTC"), "UTC", "%Y.%m.%d,%H:%M")


@pytest.fixture(scope="module")
def year() -> pd.DataFrame:
    return market("2019-01-01 22:00", "2019-12-31 21:58", every=60)


def test_histdata_from_2019_changes_on_the_european_dates(year, tmp_path):
    path = write(tmp_path / "eurusd.csv", histdata_on(year, "Europe/London", -5))
    assert_bars(read(path), year, volume=False)
    kept = read(path, clock="America/New_York")
    assert len(kept) < len(year)
    assert not kept.index.isin(year.index).all()


def histdata_on(bars: pd.DataFrame, zone: str, ahead: int) -> list[str]:
    moved = bars.set_axis(bars.index.tz_convert(zone).tz_localize(None) + pd.Timedelta(hours=ahead))
    return histdata(moved.tz_localize("UTC"), "UTC")


def test_histdata_on_new_york_dates_stays_so(year, tmp_path):
    assert_bars(read(write(tmp_path / "eurusd.csv", histdata(year))), year, volume=False)


def test_histdata_over_both_regimes(tmp_path):
    both = market("2018-02-25 22:00", "2019-04-12 20:59", every=120)
    early, late = both[both.index < "2019"], both[both.index >= "2019"]
    lines = histdata(early) + histdata_on(late, "Europe/London", -5)
    assert_bars(read(write(tmp_path / "eurusd.csv", lines)), both, volume=False)


@pytest.mark.parametrize(
    ("zone", "ahead", "wrong", "offset", "right"),
    [
        ("UTC", 3, None, "+1 h", "UTC+3"),
        ("UTC", 0, None, "-2 h", "UTC"),
        ("UTC", 2, "UTC+2:30", "-0.5 h", "UTC+2"),
        ("UTC", 9, "UTC", "+9 h", "UTC+9"),
        ("UTC", 5.5, "UTC", "+5.5 h", "UTC+5:30"),
        ("America/New_York", 7, None, "+1 h", "America/New_York+7"),
        ("Europe/Athens", 0, None, "+1 h", "Europe/Athens"),
        ("America/New_York", 0, "UTC-5", "+1 h", "America/New_York"),
        ("America/New_York", 0, "America/Chicago", "+1 h", "America/New_York"),
    ],
)
def test_a_wrong_clock_is_measured_and_named(year, tmp_path, zone, ahead, wrong, offset, right):
    path = write(tmp_path / "eurusd.csv", spelt(year, zone, ahead))
    where = r"eurusd.csv: the weekly close is off by "
    with pytest.raises(
        BarError, match=where + re.escape(offset) + r".*\. Pass --clock (.*)\.$"
    ) as e:
        read(path, clock=wrong)
    assert str(e.value).endswith(f"Pass --clock {right}.")
    assert_bars(read(path, clock=right), year)


@pytest.mark.parametrize("ahead", [1, 3])
def test_one_week_is_enough_to_see_a_wrong_clock(bars, tmp_path, ahead):
    week = bars[bars.index < "2018-03-03"]
    path = write(tmp_path / "eurusd.csv", spelt(week, "UTC", ahead))
    with pytest.raises(
        BarError, match=rf"off by [+-]1 h in 1 of \d weeks.*--clock UTC\+{ahead}\.$"
    ):
        read(path)


def test_a_clock_for_every_range_of_dates(bars, tmp_path):
    early, late = bars[bars.index < "2018-03-17"], bars[bars.index >= "2018-03-17"]
    path = write(tmp_path / "eurusd.csv", spelt(early, "UTC", 2) + spelt(late, "UTC", 3))
    with pytest.raises(BarError, match=r"off by \+1 h in \d of \d weeks.*each range of") as e:
        read(path)
    assert "--clock '[[2018-02-26, UTC+2], [2018-03-17, UTC+3]]'" in str(e.value)
    ranges = (("2018-01-01", "UTC+2"), ("2018-03-18", "UTC+3"))
    assert_bars(read(path, clock=ranges), bars)


def test_weeks_between_the_clock_changes_may_be_one_hour_off(year, tmp_path):
    london = year.index.tz_convert("Europe/London").tz_localize(None) - pd.Timedelta(hours=5)
    moved = year.set_axis(london.tz_localize("America/New_York").tz_convert("UTC"))
    moved.index.name = "ts_utc"
    assert (moved.index != year.index).sum() > 300
    moved.to_parquet(tmp_path / "eurusd.parquet")
    got = read(tmp_path / "eurusd.parquet")
    pd.testing.assert_index_equal(got.index, moved.index.intersection(got.index))
    assert len(moved) - len(got) < 10


def test_times_that_say_they_are_utc_must_be_mended_in_the_file(bars, tmp_path):
    bars.set_axis(bars.index + pd.Timedelta(hours=1)).rename_axis("ts_utc").to_parquet(
        tmp_path / "eurusd.parquet"
    )
    with pytest.raises(BarError, match=r"off by \+1 h .*Correct the times of the file\.$"):
        read(tmp_path / "eurusd.parquet")


def test_late_openings_early_closes_and_holidays_are_no_wrong_clock(year, tmp_path):
    minutes = sessions.market_minutes(sessions.epoch_minutes(year.index)) % sessions.WEEK
    thin = year[(minutes >= 120) & (minutes < sessions.WEEK - 90)]
    thin = thin[~thin.index.strftime("%m-%d").isin(["12-25", "01-01", "04-19"])]
    path = write(tmp_path / "eurusd.csv", metatrader(thin))
    assert_bars(read(path, clock="UTC+2"), thin)
    # Hours that are missing before every close and after every opening may hide a wrong clock.
    with pytest.raises(BarError, match=r"no weekly close proves the clock"):
        read(path)


@pytest.mark.parametrize(
    ("since", "until"),
    [("05 12:00", "07 18:00"), ("06 00:00", "08 00:00"), ("07 06:00", "09 08:00")],
)
def test_a_hole_as_long_as_a_weekend_is_no_wrong_clock(tmp_path, since, until):
    bars = market("2018-02-04 22:00", "2018-02-16 20:59", every=1)
    kept = bars[(bars.index < f"2018-02-{since}") | (bars.index > f"2018-02-{until}")]
    kept.to_parquet(tmp_path / "eurusd.parquet")
    assert_bars(read(tmp_path / "eurusd.parquet"), kept)
    # Nor does it hide one.
    path = write(tmp_path / "EURUSD1.csv", metatrader(kept, "Etc/GMT-3"))
    with pytest.raises(BarError, match=r"off by \+1 h in 1 of 1 weeks.*--clock UTC\+3"):
        read(path)


def test_stray_bars_of_the_weekend_are_left_out(year, tmp_path):
    stray = year.iloc[[100, 900]].set_axis(
        pd.DatetimeIndex(["2019-03-10 07:30", "2019-06-15 12:00"], tz="UTC")
    )
    both = pd.concat([year, stray]).sort_index()
    assert_bars(read(write(tmp_path / "eurusd.csv", histdata(both))), year, volume=False)


def test_hours_that_a_clock_repeats_or_skips(year, tmp_path):
    wall = ["20191103 013000", "20190310 023000"]
    stray = [f"{stamp};1.1;1.1;1.1;1.1;0" for stamp in wall]
    lines = sorted(histdata(year) + stray)
    assert_bars(read(write(tmp_path / "eurusd.csv", lines)), year, volume=False)
    stamps = pd.DatetimeIndex(["2018-03-22 00:30"])
    with pytest.raises(BarError, match=r"x: .*skips or repeats, got 2018-03-22 00:30:00 while"):
        clocks.to_utc(stamps, "Asia/Tehran", "x")


@pytest.mark.parametrize(
    ("clock", "what"),
    [
        ("Mars", "unknown clock, got 'Mars'"),
        ("UTC+2h", "unknown clock"),
        ("UTC+99", "expected an IANA zone or a zone plus at most 14 hours"),
        ("", "unknown clock"),
        ((("2019-01-01", "UTC"), ("2018-01-01", "UTC")), "do not ascend"),
        ((), "do not ascend"),
        ((("2018-03-01", "UTC"),), "no clock for 2018-02-25 22:00:00 of eurusd.csv"),
        ((("March", "UTC"),), "starts on no date, got 'March'"),
    ],
)
def test_a_malformed_clock(bars, clock, what):
    with pytest.raises(ParameterError, match=re.escape(what)):
        clocks.to_utc(bars.index.tz_localize(None), clock, "eurusd.csv")


@given(
    st.sampled_from(["UTC", "America/New_York", "Europe/London", "Asia/Tokyo", "Etc/GMT+5"]),
    st.integers(-12, 12),
    st.sampled_from([0, 30]),
    st.lists(st.datetimes(pd.Timestamp("2001-01-01"), pd.Timestamp("2029-01-01")), max_size=5),
)
def test_clocks_agree_with_the_standard_library(zone, hours, minutes, moments):
    sign = "-" if hours < 0 else "+"
    ahead = pd.Timedelta(hours=abs(hours), minutes=minutes) * (-1 if hours < 0 else 1)
    utc = [pd.Timestamp(moment).floor("min").tz_localize("UTC") for moment in moments]
    stamps = [moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None) + ahead for moment in utc]
    clock = f"{zone}{sign}{abs(hours)}" + (f":{minutes}" if minutes else "")
    try:
        got = clocks.to_utc(pd.DatetimeIndex(stamps), clock, "x")
    except BarError:
        assert zone != "UTC"
        return
    for want, have in zip(utc, got, strict=True):
        local = want.astimezone(ZoneInfo(zone)).to_pydatetime()
        repeats = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
        assert have is pd.NaT if repeats else have == want


# folders and names


@pytest.mark.parametrize(
    ("name", "pair"),
    [
        ("EURGBP1.csv", "eurgbp"),
        ("DAT_ASCII_GBPUSD_M1_2018.csv", "gbpusd"),
        ("HISTDATA_COM_ASCII_GBPUSD_M12018.zip", "gbpusd"),
        ("eurusd.parquet", "eurusd"),
        ("EUR_USD-2018.csv", "eurusd"),
        ("aud-jpy.csv", "audjpy"),
        ("EURUSD_Candlestick_1_M_BID_01.01.2018-31.12.2018.csv", "eurusd"),
    ],
)
def test_the_pair_is_in_the_name(name, pair):
    assert pair_of(Path("a") / name) == pair


@pytest.mark.parametrize("name", ["bars.csv", "USDEUR.csv", "eurusd_gbpusd.csv", "README.md"])
def test_a_name_without_one_pair(name):
    with pytest.raises(BarError, match=f"{name}: the name does not tell the pair"):
        pair_of(Path(name))


def test_a_folder_joins_the_files_of_a_pair(bars, tmp_path):
    write(tmp_path / "EURUSD_b.csv", metatrader(bars[1000:]))
    write(tmp_path / "EURUSD_a.csv", metatrader(bars[:1200]))
    bars.to_parquet(tmp_path / "gbpusd.parquet")
    (tmp_path / ".hidden").write_text("x")
    (tmp_path / "older").mkdir()
    got = read_folder(tmp_path)
    assert list(got) == ["eurusd", "gbpusd"]
    assert_bars(got["eurusd"], bars)
    assert_bars(got["gbpusd"], bars)
    assert list(read_folder(tmp_path, ("gbpusd",))) == ["gbpusd"]
    assert list(read_folder(tmp_path / "gbpusd.parquet")) == ["gbpusd"]
    with pytest.raises(BarError, match="no file of usdjpy, got eurusd, gbpusd"):
        read_folder(tmp_path, ("usdjpy",))
    with pytest.raises(ParameterError, match="unknown pair, got 'usdeur'"):
        read_folder(tmp_path, ("usdeur",))


def test_files_of_a_pair_must_agree(bars, tmp_path):
    write(tmp_path / "EURUSD_1.csv", metatrader(bars[:1200]))
    write(tmp_path / "EURUSD_2.csv", metatrader(bars[1000:] * 1.01))
    at = re.escape(str(bars.index[1000]))
    with pytest.raises(BarError, match=f"EURUSD_1.csv and EURUSD_2.csv: different .*both at {at}"):
        read_folder(tmp_path)


def test_nothing_to_read(tmp_path):
    with pytest.raises(BarError, match="no bar files, got an empty folder"):
        read_folder(tmp_path)
    with pytest.raises(BarError, match="no bar files, got no such path"):
        read_folder(tmp_path / "absent")
    (tmp_path / "notes.md").write_text("x")
    with pytest.raises(BarError, match=r"no bar files, got notes.md: no bar file, left alone"):
        read_folder(tmp_path)


# real files


@needs_real_bars
def test_the_raw_histdata_file_gives_the_bars_made_from_it():
    started = time.process_time()
    got = read(SHARED / "raw" / "HISTDATA_COM_ASCII_GBPUSD_M12018.zip")
    assert time.process_time() - started < 3
    assert_bars(got, pd.read_parquet(SHARED / "m1" / "gbpusd.parquet").set_index("ts_utc"), False)


@needs_real_bars
def test_the_raw_metatrader_file_gives_the_bars_made_from_it():
    got = read(SHARED / "raw" / "EURGBP1.csv")
    want = pd.read_parquet(SHARED / "m1_ticks" / "eurgbp.parquet").set_index("ts_utc")
    assert_bars(got, want)
    with pytest.raises(BarError, match=r"off by \+2 h in 9 of 9 weeks.*Pass --clock UTC\+2"):
        read(SHARED / "raw" / "EURGBP1.csv", clock="UTC")


@needs_real_bars
def test_the_clock_of_a_real_server_is_found(tmp_path):
    bars = read(SHARED / "m1_ticks" / "audusd.parquet")
    early, late = bars[bars.index < "2018-03-25"], bars[bars.index >= "2018-03-25"]
    path = write(tmp_path / "AUDUSD1.csv", spelt(early, "UTC", 2) + spelt(late, "UTC", 3))
    with pytest.raises(BarError, match=r"off by \+1 h in 1 of 9.*Pass --clock Europe/Athens\.$"):
        read(path)
    assert_bars(read(path, clock="Europe/Athens"), bars)
    assert_bars(read(path, clock=(("2018-01-01", "UTC+2"), ("2018-03-26", "UTC+3"))), bars)


@needs_real_bars
def test_every_real_pair_is_read():
    got = read_folder(SHARED / "m1_ticks")
    assert len(got) == 12
    assert all(64_000 < len(frame) < 66_000 for frame in got.values())
