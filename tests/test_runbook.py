"""The runbook: every alert has its part, every step is a command, and the local ones are run."""

import json
import re
import shlex
from pathlib import Path

import pytest
from platforms import bar_files, small_bundle

from bqx import cli
from bqx.cloud import archive
from bqx.operations import rules_page
from bqx.operations.alert_rules import RULES
from bqx.operations.settings import Settings
from bqx.serving import live
from bqx.serving.registry import Registry
from bqx.serving.registry_folder import Folder

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "book" / "runbook.md").read_text(encoding="utf-8")
ALERTS = (ROOT / "book" / "alerts.md").read_text(encoding="utf-8")
PARTS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))


def anchor(heading):
    return heading.lower().replace(" ", "-")


def commands(text):
    """Lines of the blocks of commands."""
    blocks = re.findall(r"^ *```(?:bash|text)\n(.*?)^ *```", text, re.DOTALL | re.MULTILINE)
    whole = "".join(blocks).replace("\\\n", " ")
    return [line.strip() for line in whole.splitlines() if line.strip()]


EVERY = sorted({*commands(PAGE), *commands(ALERTS), *re.findall(r"`(bqx [a-z].*?)`", ALERTS)})


VALUES = {"N": "1", "X": "0.1", "MIN": "15", "S": "1", "BASE": "appX"}
"""Values for the names that stand for them, where not any text will do."""


def quoted():
    """Commands of all pages that are quoted with what follows their name."""
    for path in (ROOT / "README.md", *sorted((ROOT / "book").glob("*.md"))):
        text = path.read_text(encoding="utf-8")
        for command in sorted({*commands(text), *re.findall(r"`(bqx [a-z][^`]*)`", text)}):
            plain = re.sub(r"\s[>|#].*", "", " ".join(command.split()))
            is_whole = re.search(r" [A-Z-]|[/.]", plain) and not re.search(r"[\u2026{;]", plain)
            if plain.startswith("bqx ") and is_whole:
                yield pytest.param(plain, id=f"{path.stem}: {plain}")


@pytest.mark.parametrize("command", list(quoted()))
def test_a_command_of_any_page_is_one_that_bqx_takes(command):
    words = [VALUES.get(word, word) for word in shlex.split(command)[1:]]
    assert cli._parser().parse_args(words)


def test_every_alert_has_its_part_and_every_part_a_command():
    anchors = {anchor(heading) for heading in PARTS}
    assert {rule.runbook for rule in RULES} <= anchors
    for heading, text in PARTS.items():
        assert commands(text), heading
    links = re.findall(r"\]\((?:runbook\.md)?#([a-z-]+)\)", PAGE + ALERTS)
    assert links
    assert set(links) <= anchors


@pytest.mark.parametrize(
    "name",
    [
        "High latency",
        "Model drift",
        "Weekly retraining",
        "Drift of inputs",
        "Lost store",
        "Broken feed",
        "Rollback",
    ],
)
def test_the_parts_that_the_documents_ask_for_are_there(name):
    assert len(commands(PARTS[name])) >= 3
    steps = [int(n) for n in re.findall(r"^(\d+)\. ", PARTS[name], re.MULTILINE)]
    assert steps == list(range(1, len(steps) + 1))


@pytest.mark.parametrize("command", EVERY)
def test_every_step_is_a_command_that_exists(command):
    program, *arguments = shlex.split(command)
    assert program == "bqx"
    parser = cli._parser()
    known = parser._subparsers._group_actions[0].choices
    if len(arguments) == 1:
        assert arguments[0] in known
    else:
        assert parser.parse_args(arguments).command


def test_the_page_on_alerts_shows_the_rules_as_they_are():
    shown = re.search(r"<!-- rules -->\n(.*?)\n<!-- end -->", ALERTS, re.DOTALL)
    assert shown[1] == rules_page.table()


