"""The command line of the cloud: ``bqx cloud train``, ``endpoint``, ``local`` and so on.

Every command prints the calls that it would make, and makes them with ``--make`` only; ``packages``
asks and moves at once.
"""

import argparse
import json
import sys
from typing import TYPE_CHECKING, Any

from bqx.errors import ParameterError
from bqx.params import options
from bqx.params.whole_numbers import whole

if TYPE_CHECKING:
    from bqx.cloud.account import Account
    from bqx.cloud.calls import Call, Clients

# Each command imports what it needs: boto3 and kernels take a second to import.


def add(commands: Any) -> None:
    """Add ``cloud`` and its commands to those of a parser."""
    from bqx.cloud import package_commands
    from bqx.cloud.local import commands as local

    parser = commands.add_parser("cloud", help="jobs, endpoints and rollouts, in AWS or here")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    local.add(commands)
    package_commands.add(commands)
    process = _add(commands, "process", "datasets of all pairs, sharded by pair", _process)
    process.add_argument("name", metavar="NAME", help="of the job")
    process.add_argument("--secret", default="", help="of the database, instead of --bars")
    train = _add(commands, "train", "a training for each pair, side by side on spot", _train)
    tune = _add(commands, "tune", "a Bayesian search on the pairs with priority", _train)
    for sub in (train, tune):
        sub.add_argument("version", metavar="VERSION", help="of the models, in their names")
        sub.add_argument("--pairs", default="", metavar="a,b", help="default all, or those three")
        sub.set_defaults(searching=sub is tune)
    for sub in (process, train, tune):
        sub.add_argument("--bars", default="", metavar="s3://", help="bar files")
        add_set(sub)
    endpoint = _add(commands, "endpoint", "multi-model endpoint, scaled and watched", _endpoint)
    endpoint.add_argument("--instances", type=whole(100), default=1, help="default %(default)s")
    canary = _add(commands, "canary", "guarded update: 10 percent first, back on alarm", _canary)
    for sub in (endpoint, canary):
        sub.add_argument("version", metavar="VERSION", help="of the configuration, a new one")
        sub.add_argument("--instance", default="ml.m5.2xlarge", help="default %(default)s")
    shift = _add(commands, "shift", "requests by weight: 10, 50, 100 percent", _shift)
    shift.add_argument("blue", metavar="OLD", help="variant")
    shift.add_argument("green", metavar="NEW", help="variant")
    point = _add(commands, "point", "artefact of a pair, or a canary by request hash", _point)
    point.add_argument("pair", metavar="PAIR")
    point.add_argument("version", metavar="VERSION", help="of the pair's model")
    point.add_argument("--canary", default="", metavar="VERSION", help="that is tried")
    point.add_argument("--share", type=float, default=0.0, metavar="PERCENT", help="it gets")
    experiment = _add(commands, "experiment", "keep on, or what forecasts better", _experiment)
    experiment.add_argument("pair", metavar="PAIR", help="whose pointer has a canary")
    experiment.add_argument(
        "--capture", default="", metavar="PLACE", help="default captures/ of the bucket"
    )
    batch = _add(commands, "batch", "forecasts of a batch every day at 00:00 UTC", _batch)
    batch.add_argument("model", metavar="MODEL", help="of SageMaker")
    batch.add_argument("--role", required=True, help="ARN that the schedule assumes")
    pipeline = _add(commands, "pipeline", "process, train, judge, register, deploy", _pipeline)
    pipeline.add_argument("--bars", required=True, metavar="s3://", help="bar files")
    add_set(pipeline)
    template = commands.add_parser("template", help="CloudFormation of a design")
    template.add_argument("design", choices=("endpoint", "lambda", "retraining"))
    template.set_defaults(command=_template)


def _add(commands: Any, name: str, about: str, command: Any) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=about)
    parser.add_argument(
        "--account", type=options.place, required=True, metavar="FILE", help="cloud.yaml"
    )
    parser.add_argument("--make", action="store_true", help="make the calls, not only print them")
    parser.set_defaults(command=command)
    return parser


