"""Resources that both CloudFormation designs have, and how they name each other."""

from collections.abc import Mapping, Sequence
from typing import Any

Resource = dict[str, Any]


def of(kind: str, properties: dict[str, Any]) -> Resource:
    """A resource of a kind of AWS."""
    return {"Type": f"AWS::{kind}", "Properties": properties}


def ref(name: str) -> dict[str, str]:
    """A parameter's value, or what a resource is called by."""
    return {"Ref": name}


def arn(name: str) -> dict[str, list[str]]:
    """ARN of a resource."""
    return {"Fn::GetAtt": [name, "Arn"]}


def sub(text: str) -> dict[str, str]:
    """A text with the values of ``${Name}``."""
    return {"Fn::Sub": text}


def statement(actions: Sequence[str], resources: Sequence[Any]) -> dict[str, Any]:
    """What a role may do, and with what."""
    return {"Effect": "Allow", "Action": list(actions), "Resource": list(resources)}


def role(service: str, statements: Sequence[dict[str, Any]]) -> Resource:
    """A role that one service assumes for this account alone."""
    trusted = {
        "Effect": "Allow",
        "Principal": {"Service": f"{service}.amazonaws.com"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"aws:SourceAccount": ref("AWS::AccountId")}},
    }
    document = {"Version": "2012-10-17", "Statement": list(statements)}
    return {
        "Type": "AWS::IAM::Role",
        "Properties": {
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [trusted]},
            "Policies": [{"PolicyName": "own", "PolicyDocument": document}],
        },
    }


def storage(days: Mapping[str, int] | None = None) -> dict[str, Resource]:
    """A key, and the bucket: encrypted, versioned, closed to the public and to plain HTTP.

    ``days`` : after which what lies under a prefix expires.
    """
    root = {"AWS": sub("arn:${AWS::Partition}:iam::${AWS::AccountId}:root")}
    owner = {"Effect": "Allow", "Principal": root, "Action": "kms:*", "Resource": "*"}
    everything = [arn("Bucket"), sub("${Bucket.Arn}/*")]
    plain = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": everything,
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    by_key = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": arn("Key")}
    closed = ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets")
    bucket = {
        "BucketEncryption": {
            "ServerSideEncryptionConfiguration": [
                {"ServerSideEncryptionByDefault": by_key, "BucketKeyEnabled": True}
            ]
        },
        "PublicAccessBlockConfiguration": dict.fromkeys(closed, True),
        "VersioningConfiguration": {"Status": "Enabled"},
        "LifecycleConfiguration": {"Rules": _expiring(days or {})},
    }
    policy = {"Version": "2012-10-17", "Statement": [owner]}
    secure = {"Version": "2012-10-17", "Statement": [plain]}
    return {
        "Key": {
            "Type": "AWS::KMS::Key",
            "DeletionPolicy": "Retain",
            "UpdateReplacePolicy": "Retain",
            "Properties": {"EnableKeyRotation": True, "KeyPolicy": policy},
        },
        "Bucket": {
            "Type": "AWS::S3::Bucket",
            "DeletionPolicy": "Retain",
            "UpdateReplacePolicy": "Retain",
            "Properties": bucket,
        },
        "BucketPolicy": {
            "Type": "AWS::S3::BucketPolicy",
            "Properties": {"Bucket": ref("Bucket"), "PolicyDocument": secure},
        },
    }


def predictions() -> Resource:
    """Table of forecasts that go on learning, see `bqx.cloud.online_items`; items expire."""
    keys = {"pair_horizon": ("S", "HASH"), "minute": ("N", "RANGE")}
    return {
        "Type": "AWS::DynamoDB::Table",
        "DeletionPolicy": "Retain",
        "UpdateReplacePolicy": "Retain",
        "Properties": {
            "TableName": "bqx_predictions",
            "BillingMode": "PAY_PER_REQUEST",
            "AttributeDefinitions": [
                {"AttributeName": name, "AttributeType": kind} for name, (kind, _) in keys.items()
            ],
            "KeySchema": [
                {"AttributeName": name, "KeyType": role} for name, (_, role) in keys.items()
            ],
            "TimeToLiveSpecification": {"AttributeName": "expires", "Enabled": True},
            "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": True},
            "SSESpecification": {
                "SSEEnabled": True,
                "SSEType": "KMS",
                "KMSMasterKeyId": arn("Key"),
            },
        },
    }