def test_the_settings_that_the_page_shows_can_be_read(tmp_path, monkeypatch):
    shown = re.findall(r"`((?:sns|slack|email): \{.*?\})`", ALERTS)
    assert len(shown) == 3
    path = tmp_path / "alerts.yaml"
    path.write_text("\n".join(shown))
    monkeypatch.setenv("BQX_SLACK_WEBHOOK", "https://hooks.example.org/x")
    names = [channel.name for channel in Settings.read(path).channels()]
    assert names == ["standard_error", "sns", "slack", "email"]


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A folder with what the runbook's examples name: bars, a registry, archives, a request."""
    folder = tmp_path_factory.mktemp("desk")
    frames = bar_files(folder / "bars")
    registry = Registry(Folder(folder / "runs/registry/files"), "tests")
    for number in (1, 2, 3, 4):
        bundle = small_bundle("eurusd", frames, seed=number)
        place = folder / "models" / str(number) / "eurusd"
        bundle.save(place)
        registry.approve(registry.register("eurusd", str(place), {"pair": "eurusd"}), ("good",))
        job = folder / "runs/cloud/training" / f"eurusd-{number}"
        job.mkdir(parents=True)
        archive.pack(folder / "models" / str(number), job / "model.tar.gz")
    request = live.payload("eurusd", frames["eurusd"].iloc[-4_000:])
    (folder / "request.json").write_text(json.dumps(request))
    (folder / "params").mkdir()
    (folder / "params/real.yaml").write_text((ROOT / "params/real.yaml").read_text())
    return folder


def run(command):
    return cli.main(shlex.split(command)[1:])


def test_a_rollback_serves_the_version_before(desk, monkeypatch, capsys):
    monkeypatch.chdir(desk)
    for command in commands(PARTS["Rollback"]):
        if "cloud local" not in command:
            assert run(command) == 0, command
    store = Folder(Path("runs/registry/files"))
    status = {version.number: version.status for version in store.versions("eurusd")}
    assert status == {1: "archived", 2: "archived", 3: "approved", 4: "rejected"}
    said = capsys.readouterr().out
    assert "back from 4" in said or "worse than 3" in said


@pytest.mark.parametrize("name", ["Training failed", "Weekly retraining", "Cost", "Broken feed"])
def test_steps_that_look_are_run(desk, monkeypatch, name):
    monkeypatch.chdir(desk)
    looking = ("bqx bars", "bqx params", "bqx cost", "bqx alert --registry", "bqx registry list")
    steps = [command for command in commands(PARTS[name]) if command.startswith(looking)]
    assert steps
    for command in steps:
        assert run(command) == 0, command


@pytest.mark.platform
def test_a_lost_store_is_written_again_and_proven(desk, monkeypatch):
    monkeypatch.chdir(desk)
    verify, build, certify, *_ = commands(PARTS["Lost store"])
    assert run(build) == 0
    assert run(verify) == 0
    (lost, *_) = sorted(Path("store").rglob("*.parquet"))
    content = lost.read_bytes()
    lost.unlink()
    assert run(verify) == 2
    assert run(build) == 0
    assert lost.read_bytes() == content
    assert run(certify) == 0


@pytest.mark.platform
def test_an_endpoint_is_healed_scaled_updated_and_ended(desk, monkeypatch):
    monkeypatch.chdir(desk)
    blue = "blue=runs/cloud/training/eurusd-1/model.tar.gz"
    assert run(f"bqx cloud local deploy forecasts {blue}") == 0
    try:
        for step in ("heal forecasts", "invoke forecasts request.json", "scale forecasts"):
            command = f"bqx cloud local {step}"
            assert command in EVERY
            assert run(command) == 0, command
        (update,) = [own for own in commands(PARTS["Weekly retraining"]) if "update" in own]
        assert run(re.sub(r"--bake \d+", "--bake 1", update)) == 0
    finally:
        assert run("bqx cloud local delete forecasts") == 0
