"""What of an AWS account bqx uses: names and addresses, from one small file."""

import re
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from bqx.errors import ParameterError

REPOSITORIES = {
    "training": "bqx-ml-training",
    "processing": "bqx-ml-processing",
    "inference": "bqx-ml-inference",
}
"""Repositories of ECR by the target of the Dockerfile."""


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

        Raises ParameterError for a key that is unknown or missing, or a number that is none.
        """
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, yaml.YAMLError) as error:
            raise ParameterError(
                f"{path}: cannot be read, got {type(error).__name__}; expected YAML with account, "
                "region, bucket and role."
            ) from None
        values: dict[str, Any] = content if isinstance(content, dict) else {}
        known = {item.name for item in fields(cls)}
        needed = ("account", "region", "bucket", "role")
        wrong = [f"unknown {key}" for key in values if key not in known]
        wrong += [f"no {key}" for key in needed if not values.get(key)]
        if wrong:
            raise ParameterError(
                f"{path}: {wrong[0]}, got {', '.join(map(str, values)) or 'nothing'}; expected "
                f"{', '.join(needed)}, maybe {', '.join(sorted(known - set(needed)))}."
            )
        if not re.fullmatch(r"\d{12}", str(values["account"])):
            raise ParameterError(
                f"{path}: no account, got {values['account']!r:.40}; expected 12 digits in quotes."
            )
        lists = {name: tuple(values.get(name, ())) for name in ("subnets", "security_groups")}
        return cls(**(values | lists))

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
        own = {"project": "bqx", **self.tags}
        return {"Tags": [{"Key": key, "Value": value} for key, value in own.items()]}

    def encrypted(self, name: str) -> dict[str, str]:
        """The key under an argument's name, where there is one."""
        return {name: self.key} if self.key else {}
