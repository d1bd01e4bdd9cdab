"""The documents' checklist: a function a line, which reads what was recorded or computes it."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bqx.cloud import template
from bqx.errors import BqxError
from bqx.files import read_regular
from bqx.market.pairs import LIQUIDITY
from bqx.readiness import drill, load
from bqx.readiness.check import Check, Evidence, Question
from bqx.readiness.rollout import AVAILABILITY, PHASES, Rollout, captured
from bqx.runs import artefacts
from bqx.serving.registry_folder import Folder

LATENCY = {"P50": 100.0, "P99": 250.0}
"""Most milliseconds of a forecast, of the documents."""
SCALING = 3.0
"""Times of the usual load that autoscaling must reach."""
OPEN_ACTIONS = (
    *("ecr:GetAuthorizationToken", "xray:PutTraceSegments", "cloudwatch:PutMetricData"),
    *("ec2:CreateNetworkInterface", "ec2:CreateNetworkInterfacePermission"),
    *("ec2:DeleteNetworkInterface", "ec2:DeleteNetworkInterfacePermission"),
    *("ec2:DescribeNetworkInterfaces", "ec2:DescribeDhcpOptions", "ec2:DescribeVpcs"),
    *("ec2:DescribeSecurityGroups", "ec2:DescribeSubnets"),
)
"""Actions for which AWS knows no narrower resource."""
RUNBOOKS = ("deployment", "rollback", "troubleshooting")


def models_judged(evidence: Evidence) -> Check:
    """A judged version of every pair."""
    what, how = "a model of each of 28 pairs, tested by the gate", "bqx run FILE --out DIR"
    if evidence.registry is None:
        return Check.of(what, None, "no registry named", how)
    versions = Folder(evidence.registry)
    judged = [
        pair
        for pair in LIQUIDITY
        if any(version.status != "pending" for version in versions.versions(pair))
    ]
    approved = [
        pair
        for pair in judged
        if any(version.status == "approved" for version in versions.versions(pair))
    ]
    counts = f"{len(judged)} judged, {len(approved)} approved"
    return Check.of(what, len(judged) == len(LIQUIDITY), counts, how)


def information(evidence: Evidence) -> Check:
    """A claim of information that holds."""
    what, how = "forecasts carry information beyond the martingale", "bqx run FILE --out DIR"
    verdict = evidence.json(evidence.run, artefacts.VERDICT.path())
    if not verdict:
        return Check.of(what, None, "no finished run named", how)
    claim = verdict["information"]
    return Check.of(what, claim["claimed"], f"t {claim['t']:.2f}, bound {claim['bound']:.2f}", how)


def ledger(evidence: Evidence) -> Check:
    """No trial was taken out."""
    what, how = "the ledger of trials is whole", "bqx run FILE --out DIR"
    verdict = evidence.json(evidence.run, artefacts.VERDICT.path())
    if not verdict:
        return Check.of(what, None, "no finished run named", how)
    faults = verdict["ledger"]["faults"]
    return Check.of(what, not faults, faults[0] if faults else "no fault", how)


def latency(evidence: Evidence) -> Check:
    """Latencies of the benchmark, all pairs at once."""
    what, how = "latency below 100 ms (P50) and 250 ms (P99)", "make bench"
    modules: Iterable[Any] = evidence.json(evidence.book, "benchmarks.json").values()
    goals = {g["what"]: g["found"] for m in modules for g in m.get("goals", ())}
    named = {name: f"28 x 5 forecasts over HTTP, {name}" for name in LATENCY}
    if not set(named.values()) <= set(goals):
        return Check.of(what, None, "no benchmark recorded", how)
    percentiles = {name: float(goals[goal]) for name, goal in named.items()}
    passed = all(percentiles[name] <= most for name, most in LATENCY.items())
    return Check.of(what, passed, ", ".join(f"{k} {v:.3g} ms" for k, v in percentiles.items()), how)


def load_test(evidence: Evidence) -> Check:
    """Three times the peak for ten minutes."""
    rate, minutes = load.PEAK * load.TIMES, load.MINUTES
    what = f"{rate:.0f} requests a second for {minutes:.0f} minutes, P99 below 250 ms"
    how = "bqx ready load URL"
    record = evidence.json(evidence.records, load.RECORD)
    if not record:
        return Check.of(what, None, "no load test recorded", how)
    asked = record["rate"] >= rate and record["seconds"] >= minutes * 60.0
    passed = asked and not record["failed"] and record["p99"] <= LATENCY["P99"]
    spent = (
        f"P99 {record['p99']:.3g} ms" if record["failed"] < record["sent"] else "nobody answered"
    )
    measured = (
        f"{record['rate']:.0f} a second for {record['seconds']:.0f} s: {record['failed']} of "
        f"{record['sent']:,} failed, {spent}"
    )
    return Check.of(what, passed, measured, how)


def availability(evidence: Evidence) -> Check:
    """Share of the captured requests that the server answered."""
    what, how = f"{AVAILABILITY:.1%} of requests answered", "bqx serve with a capture"
    if evidence.capture is None:
        return Check.of(what, None, "no capture named", how)
    rows = captured(evidence.capture, since=0.0)
    status = rows.loc[rows["kind"] == "answer", "status"].astype(float)
    if status.empty:
        return Check.of(what, None, "no answer captured", how)
    share = float((status < 500).mean())
    return Check.of(what, share >= AVAILABILITY, f"{share:.3%} of {len(status):,}", how)


def scaling(evidence: Evidence) -> Check:
    """Autoscaling of the endpoint's template."""
    targets = _resources("endpoint", "ApplicationAutoScaling::ScalableTarget")
    what, how = "autoscaling reaches three times the smallest fleet", "bqx cloud template endpoint"
    if not targets:
        return Check.of(what, False, "no target", how)
    least, most = (targets[0][name] for name in ("MinCapacity", "MaxCapacity"))
    return Check.of(what, most >= SCALING * least, f"{least} to {most} instances", how)


