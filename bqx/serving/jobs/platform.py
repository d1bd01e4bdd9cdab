"""Folders, files and variables by which SageMaker speaks to a container."""

import json
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bqx.errors import BqxError, ParameterError

ROOT = "BQX_ML_ROOT"
"""Variable that names another root than the platform's, for tests and the local platform."""

LONGEST = 1_024
"""Characters of a failure that the platform shows, and bytes of a processing job's message."""


@dataclass(frozen=True)
class Platform:
    """The layout below ``root``, ``/opt/ml`` in a container."""

    root: Path

    @classmethod
    def here(cls, environment: Mapping[str, str] = os.environ) -> "Platform":
        """The layout of this process."""
        return cls(Path(environment.get(ROOT) or "/opt/ml"))

    @property
    def model(self) -> Path:
        """Folder that becomes ``model.tar.gz``."""
        return Path(os.environ.get("SM_MODEL_DIR") or self.root / "model")

    @property
    def models(self) -> Path:
        """Folder of a multi-model container's models, ``{name}/model`` each."""
        return self.root / "models"

    @property
    def output(self) -> Path:
        """Folder of the failure, the message and a training job's ``data``."""
        return self.root / "output"

    @property
    def processing(self) -> Path:
        """Folder of a processing job's inputs and outputs."""
        return self.root / "processing"

    def hyperparameters(self) -> dict[str, str]:
        """Hyperparameters of a training job, all of them text.

        Raises ParameterError for other content.
        """
        path = self.root / "input" / "config" / "hyperparameters.json"
        texts = self._config(path) | json.loads(os.environ.get("SM_HPS") or "{}")
        for key, value in texts.items():
            if not isinstance(value, str):
                raise ParameterError(
                    f"hyperparameters: {key} is no text, got {value!r:.60}; expected one, as the "
                    f'platform writes them: "{value!s:.60}".'
                )
        # The platform's own and those of its toolkits begin so.
        return {k: v for k, v in texts.items() if not k.startswith(("_", "sagemaker_"))}

    def channel(self, name: str) -> Path:
        """Folder of a training job's channel.

        Raises ParameterError where it is not there.
        """
        channel_path = os.environ.get(f"SM_CHANNEL_{name.upper()}")
        path = Path(channel_path or self.root / "input" / "data" / name)
        if not path.is_dir():
            channels = sorted(p.name for p in path.parent.glob("*")) or ["none"]
            raise ParameterError(
                f"channel: no {name}, got {', '.join(channels)}; expected a channel of that name "
                "in InputDataConfig."
            )
        return path

    def job(self) -> dict[str, Any]:
        """What a processing job was asked for."""
        return self._config(self.root / "config" / "processingjobconfig.json")

    def share(self) -> tuple[int, int]:
        """Number of this instance among a processing job's, and how many there are."""
        config = self._config(self.root / "config" / "resourceconfig.json")
        hosts = sorted(config.get("hosts", ["algo-1"]))
        return hosts.index(config.get("current_host", hosts[0])), len(hosts)

    def fail(self, message: str) -> None:
        """Write the failure that the platform shows."""
        self.output.mkdir(parents=True, exist_ok=True)
        text = message[:LONGEST].encode("utf-8", "backslashreplace")
        (self.output / "failure").write_bytes(text)

    def tell(self, message: str) -> None:
        """Write the exit message of a processing job: what is no UTF-8 would fail it."""
        self.output.mkdir(parents=True, exist_ok=True)
        text = message.encode("utf-8", "backslashreplace")[:LONGEST]
        # No half of a letter.
        (self.output / "message").write_bytes(text.decode("utf-8", "ignore").encode())

    def _config(self, path: Path) -> dict[str, Any]:
        try:
            config = json.loads(path.read_bytes()) if path.exists() else {}
        except ValueError:
            config = None
        if not isinstance(config, dict):
            raise ParameterError(
                f"{path}: no JSON object, got other content; expected what the platform writes."
            )
        return config


def status_of(work: Callable[[], None], tell: Callable[[str], None], title: str) -> int:
    """Exit status of a job's work, after what failed was told to the platform and in the log.

    ``title`` : what begins the log's line.
    """
    try:
        work()
    except BqxError as error:
        tell(str(error))
        print(f"{title}: {error}", file=sys.stderr)
        return 1
    except Exception as error:
        tell(f"{type(error).__name__}: {error}")
        traceback.print_exc()
        return 1
    return 0
