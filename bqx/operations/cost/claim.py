"""A number of a document beside what its own parts give."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Claim:
    """What a document states, and what comes out when it is done again.

    ``to`` : upper end where a range is stated; ``why`` : how they come apart, or that they do not;
    ``unit`` : USD, % and the like.
    """

    document: str
    what: str
    stated: float
    computed: float
    why: str
    unit: str = "USD"
    to: float | None = None

    @property
    def holds(self) -> bool:
        """Whether the two are the same as far as the document rounds: to cents, or a whole number
        from 10 on to ones."""
        is_whole = self.stated == round(self.stated) and abs(self.stated) >= 10.0
        rounding = 0.5 if is_whole else 0.0101
        top = self.stated if self.to is None else self.to
        return self.stated - rounding <= self.computed <= top + rounding
