"""Every shape of bar file that people have gives the right bars, or one line that says why not."""

import gzip
import importlib
import os
import re
import zipfile
from collections.abc import Callable
from contextlib import nullcontext
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bar_files import RATES, assert_bars, dukascopy, histdata, lines_of, market, metatrader, write

from bqx import cli
from bqx.errors import BarError, BqxError
from bqx.market import sessions
from bqx.market.readers import bar_files, examine, files, read, read_folder

MT5_HEADER = "<DATE>\t<TIME>\t<OPEN>\t<HIGH>\t<LOW>\t<CLOSE>\t<TICKVOL>\t<VOL>\t<SPREAD>"


@pytest.fixture(scope="module")
def weekend() -> pd.DataFrame:
    """Every minute from a Friday noon to the Monday after it, in summer."""
    return market("2023-06-09 16:00", "2023-06-12 06:00", every=1)


@pytest.fixture(scope="module")
def midweek() -> pd.DataFrame:
    return market("2023-06-06 10:00", "2023-06-07 01:00", every=1)


def mt5(bars: pd.DataFrame, spread: object, zone: str = "Etc/GMT-3", digits: int = 5) -> list[str]:
    wall = bars.index.tz_convert(zone).strftime("%Y.%m.%d\t%H:%M:%S")
    spreads = np.broadcast_to(np.asarray(spread), len(bars))
    rows = zip(wall, bars[RATES].to_numpy(), spreads, strict=True)
    return [
        MT5_HEADER,
        *("\t".join([w, *(f"{x:.{digits}f}" for x in r), "7", "0", str(s)]) for w, r, s in rows),
    ]


# times


@pytest.mark.parametrize(
    ("name", "header", "pattern", "zone"),
    [
        ("EURUSD_Bid.csv", "Time (EET),Open,High,Low,Close,Volume ", "%Y.%m.%d %H:%M:%S", "EET"),
        ("eurusd.csv", "Time (CET),Open,High,Low,Close,Volume", "%Y.%m.%d %H:%M:%S", "CET"),
        ("eurusd.csv", "Time (GMT+2),Open,High,Low,Close,Volume", "%Y-%m-%d %H:%M", "Etc/GMT-2"),
        ("eurusd.csv", "Time (UTC),Open,High,Low,Close,Volume", "%d.%m.%Y %H:%M:%S", "UTC"),
        ("eurusd.csv", "ticker,time,open,high,low,close,vol", "EURUSD,%Y%m%d%H%M", "EST5EDT"),
        ("DAT_MS_EURUSD_M1_202306.csv", "", "EURUSD,%Y%m%d%H%M", "America/New_York"),
        ("eurusd.csv", "", "EUR/USD,%Y%m%d%H%M%S", "America/New_York"),
        ("eurusd.csv", "<TICKER>,<DTYYYYMMDD>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>",
         "EURUSD,%Y%m%d,%H%M%S", "UTC"),
        ("eurusd.csv", "", "%Y-%m-%d %H:%M:%S", "UTC"),
        ("eurusd.csv", "", "%Y%m%d,%H:%M", "UTC"),
        ("eurusd.csv", "", "%s", "UTC"),
        ("eurusd.csv", "time,open,high,low,close,volume", "%s000000", "UTC"),
        ("eurusd.csv", "time,open,high,low,close,volume", "%s000000000", "UTC"),
        ("eurusd.csv", "t,o,h,l,c,v", "%s000", "UTC"),
        ("eurusd.csv", "datetime,open,high,low,close,volume", "%Y/%m/%d %H:%M", "UTC"),
        ("eurusd.csv", "date,time,open,high,low,close,volume", "%m/%d/%Y,%H:%M", "UTC"),
        ("eurusd.csv", "date,time,open,high,low,close,volume", "%d/%m/%Y,%H:%M", "UTC"),
        ("eurusd.csv", "datetime,open,high,low,close,volume", "%d-%m-%Y %H:%M:%S", "UTC"),
        ("eurusd.csv", "datetime,open,high,low,close,volume", "%-d/%-m/%Y %H:%M", "UTC"),
    ],
)  # fmt: skip
def test_times_are_read_in_their_shape(weekend, tmp_path, name, header, pattern, zone):
    lines = lines_of(weekend, zone, pattern)
    assert_bars(read(write(tmp_path / name, [header, *lines] if header else lines)), weekend)


@pytest.mark.parametrize("comma", [",", ";", "\t"])
def test_quoted_lines_without_a_header(weekend, tmp_path, comma):
    lines = lines_of(weekend, "Etc/GMT-3", f"%Y.%m.%d{comma}%H:%M", comma)
    quoted = [comma.join(f'"{field}"' for field in line.split(comma)) for line in lines]
    assert_bars(read(write(tmp_path / "EURUSD.csv", quoted), clock="UTC+3"), weekend)


def test_a_shape_without_a_header_that_nobody_knows_is_refused(weekend, tmp_path):
    lines = [f"{line},1,2,3" for line in lines_of(weekend, "UTC", "%Y-%m-%d %H:%M:%S")]
    with pytest.raises(
        BarError, match=r"eurusd.csv: the file has no header, got '2023-06-09 16:00"
    ):
        read(write(tmp_path / "eurusd.csv", lines))


def test_days_and_months_that_nothing_tells_apart(midweek, tmp_path):
    lines = lines_of(midweek[:300], "UTC", "%m/%d/%Y %H:%M")
    path = write(tmp_path / "eurusd.csv", ["ts_utc,open,high,low,close,volume", *lines])
    assert read(path).index[0] == midweek.index[0]
    path.write_text(path.read_text().replace("06/06/2023", "06/07/2023"))
    with pytest.raises(BarError, match=r"line 2: day or month first, got '06/07/2023 10:00'"):
        read(path)