def _expiring(days: Mapping[str, int]) -> list[Resource]:
    """Rules of what leaves the bucket: old versions, and all below some prefixes."""
    old: Resource = {"Id": "old", "NoncurrentVersionExpiration": {"NoncurrentDays": 30}}
    rules: list[Resource] = [
        {"Id": p, "Prefix": f"{p}/", "ExpirationInDays": n} for p, n in days.items()
    ]
    return [{"Status": "Enabled", **rule} for rule in (old, *rules)]


def network() -> dict[str, Resource]:
    """The group of what runs: nothing comes in, and only HTTPS goes out."""
    https = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "CidrIp": "0.0.0.0/0"}
    return {
        "Group": {
            "Type": "AWS::EC2::SecurityGroup",
            "Properties": {
                "GroupDescription": "bqx: HTTPS out, nothing in",
                "VpcId": ref("Vpc"),
                "SecurityGroupEgress": [https],
            },
        }
    }


def parameters() -> dict[str, Resource]:
    """What whoever creates the stack says."""
    return {
        "Vpc": {"Type": "AWS::EC2::VPC::Id"},
        "Subnets": {"Type": "List<AWS::EC2::Subnet::Id>"},
        "Image": {"Type": "String", "Description": "address of the image in ECR"},
    }


def logs(name: str, *more: str) -> dict[str, Any]:
    """Writing the logs of one group, and more that may be done with them."""
    group = f"arn:${{AWS::Partition}}:logs:${{AWS::Region}}:${{AWS::AccountId}}:log-group:{name}"
    actions = ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents")
    return statement([*actions, *more], [sub(f"{group}:*")])


def reading(*prefixes: str) -> list[dict[str, Any]]:
    """Reading some prefixes of the bucket, and what is encrypted by its key."""
    objects = [sub(f"${{Bucket.Arn}}/{prefix}/*") for prefix in prefixes]
    listing = statement(["s3:ListBucket"], [arn("Bucket")])
    listing["Condition"] = {"StringLike": {"s3:prefix": [f"{prefix}/*" for prefix in prefixes]}}
    return [
        statement(["s3:GetObject"], objects),
        listing,
        statement(["kms:Decrypt"], [arn("Key")]),
    ]


def writing(*prefixes: str) -> list[dict[str, Any]]:
    """Writing under some prefixes of the bucket."""
    objects = [sub(f"${{Bucket.Arn}}/{prefix}/*") for prefix in prefixes]
    return [
        statement(["s3:PutObject"], objects),
        statement(["kms:GenerateDataKey"], [arn("Key")]),
    ]


def image() -> list[dict[str, Any]]:
    """Fetching images of bqx from ECR; a token has no resource of its own."""
    repositories = "arn:${AWS::Partition}:ecr:${AWS::Region}:${AWS::AccountId}:repository/bqx-ml-*"
    names = ("BatchCheckLayerAvailability", "BatchGetImage", "GetDownloadUrlForLayer")
    return [
        statement([f"ecr:{name}" for name in names], [sub(repositories)]),
        statement(["ecr:GetAuthorizationToken"], ["*"]),
    ]


def on_instances(group: str) -> list[dict[str, Any]]:
    """What instances of SageMaker need beside data: image, VPC, encrypted volumes, logs, metrics.

    ``group`` : of the logs. The actions are those of AWS's page on the roles of SageMaker.
    """
    created = ("NetworkInterface", "NetworkInterfacePermission")
    described = ("DhcpOptions", "NetworkInterfaces", "SecurityGroups", "Subnets", "Vpcs")
    names = [f"{action}{name}" for action in ("Create", "Delete") for name in created]
    names += [f"Describe{name}" for name in described]
    return [
        *image(),
        statement([f"ec2:{name}" for name in names], ["*"]),
        statement(["kms:CreateGrant"], [arn("Key")]),
        logs(group, "logs:DescribeLogStreams"),
        statement(["cloudwatch:PutMetricData"], ["*"]),
    ]


def attached() -> list[dict[str, Any]]:
    """Joining the VPC as a function of Lambda, whose interfaces have no names beforehand."""
    actions = ("Create", "Describe", "Delete")
    names = [f"ec2:{action}NetworkInterface{'s' * (action == 'Describe')}" for action in actions]
    return [statement(names, ["*"])]
