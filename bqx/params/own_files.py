"""Files of a user's own code that parameters name: features, models and a rule of trading."""

from collections.abc import Collection

from bqx.identity.imported import beside
from bqx.params.model import Params, root
from bqx.params.rules import own_model


def own_files(params: Params, keys: Collection[str]) -> tuple[str, ...]:
    """Files that ``features``, ``models`` and ``signal`` name, as far as they are among the keys,
    and those beside them that they import."""
    named = [*params.features] if "features" in keys else []
    if "models" in keys:
        named += [model[0] for model in map(own_model, params.models) if model]
    if "signal" in keys:
        named += [signal[0] for signal in [own_model(params.signal)] if signal]
    paths = [str(file) for name in named for file in beside((root() / name).resolve())]
    return tuple(dict.fromkeys(paths))
