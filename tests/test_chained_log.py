"""A log is added to by many processes, outlives kills and full disks, and shows changes."""

import json
import os
import subprocess
import sys
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bqx.errors import ArtefactError
from bqx.runs.chained_log import ChainedLog


def log_of(folder, count=6):
    log = ChainedLog(folder / "log.jsonl")
    for number in range(count):
        log.add({"number": number})
    return log


def numbers(log):
    return [line["number"] for line in log.read().lines]


def test_lines_come_back_in_order(tmp_path):
    log = ChainedLog(tmp_path / "deep" / "log.jsonl")
    assert not log.exists
    assert log.read().lines == log.read().faults == []
    log.add({"number": 0}, {"number": 1})
    log.add()
    log.add({"number": 2})
    assert numbers(log) == [0, 1, 2]
    assert log.read().faults == []


def without(lines, number):
    return lines[:number] + lines[number + 1 :]


def swapped(lines, number):
    return [*lines[:number], lines[number + 1], lines[number], *lines[number + 2 :]]


def edited(lines, number):
    own = json.loads(lines[number])
    return [*lines[:number], json.dumps(own | {"number": 99}) + "\n", *lines[number + 1 :]]


def doubled(lines, number):
    return [*lines[: number + 1], *lines[number:]]


@pytest.mark.parametrize("number", range(5))
@pytest.mark.parametrize("change", [without, swapped, edited, doubled])
def test_what_was_altered_is_found_and_stays_so(tmp_path, change, number):
    log = log_of(tmp_path)
    lines = log.path.read_text().splitlines(keepends=True)
    log.path.write_text("".join(change(lines, number)))
    assert any("altered, got another hash" in fault for fault in log.read().faults)
    log.add({"number": 6}, {"number": 7})
    assert any("altered, got another hash" in fault for fault in log.read().faults)
    lost = {number} if change in (without, edited) else set()
    assert set(numbers(log)) == set(range(8)) - lost


@pytest.mark.parametrize("left", range(6))
def test_lines_taken_from_the_end_are_missed_for_ever(tmp_path, left):
    log = log_of(tmp_path)
    lines = log.path.read_text().splitlines(keepends=True)
    log.path.write_text("".join(lines[:left]))
    assert log.read().faults == [
        f"{log.path}: lines are missing at its end, got {left}; expected 6."
    ]
    for number in range(6, 14):
        log.add({"number": number})
        assert log.read().faults
    assert numbers(log) == [*range(left), *range(6, 14)]


@pytest.mark.parametrize("content", [None, b"", b"{}", b'{"lines": "x"}', b"\xff", b"[1]"])
def test_the_end_cannot_be_taken_away_with_the_last_lines(tmp_path, content):
    log = log_of(tmp_path)
    lines = log.path.read_text().splitlines(keepends=True)
    log.path.write_text("".join(lines[:4]))
    log.end.unlink() if content is None else log.end.write_bytes(content)
    assert any("absent or damaged" in fault for fault in log.read().faults)
    log.add({"number": 6})
    log.add({"number": 7})
    assert log.read().faults
    assert numbers(log) == [0, 1, 2, 3, 6, 7]


@settings(max_examples=60)
@given(data=st.data())
def test_any_changed_byte_is_found(tmp_path_factory, data):
    log = log_of(tmp_path_factory.mktemp("log"), 3)
    content = bytearray(log.path.read_bytes())
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    before = log.read().lines
    log.path.write_bytes(bytes(content))
    reading = log.read()
    # White space between values is no part of what was said.
    assert reading.faults or reading.lines == before


@settings(max_examples=60)
@given(cuts=st.lists(st.tuples(st.integers(0, 400), st.booleans()), max_size=5))
def test_a_kill_at_any_byte_loses_only_what_was_not_said(tmp_path_factory, cuts):
    """After every add the file is cut where a kill could have stopped the writing of its lines,
    and the end stands where it was."""
    log = log_of(tmp_path_factory.mktemp("log"), 1)
    said = [0]
    for number, (cut, is_end_written) in enumerate(cuts, 1):
        size, end = log.path.read_bytes().rfind(b"\n") + 1, log.end.read_bytes()
        log.add({"number": number}, {"number": -number})
        if is_end_written:
            said += [number, -number]
            continue
        log.end.write_bytes(end)
        with log.path.open("r+b") as file:
            file.truncate(min(size + cut, log.path.stat().st_size))
        assert log.read().faults == []
        whole = log.path.read_bytes()[size:].count(b"\n")
        said += [number, -number][:whole]
        assert numbers(log) == said
    log.add({"number": 1_000})
    assert log.read().faults == []
    assert numbers(log) == [*said, 1_000]


def test_a_full_disk_changes_nothing(tmp_path, monkeypatch):
    log = log_of(tmp_path)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        expected = "expected a file that may be written, and room. Nothing was changed"
        with pytest.raises(ArtefactError, match=f"No space left on device; {expected}"):
            log.add({"number": 6})
    assert numbers(log) == list(range(6))
    log.add({"number": 7})
    assert log.read().faults == []


WRITER = """
import sys, pathlib
from bqx.runs.chained_log import ChainedLog
log = ChainedLog(pathlib.Path(sys.argv[1]))
for number in range(int(sys.argv[2]), int(sys.argv[3])):
    log.add({"number": number}, {"number": -number})
    print(number, flush=True)
"""


def writer(log, first, stop):
    command = [sys.executable, "-c", WRITER, str(log.path), str(first), str(stop)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def test_processes_add_side_by_side_and_kills_lose_nothing_that_was_said(tmp_path):
    log = ChainedLog(tmp_path / "log.jsonl")
    workers = [writer(log, 1, 101), writer(log, 201, 301)]
    victims = [writer(log, 10_000 * n, 10_000 * n + 9_999) for n in (1, 2)]
    said = []
    for victim in victims:
        assert victim.stdout
        said.append(int(victim.stdout.readline()))
        time.sleep(0.3)
        victim.kill()
        said += [int(text) for text in victim.communicate()[0].split()]
    for worker in workers:
        said += [int(text) for text in worker.communicate(timeout=300)[0].split()]
        assert worker.returncode == 0
    assert log.read().faults == []
    lines = numbers(log)
    assert len(set(lines)) == len(lines)
    assert {*said, *(-number for number in said)} <= set(lines)
    assert set(range(1, 101)) | set(range(201, 301)) <= set(lines)


@pytest.mark.parametrize("name", ["log.jsonl", "log.end.json"])
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(tmp_path, name):
    log = log_of(tmp_path)
    (tmp_path / name).unlink()
    os.mkfifo(tmp_path / name)
    if name == "log.jsonl":
        for work in (log.read, lambda: log.add({"number": 9})):
            with pytest.raises(ArtefactError, match="got no regular file; expected"):
                work()
    else:
        assert "log.end.json: absent or damaged" in log.read().faults[0]