def test_yfinance_with_its_three_lines_of_header(weekend, tmp_path):
    lines = ["Price,Close,High,Low,Open,Volume", "Ticker" + 5 * ",EURUSD=X", "Datetime,,,,,"]
    for stamp, row in zip(weekend.index, weekend[RATES].to_numpy(), strict=True):
        start, high, low, close = (f"{rate:.5f}" for rate in row)
        lines.append(f"{stamp},{close},{high},{low},{start},0")
    path = write(tmp_path / "EURUSD=X.csv", lines)
    assert_bars(read(path), weekend, volume=False)
    lines[9] = lines[9].replace(",0", ",x")
    with pytest.raises(BarError, match=r"EURUSD=X.csv line 10: "):
        read(write(path, lines))


@pytest.mark.parametrize("kind", ["text", "date32", "timestamp"])
def test_parquet_with_date_and_time_apart(weekend, tmp_path, kind):
    dates, times = weekend.index.strftime("%Y-%m-%d"), weekend.index.strftime("%H:%M")
    if kind == "date32":
        dates, times = weekend.index.date, weekend.index.time
    elif kind == "timestamp":
        dates = weekend.index.tz_localize(None).normalize()
    frame = weekend.reset_index(drop=True).assign(Date=dates, Time=times)
    frame.to_parquet(tmp_path / "eurusd.parquet")
    assert_bars(read(tmp_path / "eurusd.parquet"), weekend)


@pytest.mark.parametrize("width", [pa.decimal128(9, 6), pa.decimal256(60, 20)])
def test_parquet_of_decimals_has_the_numbers_of_its_text(weekend, tmp_path, width):
    # Arrow's cast of a decimal is off by a bit in one of some twenty rates.
    rows = {name: weekend[name].to_numpy() for name in RATES}
    rows["close"] = pa.array([Decimal(f"{close:.6f}") for close in rows["close"]], width)
    pq.write_table(pa.table({"ts_utc": weekend.index} | rows), tmp_path / "eurusd.parquet")
    assert_bars(read(tmp_path / "eurusd.parquet"), weekend, volume=False)


@pytest.mark.parametrize(
    ("times", "what"),
    [
        (lambda seconds: seconds + 0.5, r"1: .* double, got '16863264"),
        (lambda seconds: np.where(np.arange(len(seconds)) == 3, np.inf, seconds), "4: .*'inf'"),
        (lambda seconds: [b"\xff"] * len(seconds), r"1: .* binary, got "),
        (lambda seconds: [[1]] * len(seconds), r"1: .* list<.*, got "),
        (lambda seconds: [{"at": 1}] * len(seconds), r"1: .* struct<.*, got "),
    ],
)
def test_times_of_parquet_that_are_none(weekend, tmp_path, times, what):
    seconds = weekend.index.as_unit("s").asi8.astype(float)
    bars = weekend.reset_index(drop=True).assign(ts_utc=times(seconds))
    bars.to_parquet(tmp_path / "eurusd.parquet")
    with pytest.raises(BarError, match=f"eurusd.parquet row {what}.*; expected times, or whole"):
        read(tmp_path / "eurusd.parquet")


def test_the_newest_bar_first(weekend, tmp_path):
    head, *lines = ["time,open,high,low,close,volume", *lines_of(weekend, "UTC", "%Y-%m-%d %H:%M")]
    reading = examine(write(tmp_path / "eurusd.csv", [head, *reversed(lines)]))
    assert_bars(reading.frames["eurusd"], weekend)
    assert any("newest bar stands first" in note for note in reading.notes)


@pytest.mark.parametrize(
    "header", ["time,open,high,low,close,close", "Time,open,time,high,low,close"]
)
def test_a_column_that_stands_twice_is_refused(weekend, tmp_path, header):
    lines = [header, *lines_of(weekend, "UTC", "%Y-%m-%d %H:%M")]
    with pytest.raises(BarError, match="a column stands twice, got '(close|Time)' in "):
        examine(write(tmp_path / "eurusd.csv", lines))


def test_rows_that_stand_twice_count_once(weekend, tmp_path):
    lines = lines_of(weekend, "UTC", "%Y-%m-%d %H:%M")
    lines = ["time,open,high,low,close,volume", *lines[:80], *lines[79:]]
    reading = examine(write(tmp_path / "eurusd.csv", lines))
    assert_bars(reading.frames["eurusd"], weekend)
    assert any("1 rows stand twice, the first 82" in note for note in reading.notes)
    assert reading.table["set aside"][0] == "1 rows that stand twice"


def test_rows_that_stand_in_two_files_count_once(weekend, tmp_path):
    head, *lines = ["time,open,high,low,close,volume", *lines_of(weekend, "UTC", "%Y-%m-%d %H:%M")]
    write(tmp_path / "eurusd_1.csv", [head, *lines[:80]])
    write(tmp_path / "eurusd_2.csv", [head, *lines[77:]])
    reading = examine(tmp_path, clock="UTC")
    assert_bars(reading.frames["eurusd"], weekend)
    told = "eurusd_1.csv and eurusd_2.csv: 3 rows stand in several files, the first at "
    assert f"{told}{weekend.index[77]}" in reading.notes
    assert reading.table["set aside"][0] == "3 rows that stand in several files"


