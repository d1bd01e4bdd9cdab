"""``python -m bqx`` is the command line."""

import sys

from bqx.cli import main

if __name__ == "__main__":
    sys.exit(main())
