"""Which server is spoken to, how, and what is said when that fails."""

import contextlib
import json
import os
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto import mock_aws
from postgres import fresh
from sqlalchemy import URL, Engine, create_engine, text

from bqx.database.connect import SECRET_NAME, URL_NAME, connect, named, shown, url
from bqx.database.failures import explained
from bqx.errors import DatabaseError

PASSWORD = "correct horse battery staple"


def said(engine: Engine) -> str:
    """What is said of a connection that fails."""
    with pytest.raises(DatabaseError) as caught, explained(engine, "test"), engine.connect():
        pass
    message = str(caught.value)
    assert "\n" not in message
    assert PASSWORD not in message
    return message


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://me@localhost/bqx",
        "postgres://me@127.0.0.1:6000/bqx",
        "postgresql+psycopg2://me@[::1]/bqx",
        "postgresql:///bqx?host=/run/postgresql",
        "postgresql:///bqx",
        "postgresql:///bqx?host=localhost:5433",
        "postgresql:///bqx?host=::1",
        "postgresql://me@localhost,127.0.0.1/bqx",
        "postgresql://db.example.com/bqx?host=/run/postgresql",
    ],
)
def test_a_local_server_needs_no_tls(address: str) -> None:
    found = url({URL_NAME: address})
    assert found.drivername == "postgresql+psycopg2"
    assert "sslmode" not in found.query


@pytest.mark.parametrize(
    ("address", "more", "mode"),
    [
        ("postgresql://me@db.example.com/bqx", {}, "require"),
        ("postgresql://me@10.0.0.7/bqx", {}, "require"),
        ("postgresql://me@db.example.com/bqx?sslmode=verify-ca", {}, "verify-ca"),
        ("postgresql://me@db.example.com/bqx?sslrootcert=ca.pem", {}, "verify-full"),
        ("postgresql://me@db.example.com/bqx", {"PGSSLROOTCERT": "ca.pem"}, "verify-full"),
        ("postgresql:///bqx?host=db.example.com", {}, "require"),
        ("postgresql:///bqx?host=/run/postgresql,db.example.com", {}, "require"),
        ("postgresql://localhost/bqx?hostaddr=10.0.0.7", {}, "require"),
        ("postgresql://me@localhost/bqx?host=db.example.com", {}, "require"),
        ("postgresql://me@localhost/bqx?host=db.example.com:5433", {}, "require"),
        ("postgresql://me@localhost/bqx?host=localhost:1&host=db.example.com:2", {}, "require"),
        ("postgresql:///bqx?dsn=host%3Ddb.example.com", {}, "require"),
        ("postgresql:///bqx", {"PGHOST": "db.example.com"}, "require"),
        ("postgresql:///bqx", {"PGHOST": "localhost,db.example.com"}, "require"),
        ("postgresql://localhost/bqx", {"PGHOSTADDR": "10.0.0.7"}, "require"),
        ("postgresql:///bqx?service=far", {}, "require"),
        ("postgresql://localhost.example.com/bqx", {}, "require"),
    ],
)
def test_any_other_server_is_spoken_to_under_tls(
    address: str, more: dict[str, str], mode: str
) -> None:
    assert url({URL_NAME: address, **more}).query["sslmode"] == mode


