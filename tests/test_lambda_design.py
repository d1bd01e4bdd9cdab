"""The design of functions alone as a whole: template, handlers and a bucket agree."""

import json
import os
import time

import pytest
from lambda_runtime import client, needs_client
from live_market import HORIZONS, PAIRS, bundles, fed, frames

from bqx.cloud import template
from bqx.feature_store.object_store import Folder
from bqx.market import sessions
from bqx.serving import captured, lambda_function, lambda_handlers, lambda_places
from bqx.serving.live_panel import LivePanel

BUCKET = "bqx-ml-features"
ROOT = f"s3://{BUCKET}"
FIRST, LATER = 4_000, 4_005
DEPLOYED = ("features", "predict", "precompute")


def resource(name):
    return template.functions()["Resources"][name]["Properties"]


def environment(name):
    """Variables that the template gives a function."""
    variables = resource(name.title())["Environment"]["Variables"]
    texts = {k: v if isinstance(v, str) else v["Fn::Sub"] for k, v in variables.items()}
    return {key: text.replace("${Bucket}", BUCKET) for key, text in texts.items()}


def rights(name):
    """Prefixes of the bucket that the template lets a function read, write and list."""
    (policy,) = resource(f"{name.title()}Role")["Policies"]
    allowed = {"read": set(), "write": set(), "list": set()}
    for own in policy["PolicyDocument"]["Statement"]:
        for action, kind in (("s3:GetObject", "read"), ("s3:PutObject", "write")):
            if action in own["Action"]:
                keys = [r["Fn::Sub"].removeprefix("${Bucket.Arn}/") for r in own["Resource"]]
                allowed[kind] |= {key.removesuffix("/*") for key in keys}
        if "s3:ListBucket" in own["Action"]:
            prefixes = own["Condition"]["StringLike"]["s3:prefix"]
            allowed["list"] |= {prefix.removesuffix("/*") for prefix in prefixes}
    return allowed


class Recording(dict):
    """An environment that knows which of bqx's variables were read."""

    def __init__(self, content):
        super().__init__(content)
        self.read = set()

    def get(self, key, default=None):
        self.read.add(key)
        return super().get(key, default)

    def __getitem__(self, key):
        self.read.add(key)
        return super().__getitem__(key)


@pytest.fixture
def process(monkeypatch, tmp_path):
    """Begin a new process of a function, with the template's variables."""

    def begin(name):
        monkeypatch.setattr(lambda_function, "_functions", {})
        monkeypatch.setattr(lambda_places.tempfile, "tempdir", str(tmp_path))
        monkeypatch.setattr(os, "environ", Recording({**os.environ, **environment(name)}))
        return getattr(lambda_handlers, name)

    return begin


@pytest.fixture
def touched(monkeypatch):
    """First parts of the keys that are read, written and listed."""
    seen = {"read": set(), "write": set(), "list": set()}
    for method, kind in (("read", "read"), ("write", "write"), ("listed", "list")):
        real = getattr(Folder, method)

        def told(self, path="", *rest, kind=kind, done=real, **named):
            key = f"{self.place}/{path}".removeprefix(f"{ROOT}/")
            seen[kind].add(key.partition("/")[0])
            return done(self, *([path] if path else []), *rest, **named)

        monkeypatch.setattr(Folder, method, told)
    return seen


def lines(first, last):
    """Bars of all pairs in some minutes, as a feed has them."""
    stamps = frames()["eurusd"].index[first:last]
    rows = fed(frames(), stamps)
    texts = (json.dumps({"pair": p, "ts_utc": ts.isoformat(), **bar}) for ts, p, bar in rows)
    return "\n".join(texts).encode()


def earlier(pair):
    """A bar of the last day, not the newest."""
    index = frames()[pair].index
    return index[index <= frames()["eurusd"].index[FIRST - 100]][-1]


