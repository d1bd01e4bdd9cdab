"""Commands of operations: ``bqx alert``, ``bqx dashboard`` and ``bqx cost``."""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from bqx.errors import ParameterError
from bqx.operations.cost import commands as cost
from bqx.params import options

if TYPE_CHECKING:
    from bqx.monitoring.measured import Measurements
    from bqx.operations.alerts import State, Store

    Commands = argparse._SubParsersAction[argparse.ArgumentParser]

# Each command imports what it needs.


def add(commands: "Commands") -> None:
    """Add the commands to those of ``bqx``."""
    _add_alert(commands)
    _add_dashboard(commands)
    cost.add(commands)


def _add_dashboard(commands: "Commands") -> None:
    parser = commands.add_parser("dashboard", help="dashboards and alert rules, printed")
    kinds = parser.add_subparsers(required=True, metavar="KIND")
    for kind, about, command in (
        ("grafana", "dashboard of Grafana, as JSON that it imports", _grafana),
        ("rules", "alert rules of Prometheus, as YAML", _rules),
    ):
        sub = kinds.add_parser(kind, help=about)
        sub.add_argument("--runbook", default="runbook.html", metavar="URL", help="%(default)s")
        sub.set_defaults(command=command)
    cloud = kinds.add_parser(
        "cloudwatch", help="dashboard of CloudWatch, as the call that makes it"
    )
    cloud.add_argument(
        "--account", type=options.place, required=True, metavar="FILE", help="cloud.yaml"
    )
    cloud.add_argument("--make", action="store_true", help="make the call, not only print it")
    cloud.set_defaults(command=_cloudwatch)


def _grafana(asked: argparse.Namespace) -> int:
    from bqx.operations import grafana

    print(json.dumps(grafana.content(asked.runbook), indent=1))
    return 0


def _rules(asked: argparse.Namespace) -> int:
    from bqx.operations import prometheus

    print(prometheus.text(asked.runbook), end="")
    return 0


def _cloudwatch(asked: argparse.Namespace) -> int:
    from bqx.cloud.account import Account
    from bqx.cloud.calls import clients, make_all
    from bqx.operations import cloudwatch

    account = Account.read(asked.account)
    make_all([cloudwatch.put(account.region)], clients(account.region) if asked.make else None)
    return 0


def _add_alert(commands: "Commands") -> None:
    parser = commands.add_parser(
        "alert", help="judge measurements and tell what is wrong, each alert once; status 1 if any"
    )
    parser.add_argument(
        "measurements",
        nargs="*",
        metavar="FILE",
        help="of `bqx monitor`, or JSON lines; path or s3://",
    )
    parser.add_argument(
        "--state",
        type=options.place,
        default=Path("runs/alerts.json"),
        metavar="FILE",
        help="what was told already, default %(default)s",
    )
    parser.add_argument(
        "--to", type=options.place, metavar="FILE", help="alerts.yaml: SNS, Slack, e-mail"
    )
    parser.add_argument("--server", default="", metavar="URL", help="measure a server too")
    parser.add_argument(
        "--registry", type=options.place, metavar="DIR", help="tell of approved versions"
    )
    parser.add_argument(
        "--platform", type=options.place, metavar="DIR", help="of local jobs: runs/cloud"
    )
    parser.add_argument(
        "--account",
        type=options.place,
        metavar="FILE",
        help="cloud.yaml: measure charges and containers, and show all in CloudWatch",
    )
    cost.add_budget(parser)
    parser.set_defaults(command=_alert)


def _alert(asked: argparse.Namespace) -> int:
    from bqx.monitoring import measured
    from bqx.operations.alerts import Store, watch
    from bqx.operations.settings import Settings

    settings = Settings.read(asked.to) if asked.to else Settings()
    channels = settings.channels()
    series = measured.read(asked.measurements)
    if not series and not _asks(asked):
        raise ParameterError(
            "alert: nothing to judge, got no measurements; expected a FILE of `bqx monitor`, or "
            "--server, --registry, --platform or --account."
        )
    with Store.opened(asked.state) as store:
        if _asks(asked):
            series.append(_measure(asked, store.state))
        series.sort(key=lambda own: own.time)
        watch(store, series, channels, settings.runbook)
        if asked.account:
            _publish(asked.account, store, series)
        firing = store.state.firing
    print(f"firing: {', '.join(firing) or 'nothing'}")
    return int(bool(firing))


def _asks(asked: argparse.Namespace) -> bool:
    return any((asked.server, asked.registry, asked.platform, asked.account))


def _measure(asked: argparse.Namespace, state: "State") -> "Measurements":
    import time

    from bqx.monitoring.measured import Measurements
    from bqx.operations import sources

    # Whole seconds, as the registry's log has them: what is of this one is the next run's.
    now = float(int(time.time()))
    numbers: dict[str, float | None] = {}
    if asked.server:
        server_numbers, state.counters = sources.server(asked.server.rstrip("/"), state.counters)
        numbers |= server_numbers
    if asked.registry:
        numbers |= sources.approvals(asked.registry, state.since("model_deployed", now), now)
    if asked.platform:
        numbers |= sources.trainings(asked.platform, state.since("training_failed", now), now)
    if asked.account:
        from bqx.cloud.account import Account
        from bqx.cloud.calls import clients
        from bqx.operations.cost import budgets

        numbers |= sources.charges(clients(budgets.REGION), asked.budget)
        numbers |= sources.endpoint(clients(Account.read(asked.account).region))
    return Measurements(now, numbers)


def _publish(account: Path, store: "Store", series: "list[Measurements]") -> None:
    """Hand what is new over to CloudWatch, whose dashboard shows it."""
    from bqx.cloud.account import Account
    from bqx.cloud.calls import clients, make
    from bqx.operations import cloudwatch

    of = clients(Account.read(account).region)
    for measurements in series:
        if measurements.time > store.state.published and any(
            v is not None for v in measurements.numbers.values()
        ):
            make(cloudwatch.publish(measurements), of)
            store.state.published = measurements.time
            store.write()
