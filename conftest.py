"""What pytest leaves out where an extra is not installed, and a ledger of its own."""

import atexit
import os
import shutil
import tempfile
from importlib.util import find_spec

# Trials of tests are no trials of the user's.
os.environ["BQX_LEDGER"] = tempfile.mkdtemp(prefix="bqx-ledger-")
atexit.register(shutil.rmtree, os.environ["BQX_LEDGER"], ignore_errors=True)

NETWORKS = ["bqx/learning/models/descent.py", "bqx/learning/models/layers.py"]

collect_ignore = [] if find_spec("torch") else NETWORKS
