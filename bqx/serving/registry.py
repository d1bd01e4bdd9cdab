"""Versions of each pair's bundle and what became of them: pending, approved, rejected, archived.

What happened is a log to which lines are only added; each holds the hash of the one before, so a
line that was changed or taken out is found. The state of a version is what the log says last.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from bqx.errors import ParameterError
from bqx.evaluation.reasons import Reason
from bqx.market.pairs import check

Status = Literal["pending", "approved", "rejected", "archived"]

NEXT: dict[str, tuple[Status, ...]] = {
    "pending": ("approved", "rejected", "archived"),
    "approved": ("archived", "rejected"),
    "rejected": ("archived",),
    "archived": ("approved",),
}
"""What a version may become; an archived one only where it was approved before, to go back to it.
"""

MOST_MS = 20.0
"""Longest time of one forecast that a version may take, milliseconds (99th percentile)."""


@dataclass(frozen=True)
class Version:
    """One version of a pair's bundle.

    ``number`` : from 1; ``bundle`` : folder or address of the bundle; ``facts`` : scores and
    hashes that it was registered with; ``reasons`` : of its present status; ``passed`` : whether
    it is known to have been approved at some time; ``content`` : hash of the bundle's manifest as
    it was registered, empty where the store does not know it or the facts are others today.
    """

    pair: str
    number: int
    status: Status
    bundle: str
    facts: dict[str, Any]
    reasons: tuple[Reason, ...] = ()
    passed: bool = False
    content: str = ""


class Store(Protocol):
    """Where versions are kept: a folder, or SageMaker's model packages."""

    def add(self, pair: str, source: str, facts: Mapping[str, Any], by: str) -> Version:
        """Keep a new version, pending; the same bundle again is the version that it was."""

    def move(
        self,
        version: Version,
        status: Status,
        reasons: Sequence[Reason],
        *,
        by: str,
        followed: Sequence[Version] = (),
    ) -> Version:
        """Give a version another status, and archive those that it follows."""

    def locked(self) -> AbstractContextManager[None]:
        """Keep others from changing what is read and then moved, as far as the store can."""

    def versions(self, pair: str) -> list[Version]:
        """All versions of a pair, oldest first."""


def gate(
    reasons: Sequence[Reason], needed: Sequence[str], present: Sequence[str], latency_ms: float
) -> tuple[Reason, ...]:
    """Reasons against a promotion; none where there are none.

    Parameters
    ----------
    reasons : what the evaluation has against it: interval of skill, deflated Sharpe ratio and
        probability of backtest overfitting.
    needed, present : features that the version reads, and those that the live source has.
    latency_ms : 99th percentile of the time of one forecast.
    """
    missing = sorted(set(needed) - set(present))
    first = f"the first {missing[0]}" if missing else ""
    checks = (
        Reason.check("missing features", len(missing), "<=", bound=0, note=first),
        Reason.check("latency (ms)", latency_ms, "<=", bound=MOST_MS),
    )
    return (*reasons, *(check for check in checks if not check.passed))


class Registry:
    """What may be asked of the versions in a store.

    ``store`` : where they are kept; ``by`` : who asks, for the log.
    """

    def __init__(self, store: Store, by: str) -> None:
        self.store = store
        self.by = by

    def register(self, pair: str, source: str, facts: Mapping[str, Any]) -> Version:
        """Register a bundle of a pair (a folder, or an address that the store reads), pending."""
        return self.store.add(check(pair), source, facts, self.by)

    def judge(self, version: Version, reasons: Sequence[Reason]) -> Version:
        """Approve where no reason stands against it, else reject; see `gate`."""
        return self.reject(version, reasons) if reasons else self.approve(version)

    def approve(self, version: Version, reasons: Sequence[Reason | str] = ()) -> Version:
        """Approve a version, for reasons where a person does; the one before is archived."""
        return self._move(version, "approved", reasons)

    def reject(self, version: Version, reasons: Sequence[Reason | str]) -> Version:
        """Reject a version for reasons."""
        return self._move(version, "rejected", reasons)

    def archive(self, version: Version, reason: str) -> Version:
        """Archive a version."""
        return self._move(version, "archived", (reason,))

    def latest_approved(self, pair: str) -> Version | None:
        """The approved version with the highest number; None where there is none."""
        approved = [v for v in self.store.versions(check(pair)) if v.status == "approved"]
        return approved[-1] if approved else None

    def _move(self, version: Version, status: Status, reasons: Sequence[Reason | str]) -> Version:
        said = [bool(str(reason).strip()) for reason in reasons]
        if not all(said) or (not said and status != "approved"):
            raise ParameterError(
                f"{version.pair} version {version.number}: {status} without a reason, got "
                f"{'an empty one' if said else 'none'}; expected at least one, in words."
            )
        with self.store.locked():
            versions = {v.number: v for v in self.store.versions(version.pair)}
            now = versions.get(version.number)
            back = now is not None and now.status == "archived" and not now.passed
            if now is None or back or status not in NEXT[now.status]:
                got = now.status if now else "no such version"
                raise ParameterError(
                    f"{version.pair} version {version.number}: cannot become {status}, got "
                    f"{got}{' that was never approved' * back}; expected one of "
                    f"{', '.join(s for s, after in NEXT.items() if status in after)}. "
                    "`bqx registry list` shows them."
                )
            approved = [v for v in versions.values() if v.status == "approved"]
            followed = approved if status == "approved" else []
            why = tuple(map(Reason.of, reasons))
            return self.store.move(now, status, why, by=self.by, followed=followed)