@pytest.mark.parametrize("name", ["spread", "ask"])
def test_a_spread_of_zeros_is_told(weekend, tmp_path, name):
    told = (
        "eurusd.csv: the spread is 0 in all bars, taken for not recorded: costs are the pair's "
        "average"
    )
    rates = ("open", "high", "low", "close")
    head = {
        "spread": "time,open,high,low,close,volume,spread",
        "ask": "time,{},volume,{}".format(
            ",".join(f"bid_{rate}" for rate in rates), ",".join(f"ask_{rate}" for rate in rates)
        ),
    }[name]
    lines = lines_of(weekend, "UTC", "%Y-%m-%d %H:%M")
    more = [",".join(line.split(",")[1:5]) if name == "ask" else "0" for line in lines]
    lines = [f"{line},{end}" for line, end in zip(lines, more, strict=True)]
    assert told in examine(write(tmp_path / "eurusd.csv", [head, *lines])).notes


# sides and spreads


def both_sides(bars: pd.DataFrame, spread: float) -> tuple[list[str], list[str]]:
    ask = bars.copy()
    ask[RATES] += spread
    return dukascopy(bars), dukascopy(ask)


def test_bid_and_ask_files_of_a_pair_are_joined(weekend, tmp_path):
    bid, ask = both_sides(weekend, 12e-5)
    for part, rows in {"a": slice(0, 500), "b": slice(500, None)}.items():
        for side, lines in {"BID": bid, "ASK": ask}.items():
            path = tmp_path / f"EURUSD_Candlestick_1_M_{side}_{part}.csv"
            write(path, [lines[0], *lines[1:][rows]])
    reading = examine(tmp_path)
    got = reading.frames["eurusd"]
    assert_bars(got, weekend)
    np.testing.assert_allclose(got["spread"], 12e-5, atol=1e-9)
    assert reading.table["spread"][0] == "ask less bid"


def test_an_ask_file_alone_is_refused_or_declared(weekend, tmp_path):
    path = write(tmp_path / "eurusd-m1-ask-2023.csv", both_sides(weekend, 1e-4)[1])
    for reader in (read, read_folder):
        with pytest.raises(
            BarError, match=r"rates of the ask side alone.*Pass --side ask|--side ask"
        ):
            reader(path)
    got = examine(path, side="ask")
    np.testing.assert_allclose(got.frames["eurusd"][RATES], weekend[RATES] + 1e-4, atol=1e-9)
    assert any("ask rates are taken as they are" in note for note in got.notes)


@pytest.mark.parametrize(("side", "share"), [("ask", 1.0), ("mid", 0.5)])
def test_declared_rates_become_bid_where_there_is_a_spread(weekend, tmp_path, side, share):
    frame = weekend.assign(spread=2e-4)
    frame[RATES] += share * 2e-4
    frame.reset_index().to_parquet(tmp_path / "eurusd.parquet")
    got = read(tmp_path / "eurusd.parquet", side=side)
    np.testing.assert_allclose(got[RATES], weekend[RATES], atol=1e-9)


@pytest.mark.parametrize("side", ["ask", "mid"])
def test_headers_that_name_another_side_alone(weekend, tmp_path, side):
    frame = weekend.rename(columns={rate: f"{side}_{rate[0]}" for rate in RATES}).reset_index()
    frame.to_csv(tmp_path / "eurusd.csv", index=False)
    with pytest.raises(BarError, match=f"rates of the {side} side alone.*--side {side}"):
        read(tmp_path / "eurusd.csv")
    assert len(read(tmp_path / "eurusd.csv", side=side)) == len(weekend)


def test_sides_that_are_exchanged(weekend, tmp_path):
    bid, ask = both_sides(weekend, 12e-5)
    write(tmp_path / "EURUSD_BID.csv", ask)
    write(tmp_path / "EURUSD_ASK.csv", bid)
    with pytest.raises(
        BarError, match=r"does not belong to the bid file, got a median spread of -"
    ):
        read_folder(tmp_path)


@pytest.mark.parametrize("packed", [False, True])
def test_fxcm(weekend, tmp_path, packed):
    lines = ["DateTime,BidOpen,BidHigh,BidLow,BidClose,AskOpen,AskHigh,AskLow,AskClose"]
    for stamp, row in zip(weekend.index, weekend[RATES].to_numpy(), strict=True):
        rates = [*row, *(row + 11e-5)]
        lines.append(",".join([f"{stamp:%m/%d/%Y %H:%M:%S}.000", *(f"{r:.5f}" for r in rates)]))
    content = "\n".join(lines).encode()
    path = tmp_path / ("EURUSD_2023_23.csv" + ".gz" * packed)
    path.write_bytes(gzip.compress(content) if packed else content)
    got = read(path)
    assert_bars(got, weekend, volume=False)
    np.testing.assert_allclose(got["spread"], 11e-5, atol=1e-9)


@pytest.mark.parametrize(("as_csv", "zone"), [(False, "UTC"), (True, "UTC"), (False, "server")])
def test_metatraders_frame_has_its_spread_in_points(weekend, tmp_path, as_csv, zone):
    frame = weekend.rename(columns={"volume": "tick_volume"}).assign(spread=12, real_volume=0)
    ahead = pd.Timedelta(hours=3 if zone == "server" else 0)
    seconds = (weekend.index + ahead).as_unit("s").asi8
    frame.insert(0, "time", pd.to_datetime(seconds, unit="s") if zone == "UTC" else seconds)
    path = tmp_path / ("EURUSD_M1." + ("csv" if as_csv else "parquet"))
    frame.to_csv(path, index=False) if as_csv else frame.to_parquet(path, index=False)
    if zone == "server":
        with pytest.raises(BarError, match=r"off by \+3 h .*Pass --clock "):
            read(path)
    got = read(path, clock="UTC+3") if zone == "server" else read(path)
    assert_bars(got, weekend)
    np.testing.assert_allclose(got["spread"], 12e-5, atol=1e-12)


