"""Databases for tests: on the server that the environment names, else on one started here."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import URL, Engine, create_engine, text

from bqx.database.connect import URL_NAME, connect, url
from bqx.database.server import serving


@pytest.fixture(scope="session")
def server() -> Iterator[URL]:
    """Address of a server whose user may make databases and roles."""
    import os

    with tempfile.TemporaryDirectory(prefix="bqx", ignore_cleanup_errors=True) as folder:
        given = os.environ.get(URL_NAME)
        with nullcontext(url()) if given else serving(Path(folder)) as address:
            yield address


@contextmanager
def fresh(server: URL) -> Iterator[Engine]:
    """A database of its own, dropped at the end."""
    name = f"bqx_{uuid4().hex}"
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    engine = connect(server.set(database=name))
    try:
        yield engine
    finally:
        engine.dispose()
        with admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
        admin.dispose()