def panel(last):
    """A live panel that has followed the same bars."""
    known = frames()["eurusd"].index[:last]
    out = LivePanel(bundles())
    sent = {pair: frame[frame.index.isin(known)] for pair, frame in frames().items()}
    minutes = {pair: sessions.epoch_minutes(frame.index) for pair, frame in sent.items()}
    out.start({pair: (minutes[pair], frame.to_numpy().T) for pair, frame in sent.items()})
    out.refresh()
    return out


@pytest.fixture(scope="module")
def bucket(s3, tmp_path_factory):
    """A stack's bucket with bundles and a feed."""
    local = tmp_path_factory.mktemp("bundles")
    for pair, bundle in bundles().items():
        bundle.save(local / pair)
    place = Folder(f"{ROOT}/{lambda_places.BUNDLES.path}")
    for path in local.rglob("*"):
        if path.is_file():
            place.write(str(path.relative_to(local)), path.read_bytes())
    feed = Folder(f"{ROOT}/{lambda_places.FEED.path}")
    feed.write("a.jsonl", lines(0, FIRST) + b"\nno bar\n")
    feed.write("note.txt", b"no feed")
    return feed


def same(answer, expected):
    assert answer["timestamp"] == expected.timestamp
    for horizon in HORIZONS:
        told = answer["predictions"][f"horizon_{horizon}"]
        assert told["value"] == expected.predictions[horizon].level
        assert told["signal"] == expected.signals[horizon].side