@pytest.mark.parametrize(
    ("pair", "digits", "point"),
    [("eurusd", 5, 1e-5), ("gbpusd", 4, 1e-4), ("usdjpy", 3, 1e-3), ("usdjpy", 2, 1e-2)],
)
def test_a_point_is_the_last_digit_of_the_file(weekend, tmp_path, pair, digits, point):
    bars = weekend.copy()
    bars[RATES] = (bars[RATES] * (100 if pair == "usdjpy" else 1)).round(digits)
    got = read(write(tmp_path / f"{pair}_M1.csv", mt5(bars, 2, digits=digits)), clock="UTC+3")
    np.testing.assert_allclose(got["spread"], 2 * point, atol=1e-12)


@pytest.mark.parametrize("zeros", [slice(0, 300), slice(200, 500), slice(700, None)])
def test_zeros_of_a_long_stretch_were_not_recorded(weekend, tmp_path, zeros):
    spread = np.full(len(weekend), 7)
    spread[zeros] = 0
    spread[600:610] = 0
    reading = examine(write(tmp_path / "EURUSD_M1.csv", mt5(weekend, spread)), clock="UTC+3")
    want = spread * 1e-5
    want[zeros] = np.nan
    np.testing.assert_allclose(reading.frames["eurusd"]["spread"], want, atol=1e-12)
    assert any("taken for not recorded" in note for note in reading.notes)
    assert "not recorded" in reading.table["spread"][0]


@pytest.mark.parametrize(
    ("pair", "scale", "spread", "unit", "want"),
    [
        ("eurusd", 1, 0.8, "pips", 8e-5),
        ("eurusd", 1, 8, "points", 8e-5),
        ("usdjpy", 100, 0.8, "pips", 8e-3),
        ("usdjpy", 100, 0.1, "pips", 1e-3),
        ("usdjpy", 100, 8, "points", 8e-3),
        ("eurusd", 1, 0.00008, "rate", 8e-5),
    ],
)
def test_the_unit_of_a_spread_is_plausible_or_declared(
    weekend, tmp_path, pair, scale, spread, unit, want
):
    bars = weekend.assign(spread=spread)
    bars[RATES] = (bars[RATES] * scale).round(3 if scale > 1 else 5)
    bars.reset_index().to_csv(tmp_path / f"{pair}.csv", index=False)
    path = tmp_path / f"{pair}.csv"
    if unit != "rate":
        with pytest.raises(
            BarError, match=r"% of the rate.*--spread-unit pips .*--spread-unit points "
        ):
            read(path)
        with (
            pytest.raises(BarError, match=r"% of the rate")
            if spread > 0.02 * scale
            else nullcontext()
        ):
            read(path, spread_unit="rate")
    np.testing.assert_allclose(read(path, spread_unit=unit)["spread"], want, atol=1e-12)
    named = path.read_text().replace(
        "spread", f"Spread ({unit})" if unit == "x" else f"spread_{unit}"
    )
    if unit != "rate":
        path.write_text(named)
        np.testing.assert_allclose(read(path)["spread"], want, atol=1e-12)


@pytest.mark.parametrize("side", ["bid", "ask"])
def test_a_stray_spread_is_set_aside_with_its_bar(weekend, tmp_path, side):
    """As a stray tick of the ask makes it, whose bid is as good as any."""
    spread = np.full(len(weekend), 8e-5)
    spread[300] = 0.02
    bars = weekend.assign(spread=spread)
    bars.to_parquet(tmp_path / "eurusd.parquet")
    reading = examine(tmp_path, side=side)
    got = reading.frames["eurusd"]
    pd.testing.assert_index_equal(got.index, bars.index.delete(300), exact=False)
    np.testing.assert_allclose(got["spread"], 8e-5, atol=1e-12)
    assert reading.table["set aside"][0] == "1 stray spreads"
    told = (
        rf"eurusd.parquet \({bars.index[300]}\): a stray spread is set aside with its bar, 0.02 of"
    )
    assert any(re.match(told.replace("+", r"\+"), note) for note in reading.notes)
    bars.loc[bars.index[:50], "spread"] = 0.3
    bars.to_parquet(tmp_path / "eurusd.parquet")
    with pytest.raises(BarError, match=r"51 stray spreads; expected at most 1 % of rows"):
        examine(tmp_path, side=side)


@pytest.mark.parametrize("clock", ["UTC+3", (("2018-01-01", "UTC+2"), ("2023-06-10", "UTC+3"))])
def test_a_clock_beside_times_with_their_offset_is_told(weekend, tmp_path, clock):
    weekend.to_parquet(tmp_path / "eurusd.parquet")
    reading = examine(tmp_path, clock=clock)
    assert_bars(reading.frames["eurusd"], weekend)
    assert re.match(r"eurusd.parquet: its times say .* --clock .* is unused$", reading.notes[-1])
    with pytest.raises(BqxError, match=r"clock: unknown clock, got 'Mars/Phobos'"):
        examine(tmp_path, clock="Mars/Phobos")


# folders


def tick_lines() -> list[str]:
    return ["20230604 170001123,1.070010,1.070040,0", "20230604 170001823,1.070020,1.070050,0"]


