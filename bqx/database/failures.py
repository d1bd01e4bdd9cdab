"""What PostgreSQL says went wrong, in one line with the mend."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg2
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from bqx.database.connect import shown
from bqx.errors import DatabaseError

# SQLSTATE, or a word of the message where a connection fails before there is a state: what is
# wrong, what was expected, the mend.
_STATES = {
    "28P01": ("the password is refused", "the user's password", "Correct the credentials"),
    "28000": ("the user is refused", "a user that may log in", "Correct the credentials"),
    "3D000": ("there is no such database", "one that exists", "Name another"),
    "3F000": ("the schema bqx is missing", "one made by bqx", "Run `bqx db create` first"),
    "42P01": ("a table is missing", "one that was created", "Run `bqx db create` and load it"),
    "42703": ("a column is missing", "the catalog's columns", "Create the schema anew"),
    "42501": ("permission is denied", "a role that may do this", "Connect as another user"),
    "25006": ("the server takes no writes", "a primary server", "Connect to the primary"),
    "53100": ("the disk is full", "free space", "Free some and run it again: nothing was kept"),
    "53300": ("no connection is free", "fewer clients", "Try again later"),
    "40P01": ("two users wait for each other", "one at a time", "Run it again"),
    "55P03": ("another user holds a lock", "a table that nobody uses", "Run it again later"),
    "57014": ("the statement was cancelled", "one that may end", "Run it again"),
    "57P01": ("the server was shut down", "a running one", "Start it and run it again"),
}
_WORDS = {
    "password authentication failed": "28P01",
    "no password supplied": "28P01",
    'role "': "28000",
    'database "': "3D000",
    "too many clients": "53300",
}
_UNREACHABLE = ("the server does not answer", "a running one", "Start it")
_INSECURE = ("TLS fails", "a server with TLS that the authority vouches for", "Mend its TLS")
_OTHER = ("the server refused", "what it accepts", "See its message")


@contextmanager
def explained(engine: Engine, doing: str) -> Iterator[None]:
    """Turn what PostgreSQL raises in the block into one clear line.

    Raises DatabaseError.
    """
    try:
        yield
    except DBAPIError as error:
        raise _explanation(engine, doing, error.orig or error) from None
    except psycopg2.Error as error:
        raise _explanation(engine, doing, error) from None


def _explanation(engine: Engine, doing: str, error: BaseException) -> DatabaseError:
    state = getattr(error, "pgcode", None)
    text = str(error).strip()
    what, rule, mend = _reading(state, text)
    lines = text.splitlines() or [type(error).__name__]
    # The last line that names a severity, or the first: the others quote the statement.
    line = next((line for line in reversed(lines) if re.search("FATAL:|ERROR:", line)), lines[0])
    got = line.removeprefix("ERROR:").strip().rstrip(".")
    where = shown(engine.url)
    return DatabaseError(f"{where} ({doing}): {what}, got {got}; expected {rule}. {mend}.")


def _reading(state: str | None, text: str) -> tuple[str, str, str]:
    if state is None:
        if "SSL" in text or "certificate" in text:
            return _INSECURE
        state = next((code for word, code in _WORDS.items() if word in text), None)
        if state is None:
            return _UNREACHABLE
    return _STATES.get(state, _OTHER)
