"""Addresses on the command line."""

from urllib.parse import SplitResult, urlsplit

from bqx.errors import ParameterError


def http(option: str, text: str) -> SplitResult:
    """The places of an address of HTTP that an option was given.

    Raises ParameterError for what is none.
    """
    try:
        place = urlsplit(text)
        is_known = place.scheme in ("http", "https") and bool(place.hostname)
        is_plain = text.isascii() and text.isprintable() and " " not in text
        if is_known and is_plain and place.port != 0:
            return place
    except ValueError:
        # Of a port, or of an address of version 6, that is none.
        pass
    raise ParameterError(
        f"{option}: no address, got {text!r:.100}; expected http://HOST:PORT/PATH in ASCII, the "
        "rest as %C3."
    )
