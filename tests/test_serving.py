import asyncio
import json
import os
import random
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import anyio
import httpx
import numpy as np
import pandas as pd
import pytest
from learned import PAIR, PARAMS, learn
from platforms import free_port

from bqx import cli
from bqx.errors import ArtefactError, BarError, RequestError
from bqx.features import catalog, lags
from bqx.features.engine.fitting import fit
from bqx.features.lags import Column
from bqx.learning import bundle, targets, training
from bqx.learning.conformal import GROUPS, Calibration
from bqx.learning.fold_fit import FoldFit
from bqx.learning.models import make
from bqx.learning.shrinkage import Evidence
from bqx.market import bars, simulated
from bqx.serving import app as app_module
from bqx.serving import live
from bqx.serving.app import app
from bqx.serving.bodies import IN_FLIGHT, LARGEST
from bqx.serving.models import Models, bundles
from bqx.serving.registry import Registry
from bqx.serving.registry_folder import Folder
from bqx.stages import registry as registry_stage

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def learned():
    return learn("strong", 1)


@pytest.fixture(scope="module")
def made(learned):
    return bundle.bundle(learned.bars, learned.result.fits[-1], PARAMS, {})


@pytest.fixture(scope="module")
def folder(made, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles")
    made.save(folder / PAIR)
    return folder


@pytest.fixture(scope="module")
def raw():
    """Raw bars with their holes, as a broker sends them."""
    return simulated.simulate("strong", (PAIR,), PARAMS.start, days=PARAMS.days, seed=1).frames[
        PAIR
    ]


@pytest.fixture(scope="module")
def history(raw, made, learned):
    """Enough raw bars up to a scored row."""
    stop = learned.bars.ts[learned.folds[-1].scored[700]]
    return raw.loc[:stop].iloc[-(made.lookback + 50) :]


@pytest.fixture(scope="module")
def client(folder):
    """A client of a real server process on the loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    code = (
        "import sys; from pathlib import Path; from bqx.serving.app import serve; "
        "serve(Path(sys.argv[1]), int(sys.argv[2]), unapproved=True)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code, str(folder), str(port)]
    with (
        subprocess.Popen(command, env=environment) as server,
        httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=60, trust_env=False) as client,
    ):
        try:
            for _ in range(900):
                try:
                    client.get("/ping")
                    break
                except httpx.ConnectError:
                    assert server.poll() is None
                    time.sleep(0.1)
            yield client
        finally:
            server.terminate()


@pytest.fixture
def request_of(history):
    return live.payload(PAIR, history)


def refused(response, status, kind, text):
    assert response.status_code == status
    error = response.json()["error"]
    assert error["type"] == kind
    assert text in error["message"]
    assert "Traceback" not in response.text


def test_a_server_says_where_it_answers(folder, monkeypatch, capsys):
    monkeypatch.setattr(app_module, "run", lambda *asked, **more: None)
    app_module.serve(folder, port := free_port(), unapproved=True)
    assert f"http://127.0.0.1:{port} answers" in capsys.readouterr().err


def test_ping_is_empty(client):
    response = client.get("/ping")
    assert (response.status_code, response.content) == (200, b"")


def test_the_answer_is_the_batch_row_exactly(client, learned, made, history, request_of):
    answer = client.post("/invocations", json=request_of).json()
    row = learned.bars.ts.get_loc(history.index[-1])
    batch = learned.result.forecasts.set_index(["ts_utc", "horizon"])["forecast"]
    assert answer["pair"] == PAIR
    assert answer["timestamp"] == history.index[-1].isoformat()
    assert answer["window"] == 15
    assert answer["columns_hash"] == made.columns_hash
    assert set(answer["predictions"]) == {"15", "45"}
    for name, prediction in answer["predictions"].items():
        target = targets.make(learned.bars, 15, int(name))
        assert prediction["innovation"] == batch[history.index[-1], int(name)]
        assert prediction["sigma"] == target.sigma[row]
        assert prediction["martingale"] == target.martingale[row] == 0.0
        assert prediction["level"] == target.sigma[row] * prediction["innovation"]
        reach = made.calibration[int(name)].at(learned.bars.minutes[[row]], target.sigma[[row]])[0]
        assert prediction["low"] == prediction["level"] - target.sigma[row] * reach
        assert prediction["low"] < prediction["level"] < prediction["high"]


def test_rows_with_holes_behind_them_answer_as_the_batch(learned, made, raw):
    batch = learned.result.forecasts.set_index(["ts_utc", "horizon"])["forecast"]
    rng = np.random.default_rng(3)
    compared = 0
    for row in rng.choice(learned.folds[-1].scored, 12, replace=False).tolist():
        stamp = learned.bars.ts[row]
        if stamp not in raw.index:
            continue
        answer = live.forecast(made, raw.loc[:stamp].iloc[-(made.lookback + 20) :])
        for name, prediction in answer["predictions"].items():
            assert prediction["innovation"] == batch[stamp, int(name)]
        compared += 1
    assert compared >= 8


def test_a_notebook_gets_the_same_answer(client, made, history, request_of):
    answer = client.post("/invocations", json=request_of).json()
    # The server says besides what the registry knows of the version.
    assert live.forecast(made, history).items() <= answer.items()


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"pickle", b"[" * 100_000, b"9" * 5_000])
def test_what_is_no_json_is_refused(client, body):
    response = client.post("/invocations", content=body)
    assert response.status_code == 400
    assert "Traceback" not in response.text


def test_an_unknown_pair_is_not_found(client, request_of):
    refused(client.post("/invocations", json=request_of | {"pair": "xxxyyy"}), 404, "pair", PAIR)


def test_a_pair_may_be_in_large_letters(client, request_of):
    answer = client.post("/invocations", json=request_of | {"pair": PAIR.upper()})
    assert answer.status_code == 200
    assert answer.json() == client.post("/invocations", json=request_of).json()


def test_a_pair_of_the_panel_may_be_in_large_letters_and_stands_once(request_of):
    lists = {name: request_of["bars"][name] for name in ("ts_utc", "close")}
    pair, _, panel = live.parse(request_of | {"panel": {"GBPUSD": lists}})
    assert (pair, list(panel)) == (PAIR, ["gbpusd"])
    with pytest.raises(RequestError, match=r"panel: wrong shape, got 'GBPUSD'; .* each once"):
        live.parse(request_of | {"panel": {"gbpusd": lists, "GBPUSD": lists}})


def test_too_large_a_body_is_refused(client):
    refused(client.post("/invocations", content=b" " * (LARGEST + 1)), 413, "size", "6,000,000")


@pytest.mark.parametrize(
    "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""]
)
def test_a_body_that_says_it_is_no_json_is_refused(client, request_of, kind):
    response = client.post(
        "/invocations", content=json.dumps(request_of), headers={"content-type": kind}
    )
    refused(response, 415, "type", "no JSON")


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "APPLICATION/JSON"])
def test_json_is_known_by_its_type_alone(client, request_of, kind):
    response = client.post(
        "/invocations", content=json.dumps(request_of), headers={"content-type": kind}
    )
    assert response.status_code == 200


@pytest.mark.parametrize("name", ["pair", "bars", "close"])
def test_a_name_twice_is_ambiguous(client, request_of, name):
    body = json.dumps(request_of).replace(f'"{name}":', f'"{name}": 1, "{name}":')
    refused(client.post("/invocations", content=body), 400, "request", f"twice, got '{name}'")


@pytest.mark.parametrize("text", ["\ud800", "eur\udfff", "\ud800" * 50])
def test_a_lone_surrogate_is_refused_wherever_it_stands(client, request_of, text):
    stamps = [text, *request_of["bars"]["ts_utc"][1:]]
    close = [text, *request_of["bars"]["close"][1:]]
    lists = {"ts_utc": [], "close": []}
    for change, status in (
        ({"pair": text}, 404),
        ({"panel": {text: lists}}, 400),
        ({"panel": {"gbpusd": {text: []}}}, 400),
        ({"bars": request_of["bars"] | {"ts_utc": stamps}}, 400),
        ({"bars": request_of["bars"] | {"close": close}}, 400),
        ({"bars": request_of["bars"] | {text: close}}, 400),
        ({text: 1}, 400),
    ):
        response = client.post("/invocations", content=json.dumps(request_of | change))
        assert response.status_code == status
        response.content.decode("utf-8")
        response.json()["error"]["message"].encode("utf-8")


@pytest.mark.parametrize("times", [100, 10, 5.5, 0.18, 0.1, 0.01, 1e9])
def test_rates_of_another_unit_than_the_bundles_are_refused(client, request_of, times):
    for name in bars.RATES:
        request_of["bars"][name] = [value * times for value in request_of["bars"][name]]
    refused(client.post("/invocations", json=request_of), 422, "bars", "no rate of this pair")


@pytest.mark.parametrize(("times", "row"), [(1.6, -1), (0.6, 1), (1.6, slice(50, None))])
def test_a_change_that_no_rate_ever_made_is_refused(client, request_of, times, row):
    for name in bars.RATES:
        values = np.array(request_of["bars"][name])
        values[row] *= times
        request_of["bars"][name] = values.tolist()
    what = "within 1.4 times of the close before it"
    refused(client.post("/invocations", json=request_of), 422, "bars", what)


@pytest.mark.parametrize("name", ["high", "low"])
def test_one_bar_of_another_unit_is_refused(client, request_of, name):
    request_of["bars"][name][-5] *= {"high": 100, "low": 0.01}[name]
    refused(client.post("/invocations", json=request_of), 422, "bars", "(1 such rows)")


def test_a_spread_in_pips_is_refused(client, request_of):
    request_of["bars"]["spread"] = [1.2] * len(request_of["bars"]["close"])
    refused(client.post("/invocations", json=request_of), 422, "bars", "in quote units")


def test_rates_that_have_moved_for_years_are_answered(made, history):
    for times in (0.4, 2.5):
        moved = history.copy()
        moved[[*bars.RATES, "spread"]] *= times
        assert live.forecast(made, moved)["predictions"]


def test_a_host_that_is_none_is_no_fault(client):
    for path in ("/", "/ping/", "/invocations/"):
        refused(client.get(path, headers={"host": "["}), 404, "http", path)


def test_other_paths_and_methods_are_json_errors(client):
    refused(client.get("/"), 404, "http", "/")
    refused(client.get("/invocations"), 405, "http", "/invocations")


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity", "1e999", '"1.1"', "null", "[]"])
def test_numbers_that_are_none_are_refused(client, request_of, number):
    request_of["bars"]["close"][5] = "here"
    body = json.dumps(request_of).replace('"here"', number)
    refused(client.post("/invocations", content=body), 400, "request", "finite number")


def changed(request, name, row, value):
    request["bars"][name][row] = value
    return request


@pytest.mark.parametrize(
    ("name", "row", "value", "text"),
    [
        ("ts_utc", 5, "2024-01-08T00:00:00Z", "before the row above"),
        ("ts_utc", 5, "2024-01-08T00:00:30Z", "before the row above"),
        ("high", 9, 0.5, "high"),
        ("close", 9, -1.0, "positive rates"),
        ("spread", 9, -1.0, "spread >= 0"),
    ],
)
def test_bars_that_break_the_schema_are_refused(client, request_of, name, row, value, text):
    body = changed(request_of, name, row, value)
    refused(client.post("/invocations", json=body), 422, "bars", text)


def test_repeated_bars_are_refused(client, request_of):
    body = changed(request_of, "ts_utc", 6, request_of["bars"]["ts_utc"][5])
    refused(client.post("/invocations", json=body), 422, "bars", "repeats the row above")


def test_too_few_bars_say_how_many_it_needs(client, made, history):
    body = live.payload(PAIR, history.iloc[-200:])
    refused(client.post("/invocations", json=body), 422, "bars", f"at least {made.lookback:,}")


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"ts_utc": ["soon"]}, "ISO times"),
        ({"ts_utc": [20240108]}, "ISO times"),
        ({"ts_utc": ["1800-01-01T00:00:00Z"]}, "from 1990"),
        ({"ts_utc": ["99999-01-01T00:00:00Z"]}, "ISO times"),
        ({"ts_utc": ["\ud800"]}, "bars: ts_utc 1: wrong shape, got '.ud800'; expected ISO times"),
        ({"ts_utc": []}, "one length"),
        ({"ts_utc": "2024-01-08T00:00:00Z"}, "one length"),
        ({"mood": [1.0]}, "maybe volume, spread"),
        ({"close": [True]}, "finite number"),
        ({"close": [10**400]}, "finite number"),
    ],
)
def test_shapes_that_are_wrong_are_refused(change, text):
    one = {name: [1.1] for name in bars.RATES} | {"ts_utc": ["2024-01-08T00:00:00Z"]}
    with pytest.raises(RequestError, match=text):
        live.parse({"pair": PAIR, "bars": one | change})


@pytest.mark.parametrize("time", ["soon", None, 5, "2024-13-01T00:00:00Z", "1800-01-01T00:00:00Z"])
def test_a_wrong_time_is_told_by_its_row(time):
    stamps = ["2024-01-08T00:00:00Z", "2024-01-08T00:01:00+00:00", time]
    one = {name: [1.1] * 3 for name in bars.RATES} | {"ts_utc": stamps}
    with pytest.raises(RequestError, match=f"bars: ts_utc 3: wrong shape, got {time!r}; expected"):
        live.parse({"pair": PAIR, "bars": one})


@pytest.mark.parametrize("content", [None, 3, [], {}, {"pair": PAIR}, {"pair": 1, "bars": {}}])
def test_what_is_no_request_is_refused(content):
    with pytest.raises(RequestError, match="wrong shape"):
        live.parse(content)


def test_decades_between_two_bars_make_no_large_grid(made, history):
    old = history.iloc[:1].copy()
    old.index = old.index - np.timedelta64(52 * 30 * 7, "D")
    start = time.perf_counter()
    with_old = live.forecast(made, pd.concat([old, history]))
    assert time.perf_counter() - start < 2
    assert with_old == live.forecast(made, history)


def test_a_closed_market_is_refused(made, history):
    shifted = history.copy()
    shifted.index = shifted.index + np.timedelta64(60 * 31, "m")
    with pytest.raises(BarError, match="the market is closed"):
        live.forecast(made, shifted)


def test_parse_undoes_payload(history):
    pair, sent, _ = live.parse(json.loads(json.dumps(live.payload(PAIR, history))))
    assert pair == PAIR
    assert (history[list(bars.COLUMNS)].to_numpy() == sent.columns.T).all()
    assert (sent.stamps == history.index.as_unit("ns").asi8).all()


OTHERS = ("gbpusd", "eurgbp")


@pytest.fixture(scope="module")
def crossed():
    """A bundle whose columns read two other pairs, its bars, and what the feeds sent."""
    start, days = PARAMS.start, 21
    sent = simulated.simulate("strong", (PAIR, *OTHERS), start, days=days, seed=2).frames
    grids = bars.align(sent)
    rows = np.arange(3_000, 12_000, 7)
    columns = tuple(
        Column(feature) for feature in catalog.profile("full") if feature.source.key == "triangle"
    )
    fits = fit(grids[PAIR], [c.feature for c in columns], rows)
    x = lags.matrix(grids[PAIR], columns, rows, fits)
    y = np.random.default_rng(0).normal(size=len(rows))
    settings = {"n_estimators": 20, "max_depth": 3, "learning_rate": 0.3}
    model = make(training.MODEL, PARAMS, **settings).fit(x, y[:, None])
    taught = FoldFit(
        number=0,
        columns=columns,
        fits=fits,
        evidence=Evidence(9.0, {15: 1.0}),
        model=model,
        calibration={15: Calibration((1e-4, 2e-4), (np.nan,) * GROUPS, 1.0, 0.9)},
        trained_until=grids[PAIR].ts[12_000],
        rows=len(rows),
        seconds=0.0,
        peak_mb=0.0,
        validated=pd.DataFrame(),
    )
    made = bundle.bundle(grids[PAIR], taught, PARAMS.model_copy(update={"horizons": (15,)}), {})
    return made, grids[PAIR], sent


def test_columns_that_read_other_pairs_answer_as_the_batch(crossed, tmp_path):
    made, grid, sent = crossed
    made.save(tmp_path / PAIR)
    loaded = bundle.load(tmp_path / PAIR)
    assert set(loaded.panel) == set(OTHERS)
    moved = set()
    for row in np.random.default_rng(1).integers(13_000, 14_000, 40).tolist():
        stamp = grid.ts[row]
        if any(stamp not in sent[pair].index for pair in (PAIR, *OTHERS)):
            continue
        x = lags.matrix(grid, made.columns, np.array([row]), made.fits)
        first = grid.ts[row + 1 - loaded.lookback]
        history = sent[PAIR].loc[first - pd.Timedelta(minutes=30) : stamp]
        panel = {pair: sent[pair].loc[history.index[0] :, "close"] for pair in OTHERS}
        body = json.loads(json.dumps(live.payload(PAIR, history, panel)))
        answer = live.forecast(loaded, *live.parse(body)[1:])
        innovation = answer["predictions"]["15"]["innovation"]
        assert innovation == float(made.model.predict(x)[0, 0])
        assert answer["predictions"]["15"]["low"] is None
        moved.add(innovation)
    assert len(moved) > 10


@pytest.mark.parametrize("times", [100, 0.1])
def test_a_panel_of_another_unit_is_refused(crossed, times):
    made, _, sent = crossed
    panel = {pair: sent[pair]["close"] for pair in OTHERS}
    panel["eurgbp"] = panel["eurgbp"] * times
    with pytest.raises(BarError, match="panel of eurgbp .*no rate of this pair"):
        live.forecast(made, sent[PAIR], panel)


@pytest.mark.parametrize("given", [(), ("gbpusd",)])
def test_a_panel_that_is_needed_is_asked_for(crossed, given):
    made, _, sent = crossed
    panel = {pair: sent[pair]["close"] for pair in given}
    with pytest.raises(RequestError, match="panel: .* expected closes of eurgbp, gbpusd"):
        live.forecast(made, sent[PAIR], panel)


@pytest.mark.parametrize(
    ("panel", "text"),
    [
        ([], "panel: wrong shape"),
        ({"xxxyyy": {"ts_utc": [], "close": []}}, "panel: wrong shape, got 'xxxyyy'"),
        ({"gbpusd": {"ts_utc": []}}, "panel gbpusd: wrong shape"),
        ({"gbpusd": {"ts_utc": ["2024-01-08T00:00:00Z"], "close": [None]}}, "finite number"),
    ],
)
def test_a_panel_of_another_shape_is_refused(history, panel, text):
    with pytest.raises(RequestError, match=text):
        live.parse(live.payload(PAIR, history.iloc[-3:]) | {"panel": panel})


def test_hostile_requests_never_break_the_server(client, history):
    rng = random.Random(0)
    small = live.payload(PAIR, history.iloc[-3:])
    values = [None, -1, 0, 1e308, 10**30, "", "x", [], {}, True, [[]], "2024-13-01", "\u0000", PAIR]
    for _ in range(400):
        body = json.loads(json.dumps(small))
        for _ in range(rng.randint(1, 3)):
            place = rng.choice([body, body["bars"], body["bars"]])
            key = rng.choice([*place, "other"])
            if isinstance(place, dict) and isinstance(place.get(key), list) and rng.random() < 0.6:
                place[key][rng.randrange(len(place[key])) if place[key] else 0 :] = [
                    rng.choice(values)
                ]
            else:
                place[key] = rng.choice(values)
            if not isinstance(body.get("bars"), dict) or not body["bars"]:
                break
        response = client.post("/invocations", json=body)
        assert 400 <= response.status_code < 500, body
        assert response.json()["error"]["message"]


def test_an_answer_says_what_the_registry_says_at_the_moment(made, request_of, tmp_path):
    store = Folder(tmp_path / "registry")
    registry = Registry(store, "a quant")
    for number in (1, 2):
        replace(made, metrics={"number": number}).save(tmp_path / str(number))
        registry.register(PAIR, str(tmp_path / str(number)), {"horizons": [15]})
    first, second = store.versions(PAIR)
    registry.approve(first)
    transport = httpx.ASGITransport(app(Models(store.folder)))

    async def post():
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            return await client.post("/invocations", json=request_of)

    def standing():
        answer = anyio.run(post).json()
        return answer["version"], answer["status"], answer["approved_horizons"]

    assert standing() == (1, "approved", [15])
    registry.approve(second)
    assert standing() == (2, "approved", [15])
    registry.reject(second, ["worse"])
    refused(anyio.run(post), 404, "pair", "expected one of none at present")
    registry.approve(first)
    assert standing() == (1, "approved", [15])
    log = store.folder / "audit.jsonl"
    log.write_text(log.read_text().replace("worse", "wrong"))
    refused(anyio.run(post), 503, "registry", "altered")


@pytest.fixture
def application(folder):
    return app(Models(folder, unapproved=True))


def asked(application, request_of, before):
    """Answer of an application to a request that comes after something else."""

    async def post():
        before(application.state)
        await anyio.sleep(0.01)
        transport = httpx.ASGITransport(application)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            return await client.post("/invocations", json=request_of)

    return anyio.run(post)


def test_more_bytes_than_may_be_in_flight_are_refused(application, request_of):
    def full(state):
        state.in_flight = IN_FLIGHT - 1_000

    refused(asked(application, request_of, full), 429, "busy", "too many bytes")
    # What was refused is in flight no more.
    assert application.state.in_flight == IN_FLIGHT - 1_000
    assert asked(application, request_of, lambda state: setattr(state, "in_flight", 0)).is_success
    assert application.state.in_flight == 0


def test_a_request_waits_for_those_before_it_but_not_for_ever(application, request_of, monkeypatch):
    def never_done(state):
        state.another = asyncio.get_running_loop().create_task(state.turn.acquire())

    monkeypatch.setattr("bqx.serving.app.WAIT", 0.05)
    refused(asked(application, request_of, never_done), 429, "busy", "requests: too many")


def test_a_folder_without_bundles_is_an_error(tmp_path):
    with pytest.raises(ArtefactError, match="no bundle"):
        Models(tmp_path)


@pytest.mark.parametrize("port", [-1, 0, 65_536, 10**12])
def test_a_port_that_is_none_is_one_line(folder, port, capsys):
    assert cli.main(["serve", str(folder), "--unapproved", "--port", str(port)]) == 2
    printed = capsys.readouterr().err
    assert f"got {port}; expected 1 to 65535" in printed
    assert printed.count("\n") == 1


def test_a_port_in_use_is_one_line(folder, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert cli.main(["serve", str(folder), "--unapproved", "--port", str(port)]) == 2
    printed = capsys.readouterr().err
    assert f"got {port} (Address already in use)" in printed
    assert printed.count("\n") == 1


def test_bundles_that_no_registry_approved_are_served_on_request_only(folder, capsys):
    assert cli.main(["serve", str(folder), "--port", "9"]) == 2
    assert "--unapproved serves them all the same" in capsys.readouterr().err


def test_one_bundles_own_folder_can_be_served(folder):
    assert list(bundles(folder / PAIR)) == [PAIR]


def test_the_gate_times_all_that_a_client_waits_for(made, learned, monkeypatch):
    bars_of_pair = {PAIR: learned.bars}
    alone = registry_stage.latency(made, bars_of_pair)
    parse = live.parse

    def slow(content):
        end = time.process_time() + 0.03
        while time.process_time() < end:
            pass
        return parse(content)

    monkeypatch.setattr(live, "parse", slow)
    assert registry_stage.latency(made, bars_of_pair) > 30 > alone
