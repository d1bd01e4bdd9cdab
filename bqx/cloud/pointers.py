"""Which artefact of a pair answers: a pointer to its key, and to that of a canary for a share.

Keys of artefacts are never written twice, so a pair goes to a new version, or back, by its pointer
alone: one small file per pair in a folder or bucket, replaced as a whole. A request goes to the
canary by its hash, so that the same request gets the same answer as often as it is asked.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from bqx.cloud.account import Account
from bqx.cloud.calls import Call
from bqx.errors import ArtefactError, ParameterError
from bqx.feature_store.object_store import Folder
from bqx.market.pairs import check

PREFIX = "pointers"
"""What the keys of pointers in a bucket begin with."""


@dataclass(frozen=True)
class Pointer:
    """Where a pair's requests go.

    ``stable`` : key of the artefact that answers; ``canary`` : of the one that is tried, empty for
    none; ``share`` : percent of the requests that it gets; ``before`` : key that was stable before.
    """

    pair: str
    stable: str
    canary: str = ""
    share: float = 0.0
    before: str = ""

    def __post_init__(self) -> None:
        check(self.pair)
        for key in filter(None, (self.stable, self.canary, self.before)):
            if not key.startswith(f"{self.pair}/") or ".." in key.split("/"):
                raise ParameterError(
                    f"pointer of {self.pair}: a key of another pair, got {key!r:.60}; expected "
                    f"one such as {self.pair}/0001.tar.gz."
                )
        if not self.stable or not 0.0 <= self.share <= 100.0 or (self.share and not self.canary):
            raise ParameterError(
                f"pointer of {self.pair}: none, got {self.stable!r:.60}, {self.canary!r:.60} and "
                f"{self.share} percent; expected a key, and a canary for any share up to 100."
            )

    def key(self, request: bytes) -> str:
        """Key of the artefact that answers a request."""
        # Another canary draws other requests.
        content = f"{self.pair} {self.canary} ".encode() + request
        drawn = int.from_bytes(hashlib.sha256(content).digest()[:8], "big") / 2.0**64
        return self.canary if drawn < self.share / 100.0 else self.stable

    def trying(self, canary: str, share: float) -> "Pointer":
        """With a canary for a share of the requests."""
        return replace(self, canary=canary, share=share)

    @property
    def settled(self) -> "Pointer":
        """Without its canary."""
        return Pointer(self.pair, self.stable, before=self.before)

    def rolled_back(self) -> "Pointer":
        """Without its canary; where there is none, to the artefact that was stable before.

        Raises ParameterError where there was none.
        """
        if self.canary:
            return self.settled
        if not self.before:
            raise ParameterError(
                f"pointer of {self.pair}: cannot go back, got no artefact before {self.stable}; "
                "expected one. Name a key."
            )
        return Pointer(self.pair, self.before, before=self.stable)

    def to(self, key: str) -> "Pointer":
        """With another artefact for all requests."""
        before = self.before if key == self.stable else self.stable
        return Pointer(self.pair, key, before=before)


class Pointers:
    """Pointers of all pairs, in a folder or below an ``s3://`` address."""

    def __init__(self, place: str | Path) -> None:
        self._folder = Folder(place)

    def has(self, pair: str) -> bool:
        """Whether a pair has a pointer."""
        return self._folder.has(file_of(pair))

    def read(self, pair: str) -> Pointer:
        """A pair's pointer; ArtefactError where there is none, or another file."""
        name = file_of(pair)
        if not self.has(pair):
            raise ArtefactError(
                f"pointer of {pair}: absent, got no {name} in {self._folder.place}; expected one. "
                "`bqx cloud local point`, or `bqx cloud point`, makes it."
            )
        return _pointer(self._folder.read_json(name), f"{self._folder.place}/{name}")

    def write(self, pointer: Pointer) -> None:
        """Replace a pair's pointer, all of it at once."""
        self._folder.write_json(file_of(pointer.pair), asdict(pointer))


def call(account: Account, pointer: Pointer) -> Call:
    """The call that replaces a pointer in an account's bucket; callers of its endpoint read it, and
    name `Pointer.key` of a request as its target model."""
    arguments = {
        "Bucket": account.bucket,
        "Key": f"{PREFIX}/{file_of(pointer.pair)}",
        "Body": json.dumps(asdict(pointer)),
    }
    encrypted = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": account.key}
    return Call("s3", "put_object", arguments | (encrypted if account.key else {}))


def file_of(pair: str) -> str:
    """Name of a pair's file."""
    return f"{check(pair)}.json"


def _pointer(content: Any, where: str) -> Pointer:
    try:
        if not isinstance(content, Mapping):
            raise TypeError("no object")
        return Pointer(**content)
    except TypeError as error:
        raise ArtefactError(
            f"{where}: no pointer, got {error}; expected {', '.join(Pointer.__annotations__)}."
        ) from None
