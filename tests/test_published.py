"""A run that reads its features from PostgreSQL has the artefacts of one that computes them."""

import pytest
from postgres import fresh
from sqlalchemy import text

from bqx.database import loads, schema
from bqx.database.connect import ENVIRONMENT, URL_NAME
from bqx.errors import BqxError
from bqx.feature_store import pair_months
from bqx.feature_store.store import Store
from bqx.params import Params, load
from bqx.runs.run import Run
from bqx.stages import bars, features

PAIRS = ("eurusd", "gbpusd")
START = "2024-01-21"
CHANGES = {"pairs": PAIRS, "start": START, "days": 14, "workers": 1, "backend": "threads"}


def ran(folder, **changes):
    """Artefacts of a run's first stages, and the keys by which later ones know them."""
    params = Params(out=str(folder), **(CHANGES | changes))
    for stage in (bars, features):
        stage.build(params)
    run = Run.open(params.folder, params)
    assert features.republished(params) == 0
    return run.outputs, {name: entry["key"] for name, entry in run.stages.items()}


@pytest.fixture(scope="module")
def computed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("computed")
    return folder, *ran(folder)


@pytest.fixture(scope="module")
def database(computed, server):
    """A database with the published features of the run that computed them."""
    with fresh(server) as engine:
        schema.create(engine, PAIRS)
        loads.publish(engine, Store(computed[0] / features.FOLDER))
        yield engine


def named(engine):
    """An address without a password, as a run folder may keep it."""
    return engine.url.set(drivername="postgresql", password=None).render_as_string()


def forbidden(*arguments, **settings):
    raise AssertionError("computed, and not read")


def test_artefacts_are_those_of_a_run_that_computes(computed, database, tmp_path, monkeypatch):
    monkeypatch.setattr(pair_months, "write_files", forbidden)
    _, outputs, keys = computed
    assert sum(path.startswith("features/") for path in outputs) > 20
    assert ran(tmp_path / "read", published=named(database)) == (outputs, keys)


def test_the_environment_names_the_server_too(computed, database, tmp_path, monkeypatch):
    address = database.url.render_as_string(hide_password=False)
    monkeypatch.setenv(URL_NAME, address)
    assert ran(tmp_path / "read", published=ENVIRONMENT)[0] == computed[1]


def test_features_of_other_bars_are_refused(database, tmp_path):
    other = Params(out=str(tmp_path / "other"), seed=5, published=named(database), **CHANGES)
    bars.build(other)
    with pytest.raises(BqxError, match=f"features of other bars, got .* rows from {START}"):
        features.build(other)


def test_a_value_that_was_changed_is_found_on_the_last_row_of_its_month(
    computed, database, tmp_path
):
    outputs = computed[1]
    table = sorted(path for path in outputs if path.startswith("features/"))[1].split("/")[1]
    relation = schema.relation(table, "eurusd")
    column = schema.tables()[table][0].name
    change = "UPDATE bqx.{} SET {} = 77 WHERE ts_utc = (SELECT max(ts_utc) FROM bqx.{})"
    params = Params(out=str(tmp_path), published=named(database), **CHANGES)
    bars.build(params)
    connection = database.connect()
    # Seen by this connection alone, and by no later test.
    try:
        read = f'SELECT "{column}" FROM bqx.{relation} ORDER BY ts_utc DESC LIMIT 1'
        before = connection.execute(text(read)).scalar()
        connection.execute(text(change.format(relation, f'"{column}"', relation)))
        connection.commit()
        with pytest.raises(BqxError, match=f"{relation}: features of other bars"):
            features.build(params)
    finally:
        put = f'UPDATE bqx.{relation} SET "{column}" = :before WHERE "{column}" = 77'
        connection.execute(text(put), {"before": before})
        connection.commit()
        connection.close()


def test_a_database_without_the_pair_is_told(database, tmp_path):
    changes = CHANGES | {"pairs": ("eurusd", "usdjpy")}
    params = Params(out=str(tmp_path), published=named(database), **changes)
    bars.build(params)
    with pytest.raises(BqxError, match="usdjpy"):
        features.build(params)


@pytest.mark.parametrize("address", ["s3://a/b", "runs/a", 3])
def test_another_place_is_refused(address, tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text(f"published: {address}\n")
    with pytest.raises(
        BqxError, match="published has a wrong value, .* an address that begins with postgresql://"
    ):
        load(path)
