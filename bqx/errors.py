"""Errors whose message says where, what is wrong, what was expected, and the mend."""


class BqxError(Exception):
    """Any problem that a user of bqx can mend."""


class BarError(BqxError):
    """Bars that break the bar schema, or a file that cannot be read as bars."""


class ParameterError(BqxError):
    """A parameter that is unknown, malformed or out of range."""


class ArtefactError(BqxError):
    """An artefact that is missing, damaged, or belongs to another run or catalog."""


class RequestError(BqxError):
    """A serving request that cannot be answered."""


class AbsentBarError(RequestError):
    """A bar that a request names and that there is not."""


class DatabaseError(BqxError):
    """A database that cannot be reached or used as it stands."""
