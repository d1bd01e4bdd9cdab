"""What pytest leaves out where an extra is not installed."""

from importlib.util import find_spec

NETWORKS = ["bqx/learning/models/descent.py", "bqx/learning/models/layers.py"]

collect_ignore = [] if find_spec("torch") else NETWORKS
