"""A run's artefacts in another folder or in S3, under a key that its content decides."""

from bqx.errors import ArtefactError
from bqx.feature_store.object_store import Folder
from bqx.params import Params
from bqx.runs.run import Run, digest

MANIFEST = "manifest.json"
"""Written last: a copy without it is not whole."""


def copy(params: Params, place: str) -> str:
    """Copy what a run's notebooks made to ``PLACE/NAME-HASH/``, and give that address.

    The hash is over all artefacts, so another content has another key and none is ever overwritten;
    a copy that stopped goes on, and one that is whole is left alone.

    Raises ArtefactError where an artefact is damaged, another file stands under a key, or the place
    cannot be written.
    """
    run = Run.open(params.folder, params)
    key = f"{run.folder.name}-{digest(run.outputs)[:12]}"
    address = f"{str(place).rstrip('/')}/{key}"
    target = Folder(address)
    if target.has(MANIFEST):
        return address
    copied = target.listed(deep=True)
    for path, expected in run.outputs.items():
        if path in copied:
            if target.sha256(path) != expected:
                raise ArtefactError(
                    f"{address}/{path}: another file, got {target.sha256(path)[:12]}; expected "
                    f"{expected[:12]}. Name another place."
                )
            continue
        if target.write(path, run.need(path).read_bytes()) != expected:
            raise ArtefactError(f"{run.folder / path}: damaged; expected {expected[:12]}.")
    target.write_json(MANIFEST, {"outputs": run.outputs, "params": params.model_dump(mode="json")})
    return address
