"""A canary that answers wrongly, tried on an endpoint, and what becomes of its requests."""

import threading
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from bqx.cloud import archive
from bqx.cloud.local import rollout
from bqx.cloud.local.endpoints import Endpoints
from bqx.cloud.pointers import Pointer
from bqx.learning.bundle import Bundle
from bqx.market.pairs import LIQUIDITY

BAKE = 3.0
"""Seconds of each step."""


def fail(
    endpoints: Endpoints, endpoint: str, packed: Bundle, *, models: Path, key: str, body: bytes
) -> pd.DataFrame:
    """Try an artefact of another pair as a canary of a pair, which goes back by itself.

    Parameters
    ----------
    models : folder of the endpoint's archives; key : of the one that answers now.
    body : a request that it answers.

    Returns
    -------
    One row per artefact: requests, errors, and what the pointer says of it in the end.
    """
    pair = packed.pair
    stranger = next(name for name in LIQUIDITY if name != pair)
    harmed = f"{pair}/harmed.tar.gz"
    with TemporaryDirectory(prefix="bqx-archive-") as folder:
        replace(packed, pair=stranger).save(Path(folder) / stranger)
        archive.pack(Path(folder), models / harmed)
    endpoints.pointers.write(Pointer(pair, key))
    ended = threading.Event()

    def ask() -> None:
        number = 0
        while not ended.is_set():
            # Spaces make it another request, of the same content.
            endpoints.invoke_pair(endpoint, body + b" " * (number % 1_000), pair)
            number += 1

    asking = threading.Thread(target=ask, name="requests of a canary")
    asking.start()
    try:
        outcome = rollout.canary(endpoints, endpoint, pair, harmed, bake=BAKE)
    finally:
        ended.set()
        asking.join()
    now = endpoints.pointers.read(pair).stable
    rows = []
    for artefact in (key, harmed):
        errors = endpoints.state.measured(endpoint, artefact, "error", 0.0)
        became = "answers" if artefact == now else f"rolled back at {outcome.share:.0f} %"
        rows.append((artefact, len(errors), int(sum(errors)), became))
    names = ["artefact", "requests", "errors", "in the end"]
    return pd.DataFrame(rows, columns=names).set_index("artefact")
