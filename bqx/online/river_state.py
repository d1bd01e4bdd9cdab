"""river's learners as JSON and back, to the last bit, without a pickle.

What is written is data alone: an object is the name of its class, which must stand in `CLASSES`,
and its fields. Objects that several hold, such as the generator of random numbers that all trees of
a forest share, are written once and are shared again afterwards.
"""

import random
from collections import defaultdict
from collections.abc import Mapping
from types import MethodType
from typing import Any

from river.forest import adaptive_random_forest as forest
from river.linear_model import LinearRegression
from river.metrics import MSE
from river.optim import SGD, initializers, losses, schedulers
from river.stats import Mean, Var
from river.tree import HoeffdingTreeRegressor
from river.tree.nodes import arf_htr_nodes, branch, htr_nodes
from river.tree.splitter import QOSplitter, qo_splitter
from river.utils import VectorDict

from bqx.errors import ArtefactError
from bqx.online.adwin import Adwin
from bqx.online.boosting import BoostedTrees

CLASSES: Mapping[str, type] = {
    cls.__name__: cls
    for cls in (
        forest.ARFRegressor,
        forest.BaseTreeRegressor,
        HoeffdingTreeRegressor,
        arf_htr_nodes.RandomLeafMean,
        htr_nodes.LeafMean,
        branch.NumericBinaryBranch,
        QOSplitter,
        qo_splitter.FeatureQuantizer,
        qo_splitter.Slot,
        LinearRegression,
        SGD,
        initializers.Zeros,
        losses.Squared,
        schedulers.Constant,
        Mean,
        Var,
        MSE,
        Adwin,
        BoostedTrees,
    )
}
"""Classes that a state may name: nothing else is ever made of what a file says."""
PLAIN = (str, bool, int, type(None))


def dump(learner: Any) -> list[Any]:
    """A learner as lists of JSON: a node per object, the learner's own first.

    Raises
    ------
    TypeError : an object of a class that is not in `CLASSES`.
    """
    return _Writer().nodes_of(learner)


def load(nodes: list[Any]) -> Any:
    """The learner of `dump`.

    Raises
    ------
    ArtefactError : no such state.
    """
    try:
        return _Reader(nodes).object_of(0)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ArtefactError(
            f"learner: cannot be read, got {type(error).__name__} ({error}); expected a state "
            "that was written by bqx. Restore the checkpoint before it."
        ) from None


def fields(instance: Any) -> dict[str, Any]:
    """Fields of an object, those of its slots included."""
    names = [n for cls in type(instance).__mro__ for n in getattr(cls, "__slots__", ())]
    slots = {n: getattr(instance, n) for n in names if n != "__dict__" and hasattr(instance, n)}
    return slots | getattr(instance, "__dict__", {})


class _Writer:
    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.numbers: dict[int, int] = {}
        self.alive: list[Any] = []

    def nodes_of(self, learner: Any) -> list[Any]:
        self.value(learner)
        return self.nodes

    def value(self, value: Any) -> Any:
        """A number is written by its bits, an object as [its node]."""
        if isinstance(value, PLAIN):
            return value
        if isinstance(value, float):
            return {"f": value.hex()}
        if id(value) not in self.numbers:
            self.numbers[id(value)] = len(self.nodes)
            self.alive.append(value)  # an id is good as long as its object lives
            self.nodes.append(None)
            self.nodes[self.numbers[id(value)]] = self._node(value)
        return [self.numbers[id(value)]]

    def _node(self, value: Any) -> list[Any]:
        if isinstance(value, random.Random):
            version, state, gauss = value.getstate()
            return ["random", version, list(state), self.value(gauss)]
        if isinstance(value, list | tuple):
            return [type(value).__name__, *map(self.value, value)]
        if isinstance(value, set):
            return ["set", *map(self.value, sorted(value))]
        if isinstance(value, VectorDict):
            return ["vector", *self._items(dict(value.items()))]
        if isinstance(value, dict):
            if isinstance(value, defaultdict):
                if value.default_factory is not int:
                    raise TypeError("a defaultdict of other things than counts")
                return ["counts", *self._items(value)]
            return ["dict", *self._items(value)]
        if isinstance(value, MethodType):
            return ["method", self.value(value.__self__), value.__name__]
        name = type(value).__name__
        if CLASSES.get(name) is not type(value):
            raise TypeError(f"{type(value).__module__}.{name} is not among the classes of a state")
        return ["object", name, *self._items(fields(value))]

    def _items(self, items: Mapping[Any, Any]) -> list[Any]:
        return [[self.value(key), self.value(value)] for key, value in items.items()]


class _Reader:
    def __init__(self, nodes: list[Any]) -> None:
        self.nodes = nodes
        self.objects: dict[int, Any] = {}

    def value(self, written: Any) -> Any:
        if isinstance(written, dict):
            return float.fromhex(written["f"])
        if isinstance(written, list):
            return self.object_of(int(written[0]))
        return written

    def object_of(self, number: int) -> Any:
        if number in self.objects:
            return self.objects[number]
        kind, *rest = self.nodes[number]
        return getattr(self, f"_{kind}")(number, rest)

    def _keep(self, number: int, value: Any) -> Any:
        self.objects[number] = value
        return value

    def _random(self, number: int, rest: list[Any]) -> Any:
        generator = random.Random()
        generator.setstate((rest[0], tuple(rest[1]), self.value(rest[2])))
        return self._keep(number, generator)

    def _list(self, number: int, rest: list[Any]) -> Any:
        values = self._keep(number, [])
        values.extend(map(self.value, rest))
        return values

    def _tuple(self, number: int, rest: list[Any]) -> Any:
        return self._keep(number, tuple(map(self.value, rest)))

    def _set(self, number: int, rest: list[Any]) -> Any:
        return self._keep(number, set(map(self.value, rest)))

    def _dict(self, number: int, rest: list[Any]) -> Any:
        return self._filled(self._keep(number, {}), rest)

    def _counts(self, number: int, rest: list[Any]) -> Any:
        return self._filled(self._keep(number, defaultdict(int)), rest)

    def _vector(self, number: int, rest: list[Any]) -> Any:
        return self._keep(number, VectorDict(self._filled({}, rest)))

    def _method(self, number: int, rest: list[Any]) -> Any:
        method = getattr(self.value(rest[0]), rest[1])
        if not isinstance(method, MethodType):
            raise TypeError(f"{rest[1]} is no method")
        return self._keep(number, method)

    def _object(self, number: int, rest: list[Any]) -> Any:
        cls = CLASSES[rest[0]]
        instance = self._keep(number, object.__new__(cls))
        for name, value in rest[1:]:
            object.__setattr__(instance, self.value(name), self.value(value))
        return instance

    def _filled(self, mapping: dict[Any, Any], rest: list[Any]) -> dict[Any, Any]:
        for key, value in rest:
            mapping[self.value(key)] = self.value(value)
        return mapping
