"""What an earlier notebook has settled, a later one cannot be given otherwise."""

import numpy as np
import pytest

from bqx.errors import ArtefactError, ParameterError
from bqx.learning import split
from bqx.market import sessions
from bqx.params import COLUMN_KEYS, NOTEBOOK_KEYS, SETTLED, SPLIT_KEYS, Params, for_notebook
from bqx.runs import artefacts
from bqx.runs.run import Run
from bqx.runs.settled import settled

MINUTES = sessions.grid(28_000_000, 28_000_000 + 42 * sessions.DAY)
MADE = Params(
    **{"lags": (60,), "horizons": (15, 30), "train_days": 14, "validation_days": 5},
    **{"test_days": 5, "step_days": 5, "selected": 12, "models": ("ridge",), "max_fill": 7},
)


class Column:
    lookback = 700


def columns_and_split(folder, given: Params) -> Run:
    """A run whose notebooks 01, 04, 05 and 06 have settled what is given."""
    run = Run.open(folder, given)
    with run.stage("01_bars", NOTEBOOK_KEYS["01_bars"]):
        pass
    with run.stage("04_lagging", NOTEBOOK_KEYS["04_lagging"]) as stage:
        parameters = {key: getattr(given, key) for key in COLUMN_KEYS}
        artefacts.COLUMNS.write(stage, {"parameters": parameters, "columns": []})
    with run.stage("05_selection", NOTEBOOK_KEYS["05_selection"]) as stage:
        artefacts.SPLIT.write(stage, split.make(given, MINUTES, [Column()]).to_json(MINUTES))
    with run.stage("06_training", NOTEBOOK_KEYS["06_training"]):
        pass
    return run


@pytest.fixture
def run(tmp_path):
    return columns_and_split(tmp_path / "run", MADE)


def test_every_key_is_settled_by_one_notebook_that_holds_it():
    keys = [key for settles in SETTLED.values() for key in settles]
    assert len(set(keys)) == len(keys)
    for maker, settles in SETTLED.items():
        assert set(settles) <= set(NOTEBOOK_KEYS[maker])
        for later in (stem for stem in NOTEBOOK_KEYS if stem > maker):
            assert not set(settles) & set(NOTEBOOK_KEYS[later]), (maker, later)


@pytest.mark.parametrize("stem", ["06_training", "09_monitoring", "11_models", "13_explanation"])
def test_a_notebook_reads_what_was_settled(run, stem):
    notebook = Run.open(run.folder, for_notebook(stem, {"out": str(run.folder)}))
    complete = settled(notebook, stem)
    for key in (*COLUMN_KEYS, *SPLIT_KEYS, "selected", "max_fill"):
        assert getattr(complete, key) == getattr(MADE, key), key
    assert complete.models == (("ridge", "xgboost") if stem == "06_training" else ("ridge",))


@pytest.mark.parametrize("stem", ["06_training", "09_monitoring", "11_models", "13_explanation"])
@pytest.mark.parametrize(
    ("key", "value", "maker"),
    [
        ("train_days", 5, "05_selection"),
        ("horizons", [15], "05_selection"),
        ("target", "level", "05_selection"),
        ("lags", [60, 120], "04_lagging"),
        ("max_fill", 15, "01_bars"),
    ],
)
def test_what_contradicts_is_refused_in_one_sentence(run, stem, key, value, maker):
    names = {"out": str(run.folder), "seed": 0, key: value}
    notebook = Run.open(run.folder, for_notebook(stem, names))
    with pytest.raises(ParameterError) as caught:
        settled(notebook, stem)
    told, settles = (tuple(v) if isinstance(v, list) else v for v in (value, getattr(MADE, key)))
    message = str(caught.value)
    assert message.startswith(
        f"{stem}: {key} is settled by {maker}, got {told!r}; expected {settles!r}."
    )
    assert "\n" not in message


def test_what_agrees_is_accepted_and_what_is_not_settled_is_the_notebooks_own(run):
    names = {"out": str(run.folder), "train_days": 14, "horizons": [15, 30], "rounds": 7}
    complete = settled(Run.open(run.folder, for_notebook("06_training", names)), "06_training")
    assert (complete.train_days, complete.rounds) == (14, 7)


def test_two_splits_lead_to_other_rows_and_to_a_stale_selection(run):
    first = split.Split.from_json(artefacts.SPLIT.read(run), MINUTES)
    with run.stage("09_monitoring", [], ["split.json"]) as stage:
        stage.write_json("drift/x.json", 1)
    other = MADE.model_copy(update={"train_days": 10})
    columns_and_split(run.folder, other)
    second = split.Split.from_json(artefacts.SPLIT.read(run), MINUTES)
    assert len(second.folds[0].train) < len(first.folds[0].train)
    with pytest.raises(
        ArtefactError, match=r"drift/x\.json: stale, got one made from an earlier spl"
    ):
        run.need("drift/x.json")
    with pytest.raises(ParameterError, match="train_days is settled by 05_selection, got 14;"):
        settled(Run.open(run.folder, MADE), "06_training")


@pytest.mark.parametrize("scheme", ["rolling", "chronological", "combinatorial"])
def test_a_split_comes_back_in_every_row(scheme, tmp_path):
    made = split.make(MADE.model_copy(update={"scheme": scheme}), MINUTES, [Column()])
    content = made.to_json(MINUTES)
    back = split.Split.from_json(content, MINUTES)
    assert len(back.folds) == len(made.folds) > 0
    for one, other in zip(made.folds, back.folds, strict=True):
        for name in split.PARTS:
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        assert (one.number, one.last_seen) == (other.number, other.last_seen)
    span = content["folds"][0]["test"][0]
    assert span["from"] == f"{sessions.timestamps(MINUTES[span['rows'][:1]])[0]:%Y-%m-%d %H:%M}"
    with pytest.raises(ArtefactError, match="of other bars, got"):
        split.Split.from_json(content, MINUTES[:-1])
