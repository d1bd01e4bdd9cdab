"""What the containers start: ``python -m bqx.serving {train|process|serve|lambda}``."""

import sys
from collections.abc import Sequence
from importlib import import_module

VERBS = {
    "train": "bqx.serving.jobs.supervised",
    "process": "bqx.serving.jobs.processing",
    "serve": "bqx.serving.container",
    "lambda": "bqx.serving.lambda_handlers",
}
"""Module of each verb, whose ``main`` does it; imported when it is asked for, since a container
needs one of them alone."""


def main(arguments: Sequence[str]) -> int:
    """Do what is asked for; exit status."""
    if not arguments or arguments[0] not in VERBS:
        print(
            f"bqx.serving: no such work, got {' '.join(arguments)!r:.60}; expected one of "
            f"{', '.join(VERBS)}.",
            file=sys.stderr,
        )
        return 2
    status: int = import_module(VERBS[arguments[0]]).main(arguments[1:])
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