def rights(evidence: Evidence) -> Check:
    """Roles that may do no more than they need."""
    broad = []
    for design in template.DESIGNS:
        for role in _resources(design, "IAM::Role"):
            for policy in role["Policies"]:
                for statement in policy["PolicyDocument"]["Statement"]:
                    everywhere = "*" in statement["Resource"] and not set(statement["Action"]) <= {
                        *OPEN_ACTIONS
                    }
                    if everywhere or any("*" in action for action in statement["Action"]):
                        broad.append(statement["Action"][0])
    broadest = f"{broad[0]} and others are too broad" if broad else "no broad action or resource"
    return Check.of(
        "rights are the least that work", not broad, broadest, "bqx cloud template NAME"
    )


def network(evidence: Evidence) -> Check:
    """Models and functions within the VPC."""
    outside = [
        (design, kind)
        for design in template.DESIGNS
        for kind in ("SageMaker::Model", "Lambda::Function")
        for resource in _resources(design, kind)
        if not resource.get("VpcConfig")
    ]
    count = f"{len(outside)} outside"
    return Check.of(
        "all that computes is in the VPC", not outside, count, "bqx cloud template NAME"
    )


def encryption(evidence: Evidence) -> Check:
    """Encryption at rest and on the way."""
    open_places = []
    for design in template.DESIGNS:
        for bucket in _resources(design, "S3::Bucket"):
            if not bucket.get("BucketEncryption"):
                open_places.append(f"bucket of {design}")
        for table in _resources(design, "DynamoDB::Table"):
            if not table.get("SSESpecification", {}).get("SSEEnabled"):
                open_places.append(f"table of {design}")
        policies = _resources(design, "S3::BucketPolicy")
        if not any("aws:SecureTransport" in str(policy) for policy in policies):
            open_places.append(f"transport of {design}")
    protection = open_places[0] if open_places else "keys at rest, TLS on the way"
    what = "all is encrypted, at rest and on the way"
    return Check.of(what, not open_places, protection, "bqx cloud template NAME")


def alerts(evidence: Evidence) -> Check:
    """Alarms of the template; that they reach somebody is tested by their own command."""
    alarms = _resources("endpoint", "CloudWatch::Alarm")
    how = "bqx cloud template endpoint"
    return Check.of("alarms are defined", bool(alarms), f"{len(alarms)} alarms", how)


def runbooks(evidence: Evidence) -> Check:
    """Pages that say what to do."""
    what, how = f"runbooks of {', '.join(RUNBOOKS)}", "book/"
    if evidence.book is None:
        return Check.of(what, None, "no book named", how)
    heads = [
        line.lower()
        for path in sorted(evidence.book.glob("*.md"))
        for line in read_regular(path).decode().splitlines()
        if line.startswith("#")
    ]
    absent = [name for name in RUNBOOKS if not any(name in head for head in heads)]
    return Check.of(
        what, not absent, f"absent: {', '.join(absent)}" if absent else "all there", how
    )


def disaster(evidence: Evidence) -> Check:
    """The drill's recovery time and point."""
    what = "recovery within 15 minutes, of all but the last hour"
    drills = evidence.json(evidence.records, drill.RECORD)
    if not drills:
        return Check.of(what, None, "no drill recorded", "bqx ready drill FOLDER BACKUP")
    passed = all(
        d["whole"] and d["rto"] <= drill.RTO and d["rpo"] <= drill.RPO for d in drills.values()
    )
    results = ", ".join(
        f"{name}: back in {d['rto']:.1f} s, {d['rpo']:.0f} s lost" for name, d in drills.items()
    )
    return Check.of(what, passed, results, "bqx ready drill FOLDER BACKUP")


def rollout(evidence: Evidence) -> Check:
    """All phases signed."""
    what, how = (
        f"rollout of {' -> '.join(str(len(p)) for p in PHASES.values())} pairs, signed",
        ("bqx ready rollout show"),
    )
    if evidence.records is None:
        return Check.of(what, None, "no records named", how)
    reached = Rollout(evidence.records).reached
    return Check.of(what, reached == max(PHASES) if reached else None, f"phase {reached} of 3", how)


def _resources(design: str, kind: str) -> list[dict[str, Any]]:
    """Properties of a design's resources of a kind."""
    resources = template.DESIGNS[design]()["Resources"].values()
    return [r["Properties"] for r in resources if r["Type"] == f"AWS::{kind}"]


QUESTIONS: tuple[Question, ...] = (
    *(models_judged, information, ledger, latency, load_test, availability, scaling, alerts),
    *(rights, network, encryption, runbooks, disaster, rollout),
)


def answered(evidence: Evidence) -> list[Check]:
    """Every line of the checklist; a record that cannot be read fails its line."""
    checks = []
    for question in QUESTIONS:
        try:
            checks.append(question(evidence))
        except (BqxError, OSError, LookupError, TypeError, ValueError, AttributeError) as error:
            what = (question.__doc__ or "").strip().rstrip(".")
            is_told = isinstance(error, BqxError)
            why = str(error) if is_told else f"altered, got {type(error).__name__} in its record"
            checks.append(Check.of(what, False, why, "mend the record"))
    return checks


def beside(book: Path | None) -> Path | None:
    """The book's pages: those named, else those of the checkout that this is."""
    checkout_book = Path(__file__).resolve().parents[2] / "book"
    return book or (checkout_book if checkout_book.is_dir() else None)
