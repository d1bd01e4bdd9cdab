"""The registry's versions as SageMaker model packages, one group per pair.

SageMaker knows three statuses; an archived package is a rejected one whose metadata say so, and
say whether it had been approved before.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any

from bqx.evaluation.reasons import Reason
from bqx.files import digest
from bqx.serving.registry import Status, Version

_STATUS: dict[str, Status] = {
    "PendingManualApproval": "pending",
    "Approved": "approved",
    "Rejected": "rejected",
}
_APPROVAL = {status: name for name, status in _STATUS.items()} | {"archived": "Rejected"}
_ARCHIVED, _PASSED = "archived", "passed"
MOST_TEXT = 1_024
"""Longest description that SageMaker takes."""
MOST_VALUE = 256


class ModelPackages:
    """A `Store` behind a boto3 client of SageMaker.

    ``client`` : of SageMaker; ``group`` : start of the groups' names; ``image`` : address of the
    container that serves a bundle.
    """

    def __init__(self, client: Any, group: str, image: str) -> None:
        self.client = client
        self.group = group
        self.image = image

    def add(self, pair: str, source: str, facts: Mapping[str, Any], by: str) -> Version:
        """Create a package of an archive in S3, ``source`` its address."""
        properties = {str(k): str(v)[:MOST_VALUE] for k, v in facts.items()}
        for version in self.versions(pair):
            if version.bundle == source and version.facts == properties:
                return version
        group = f"{self.group}-{pair}"
        self._ensure(group)
        answer = self.client.create_model_package(
            ModelPackageGroupName=group,
            ModelPackageDescription=f"{pair}, registered by {by}"[:MOST_TEXT],
            InferenceSpecification={
                "Containers": [{"Image": self.image, "ModelDataUrl": source}],
                "SupportedContentTypes": ["application/json"],
                "SupportedResponseMIMETypes": ["application/json"],
            },
            ModelApprovalStatus=_APPROVAL["pending"],
            CustomerMetadataProperties=properties,
            # The same call again, after a lost answer, makes no second package.
            ClientToken=digest([group, source, properties])[:36],
        )
        return self._read(pair, answer["ModelPackageArn"])

    def move(
        self,
        version: Version,
        status: Status,
        reasons: Sequence[Reason],
        *,
        by: str,
        followed: Sequence[Version] = (),
    ) -> Version:
        """Update the approval, with reasons and name as its description."""
        arn = self._arns(version.pair)[version.number]
        why = "; ".join(map(str, reasons)) or "no reason against it"
        change: dict[str, Any] = {
            "ModelPackageArn": arn,
            "ModelApprovalStatus": _APPROVAL[status],
            "ApprovalDescription": f"{by}: {why}"[:MOST_TEXT],
        }
        marks = {
            _ARCHIVED: status == "archived",
            _PASSED: version.passed or status == "approved",
        }
        # All of them each time: whether an update adds to them or replaces them is not documented.
        properties = version.facts | {name: "true" for name, held in marks.items() if held}
        change["CustomerMetadataProperties"] = properties
        if version.status == "archived":
            change["CustomerMetadataPropertiesToRemove"] = [_ARCHIVED]
        self.client.update_model_package(**change)
        for old in followed:
            reason = Reason.of(f"followed by version {version.number}")
            self.move(old, "archived", (reason,), by=by)
        return replace(version, status=status, reasons=tuple(reasons))

    def locked(self) -> AbstractContextManager[None]:
        """Nothing: SageMaker has no lock, and keeps the last word of two."""
        return nullcontext()

    def versions(self, pair: str) -> list[Version]:
        """All versions of a pair, oldest first."""
        return [self._read(pair, arn) for _, arn in sorted(self._arns(pair).items())]

    def _arns(self, pair: str) -> dict[int, str]:
        arns: dict[int, str] = {}
        token: dict[str, str] = {}
        while True:
            try:
                answer = self.client.list_model_packages(
                    ModelPackageGroupName=f"{self.group}-{pair}", **token
                )
            except self.client.exceptions.ClientError as error:
                # The first version of a pair finds no group yet.
                if "does not exist" in str(error):
                    return arns
                raise
            for item in answer["ModelPackageSummaryList"]:
                arns[int(item["ModelPackageVersion"])] = item["ModelPackageArn"]
            if "NextToken" not in answer:
                return arns
            token = {"NextToken": answer["NextToken"]}

    def _ensure(self, group: str) -> None:
        try:
            self.client.create_model_package_group(ModelPackageGroupName=group)
        except self.client.exceptions.ClientError as error:
            if "already exists" not in str(error):
                raise

    def _read(self, pair: str, arn: str) -> Version:
        package = self.client.describe_model_package(ModelPackageName=arn)
        facts = dict(package.get("CustomerMetadataProperties", {}))
        archived = facts.pop(_ARCHIVED, "") == "true"
        passed = facts.pop(_PASSED, "") == "true"
        why = package.get("ApprovalDescription", "").partition(": ")[2]
        status: Status = "archived" if archived else _STATUS[package["ModelApprovalStatus"]]
        return Version(
            pair=pair,
            number=int(package["ModelPackageVersion"]),
            status=status,
            bundle=package["InferenceSpecification"]["Containers"][0]["ModelDataUrl"],
            facts=facts,
            reasons=tuple(map(Reason, why.split("; "))) if why and status != "approved" else (),
            # A package may have been approved in the console.
            passed=passed or status == "approved",
        )
