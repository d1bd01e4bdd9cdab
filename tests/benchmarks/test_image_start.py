"""The image started cold: read-only, as another user, without a network; `make image`."""

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from live_market import bundles, frames
from measure import Goal
from servers import keep
from test_image import ROOT, of
from test_live_panel import grid_of
from test_load import payload_of

from bqx.market.pairs import PAIRS
from bqx.serving import container

pytestmark = pytest.mark.image

DRIVER = ROOT / "tests" / "in_image.py"
MINUTE = 9_000
BOUND = "8080"
"""Port that the platform names, as the driver asks it."""


def variables() -> dict[str, str]:
    """What the image's own ENV lines say, and the platform."""
    pairs = (word.split("=", 1) for line in of("ENV") for word in shlex.split(line))
    return dict(pairs) | {container.PORT: BOUND}


@pytest.fixture(scope="module")
def root() -> Path:
    image = os.environ.get("BQX_IMAGE_ROOT", "")
    if not image or os.geteuid() or not shutil.which("unshare") or not shutil.which("ip"):
        pytest.skip("BQX_IMAGE_ROOT names no root of the image, or there are no namespaces here")
    return Path(image)


def laid_out(folder: Path) -> None:
    """Bundles of all pairs, and a request of each that any user may read."""
    (folder / "requests").mkdir()
    ts = grid_of(frames())[MINUTE]
    for pair, bundle in bundles(PAIRS).items():
        bundle.save(folder / "model" / pair)
        body = payload_of(pair, ts, frames(PAIRS), bundles(PAIRS))
        (folder / "requests" / f"{pair}.json").write_text(json.dumps(body))
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)


def test_a_cold_start_to_the_forecasts_of_28_pairs(
    root: Path, tmp_path: Path, results: dict[str, Any]
) -> None:
    laid_out(tmp_path)
    (root.parent / "environment.json").write_text(json.dumps(variables()))
    inside = (sys.executable, DRIVER, root, tmp_path / "model", tmp_path / "requests")
    done = subprocess.run(
        ["unshare", "--net", "--mount", *map(str, inside)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    forecasts = [answer for answer in told["answers"] if answer["status"] == 200]
    # A pair may stand just after a long hole.
    assert {answer["status"] for answer in told["answers"]} <= {200, 422}
    assert len(forecasts) > len(PAIRS) // 2
    assert all(len(answer["body"]["predictions"]) == 5 for answer in forecasts)
    assert told["compiled"] == []
    keep(results, "from the start to a healthy server", told["healthy"], "s")
    keep(results, "to the first pair's forecasts", told["first"], "s")
    keep(results, "memory of the server with 28 bundles", told["memory_mb"], "MB")
    keep(results, "forecasts of 28 pairs", len(forecasts), "pairs")
    Goal(
        "cold start of the read-only image to the forecasts of 28 pairs", told["every"], 5.0, 30.0,
        "s", "every pair sends its own bars", more=False,
    ).check(results)  # fmt: skip