def workbook(path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("[Content_Types].xml", "<x/>")
        archive.writestr("xl/worksheets/sheet1.xml", "<x/>")
    return path


def test_what_is_no_bar_file_is_left_alone_and_named(weekend, tmp_path):
    write(tmp_path / "DAT_ASCII_EURUSD_M1_202306.csv", histdata(weekend))
    write(
        tmp_path / "DAT_ASCII_EURUSD_M1_202306.txt", ["HistData.com (c) - File Status Report", ""]
    )
    write(tmp_path / "DAT_ASCII_EURUSD_T_202306.csv", tick_lines())
    with zipfile.ZipFile(tmp_path / "HISTDATA_COM_ASCII_EURUSD_T202306.zip", "w") as archive:
        archive.writestr("DAT_ASCII_EURUSD_T_202306.csv", "\n".join(tick_lines()))
    write(tmp_path / "EURUSD_ticks.csv", ["Gmt time,Ask,Bid,AskVolume,BidVolume", "1,2,3,4,5"])
    write(tmp_path / "XAUUSD.csv", metatrader(weekend))
    write(tmp_path / "README.md", ["x"])
    workbook(tmp_path / "DAT_XLSX_EURUSD_M1_2023.xlsx")
    workbook(tmp_path / "EURUSD.zip")
    (tmp_path / "older").mkdir()
    reading = examine(tmp_path)
    assert_bars(reading.frames["eurusd"], weekend, volume=False)
    told = {note.split(": ", 1)[0]: note for note in reading.notes}
    assert "no bars in it" in told["DAT_ASCII_EURUSD_M1_202306.txt"]
    ticks = ("DAT_ASCII_EURUSD_T_202306.csv", "HISTDATA_COM_ASCII_EURUSD_T202306.zip")
    assert all("ticks" in told[name] for name in (*ticks, "EURUSD_ticks.csv"))
    assert all("CSV" in told[name] for name in ("DAT_XLSX_EURUSD_M1_2023.xlsx", "EURUSD.zip"))
    assert "28 pairs" in told["XAUUSD.csv"]
    assert {"README.md", "older"} <= set(told)


def test_ticks_and_sheets_alone_are_called_so(tmp_path):
    for name, lines in {
        "EURUSD_T.csv": tick_lines(),
        "eurusd.csv": ["Gmt time,Ask,Bid,AskVolume,BidVolume", "1,2,3,4,5"],
    }.items():
        with pytest.raises(BarError, match=r"ticks, got "):
            read(write(tmp_path / name, lines))
    with pytest.raises(BarError, match=r"a spreadsheet, .* Save its sheet as CSV"):
        read(workbook(tmp_path / "EURUSD.xlsx"))
    for path in tmp_path.iterdir():
        if path.suffix == ".csv":
            path.unlink()
    with pytest.raises(BarError, match=r"no bar files, got EURUSD.xlsx: a spreadsheet"):
        read_folder(tmp_path)


def test_bars_in_a_text_file_are_read(weekend, tmp_path):
    write(tmp_path / "EURUSD.txt", histdata(weekend))
    assert_bars(read_folder(tmp_path, clock="America/New_York")["eurusd"], weekend, volume=False)


def test_years_between_two_files_of_a_pair(tmp_path):
    early = market("2018-06-08 16:00", "2018-06-11 06:00", 1)
    late = market("2020-06-05 16:00", "2020-06-08 06:00", 1)
    early.to_parquet(tmp_path / "eurusd_2018.parquet")
    late.to_parquet(tmp_path / "eurusd_2020.parquet")
    what = r"eurusd_2018.parquet and eurusd_2020.parquet: 725 days without a bar .*--gap"
    with pytest.raises(BarError, match=what):
        read_folder(tmp_path)
    reading = examine(tmp_path, gap=True)
    assert len(reading.frames["eurusd"]) == len(early) + len(late)
    assert any("725 days without a bar" in note for note in reading.notes)
    (tmp_path / "eurusd_2020.parquet").rename(tmp_path / "gbpusd.parquet")
    with pytest.raises(BarError, match=r"pairs: 725 days without a bar .*--gap"):
        read_folder(tmp_path)
    assert len(read_folder(tmp_path, gap=True)) == 2


@pytest.mark.parametrize("packer", ["zip", "gz"])
def test_a_file_that_unpacks_to_too_much_is_refused(weekend, tmp_path, monkeypatch, packer):
    content = "\n".join(histdata(weekend))
    path = tmp_path / f"EURUSD.{packer}"
    if packer == "gz":
        path.write_bytes(gzip.compress(content.encode()))
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("EURUSD.csv", content)
    monkeypatch.setattr(files, "LARGEST", len(content) - 1)
    with pytest.raises(BarError, match=rf"EURUSD.{packer}: too large unpacked, got .* bytes"):
        read(path)
    monkeypatch.setattr(files, "LARGEST", len(content))
    assert len(read(path, clock="America/New_York")) == len(weekend)


def test_no_file_at_all(tmp_path):
    os.mkfifo(tmp_path / "eurusd.csv")
    for reader in (read, read_folder):
        with pytest.raises(BqxError, match=r"no file"):
            reader(tmp_path / "eurusd.csv")


# clocks and stamps


def test_a_clock_that_no_weekly_close_proves_is_asked_for(midweek, tmp_path):
    path = write(tmp_path / "EURUSD1.csv", metatrader(midweek, "Etc/GMT-3"))
    with pytest.raises(BarError, match=r"no weekly close proves the clock, .*--clock UTC\+2 if"):
        read(path)
    reading = examine(path, clock="UTC+3")
    assert_bars(reading.frames["eurusd"], midweek)
    assert reading.table["clock"][0] == "UTC+3, declared, not proven"
    for pattern in ("%Y-%m-%d %H:%M", "%d/%m/%Y %H:%M"):
        write(path, ["date,open,high,low,close,volume", *lines_of(midweek, "UTC", pattern)])
        with pytest.raises(BarError, match=r"no weekly close proves the clock|day or month first"):
            read(path)
    midweek.tz_localize(None).rename_axis("time").reset_index().to_parquet(
        tmp_path / "eurusd.parquet"
    )
    with pytest.raises(BarError, match=r"no weekly close proves the clock"):
        read(tmp_path / "eurusd.parquet")


@pytest.mark.parametrize(
    ("header", "pattern"),
    [
        ("ts_utc,open,high,low,close,volume", "%Y-%m-%d %H:%M"),
        ("time,o,h,l,c,v", "%s"),
        ("Gmt time,Open,High,Low,Close,Volume", "%d.%m.%Y %H:%M:%S.000"),
        ("time,o,h,l,c", "%Y-%m-%dT%H:%MZ"),
    ],
)
def test_a_clock_that_the_file_names_needs_no_proof(midweek, tmp_path, header, pattern):
    lines = lines_of(midweek, "UTC", pattern)
    if header.count(",") == 4:
        lines = [line.rpartition(",")[0] for line in lines]
    got = read(write(tmp_path / "eurusd.csv", [header, *lines]))
    assert_bars(got, midweek, volume=header.count(",") == 5)


STAMPED: dict[str, tuple[str, Callable[[pd.DataFrame], list[str]]]] = {
    "generic": (
        "eurusd.csv",
        lambda bars: [
            "ts_utc,open,high,low,close,volume",
            *lines_of(bars, "UTC", "%Y-%m-%d %H:%M"),
        ],
    ),
    "metatrader": ("EURUSD1.csv", lambda bars: metatrader(bars, "Etc/GMT-2")),
    "histdata": ("DAT_EURUSD.csv", histdata),
    "dukascopy": (
        "eurusd.csv",
        lambda bars: [
            "Gmt time,Open,High,Low,Close,Volume",
            *lines_of(bars, "UTC", "%d.%m.%Y %H:%M:%S.000"),
        ],
    ),
}


@pytest.mark.parametrize("weeks", [1, 3])
@pytest.mark.parametrize("kind", [*STAMPED, "parquet"])
def test_bars_stamped_at_their_end(tmp_path, kind, weeks):
    bars = market("2023-06-09 16:00", f"2023-06-{5 + 7 * weeks:02d} 06:00", every=2)
    late = bars.set_axis(bars.index + pd.Timedelta(minutes=1)).rename_axis("ts_utc")
    path = tmp_path / "eurusd.parquet"
    if kind == "parquet":
        late.to_parquet(path)
    else:
        name, lines = STAMPED[kind]
        path = write(tmp_path / name, lines(late))
    clock = {"clock": "UTC+2"} if kind == "metatrader" else {}
    what = rf"stamped at their end, got {weeks} weeks?\b.*--stamped close"
    with pytest.raises(BarError, match=what):
        read(path, **clock)
    assert_bars(read(path, stamped="close", **clock), bars, volume=kind != "histdata")


def test_a_stamp_that_is_declared_wrongly(weekend, tmp_path):
    twice = weekend.set_axis(weekend.index + pd.Timedelta(minutes=2)).rename_axis("ts_utc")
    twice.to_parquet(tmp_path / "eurusd.parquet")
    with pytest.raises(BarError, match=r"not stamped at their end, got 1 week"):
        read(tmp_path / "eurusd.parquet", stamped="close")


@pytest.mark.parametrize("volume", ["0", "", None, "1"])
@pytest.mark.parametrize("pattern", ["%s000", "%Y-%m-%d %H:%M"])
def test_flat_bars_of_the_closed_market_are_left_out(weekend, tmp_path, volume, pattern):
    full = weekend.reindex(
        pd.date_range(weekend.index[0], weekend.index[-1], freq="min", name="ts_utc")
    )
    closed = ~sessions.is_open(sessions.epoch_minutes(full.index))
    full["close"] = full["close"].ffill()
    for rate in RATES[:3]:
        full[rate] = full[rate].fillna(full["close"])
    lines = lines_of(full.fillna({"volume": 0}), "UTC", pattern)
    for row in np.flatnonzero(closed):
        lines[row] = f"{lines[row].rpartition(',')[0]},{volume}"
    header = "timestamp,open,high,low,close,volume"
    if volume is None:
        lines, header = [line.rpartition(",")[0] for line in lines], header.removesuffix(",volume")
    reading = examine(write(tmp_path / "eurusd.csv", [header, *lines]))
    assert_bars(reading.frames["eurusd"], weekend, volume=volume is not None)
    assert reading.table["set aside"][0] == f"{closed.sum():,} flat bars of the closed market"


@pytest.mark.parametrize("weeks", [1, 3])
def test_a_declared_end_of_the_minute_that_the_weeks_ends_contradict(tmp_path, weeks):
    bars = market("2023-06-09 16:00", f"2023-06-{5 + 7 * weeks:02d} 06:00", every=2)
    path = tmp_path / "eurusd.parquet"
    bars.to_parquet(path)
    assert examine(path).table["stamped"][0] == "open of the minute, proven"
    what = rf"^eurusd.parquet: not stamped at their end, got {weeks} weeks? that then begin at "
    with pytest.raises(BarError, match=rf"{what}Sunday 16:59 .*Leave --stamped close out"):
        read(path, stamped="close")
    assert_bars(read(path, stamped="open"), bars)
    bars.set_axis(bars.index + pd.Timedelta(minutes=1)).rename_axis("ts_utc").to_parquet(path)
    what = rf"^eurusd.parquet: bars stamped at their end, got {weeks} weeks? .*--stamped close"
    with pytest.raises(BarError, match=what):
        read(path, stamped="open")


def test_a_file_that_begins_a_week_contradicts_its_end_of_the_minute(tmp_path):
    bars = market("2023-06-11 21:00", "2023-06-13 06:00", every=2)
    bars.to_parquet(tmp_path / "eurusd.parquet")
    with pytest.raises(BarError, match=r"not stamped at their end, got 1 week that then begin"):
        read(tmp_path / "eurusd.parquet", stamped="close")


@pytest.mark.parametrize(("weeks", "stands"), [(1, True), (7, False)])
def test_a_missing_last_bar_is_no_proof_against_a_declared_end(tmp_path, weeks, stands):
    """Of one week the bar of 17:00 may be missing, of many it is not by chance."""
    bars = market("2023-06-09 16:00", "2023-07-28 20:59", every=2)
    week = sessions.market_minutes(sessions.epoch_minutes(bars.index)) % sessions.WEEK
    bars = bars[week > 9]
    bars = bars[: np.flatnonzero(week[week > 9] == sessions.WEEK - 1)[weeks - 1] + 1]
    bars.to_parquet(tmp_path / "eurusd.parquet")
    if stands:
        reading = examine(tmp_path, stamped="close")
        assert reading.table["stamped"][0] == "close of the minute, declared"
        assert examine(tmp_path).table["stamped"][0] == "open of the minute, not proven"
    else:
        with pytest.raises(BarError, match=r"not stamped at their end, got 7 weeks"):
            read(tmp_path / "eurusd.parquet", stamped="close")


def test_without_a_weeks_end_the_declared_end_stands(midweek, tmp_path):
    midweek.to_parquet(tmp_path / "eurusd.parquet")
    for stamped in ("open", "close"):
        said = examine(tmp_path, stamped=stamped).table["stamped"][0]
        assert said == f"{stamped} of the minute, declared"


# symbols

SPELLINGS = (
    "EURUSD", "EUR/USD", "eur_usd", "EURUSD.a", "EURUSDm", "C:EURUSD", "EURUSD=X", "OANDA:EUR_USD",
    "frxEURUSD", "EUR.USD", "", "EUR", "EUR Curncy",
)  # fmt: skip
OTHERS = ("GBPUSD", "GBP/USD", "C:USDJPY", "USDEUR", "XAUUSD", "USDMXN.a", "EUR/SEK")


def with_symbol(bars: pd.DataFrame, path: Path, header: str, symbols: object) -> Path:
    frame = bars.reset_index().assign(**{header: symbols})
    if path.suffix == ".csv":
        frame.to_csv(path, index=False)
    else:
        frame.to_parquet(path)
    return path


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("header", ["symbol", "Ticker", "pair", "<INSTRUMENT>"])
def test_symbols_name_the_pair_or_the_file_is_refused(midweek, tmp_path, suffix, header):
    bars, path = midweek[:120], tmp_path / f"eurusd.{suffix}"
    for symbol in SPELLINGS:
        assert_bars(read(with_symbol(bars, path, header, symbol)), bars)
    first = "line 2" if suffix == "csv" else "row 1"
    for symbol in OTHERS:
        what = rf"^eurusd.{suffix} {first}: a symbol of another pair, got '{symbol}'; expected eur"
        with pytest.raises(BarError, match=what):
            read(with_symbol(bars, path, header, symbol))
    both = np.where(np.arange(len(bars)) < 60, "EURUSD", "GBPUSD")
    what = rf"^eurusd.{suffix}: bars of several pairs, got .*'EURUSD', 'GBPUSD'.*Split the file"
    with pytest.raises(BarError, match=what):
        read(with_symbol(bars, path, header, both))
    if suffix == "parquet":
        assert_bars(read(with_symbol(bars, path, header, pd.Categorical(["EURUSD"] * 120))), bars)
        assert_bars(read(with_symbol(bars, path, header, 7)), bars)


def test_symbols_without_a_header_and_yfinances_ticker(weekend, tmp_path):
    lines = lines_of(weekend, "America/New_York", "GBPUSD,%Y%m%d%H%M")
    with pytest.raises(BarError, match=r"eurusd.csv line 1: a symbol of another pair, got 'GBP"):
        read(write(tmp_path / "eurusd.csv", lines))
    lines = ["Price,Close,High,Low,Open,Volume", "Ticker" + 5 * ",GBPUSD=X", "Datetime,,,,,"]
    lines += [f"{stamp},1.2,1.2,1.2,1.2,0" for stamp in weekend.index]
    with pytest.raises(BarError, match=r"eurusd.csv line 2: a symbol of another pair, got 'GBPUS"):
        read(write(tmp_path / "eurusd.csv", lines))


# offsets, separators, packings, addresses


def offsets(bars: pd.DataFrame, *zones: str) -> list[str]:
    """Lines whose times are on the clocks of these zones by turns, each with its offset."""
    lines = lines_of(bars, "UTC", "%Y")
    times = [ts.tz_convert(zones[n % len(zones)]).isoformat() for n, ts in enumerate(bars.index)]
    return [HEADER_ISO, *(f"{t}{line[4:]}" for t, line in zip(times, lines, strict=True))]


HEADER_ISO = "ts_utc,open,high,low,close,volume"


@pytest.mark.parametrize("zulu", ["+00:00", "Z", " UTC", "+00", "+0000"])
def test_each_time_says_its_own_offset(weekend, tmp_path, zulu):
    lines = [line.replace("+00:00", zulu) for line in offsets(weekend, "UTC", "Asia/Tokyo")]
    path = write(tmp_path / "eurusd.csv", lines)
    assert_bars(read(path), weekend)
    frame = weekend.reset_index(drop=True)
    frame.insert(0, "ts_utc", [line.split(",")[0] for line in lines[1:]])
    frame.to_parquet(tmp_path / "eurusd.parquet")
    assert_bars(read(tmp_path / "eurusd.parquet"), weekend)
    write(path, [*lines[:9], lines[9].replace(zulu, ""), *lines[10:]])
    with pytest.raises(BarError, match=r"line 10: no time, got '2023-06-09T16:08:00'"):
        read(path)


def test_new_yorks_offsets_over_a_change_of_its_clock(tmp_path):
    bars = market("2023-03-10 20:00", "2023-03-13 06:00", every=2)
    assert_bars(read(write(tmp_path / "eurusd.csv", offsets(bars, "America/New_York"))), bars)


def test_a_pipe_separates_and_an_unknown_mark_is_named(weekend, tmp_path):
    lines = [HEADER_ISO, *lines_of(weekend, "UTC", "%Y-%m-%d %H:%M")]
    piped = [line.replace(",", "|") for line in lines]
    assert_bars(read(write(tmp_path / "eurusd.csv", piped)), weekend)
    path = write(tmp_path / "eurusd.csv", [line.replace(",", "~") for line in lines])
    with pytest.raises(BarError, match=r"with '~' between; expected columns separated by comma, "):
        read(path)


@pytest.mark.parametrize(("volume", "line"), [("12.0", 2), ("1,5x", 2)])
def test_numbers_of_two_decimal_marks(midweek, tmp_path, volume, line):
    frame = midweek.reset_index().astype(dict.fromkeys(RATES, str))
    for rate in RATES:
        frame[rate] = frame[rate].str.replace(".", ",")
    frame["volume"] = volume
    frame.to_csv(tmp_path / "eurusd.csv", index=False)
    what = rf"eurusd.csv line {line}: volume is no number, got '{volume}'; expected .* comma\. "
    mend = "Write all numbers with the same decimal mark" if "." in volume else "Correct or delete"
    with pytest.raises(BarError, match=what + mend):
        read(tmp_path / "eurusd.csv")


def test_seconds_in_all_times_are_not_to_be_dropped(midweek, tmp_path):
    late = midweek.set_axis(midweek.index + pd.Timedelta(seconds=13)).rename_axis("ts_utc")
    late.to_parquet(tmp_path / "eurusd.parquet")
    with pytest.raises(BarError, match=r"has seconds; expected whole minutes .*Set each time to"):
        read(tmp_path / "eurusd.parquet")


@pytest.mark.parametrize(
    ("packer", "ending"), [("bz2", "bz2"), ("lzma", "xz")]
)  # fmt: skip
def test_other_packings_are_told_the_ones_that_are_read(midweek, tmp_path, packer, ending):
    content = "\n".join(histdata(midweek)).encode()
    path = tmp_path / f"eurusd.csv.{ending}"
    path.write_bytes(importlib.import_module(packer).compress(content))
    what = rf"{path.name}: no bar file by its ending, read are \.csv, .*\.zip, \.gz, left alone"
    with pytest.raises(BarError, match=what):
        read_folder(tmp_path)
    with pytest.raises(BarError, match=r"packed by .*; expected text or Parquet, packed by zip or"):
        read(path)
    (tmp_path / "eurusd.dat").write_bytes(content)
    assert any("eurusd.dat: no bar file by its ending, read" in n for n in bar_files_of(tmp_path))


def bar_files_of(path: Path) -> list[str]:
    midweek_file = path / "gbpusd.csv"
    midweek_file.write_text(HEADER_ISO + "\n")
    return bar_files(path)[1]


def test_a_damaged_archive_is_said_in_our_words(midweek, tmp_path):
    packed = gzip.compress("\n".join(histdata(midweek)).encode())
    path = tmp_path / "eurusd.csv.gz"
    path.write_bytes(packed[:-500])
    with pytest.raises(BarError, match=r"cannot be read, got a damaged archive, or the first part"):
        read(path)


@pytest.mark.parametrize(
    "address", ["s3://nobucket/x", "postgresql://host/base", "postgresql://me:se/cret@host/base"]
)
def test_an_address_is_for_runs_alone(address, capsys):
    shown = address.replace("me:se/cret@", "")
    assert cli.main(["bars", address]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"bqx: {shown}: no folder, got an address")
    assert "`bqx run` alone takes an address" in told
    assert "cret" not in told


def test_a_table_of_features_among_the_bars_may_be_removed(midweek, tmp_path):
    midweek.to_parquet(tmp_path / "eurusd.parquet")
    write(tmp_path / "eurusd_features.csv", ["ts_utc,f1", "2024-01-01T00:00:00Z,1"])
    with pytest.raises(BarError, match=r"no column for 'open'.*or remove it from the folder"):
        read_folder(tmp_path)


@pytest.mark.parametrize("unit", ["pips", "points"])
def test_a_declared_unit_may_not_make_costs_vanish(weekend, tmp_path, capsys, unit):
    bars = weekend.assign(spread=8e-5)
    bars.to_parquet(tmp_path / "eurusd.parquet")
    what = rf"pips, which is no spread in {unit}; expected .*Pass --spread-unit rate \(8e-05\)\.$"
    with pytest.raises(BarError, match=what):
        read(tmp_path / "eurusd.parquet", spread_unit=unit)
    for said in ([], ["--spread-unit", "rate"]):
        assert cli.main(["bars", str(tmp_path), *said]) == 0
        assert re.search(r"median spread +0\.8 pips", capsys.readouterr().out)
    weekend.to_parquet(tmp_path / "eurusd.parquet")
    assert examine(tmp_path).table["median spread"][0] == "none"
