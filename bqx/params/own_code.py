"""Files of a user's own code that parameters name: features, models and a rule of trading."""

from collections.abc import Collection

from bqx.imported_code import beside
from bqx.params.model import Params, root
from bqx.params.rules import own_model


def files(params: Params, keys: Collection[str]) -> tuple[str, ...]:
    """Files that ``features``, ``models`` and ``signal`` name, as far as they are among the keys,
    and those beside them that they import."""
    named = [*params.features] if "features" in keys else []
    if "models" in keys:
        named += [own[0] for own in map(own_model, params.models) if own]
    if "signal" in keys:
        named += [own[0] for own in [own_model(params.signal)] if own]
    found = [str(file) for name in named for file in beside(root() / name)]
    return tuple(dict.fromkeys(found))
