"""Databases for tests: on the server that the environment names, else on one started here."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import URL, Engine, create_engine, text

from bqx.database.connect import URL_NAME, connect, url
from bqx.database.server import serving


@pytest.fixture(scope="session")
def server() -> Iterator[URL]:
    """Address of a server whose user may make databases and roles."""
    given = os.environ.get(URL_NAME)
    if given:
        yield url()
        return
    with (
        tempfile.TemporaryDirectory(prefix="bqx", ignore_cleanup_errors=True) as folder,
        serving(Path(folder)) as address,
    ):
        _hurry(address)
        yield address


def _hurry(address: URL) -> None:
    """What is lost when the machine fails does not matter here."""
    admin = create_engine(address, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        for name in ("fsync", "synchronous_commit", "full_page_writes"):
            connection.execute(text(f"ALTER SYSTEM SET {name} = off"))
        connection.execute(text("SELECT pg_reload_conf()"))
    admin.dispose()


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