def add_set(parser: argparse.ArgumentParser) -> None:
    """Add ``--set``, by which parameters are given."""
    parser.add_argument(
        "--set", nargs="+", action="extend", default=[], metavar="KEY=VALUE", help="parameters"
    )


def values_of(texts: list[str]) -> dict[str, str]:
    """Values of ``KEY=VALUE`` texts.

    Raises ParameterError for another text.
    """
    wrong = [text for text in texts if "=" not in text]
    if wrong:
        raise ParameterError(f"values: no value, got {wrong[0]!r:.60}; expected KEY=VALUE.")
    return dict(text.split("=", 1) for text in texts)


def hyperparameters(texts: list[str], fixed: dict[str, str]) -> dict[str, str]:
    """Values of ``--set`` that a training takes beside those that the command itself says.

    Raises ParameterError for those that it would refuse, and for another value of a fixed one.
    """
    from bqx.serving.jobs.training import Request

    values = values_of(texts)
    said = [key for key in fixed if key in values]
    if said:
        raise ParameterError(
            f"--set: {said[0]} is not to be set here, got {values[said[0]]!r:.60}; expected other "
            f"parameters. The command names the {said[0]} of each job itself."
        )
    Request.of(values | fixed)
    return values


def processed(texts: list[str]) -> list[str]:
    """Arguments of ``--set`` that a processing job takes.

    Raises ParameterError for those that it would refuse.
    """
    from bqx.params.reading import of_texts

    values_of(texts)
    of_texts(texts)
    return texts


def _opened(asked: argparse.Namespace) -> "tuple[Account, Clients | None]":
    from bqx.cloud.account import Account
    from bqx.cloud.calls import clients

    account = Account.read(asked.account)
    return account, clients(account.region) if asked.make else None


def _made(asked: argparse.Namespace, calls: "list[Call]") -> int:
    from bqx.cloud.calls import make_all

    for answer in make_all(calls, _opened(asked)[1]):
        answer.pop("ResponseMetadata", None)
        print(json.dumps(answer, default=str))
    return 0


def _process(asked: argparse.Namespace) -> int:
    from bqx.cloud import job_requests

    arguments = processed(asked.set)
    if bool(asked.bars) == bool(asked.secret):
        raise ParameterError(
            f"--bars, --secret: {'both' if asked.bars else 'none'}, expected one of them."
        )
    account, _ = _opened(asked)
    call = job_requests.processing(
        account, asked.name, arguments, bars=asked.bars, secret=asked.secret
    )
    return _made(asked, [call])


def _train(asked: argparse.Namespace) -> int:
    from bqx.cloud import job_requests, watched
    from bqx.cloud.calls import checked
    from bqx.learning.tuning import PRIORITY
    from bqx.market.pairs import LIQUIDITY, check

    account, of = _opened(asked)
    every = PRIORITY if asked.searching else LIQUIDITY
    pairs = [check(pair) for pair in asked.pairs.split(",")] if asked.pairs else every
    if len(set(pairs)) < len(pairs):
        raise ParameterError(f"--pairs: a pair stands twice, got {asked.pairs:.80}; expected once.")
    request = job_requests.tuning if asked.searching else job_requests.training
    fixed = {"model": job_requests.TUNED} if asked.searching else {}
    values = hyperparameters(asked.set, {"pair": pairs[0], **fixed})
    calls = [request(account, pair, asked.version, values, bars=asked.bars) for pair in pairs]
    if of is None or asked.searching:
        return _made(asked, calls)
    ended = watched.train_all(checked(calls), of)
    for job in ended:
        print(job.name, job.status, job.model or job.reason, json.dumps(job.metrics), sep="\t")
    return int(any(job.status != "Completed" for job in ended))


def _version(asked: argparse.Namespace, instances: int) -> "tuple[str, list[Call]]":
    """Name of a version of the endpoint, and the calls that make its model and configuration."""
    from bqx.cloud import artefacts
    from bqx.cloud import endpoint_requests as requests

    account, _ = _opened(asked)
    name = f"{requests.ENDPOINT}-{asked.version}"
    sizes = {"instance": asked.instance, "instances": instances}
    return name, [
        requests.model(account, name, models=account.uri(f"{artefacts.PREFIX}/")),
        requests.config(account, name, {name: 1.0}, **sizes),
    ]


