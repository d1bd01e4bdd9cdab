"""What a batch transform may send to the container, by the platform's variables."""

import os
from collections.abc import Mapping
from typing import Any

BATCH = "SAGEMAKER_BATCH"
LARGEST = 6_291_456
"""Bytes of a request that the platform passes on."""
LARGEST_BATCH_MB = 100


def execution_parameters(environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """What a batch transform may send: what its caller set, else the container's own."""
    defaults = {
        "MaxConcurrentTransforms": os.cpu_count() or 1,
        "BatchStrategy": "MULTI_RECORD",
        "MaxPayloadInMB": LARGEST >> 20,
    }
    named = {
        "MaxConcurrentTransforms": "SAGEMAKER_MAX_CONCURRENT_TRANSFORMS",
        "BatchStrategy": "SAGEMAKER_BATCH_STRATEGY",
        "MaxPayloadInMB": "SAGEMAKER_MAX_PAYLOAD_IN_MB",
    }
    said = {key: environment[name] for key, name in named.items() if environment.get(name)}
    numbers = {k: int(v) if v.isdecimal() else v for k, v in said.items()}
    return defaults | numbers


def largest(environment: Mapping[str, str] = os.environ) -> int:
    """Bytes that a request may have; a batch's caller may allow more."""
    if environment.get(BATCH, "").lower() != "true":
        return LARGEST
    megabytes = execution_parameters(environment)["MaxPayloadInMB"]
    # 0 stands for no limit.
    return min(int(megabytes) or LARGEST_BATCH_MB, LARGEST_BATCH_MB) << 20
