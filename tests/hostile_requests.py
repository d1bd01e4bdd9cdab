"""Kinds of requests that a server on the internet gets, as bytes of one connection.

A kind is a function of a random generator and a good request (the decoded JSON of an answerable
one) that gives what a client sends before it waits for the server.
"""

import gzip
import json
import struct

POST = b"POST /invocations HTTP/1.1\r\n"
JSON = b"content-type: application/json\r\n"
BOMB = gzip.compress(b"0" * 10_000_000)
PIPELINED = 20
SURROGATE = "\ud800"


def post(body, *headers, length=None):
    """A whole request with a body, on a connection that goes on."""
    lines = b"".join(header + b"\r\n" for header in (b"host: x", *headers))
    if not any(b"content-type" in header.lower() for header in headers):
        lines += JSON
    size = len(body) if length is None else length
    return POST + lines + b"content-length: %d\r\n\r\n" % size + body


def get(path=b"/ping", *headers, method=b"GET", version=b"HTTP/1.1"):
    """A request without a body."""
    lines = b"".join(header + b"\r\n" for header in (headers or (b"host: x",)))
    return method + b" " + path + b" " + version + b"\r\n" + lines + b"\r\n"


def small(good, rows=3):
    """A short copy of the good request, which may be altered."""
    lists = {name: list(values[-rows:]) for name, values in good["bars"].items()}
    return {"pair": good["pair"], "bars": lists}


def encoded(content):
    """JSON as Python writes it, NaN and lone surrogates included."""
    return json.dumps(content).encode()


def good_request(rng, good):
    return post(encoded(good))


def garbage(rng, good):
    return rng.randbytes(rng.randrange(1, 3_000))


def garbage_body(rng, good):
    return post(rng.randbytes(rng.randrange(3_000)))


def flipped(rng, good):
    body = bytearray(encoded(small(good)))
    for _ in range(rng.randrange(1, 5)):
        body[rng.randrange(len(body))] ^= 1 << rng.randrange(8)
    return post(bytes(body))


def half_a_header(rng, good):
    whole = post(encoded(small(good)))
    return whole[: rng.randrange(1, whole.index(b"\r\n\r\n"))]


def half_a_body(rng, good):
    whole = post(encoded(good))
    return whole[: rng.randrange(whole.index(b"\r\n\r\n") + 4, len(whole))]


def length_that_lies(rng, good):
    length = rng.choice([0, 1, 10**7, 10**12, 10**19, 10**30])
    return post(encoded(small(good)), length=length)


def length_that_is_none(rng, good):
    word = rng.choice([b"-1", b"+3", b"0x10", b"1e3", b"", b"3, 4", b"\xff", b"1" * 30])
    return POST + b"host: x\r\n" + JSON + b"content-length: " + word + b"\r\n\r\n{}"


def oversized_body(rng, good):
    return post(b" " * (6_000_001 + rng.randrange(100)))


