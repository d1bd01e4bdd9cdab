"""``bqx cloud local``: jobs and endpoints of this machine, in a folder of their own."""

import argparse
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bqx.errors import ParameterError
from bqx.params import options
from bqx.params.real_numbers import real
from bqx.params.whole_numbers import whole

if TYPE_CHECKING:
    from bqx.cloud.local.state import Variant

# Each action imports what it needs.


def add(commands: Any) -> None:
    """Add ``local`` and its actions."""
    from bqx.cloud.commands import add_set

    parser = commands.add_parser("local", help="a small SageMaker of this machine")
    actions = parser.add_subparsers(required=True, metavar="ACTION")

    def action(name: str, about: str, command: Any) -> argparse.ArgumentParser:
        sub: argparse.ArgumentParser = actions.add_parser(name, help=about)
        place = Path("runs/cloud")
        sub.add_argument(
            "--place", type=options.place, default=place, help="folder, default %(default)s"
        )
        sub.add_argument("name", type=_name, metavar="NAME", help="of the job or endpoint")
        sub.set_defaults(command=command)
        return sub

    for name, about, command in (
        ("train", "run a training job: bars to model.tar.gz", _train),
        ("process", "run a processing job: bars to datasets", _process),
    ):
        sub = action(name, about, command)
        sub.add_argument(
            "--bars", type=options.place, required=True, metavar="DIR", help="bar files"
        )
        add_set(sub)
    deploy = action("deploy", "start an endpoint", _deploy)
    update = action("update", "give a new model 10, 50, 100 percent, back on alarm", _update)
    for sub in (deploy, update):
        sub.add_argument("models", nargs="+", metavar="VARIANT=model.tar.gz[:WEIGHT]")
        sub.add_argument(
            "--instances", type=whole(100), default=1, metavar="N", help="default %(default)s"
        )
        sub.add_argument(
            "--capture", type=options.place, metavar="DIR", help="where forecasts are kept"
        )
        sub.add_argument(
            "--registry", type=options.place, metavar="DIR", help="that says what is approved"
        )
    update.add_argument(
        "--bake", type=real(0.0, 86_400.0), default=60.0, metavar="S", help="seconds a step"
    )
    invoke = action("invoke", "answer of an endpoint to a request", _invoke)
    invoke.add_argument("request", type=options.place, metavar="FILE", help="JSON")
    invoke.add_argument("--variant", default="", help="default by weight")
    _add_pointers(action)
    action("scale", "containers by what was asked in the last minute", _scale)
    action("heal", "start containers that are gone", _heal)
    action("delete", "end an endpoint", _delete)


def _add_pointers(action: Callable[[str, str, Any], argparse.ArgumentParser]) -> None:
    point = action("point", "artefact of a pair on a multi-model endpoint", _point)
    point.add_argument("pair", metavar="PAIR")
    point.add_argument("key", metavar="KEY", help="such as eurusd/0002.tar.gz, or back")
    how = point.add_mutually_exclusive_group()
    steps = "by steps of so many seconds, back on alarm"
    how.add_argument("--canary", type=real(0.0, 86_400.0), metavar="S", help=steps)
    how.add_argument(
        "--share", type=real(0.0, 100.0), metavar="PERCENT", help="of the requests, to try it"
    )
    experiment = action("experiment", "keep on, or the artefact that forecasts better", _experiment)
    experiment.add_argument("pair", metavar="PAIR", help="whose pointer has a canary")
    experiment.add_argument("--make", action="store_true", help="point where the decision leads")


def _name(text: str) -> str:
    """A name that SageMaker takes too, which becomes part of a path."""
    if not re.fullmatch(r"[A-Za-z0-9](-*[A-Za-z0-9]){0,62}", text):
        raise argparse.ArgumentTypeError(
            f"no name, got {text[:70]!r}; expected at most 63 letters, digits and hyphens"
        )
    return text


def _train(asked: argparse.Namespace) -> int:
    from bqx.cloud.commands import hyperparameters
    from bqx.cloud.local import jobs

    values = hyperparameters(asked.set, {})
    job = jobs.train(asked.place, asked.name, values, channels={"bars": asked.bars})
    print(job.status, job.reason or job.output, sep="\t")
    for name, value in job.metrics.items():
        print(name, value, sep="\t")
    return int(job.status != "Completed")


def _process(asked: argparse.Namespace) -> int:
    from bqx.cloud.commands import processed
    from bqx.cloud.local import jobs

    arguments = processed(asked.set)
    done = jobs.process(asked.place, asked.name, arguments, inputs={"bars": asked.bars})
    for job in done:
        print(job.status, job.reason, job.output, sep="\t")
    return int(any(job.status != "Completed" for job in done))


def _variables(asked: argparse.Namespace) -> dict[str, str]:
    """What containers are told of capture and registry."""
    from bqx.serving.captured import PLACE, SHARE
    from bqx.serving.standing import REGISTRY

    variables: dict[str, str] = {}
    if asked.capture:
        # Of the few requests that one machine is asked all count.
        variables |= {PLACE: str(asked.capture.resolve()), SHARE: "1"}
    if asked.registry:
        variables[REGISTRY] = str(asked.registry.resolve())
    return variables


def _variants(texts: list[str], variables: dict[str, str]) -> "list[Variant]":
    from bqx.cloud.local.state import Variant

    variants = []
    for text in texts:
        matched = re.fullmatch(r"([A-Za-z0-9-]+)=(.+?)(?::(\d+(?:\.\d+)?))?", text)
        if not matched or not Path(matched[2]).exists():
            raise ParameterError(
                f"models: none, got {text!r:.80}; expected VARIANT=model.tar.gz, or a folder of "
                "them, maybe with :WEIGHT."
            )
        name, model, weight = matched[1], Path(matched[2]).resolve(), float(matched[3] or 1.0)
        variants.append(Variant(name, str(model), weight, model.is_dir(), dict(variables)))
    return variants


