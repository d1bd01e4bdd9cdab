"""Models in S3: every version under a key of its own, none ever overwritten."""

import tempfile
from pathlib import Path

from bqx.cloud import archive
from bqx.cloud.account import Account
from bqx.cloud.calls import Call, Clients, CloudError, make
from bqx.files import copy_folder, sha256
from bqx.market.pairs import check
from bqx.serving import standing
from bqx.serving.registry import Version

PREFIX = "models"
"""What the keys of models in a bucket begin with."""


def key_of(pair: str, version: str) -> str:
    """Key of a version of a pair below the models' prefix, the endpoint's target model.

    >>> key_of("eurusd", "2026-11-20T02")
    'eurusd/2026-11-20T02.tar.gz'
    """
    return f"{check(pair)}/{version}.tar.gz"


def pack(version: Version, models: Path) -> str:
    """Pack a registered version, and how it stands, below a folder; its key there.

    Raises ArtefactError where there is one already.
    """
    key = key_of(version.pair, f"{version.number:04d}")
    with tempfile.TemporaryDirectory(prefix="bqx-archive-") as folder:
        packing = Path(folder) / version.pair
        copy_folder(Path(version.bundle), packing)
        standing.pack(version, packing)
        archive.pack(Path(folder), models / key)
    return key


def upload(account: Account, pair: str, version: str, *, packed: Path, of: Clients) -> str:
    """Store an archive under its version's key, and give its address.

    Raises CloudError where there is one already.
    """
    key = f"{PREFIX}/{key_of(pair, version)}"
    encrypted = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": account.key}
    with packed.open("rb") as body:
        arguments = {
            "Bucket": account.bucket,
            "Key": key,
            "Body": body,
            "Metadata": {"sha256": sha256(packed)},
            # Refused where the key is there, whoever else writes at the same time.
            "IfNoneMatch": "*",
        }
        try:
            make(Call("s3", "put_object", arguments | (encrypted if account.key else {})), of)
        except CloudError as error:
            if "PreconditionFailed" not in str(error):
                raise
            raise CloudError(
                f"{account.uri(key)}: there already, got a second model of that version; expected "
                "a new one. Name another version."
            ) from None
    return account.uri(key)
