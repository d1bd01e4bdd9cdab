"""Write the book's pages of benchmarks and studies anew from their results and this code."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), *(str(HERE / name) for name in ("benchmarks", "studies"))]

import codes  # noqa: E402
import findings  # noqa: E402
import markets  # noqa: E402
import monitors  # noqa: E402
import page  # noqa: E402
import sisters  # noqa: E402

if __name__ == "__main__":
    for made in (page, findings, markets, monitors, codes, sisters):
        made.renew()
