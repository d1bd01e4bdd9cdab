"""What of an AWS account bqx uses: names and addresses, from one small file."""

import re
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from bqx.errors import ParameterError
from bqx.files import read_regular

REPOSITORIES = {
    "training": "bqx-ml-training",
    "processing": "bqx-ml-processing",
    "inference": "bqx-ml-inference",
}
"""Repositories of ECR by the target of the Dockerfile."""


_KINDS = {
    "subnets": "a list of texts",
    "security_groups": "a list of texts",
    "tags": "texts by key",
}


def _is_of_kind(key: str, value: object) -> bool:
    kind = _KINDS.get(key)
    if kind is None:
        return isinstance(value, str)
    texts = [*value, *value.values()] if isinstance(value, dict) else value
    is_mapping = isinstance(value, dict)
    return (
        is_mapping == (key == "tags")
        and isinstance(texts, list)
        and all(isinstance(text, str) for text in texts)
    )


@dataclass(frozen=True)
class Account:
    """Where in AWS everything is.

    ``account`` : its number; ``bucket`` : of bars, datasets, models and forecasts; ``role`` : ARN
    that jobs and endpoints assume; ``subnets``, ``security_groups`` : of the VPC that they run in;
    ``key`` : of KMS, for volumes and outputs; ``tag`` : of the images.
    """

    account: str
    region: str
    bucket: str
    role: str
    subnets: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()
    key: str = ""
    tag: str = "latest"
    tags: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, path: Path) -> "Account":
        """The account of a YAML file.

        Raises ParameterError for a key that is unknown or missing, or a value of another kind.
        """
        try:
            content = yaml.safe_load(read_regular(path).decode())
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise ParameterError(
                f"{path}: cannot be read, got {type(error).__name__}; expected YAML with account, "
                "region, bucket and role."
            ) from None
        values: dict[str, Any] = content if isinstance(content, dict) else {}
        names = {item.name for item in fields(cls)}
        needed = ("account", "region", "bucket", "role")
        wrong = [f"unknown {key}" for key in values if key not in names]
        wrong += [f"no {key}" for key in needed if not values.get(key)]
        if wrong:
            raise ParameterError(
                f"{path}: {wrong[0]}, got {', '.join(map(str, values)) or 'nothing'}; expected "
                f"{', '.join(needed)}, maybe {', '.join(sorted(names - set(needed)))}."
            )
        if not re.fullmatch(r"\d{12}", str(values["account"])):
            raise ParameterError(
                f"{path}: no account, got {values['account']!r:.40}; expected 12 digits in quotes."
            )
        for key, value in values.items():
            if key != "account" and not _is_of_kind(key, value):
                raise ParameterError(
                    f"{path}: {key} has a wrong value, got {value!r:.60}; expected "
                    f"{_KINDS.get(key, 'a text')}."
                )
        lists = {name: tuple(values.get(name, ())) for name in ("subnets", "security_groups")}
        return cls(**(values | lists | {"account": str(values["account"])}))

    def image(self, target: str) -> str:
        """Address of an image."""
        registry = f"{self.account}.dkr.ecr.{self.region}.amazonaws.com"
        return f"{registry}/{REPOSITORIES[target]}:{self.tag}"

    def uri(self, *parts: str) -> str:
        """Address of something in the bucket."""
        return "/".join((f"s3://{self.bucket}", *parts))

    @property
    def vpc(self) -> dict[str, Any]:
        """``VpcConfig``, where there is one."""
        if not self.subnets:
            return {}
        groups = {"SecurityGroupIds": list(self.security_groups), "Subnets": list(self.subnets)}
        return {"VpcConfig": groups}

    @property
    def marks(self) -> dict[str, Any]:
        """``Tags``, by which costs are told apart."""
        tags = {"project": "bqx", **self.tags}
        return {"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]}

    def encrypted(self, name: str) -> dict[str, str]:
        """The key under an argument's name, where there is one."""
        return {name: self.key} if self.key else {}