def _endpoint(asked: argparse.Namespace) -> int:
    from bqx.cloud import endpoint_requests as requests
    from bqx.cloud import watched
    from bqx.cloud.calls import checked

    account, of = _opened(asked)
    name, made = _version(asked, asked.instances)
    made.append(requests.create(account, name))
    after = checked([*requests.autoscaling(instance=asked.instance), *requests.alarms()])
    _made(asked, made)
    if of is not None:
        watched.serving(of)
    return _made(asked, after)


def _canary(asked: argparse.Namespace) -> int:
    from bqx.cloud import endpoint_requests as requests

    alarms = [call.arguments["AlarmName"] for call in requests.alarms()]
    name, made = _version(asked, requests.LEAST)
    return _made(asked, [*made, requests.canary(name, alarms)])


def _shift(asked: argparse.Namespace) -> int:
    from bqx.cloud import endpoint_requests as requests
    from bqx.cloud import watched

    _, of = _opened(asked)
    if asked.blue == asked.green:
        raise ParameterError(
            f"NEW: the old one, got {asked.green!r:.63}; expected another variant."
        )
    if of is None:
        shares = [step / 100.0 for step in watched.STEPS]
        steps = [{asked.blue: 1.0 - share, asked.green: share} for share in shares]
        return _made(asked, [requests.weigh(weights) for weights in steps])
    alarms = [c.arguments["AlarmName"] for c in requests.alarms(variant=asked.green)]
    if watched.shift(of, asked.blue, asked.green, alarms=alarms):
        return 0
    print(f"{asked.green}: an alarm rang; {asked.blue} has all requests again", file=sys.stderr)
    return 1


def _point(asked: argparse.Namespace) -> int:
    from bqx.cloud.artefacts import key_of
    from bqx.cloud.pointers import Pointer, call

    account, _ = _opened(asked)
    canary = key_of(asked.pair, asked.canary) if asked.canary else ""
    pointer = Pointer(asked.pair, key_of(asked.pair, asked.version), canary, asked.share)
    return _made(asked, [call(account, pointer)])


def _experiment(asked: argparse.Namespace) -> int:
    from bqx.cloud import artefacts, experiment, pointers
    from bqx.feature_store.object_store import Folder
    from bqx.serving.lambda_places import CAPTURE

    account, _ = _opened(asked)
    judged = experiment.judge(
        Folder(asked.capture or account.uri(CAPTURE.path)),
        Folder(account.uri(artefacts.PREFIX)),
        pointers.Pointers(account.uri(pointers.PREFIX)).read(asked.pair),
    )
    print(judged)
    follows = judged.follows
    return _made(asked, [] if follows == judged.pointer else [pointers.call(account, follows)])


def _batch(asked: argparse.Namespace) -> int:
    from bqx.cloud import job_requests

    account, _ = _opened(asked)
    return _made(asked, [job_requests.daily_transform(account, asked.model, role=asked.role)])


def _pipeline(asked: argparse.Namespace) -> int:
    from bqx.cloud import job_requests, pipeline
    from bqx.cloud.calls import checked
    from bqx.market.pairs import LIQUIDITY

    account, _ = _opened(asked)
    # Of the definition's text AWS says what is wrong when the step begins.
    checked([job_requests.processing(account, "process", [], bars=asked.bars)])
    values = hyperparameters(asked.set, {"pair": LIQUIDITY[0]})
    content = pipeline.definition(account, LIQUIDITY, values, bars=asked.bars)
    return _made(asked, [pipeline.create(account, content)])


def _template(asked: argparse.Namespace) -> int:
    from bqx.cloud import retraining, template

    designs = template.DESIGNS | {"retraining": retraining.design}
    print(json.dumps(designs[asked.design](), indent=1))
    return 0
