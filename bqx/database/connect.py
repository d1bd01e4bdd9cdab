"""Which PostgreSQL server, with which credentials, and always under TLS unless it is local."""

import ipaddress
import json
import os
import re
from collections.abc import Mapping

import boto3
from botocore.exceptions import BotoCoreError, ClientError
from sqlalchemy import URL, Engine, create_engine, make_url
from sqlalchemy.exc import ArgumentError

from bqx.errors import DatabaseError, ParameterError

URL_NAME = "BQX_DATABASE_URL"
SECRET_NAME = "BQX_DATABASE_SECRET"
ENVIRONMENT = "postgresql://"
"""Address of the server that the environment names."""

_STRENGTH = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_SCHEMES = ("postgresql", "postgres", "postgresql+psycopg2")
_ADDRESS = re.compile(
    r"[a-z0-9+]+://([^@/?#\n]+@)?[\w.:,%\[\]-]*(/[^@/?#\s]*)?(\?([^@#\s]|(?<==)@)*)?"
)
_POOL = 4


def url(environment: Mapping[str, str] = os.environ) -> URL:
    """Address of the server, from ``BQX_DATABASE_URL`` or a secret of AWS Secrets Manager.

    Where the URL holds no password, libpq looks for it in ``PGPASSWORD`` and ``~/.pgpass``. The
    secret that ``BQX_DATABASE_SECRET`` names is JSON with host, port, username, password, dbname.

    Returns
    -------
    The address with the TLS mode that its host asks for: none when it is local, else ``require``,
    and ``verify-full`` where ``sslrootcert`` or ``PGSSLROOTCERT`` names an authority.

    Raises
    ------
    DatabaseError : neither is set, no such secret, no PostgreSQL address, or a TLS mode that does
        not protect a remote host.
    """
    if text := environment.get(URL_NAME):
        return _secured(_parsed(text), environment)
    if name := environment.get(SECRET_NAME):
        return _secured(_from_secret(name), environment)
    raise DatabaseError(
        f"database: no server is named, got neither {URL_NAME} nor {SECRET_NAME}; expected one of "
        "them. Set it, or start a local server with `make db`."
    )


def named(address: str, key: str) -> URL:
    """Server of a parameter: an address without a password, since a run folder keeps its
    parameters, or `ENVIRONMENT` for that of the environment.

    Raises
    ------
    ParameterError : the address shows a password. DatabaseError : see `url`.
    """
    if address == ENVIRONMENT:
        return url()
    user = address.partition("://")[2].rpartition("@")[0]
    if ":" in user or "password=" in address:
        raise ParameterError(
            f"{key}: an address with a password, got one; expected none, since a run folder keeps "
            "its parameters. Set PGPASSWORD."
        )
    return url({**os.environ, URL_NAME: address})


def connect(address: URL) -> Engine:
    """Pool of at most four connections; sessions speak UTC.

    Parameters never appear in logs or errors.
    """
    return create_engine(
        address,
        pool_size=_POOL,
        max_overflow=0,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={
            "connect_timeout": 10,
            "application_name": "bqx",
            "options": "-c timezone=UTC -c extra_float_digits=3",
        },
    )


def shown(address: URL, environment: Mapping[str, str] = os.environ) -> str:
    """Host and database of an address, for messages: never its credentials."""
    hosts = _hosts(address, environment)
    return f"{hosts[0] if hosts else 'local socket'}/{address.database or ''}"


def _parsed(text: str) -> URL:
    try:
        # A password with a bare @, / or ? would be taken for a host or a database, and be shown.
        address = make_url(text) if _ADDRESS.fullmatch(text) else None
    except (ArgumentError, ValueError):
        address = None
    # The text may hold a password, so that no message repeats it.
    if address is None or address.drivername not in _SCHEMES:
        raise DatabaseError(
            f"{URL_NAME}: no address of a PostgreSQL server, got another text; expected "
            "postgresql://USER@HOST:PORT/DATABASE. Write @, / and ? in a password as %40, %2F, %3F."
        )
    return address.set(drivername="postgresql+psycopg2")


def _from_secret(name: str) -> URL:
    try:
        answer = boto3.client("secretsmanager").get_secret_value(SecretId=name)
        secret = json.loads(answer["SecretString"])
        user, password, host = (secret[name] for name in ("username", "password", "host"))
        port, database = int(secret.get("port", 5432)), secret["dbname"]
        return URL.create("postgresql+psycopg2", user, password, host, port, database)
    except (BotoCoreError, ClientError) as error:
        got = error.response["Error"]["Code"] if isinstance(error, ClientError) else str(error)
    except (KeyError, ValueError, TypeError) as error:
        got = f"{type(error).__name__} in its content"
    raise DatabaseError(
        f"{SECRET_NAME}: the secret {name!r} cannot be used, got {got}; expected JSON with host, "
        "port, username, password and dbname. Check the name, the region and the secret."
    )


def _texts(address: URL, name: str) -> list[str]:
    values = address.query.get(name, ())
    texts = (values,) if isinstance(values, str) else values
    return [value for text in texts for value in text.split(",")]


def _hosts(address: URL, environment: Mapping[str, str]) -> list[str]:
    """Every host that libpq may speak to; SQLAlchemy prefers those of the query to the one before
    it, and takes a port that follows one off."""
    named = [
        host.partition(":")[0] if host.count(":") == 1 else host for host in _texts(address, "host")
    ]
    named = named or (address.host or environment.get("PGHOST", "")).split(",")
    numbered = _texts(address, "hostaddr") or [environment.get("PGHOSTADDR", "")]
    return [host for host in (*named, *numbered) if host]


def _local(host: str) -> bool:
    if host.startswith(("/", "@")) or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _secured(address: URL, environment: Mapping[str, str]) -> URL:
    # Either may name a host that is not looked at here.
    elsewhere = {"service", "dsn"} & set(address.query) or "PGSERVICE" in environment
    if all(map(_local, _hosts(address, environment))) and not elsewhere:
        return address
    root = "sslrootcert" in address.query or "PGSSLROOTCERT" in environment
    mode = (_texts(address, "sslmode") or ["verify-full" if root else "require"])[0]
    if mode not in _STRENGTH or _STRENGTH.index(mode) < _STRENGTH.index("require"):
        raise DatabaseError(
            f"{shown(address, environment)}: TLS is not required, got sslmode={mode}; expected "
            "require, verify-ca or verify-full for a server that is not local. Leave sslmode out."
        )
    return address.update_query_dict({"sslmode": mode})
