"""Budgets of 450, 500, 550 and 600 USD a month as calls of AWS, and tags that split the bill."""

import json
from typing import Any

from bqx.cloud.account import Account
from bqx.cloud.calls import Call
from bqx.market.pairs import PAIRS
from bqx.operations.alert_rules import LEVELS, Level
from bqx.operations.channels import TOPIC

STEPS: dict[float, Level] = {
    450.0: "warning",
    500.0: "warning",
    550.0: "critical",
    600.0: "critical",
}
"""Charges of a month by the level of their alert."""
BUDGET = 500.0
SHARE = 0.875
"""Of the budget, from which on the documents warn."""
TAGS = ("project", "pair")
"""Tags that the bill is split by; every training and tuning of a pair has both."""
REGION = "us-east-1"
"""Where AWS tells charges."""


def calls(account: Account, budget: float = BUDGET) -> list[Call]:
    """Topics, alarms of the month's charges, tags, and a budget of all and of each pair."""
    return [
        *(_topic(account, level) for level in LEVELS),
        *(_alarm(account, usd, level) for usd, level in STEPS.items()),
        _tags(),
        _budget(account, "bqx", budget, {"TagKeyValue": ["user:project$bqx"]}),
        *(_budget(account, f"bqx-{pair}", budget / len(PAIRS), _of_pair(pair)) for pair in PAIRS),
    ]


def topic(account: Account, level: Level) -> str:
    """ARN of a level's topic, in the region that tells charges."""
    return f"arn:aws:sns:{REGION}:{account.account}:{TOPIC}{level}"


def _topic(account: Account, level: Level) -> Call:
    """A topic to which the account, its alarms and its budgets may publish."""
    publish = {"Effect": "Allow", "Action": "SNS:Publish", "Resource": topic(account, level)}
    owner = {"Principal": {"AWS": f"arn:aws:iam::{account.account}:root"}}
    services = {
        "Principal": {"Service": ["budgets.amazonaws.com", "cloudwatch.amazonaws.com"]},
        # Of this account alone.
        "Condition": {"StringEquals": {"aws:SourceAccount": account.account}},
    }
    policy = {"Version": "2012-10-17", "Statement": [publish | owner, publish | services]}
    return Call(
        "sns",
        "create_topic",
        {
            "Name": f"{TOPIC}{level}",
            "Attributes": {"Policy": json.dumps(policy)},
            **account.marks,
        },
    )


def _alarm(account: Account, usd: float, level: Level) -> Call:
    return Call(
        "cloudwatch",
        "put_metric_alarm",
        {
            "AlarmName": f"bqx-charges-{usd:.0f}",
            "Namespace": "AWS/Billing",
            "MetricName": "EstimatedCharges",
            "Dimensions": [{"Name": "Currency", "Value": "USD"}],
            "Statistic": "Maximum",
            "Period": 21_600,
            "EvaluationPeriods": 1,
            "Threshold": usd,
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "notBreaching",
            "AlarmActions": [topic(account, level)],
        },
    )


def _tags() -> Call:
    status = [{"TagKey": key, "Status": "Active"} for key in TAGS]
    arguments = {"CostAllocationTagsStatus": status}
    return Call("ce", "update_cost_allocation_tags_status", arguments)


def _of_pair(pair: str) -> dict[str, Any]:
    return {"TagKeyValue": [f"user:pair${pair}"]}


def _budget(account: Account, name: str, usd: float, filters: dict[str, Any]) -> Call:
    subscriber = {"SubscriptionType": "SNS", "Address": topic(account, "warning")}
    notifications = [
        {
            "Notification": {
                "NotificationType": kind,
                "ComparisonOperator": "GREATER_THAN",
                "Threshold": percent,
                "ThresholdType": "PERCENTAGE",
            },
            "Subscribers": [subscriber],
        }
        for kind, percent in (("ACTUAL", 100.0 * SHARE), ("FORECASTED", 100.0))
    ]
    return Call(
        "budgets",
        "create_budget",
        {
            "AccountId": account.account,
            "Budget": {
                "BudgetName": name,
                "BudgetLimit": {"Amount": f"{usd:.2f}", "Unit": "USD"},
                "TimeUnit": "MONTHLY",
                "BudgetType": "COST",
                "CostFilters": filters,
            },
            "NotificationsWithSubscribers": notifications,
        },
    )
