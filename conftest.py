"""What pytest leaves out without an extra, a ledger of its own, and which tests stay together."""

import atexit
import os
import shutil
import tempfile
from importlib.util import find_spec
from pathlib import PurePath
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

from bqx.params.keys import NOTEBOOK_KEYS

# Trials of tests are no trials of the user's.
os.environ["BQX_LEDGER"] = tempfile.mkdtemp(prefix="bqx-ledger-")
atexit.register(shutil.rmtree, os.environ["BQX_LEDGER"], ignore_errors=True)

NETWORKS = ["bqx/learning/models/descent.py", "bqx/learning/models/layers.py"]

collect_ignore = [] if find_spec("torch") else NETWORKS

NOTEBOOKS = "notebooks"
LONGEST = (NOTEBOOKS, "test_catalog", "test_stages", "test_change")
"""What takes minutes, the longest first, so that no process ends alone with one of them."""


class FilesTogether(LoadScopeScheduling):
    """A file's tests share fixtures; a notebook reads what those before it have written."""

    def _split_scope(self, nodeid: str) -> str:
        return _scope(PurePath(nodeid.split("::")[0]))


def _scope(path: PurePath) -> str:
    return NOTEBOOKS if path.suffix == ".ipynb" else path.stem


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> FilesTogether:
    """How tests are shared between processes with ``-n``."""
    return FilesTogether(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes longest; notebooks in the order of a run."""
    order = {scope: place for place, scope in enumerate(LONGEST)}
    run = {stem: place for place, stem in enumerate(NOTEBOOK_KEYS)}
    items.sort(
        key=lambda item: (order.get(_scope(item.path), len(LONGEST)), run.get(item.path.stem, -1))
    )
