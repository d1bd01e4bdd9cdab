"""The work of each numbered notebook: parameters in, artefacts in the run folder out.

A stage function does one notebook's work inside ``Run.stage`` and returns what the notebook
shows. Stages talk to each other only through artefacts.
"""

import pandas as pd

from bqx.params import Params
from bqx.runs.run import Run


def artefacts(params: Params, name: str) -> pd.DataFrame:
    """Artefacts that a stage has written: by folder, number of files and size, and a hash.

    A folder's hash is that of its only file, or of the first of them.
    """
    run = Run.open(params.folder, params)
    files = pd.DataFrame(run.stages[name]["outputs"].items(), columns=["path", "sha256"])
    files["kB"] = [(run.folder / path).stat().st_size / 1024 for path in files["path"]]
    folder = files["path"].str.rsplit("/", n=1).str[0]
    files["artefact"] = folder.where(files["path"].str.count("/") > 1, files["path"])
    table = files.groupby("artefact").agg(
        files=("path", "size"), kB=("kB", "sum"), sha256=("sha256", "first")
    )
    return table.assign(kB=table["kB"].round(1), sha256=table["sha256"].str[:12])