def body_at_the_limit(rng, good):
    filler = rng.choice([b"[]", b"{}", b"0", b'""', b"1.5"])
    return post(b"[" + (filler + b",") * (5_900_000 // (len(filler) + 1)) + filler + b"]")


def many_rows(rng, good):
    rows = 5_000
    lists = {name: (values * rows)[:rows] for name, values in good["bars"].items()}
    return post(encoded({"pair": good["pair"], "bars": lists}))


def oversized_header(rng, good):
    return get(b"/ping", b"host: x", b"x: " + b"a" * rng.choice([20_000, 300_000]))


def many_headers(rng, good):
    return get(b"/ping", *(b"x-%d: %d" % (number, number) for number in range(400)))


def deep_json(rng, good):
    depth = rng.choice([50, 900, 990, 1_000, 100_000])
    opened, closed = rng.choice([(b"[", b"]"), (b'{"a":', b"}")])
    deep = opened * depth + rng.choice([b"1", b""]) + closed * rng.choice([0, depth])
    place = rng.choice([b"%s", b'{"pair":%s,"bars":{}}', b'{"pair":"eurusd","bars":%s}'])
    return post(place % deep)


def deep_values(rng, good):
    content = small(good)
    content["bars"][rng.choice(list(content["bars"]))][0] = "deep"
    depth = rng.randrange(950, 1_000)
    return post(encoded(content).replace(b'"deep"', b"[" * depth + b"]" * depth))


def numbers_that_are_none(rng, good):
    content = small(good)
    content["bars"][rng.choice(["open", "high", "low", "close", "volume"])][1] = "here"
    word = rng.choice([b"NaN", b"Infinity", b"-Infinity", b"1e999", b"-1e999", b"1e-999", b"-0"])
    return post(encoded(content).replace(b'"here"', word))


def gigantic_numbers(rng, good):
    content = small(good)
    content["bars"][rng.choice(list(content["bars"]))][1] = "here"
    word = b"9" * rng.choice([20, 400, 4_300, 4_301, 50_000])
    return post(encoded(content).replace(b'"here"', rng.choice([b"", b"-"]) + word))


def lone_surrogates(rng, good):
    content = small(good)
    text = rng.choice([SURROGATE, "eur" + SURROGATE, "\udfff\ud800", SURROGATE * 100])
    where = rng.randrange(6)
    if where == 0:
        content["pair"] = text
    elif where == 1:
        content["panel"] = {text: {"ts_utc": [], "close": []}}
    elif where == 2:
        content["bars"]["ts_utc"][1] = text
    elif where == 3:
        content[text] = 1
    elif where == 4:
        content["bars"][text] = [1, 2, 3]
    else:
        content["bars"]["close"][1] = text
    return post(encoded(content))


def names_twice(rng, good):
    body = encoded(small(good))
    twice = rng.choice([b'"pair":"gbpusd",', b'"bars":{},', b'"bars":3,', b'"x":1,"x":2,'])
    return post(rng.choice([b"{" + twice + body[1:], body[:-1] + b"," + twice[:-1] + b"}"]))


VALUES = (None, -1, 0, 1e308, 10**30, "", "x", [], {}, True, [[]], "2024-13-01", "\0", "eurusd")


def wrong_types(rng, good):
    content = small(good)
    for _ in range(rng.randrange(1, 4)):
        place = rng.choice([content, content.get("bars"), content.get("bars")])
        if not isinstance(place, dict):
            break
        key = rng.choice([*place, "other", ""])
        if isinstance(place.get(key), list) and place[key] and rng.random() < 0.6:
            place[key][rng.randrange(len(place[key]))] = rng.choice(VALUES)
        else:
            place[key] = rng.choice(VALUES)
    return post(encoded(content))


def wrong_lengths(rng, good):
    content = small(good)
    name = rng.choice(list(content["bars"]))
    content["bars"][name] = content["bars"][name][: rng.randrange(3)]
    return post(encoded(content))


def wrong_times(rng, good):
    content = small(good)
    words = (
        "2024-01-08T09:30:00+99:99",
        "1677-01-01",
        "2262-04-12T00:00Z",
        "2024-01-08",
        "24:00",
        "2024-W01-1",
        "2024-001",
        "now",
        "today",
        "NaT",
        "nan",
        "9" * 400,
        "2024-01-08T09:30:00Z\0",
        "2024-01-08T09:30:60Z",
        "\u0662\u0660\u0662\u0664-01-08",
        "2024-01-08T09:30:00.123456789123Z",
        "-2024-01-08",
        "2024-02-30",
        "0000-00-00",
        "1e9",
        " ",
        "2024-01-08T09:30:00+00:00:00",
    )
    for _ in range(rng.randrange(1, 4)):
        content["bars"]["ts_utc"][rng.randrange(3)] = rng.choice(words)
    return post(encoded(content))


def another_scale(rng, good):
    content = small(good, 700)
    times = rng.choice([100, 10, 0.1, 0.01, 1e6, 1e-9, 1e13])
    for name in ("open", "high", "low", "close"):
        content["bars"][name] = [value * times for value in content["bars"][name]]
    return post(encoded(content))


def broken_bars(rng, good):
    content = small(good, 400)
    name = rng.choice(["open", "high", "low", "close", "spread", "volume"])
    if name in content["bars"]:
        content["bars"][name][rng.randrange(400)] *= rng.choice([-1, 0, 3, 1e12, 1e-12])
    return post(encoded(content))


def panels(rng, good):
    content = small(good)
    one = {"ts_utc": content["bars"]["ts_utc"], "close": content["bars"]["close"]}
    names = rng.choice(
        [["gbpusd"], ["x"] * 1, [f"{n}" for n in range(5_000)], ["eurusd", "EURUSD", "\0", ""]]
    )
    content["panel"] = rng.choice([dict.fromkeys(names, one), [], None, {"gbpusd": {}}, {"": one}])
    return post(encoded(content))


def other_encodings(rng, good):
    text = json.dumps(small(good))
    return post(text.encode(rng.choice(["utf-16", "utf-32", "utf-8-sig", "utf-7", "cp037"])))


def content_types(rng, good):
    word = rng.choice(
        [
            b"text/plain",
            b"",
            b"application/x-www-form-urlencoded",
            b"multipart/form-data",
            b"\xff",
            b"application/json; charset=utf-99",
            b"application/json" * 500,
            b";;;",
            b"APPLICATION/JSON",
        ]
    )
    return post(encoded(small(good)), b"content-type: " + word)


def compressed(rng, good):
    return post(rng.choice([BOMB, gzip.compress(encoded(small(good)))]), b"content-encoding: gzip")


def pipelined(rng, good):
    whole = [get(), post(encoded(small(good))), get(b"/nothing"), post(b"{")]
    return b"".join(rng.choice(whole) for _ in range(PIPELINED))


def chunked(rng, good):
    body = encoded(small(good))
    size = rng.choice([1, 7, 100, len(body)])
    pieces = [body[start : start + size] for start in range(0, len(body), size)]
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces)
    return chunked_head() + chunks + b"0\r\n\r\n"


def chunked_head(*headers):
    lines = b"".join(header + b"\r\n" for header in headers)
    return POST + b"host: x\r\n" + JSON + lines + b"transfer-encoding: chunked\r\n\r\n"


def broken_chunks(rng, good):
    return chunked_head() + rng.choice(
        [
            b"zz\r\n{}\r\n0\r\n\r\n",
            b"-1\r\n{}",
            b"ffffffffffffffffff\r\n{}",
            b"2\r\n{}XX0\r\n\r\n",
            b"2\n{}\n0\n\n",
            b"2;" + b"a" * 30_000 + b"\r\n{}\r\n0\r\n\r\n",
            b"2\r\n{",
            b"\r\n\r\n",
            b"0" * 20_000 + b"2\r\n{}\r\n0\r\n\r\n",
            b"2\r\n{}\r\n0\r\nx: " + b"y" * 30_000 + b"\r\n\r\n",
            b"2 \r\n{}\r\n0\r\n\r\n",
            b"0x2\r\n{}\r\n0\r\n\r\n",
            b"2\r\n{}\r\n0\r\nx y: 1\r\n\r\n",
        ]
    )


def smuggled(rng, good):
    inner = get(b"/smuggled")
    return rng.choice(
        [
            chunked_head(b"content-length: 4") + b"0\r\n\r\n" + inner,
            POST + b"host: x\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}" + inner,
            POST + b"host: x\r\ntransfer-encoding: xchunked\r\n\r\n0\r\n\r\n" + inner,
            POST + b"host: x\r\ntransfer-encoding : chunked\r\n\r\n0\r\n\r\n" + inner,
            POST + b"host: x\r\ntransfer-encoding: chunked\r\ntransfer-encoding: identity\r\n\r\n0",
            POST + b"host: x\r\ncontent-length: 2\n\n{}" + inner,
            POST + b"host: x\r\n\rcontent-length: 9\r\n\r\n" + inner,
        ]
    )


def broken_headers(rng, good):
    line = rng.choice(
        [
            b"no colon",
            b": no name",
            b"a b: 1",
            b"x: 1\r\n y: 2",
            b"\xff\xfe: 1",
            b"x: \xff\0\x01",
            b"x:\0",
            b"x\0: 1",
            b"x: " + b"\t" * 5_000,
            b"x: 1\r",
            b"\x7f: 1",
            b"content-length: 0",
        ]
    )
    return get(b"/ping", b"host: x", line)


def hosts(rng, good):
    lines = rng.choice(
        [
            (b"x: y",),
            (b"host: x", b"host: y"),
            (b"host: [",),
            (b"host: [::1",),
            (b"host: ",),
            (b"host: x/../y?z#a",),
            (b"host: \xff",),
            (b"host: a:99999999999",),
            (b"host: " + b"a" * 9_000,),
        ]
    )
    return get(rng.choice([b"/ping", b"/nothing", b"/ping/", b"/invocations/"]), *lines)


def methods(rng, good):
    method = rng.choice(
        [
            b"TRACE",
            b"CONNECT",
            b"OPTIONS",
            b"PUT",
            b"HEAD",
            b"get",
            b"G" * 9_000,
            b"PRI",
            b"G\0T",
            b"",
        ]
    )
    return get(rng.choice([b"/ping", b"/invocations", b"*", b"x:1"]), method=method)


def paths(rng, good):
    path = rng.choice(
        [
            b"/../../etc/passwd",
            b"/%00",
            b"/%ff%fe",
            b"/" + b"a" * 15_000,
            b"http://x/ping",
            b"//ping",
            b"/ping?" + b"a=b&" * 3_000,
            b"/\xff",
            b"",
            b"ping",
            b"/%",
            b"/%ed%a0%80",
            b"/ping#a",
            b"/\t",
            b"/ping%0d%0aset-cookie: a",
            b"http://[/",
            b"/" + "\u2028".encode(),
            b"/ping HTTP/1.1 x",
        ]
    )
    return get(path)


def versions(rng, good):
    return rng.choice(
        [
            b"GET /ping\r\n",
            get(version=b"HTTP/0.9"),
            get(version=b"HTTP/1.0"),
            get(version=b"HTTP/2.0"),
            get(version=b"HTTP/1.1111"),
            get(version=b"HTP"),
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 500,
            b"SSH-2.0-x\r\n",
            struct.pack("!I", 2**31) * 10,
            b"\r\n" * 50 + get(),
            b"\n\n\n",
        ]
    )


def upgrades(rng, good):
    return get(
        b"/ping",
        b"host: x",
        b"connection: upgrade, http2-settings",
        b"http2-settings: AAMAAABk",
        rng.choice([b"upgrade: websocket", b"upgrade: h2c", b"upgrade: \xff"]),
        b"sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==",
        b"sec-websocket-version: 13",
    )


def expectations(rng, good):
    word = rng.choice([b"100-continue", b"100-CONTINUE", b"200-ok", b""])
    whole = post(encoded(small(good)), b"expect: " + word)
    return rng.choice([whole, whole[: whole.index(b"\r\n\r\n") + 4]])


def forwarded(rng, good):
    word = rng.choice([b"999.1.1.1", b"[", b"a" * 8_000, b"1.1.1.1," * 900, b"\xff", b"unix:"])
    return get(b"/ping", b"host: x", b"x-forwarded-for: " + word, b"x-forwarded-proto: " + word)


def nulls(rng, good):
    body = encoded(small(good))
    place = rng.randrange(len(body))
    return post(body[:place] + b"\0" * rng.choice([1, 100]) + body[place:])


LARGE = (oversized_body, body_at_the_limit, many_rows, deep_json)
"""Kinds that cost the server or the client much; a small share of all."""

KINDS = (
    good_request,
    garbage,
    garbage_body,
    flipped,
    half_a_header,
    half_a_body,
    length_that_lies,
    length_that_is_none,
    oversized_header,
    many_headers,
    deep_values,
    numbers_that_are_none,
    gigantic_numbers,
    lone_surrogates,
    names_twice,
    wrong_types,
    wrong_lengths,
    wrong_times,
    another_scale,
    broken_bars,
    panels,
    other_encodings,
    content_types,
    compressed,
    pipelined,
    chunked,
    broken_chunks,
    smuggled,
    broken_headers,
    hosts,
    methods,
    paths,
    versions,
    upgrades,
    expectations,
    forwarded,
    nulls,
    *LARGE,
)