def _deploy(asked: argparse.Namespace) -> int:
    from bqx.cloud.local.endpoints import Endpoints

    variants = _variants(asked.models, _variables(asked))
    Endpoints(asked.place).create(asked.name, variants, asked.instances)
    print(f"{asked.name}: serves; `bqx cloud local delete {asked.name}` ends it")
    return 0


def _update(asked: argparse.Namespace) -> int:
    from bqx.cloud.local import rollout
    from bqx.cloud.local.endpoints import Endpoints

    green, *others = _variants(asked.models, _variables(asked))
    if others:
        raise ParameterError("models: too many, got several; expected the new one alone.")
    outcome = rollout.update(
        Endpoints(asked.place), asked.name, green, bake=asked.bake, instances=asked.instances
    )
    if outcome.rolled_back:
        print(f"{green.name}: rolled back at {outcome.share:.0f} %, {outcome.alarm} rang")
        return 1
    print(f"{green.name}: serves all requests")
    return 0


def _invoke(asked: argparse.Namespace) -> int:
    from bqx.cloud.local.endpoints import Endpoints
    from bqx.files import read_regular

    endpoints, body = Endpoints(asked.place), read_regular(asked.request)
    if any(variant.many for variant in endpoints.state.variants(asked.name)):
        reply = endpoints.invoke_pair(asked.name, body, _pair_of(body), variant=asked.variant)
    else:
        reply = endpoints.invoke(asked.name, body, variant=asked.variant)
    print(reply.body.decode())
    print(f"{reply.variant}: {reply.status}, {1e3 * reply.seconds:.1f} ms", file=sys.stderr)
    return int(reply.status >= 400)


def _pair_of(body: bytes) -> str:
    from bqx.market.pairs import check

    try:
        return check(json.loads(body)["pair"])
    except (ValueError, LookupError, TypeError):
        raise ParameterError("request: no pair; expected an object of JSON with one.") from None


def _point(asked: argparse.Namespace) -> int:
    from bqx.cloud.local import rollout
    from bqx.cloud.local.endpoints import Endpoints
    from bqx.cloud.pointers import Pointer

    endpoints = Endpoints(asked.place)
    variant = endpoints.state.only_variant(asked.name)
    back = asked.key == "back" and asked.share is None and asked.canary is None
    if not back and not (Path(variant.model) / asked.key).is_file():
        raise ParameterError(
            f"KEY: not there, got {asked.key!r:.60}; expected an archive below {variant.model}."
        )
    if asked.share is not None:
        endpoints.pointers.write(endpoints.pointers.read(asked.pair).trying(asked.key, asked.share))
        print(f"{asked.pair}: {asked.key} is tried by {asked.share:g} % of the requests")
        return 0
    if asked.canary is not None:
        outcome = rollout.canary(endpoints, asked.name, asked.pair, asked.key, bake=asked.canary)
        if outcome.rolled_back:
            print(f"{asked.key}: rolled back at {outcome.share:.0f} %, {outcome.alarm} rang")
            return 1
    elif back:
        endpoints.pointers.write(endpoints.pointers.read(asked.pair).rolled_back())
    else:
        has_pointer = endpoints.pointers.has(asked.pair)
        endpoints.pointers.write(
            endpoints.pointers.read(asked.pair).to(asked.key)
            if has_pointer
            else Pointer(asked.pair, asked.key)
        )
    print(f"{asked.pair}: {endpoints.pointers.read(asked.pair).stable} answers all requests")
    return 0


def _experiment(asked: argparse.Namespace) -> int:
    from bqx.cloud import experiment
    from bqx.cloud.local.endpoints import Endpoints
    from bqx.feature_store.object_store import Folder
    from bqx.serving.captured import PLACE

    endpoints = Endpoints(asked.place)
    variant = endpoints.state.only_variant(asked.name)
    if PLACE not in variant.variables:
        raise ParameterError(
            f"endpoint {asked.name}: captures nothing, got no --capture; expected a folder. Deploy "
            "it with one."
        )
    capture = Folder(variant.variables[PLACE])
    judged = experiment.judge(capture, Folder(variant.model), endpoints.pointers.read(asked.pair))
    print(judged)
    if judged.follows != judged.pointer:
        if asked.make:
            endpoints.pointers.write(judged.follows)
        done = "answers" if asked.make else "--make: would answer"
        print(f"{done} all requests of {asked.pair}: {judged.follows.stable}")
    return 0


def _scale(asked: argparse.Namespace) -> int:
    from bqx.cloud.local import autoscaling
    from bqx.cloud.local.endpoints import Endpoints

    endpoints, rule = Endpoints(asked.place), autoscaling.Rule()
    for variant in endpoints.state.variants(asked.name):
        count = autoscaling.apply(
            endpoints, asked.name, variant.name, rule, since_change=rule.in_cooldown
        )
        print(variant.name, count, sep="\t")
    return 0


def _heal(asked: argparse.Namespace) -> int:
    from bqx.cloud.local.endpoints import Endpoints

    print(f"{Endpoints(asked.place).heal(asked.name)} started")
    return 0


def _delete(asked: argparse.Namespace) -> int:
    from bqx.cloud.local.endpoints import Endpoints

    Endpoints(asked.place).delete(asked.name)
    return 0