def test_predict_gives_what_precompute_made_of_the_feed(bucket, process, monkeypatch):
    predict, precompute = lambda_handlers.predict, lambda_handlers.precompute
    process("precompute")
    answer = precompute({"source": "aws.scheduler"}, None)
    assert answer["faults"] == {}
    assert set(answer["forecasts"]) == set(PAIRS)
    # Nothing but forecasts is read for a pair's newest bar.
    process("predict")
    for pair in PAIRS:
        same(predict({"pair": pair.upper()}, None), panel(FIRST).newest(pair))
    assert not lambda_function._functions
    newest = panel(FIRST).newest("eurusd")
    for minutes in (0, 7):
        with monkeypatch.context() as then:
            then.setattr("time.time", lambda m=minutes: 60.0 * (newest.minute + 1 + m))
            assert predict({"pair": "eurusd"}, None)["minutes_behind"] == minutes
    # S3 tells the time of a state in seconds.
    time.sleep(1.1)
    bucket.write("0.jsonl", lines(FIRST, LATER))
    process("precompute")
    assert precompute({}, None)["forecasts"] != answer["forecasts"]
    process("predict")
    later = panel(LATER)
    for pair in PAIRS:
        same(predict({"pair": pair}, None), later.newest(pair))
    ts = earlier("gbpusd")
    answer = predict({"pair": "gbpusd", "timestamp": ts.isoformat()}, None)
    same(answer, later.at("gbpusd", int(ts.timestamp()) // 60))
    answer = predict({"requestContext": {}, "body": '{"pair": "nzdchf"}'}, None)
    assert answer["statusCode"] == 404
    assert "expected one of eurgbp, eurusd, gbpusd" in answer["body"]


def events():
    """For a pair's newest bar, and for another."""
    return {"pair": "eurusd"}, {"pair": "eurusd", "timestamp": earlier("eurusd").isoformat()}


def asked(name, process):
    """Have a handler read all that it ever reads; what the environment was asked for."""
    handler = process(name)
    for event in events():
        assert "error" not in handler(event, None)
    return os.environ.read


@pytest.mark.parametrize("name", DEPLOYED)
def test_the_template_sets_what_a_handler_reads_and_no_more(bucket, process, touched, name):
    process("precompute")
    lambda_handlers.precompute({}, None)
    for keys in touched.values():
        keys.clear()
    read = asked(name, process)
    # A function that gives features is not told where forecasts are captured, so it captures none.
    untold = {captured.PLACE, captured.SHARE} if name == "features" else set()
    own = {key for key in read if key.startswith("BQX_")} - untold
    assert own == set(environment(name))
    # Where the least right is enough, and none is left over: a file is found by its folder's list.
    allowed = rights(name)
    assert touched["write"] == allowed["write"]
    assert touched["read"] == allowed["read"]
    assert touched["list"] <= allowed["list"] == allowed["read"]


def test_all_functions_of_the_template_are_handlers():
    functions = [
        r["Properties"]["ImageConfig"]["Command"]
        for r in template.functions()["Resources"].values()
        if r["Type"] == "AWS::Lambda::Function"
    ]
    assert sorted(command[1] for command in functions) == sorted(DEPLOYED)
    for verb, name in functions:
        assert verb == "lambda"
        assert callable(getattr(lambda_handlers, name))
        assert name in lambda_handlers.HANDLERS


def test_a_run_of_precompute_ends_before_bars_are_too_old_to_be_read_again():
    assert 1e9 * resource("Precompute")["Timeout"] < lambda_function.OVERLAP
    assert resource("Precompute")["ReservedConcurrentExecutions"] == 1


@pytest.mark.parametrize("pair", PAIRS[:1])
def test_a_bundle_that_was_altered_in_the_bucket_is_refused(bucket, process, pair):
    place = Folder(f"{ROOT}/bundles/{pair}")
    content = place.read("bundle.json")
    place.write("bundle.json", content.replace(b'"max_fill": 15', b'"max_fill": 16'))
    try:
        answer = process("precompute")({}, None)
    finally:
        place.write("bundle.json", content)
    assert answer["error"]["type"] == "state"


@pytest.mark.parametrize("change", [b"", b"{}", b'{"forecasts": {}, "faults": {}}', b"\x00"])
def test_altered_forecasts_are_refused(bucket, process, change):
    process("precompute")
    lambda_handlers.precompute({}, None)
    place = Folder(f"{ROOT}/newest")
    place.write("forecasts.json", change)
    answer = process("predict")({"pair": "eurusd"}, None)
    assert answer["error"]["type"] == "state"


def test_without_state_and_forecasts_predict_says_what_is_absent(bucket, process):
    for folder, name in (("state", "live.npz"), ("newest", "forecasts.json")):
        Folder(f"{ROOT}/{folder}").remove(name)
    predict = process("predict")
    for event in events():
        answer = predict(event, None)
        assert answer["error"]["type"] == "state"
        assert "cannot be read" in answer["error"]["message"]


def test_a_pair_without_enough_bars_is_told_why(bucket, process):
    """What precompute could not forecast, predict does not hide."""
    Folder(f"{ROOT}/state").remove("live.npz")
    feed = bucket.read("a.jsonl")
    bucket.remove("0.jsonl")
    bucket.write("a.jsonl", lines(0, 50))
    try:
        assert set(process("precompute")({}, None)["faults"]) == set(PAIRS)
    finally:
        bucket.write("a.jsonl", feed)
    answer = process("predict")({"pair": "eurusd"}, None)
    assert answer["error"]["type"] == "bars"
    assert "too few" in answer["error"]["message"]


@needs_client
def test_the_real_runtime_runs_both_functions_on_the_bucket(bucket, tmp_path):
    printed = tmp_path / "printed"
    with client("precompute", printed, TMPDIR=str(tmp_path), **environment("precompute")) as ask:
        assert set(ask({})["forecasts"]) == set(PAIRS)
    with client("predict", printed, TMPDIR=str(tmp_path), **environment("predict")) as ask:
        expected = panel(LATER if Folder(bucket.place).has("0.jsonl") else FIRST)
        for pair in PAIRS:
            same(ask({"pair": pair}), expected.newest(pair))
        ts = earlier("gbpusd")
        answer = ask({"pair": "gbpusd", "timestamp": ts.isoformat()})
        same(answer, expected.at("gbpusd", int(ts.timestamp()) // 60))
    assert "Traceback" not in printed.read_text()