@pytest.mark.parametrize(
    ("name", "value"),
    [("PGHOST", "db.example.com"), ("PGHOSTADDR", "10.0.0.7"), ("PGSERVICE", "far")],
)
def test_a_server_of_a_parameter_may_be_of_the_environment(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    assert named("postgresql:///bqx", "bars").query["sslmode"] == "require"


@pytest.mark.parametrize(
    ("address", "host"),
    [
        ("postgresql://me@localhost/bqx?host=db.example.com:5433", "db.example.com"),
        ("postgresql://db.example.com/bqx?host=/run/postgresql", "/run/postgresql"),
    ],
)
def test_the_server_that_is_spoken_to_is_shown(address: str, host: str) -> None:
    found = url({URL_NAME: address})
    arguments = found.get_dialect()().create_connect_args(found)[1]
    assert shown(found) == f"{arguments['host']}/bqx" == f"{host}/bqx"


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer", "none"])
def test_weaker_modes_are_refused(mode: str) -> None:
    address = f"postgresql://me:{PASSWORD}@db.example.com/bqx?sslmode={mode}"
    with pytest.raises(DatabaseError, match=f"TLS is not required, got sslmode={mode}") as caught:
        url({URL_NAME: address})
    assert PASSWORD not in str(caught.value)


def test_no_server_or_another_kind_is_told() -> None:
    with pytest.raises(DatabaseError, match=f"got neither {URL_NAME} nor {SECRET_NAME}; expected"):
        url({})
    for address in (
        "mysql://me:secret@localhost/bqx",
        "me:secret@localhost",
        "postgresql://me:p@secret@localhost:1/bqx",
        "postgresql://me:secret/bqx",
        "postgresql://me:12/secret@localhost/bqx",
        "postgresql://me:p?secret@localhost/bqx",
        "postgresql://me:p#secret@localhost/bqx",
        "postgresql://me:p/secret/more@localhost",
        "postgresql://me@localhost:secret/bqx",
    ):
        with pytest.raises(DatabaseError, match="no address of a PostgreSQL server") as caught:
            url({URL_NAME: address})
        assert "secret" not in str(caught.value)


@pytest.fixture
def secrets(monkeypatch: pytest.MonkeyPatch) -> Iterator[boto3.client]:
    for name, value in (("AWS_DEFAULT_REGION", "us-east-1"), ("AWS_ACCESS_KEY_ID", "testing"),
                        ("AWS_SECRET_ACCESS_KEY", "testing")):  # fmt: skip
        monkeypatch.setenv(name, value)
    with mock_aws():
        yield boto3.client("secretsmanager")


def test_credentials_come_from_secrets_manager(secrets: boto3.client) -> None:
    held = {"username": "me", "password": PASSWORD, "host": "db.example.com", "port": 6000,
            "dbname": "bqx"}  # fmt: skip
    secrets.create_secret(Name="bqx-ml/aurora-credentials", SecretString=json.dumps(held))
    found = url({SECRET_NAME: "bqx-ml/aurora-credentials"})
    assert (found.host, found.port, found.password) == ("db.example.com", 6000, PASSWORD)
    assert found.query["sslmode"] == "require"
    assert PASSWORD not in f"{found} {found!r} {connect(found)!r} {shown(found)}"


@pytest.mark.parametrize(
    ("content", "got"),
    [(None, "ResourceNotFoundException"), ("{", "JSONDecodeError"), ('{"host": 1}', "KeyError")],
)
def test_a_secret_that_cannot_be_used_is_told(
    secrets: boto3.client, content: str | None, got: str
) -> None:
    if content is not None:
        secrets.create_secret(Name="mine", SecretString=content)
    with pytest.raises(DatabaseError, match=f"the secret 'mine' cannot be used, got {got}"):
        url({SECRET_NAME: "mine"})


def test_a_remote_server_without_tls_is_sent_nothing() -> None:
    received = bytearray()
    listener = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        peer, _ = listener.accept()
        with peer:
            peer.settimeout(10)
            received.extend(peer.recv(100))
            peer.sendall(b"N")  # no TLS here
            with contextlib.suppress(ConnectionError):
                while more := peer.recv(100):
                    received.extend(more)

    thread = threading.Thread(target=answer)
    thread.start()
    port = listener.getsockname()[1]
    address = f"postgresql://me:x@db.example.com:{port}/bqx?hostaddr=127.0.0.1"
    engine = connect(url({URL_NAME: address}))
    message = said(engine)
    thread.join()
    listener.close()
    assert "TLS fails, got" in message
    assert received == struct.pack(">ii", 8, 80_877_103)  # the question for TLS, and no more


def test_a_server_that_is_down_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    message = said(connect(url({URL_NAME: f"postgresql://me:x@127.0.0.1:{port}/bqx"})))
    assert message.startswith("127.0.0.1/bqx (test): the server does not answer, got ")
    assert "Connection refused" in message


@pytest.fixture(scope="module")
def guarded(server: URL) -> Iterator[URL]:
    """Address with a password that the server asks for."""
    if os.environ.get(URL_NAME):
        pytest.skip("the server's own rules of authentication are not changed")
    with fresh(server) as engine:
        user = "guarded"
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            rules = Path(connection.execute(text("SHOW hba_file")).scalar_one())
            before = rules.read_text()
            rules.write_text(f"local all {user} scram-sha-256\n{before}")
            connection.execute(text(f"CREATE USER {user} PASSWORD '{PASSWORD}'"))
            connection.execute(text("SELECT pg_reload_conf()"))
            yield engine.url.set(username=user, password=PASSWORD)
            rules.write_text(before)
            connection.execute(text("SELECT pg_reload_conf()"))
            connection.execute(text(f"DROP USER {user}"))


def works(address: URL) -> bool:
    engine = connect(address)
    with engine.connect() as connection:
        found = connection.execute(text("SELECT current_setting('TimeZone')")).scalar()
    engine.dispose()
    return found == "UTC"


def test_the_password_stands_in_the_address_or_in_pgpass(
    guarded: URL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert works(guarded)
    passes = tmp_path / "pgpass"
    passes.write_text(f"*:*:*:guarded:{PASSWORD}\n")
    passes.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(passes))
    assert works(guarded._replace(password=None))


def test_a_wrong_or_absent_password_is_told(guarded: URL, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSFILE", "/nowhere")
    for password in ("wrong", None):
        message = said(connect(guarded._replace(password=password)))
        assert "the password is refused, got" in message
        assert "Correct the credentials" in message


def test_unknown_databases_and_users_are_told(server: URL) -> None:
    assert "there is no such database" in said(connect(server.set(database="nowhere")))
    assert "the user is refused" in said(connect(server.set(username="nobody_here")))


def test_failed_statements_show_no_parameters(server: URL) -> None:
    engine = create_engine(server, hide_parameters=True)
    with pytest.raises(DatabaseError) as caught, explained(engine, "test"), engine.connect() as c:
        c.execute(text("SELECT :word::integer / 0 FROM nowhere"), {"word": PASSWORD})
    assert PASSWORD not in str(caught.value)
    engine.dispose()
