"""Types of the API's requests and answers, from which its OpenAPI document is made too."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from bqx.errors import AbsentBarError
from bqx.serving.forecast import Forecast, number
from bqx.serving.models import Served
from bqx.serving.sent import asked

Finite = Annotated[float, Field(allow_inf_nan=False)]
Side = Literal["BUY", "SELL", "HOLD"]


class Answer(BaseModel):
    """What an answer's types share."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)


class PredictRequest(Answer):
    """What is asked of ``POST /predict``."""

    pair: Annotated[str, AfterValidator(asked), Field(examples=["eurusd"])]
    """Pair such as eurusd, in small or large letters."""
    timestamp: AwareDatetime | None = None
    """Open of the bar, with its offset; default the pair's newest."""

    @property
    def minute(self) -> int | None:
        """Epoch minute of the timestamp, None for the newest bar.

        Raises AbsentBarError unless it is a whole minute.
        """
        if self.timestamp is None:
            return None
        seconds = self.timestamp.timestamp()
        if seconds % 60:
            raise AbsentBarError(
                f"timestamp: no bar's open, got {self.timestamp.isoformat()}; expected a whole "
                "minute."
            )
        return int(seconds) // 60


class Skill(Answer):
    """Skill against the martingale forecast, out of sample, with its interval."""

    value: Finite
    confidence: tuple[Finite, Finite] | None


class HorizonPrediction(Answer):
    """Forecast of BQX at one horizon."""

    value: Finite
    """Expected BQX at the horizon, a pure number; positive when the rate has fallen."""
    confidence: tuple[Finite, Finite] | None
    """Ends of its interval, null where it was never calibrated."""
    martingale: Finite
    """What was expected of it without any information on the future."""
    signal: Side
    signal_strength: Annotated[float, Field(ge=0, le=1)] | None
    """0 to hold; else the distance to the martingale over half the interval."""
    expected_move_bp: Finite
    cost_bp: Finite | None
    """Of a trade that way, from entry to exit."""
    skill: Skill | None
    """As judged when the model was registered; null where it was not."""
    approved: bool
    """Whether the promotion gate let this horizon pass."""


class PredictResponse(Answer):
    """Forecast of a pair at all horizons."""

    pair: str
    timestamp: str
    """Open of the bar that it stands on."""
    predictions: dict[str, HorizonPrediction]
    """By horizon: horizon_15, horizon_30, ..."""
    window: int | Literal["matched"]
    """Minutes of BQX."""
    minutes_behind: int
    """Whole minutes of an open market since its bar ended, by the server's clock."""
    features_used: int
    model: str
    model_version: int | None
    status: str
    """Of the version in its registry, unregistered without one."""
    columns_hash: str
    trained_until: str
    latency_ms: Finite
    """From the request's last byte to here."""

    @classmethod
    def of(cls, forecast: Forecast, served: Served, *, milliseconds: float) -> Self:
        """The answer for a forecast and the standing of its model."""
        standing, bundle = served.standing, forecast.bundle
        skills = {row["horizon"]: row for row in bundle.metrics.get("skill", [])}
        return cls(
            pair=bundle.pair,
            timestamp=forecast.timestamp,
            predictions={
                f"horizon_{horizon}": _horizon(
                    forecast, horizon, skills.get(horizon), standing["approved_horizons"]
                )
                for horizon in forecast.predictions
            },
            window=bundle.window,
            minutes_behind=forecast.minutes_behind,
            features_used=len(bundle.columns),
            model=bundle.model.NAME,
            model_version=standing["version"],
            status=standing["status"],
            columns_hash=bundle.columns_hash,
            trained_until=bundle.trained_until.isoformat(),
            latency_ms=round(milliseconds, 3),
        )


class ForecastsResponse(Answer):
    """Newest forecasts of all pairs that have one."""

    forecasts: dict[str, PredictResponse]
    faults: dict[str, str]
    """Why there is none, by pair."""


class LiveResponse(Answer):
    """How a live server stands."""

    newest: str | None
    """Open of the newest minute of which a bar has come."""
    pairs: dict[str, int | None]
    """Minutes of an open market since the bar of each pair's forecast ended; null without one."""
    counts: dict[str, int]
    """Bars by what became of them: taken, late, corrected, duplicate, ..."""
    refusal: str
    """Why the last bar was refused, empty where none was."""


class Error(Answer):
    """What went wrong."""

    type: str
    message: str


class ErrorResponse(Answer):
    """Every answer that is none."""

    error: Error


def _horizon(
    forecast: Forecast, horizon: int, skill: dict[str, Any] | None, approved: list[int]
) -> HorizonPrediction:
    prediction, signal = forecast.predictions[horizon], forecast.signals[horizon]
    return HorizonPrediction(
        value=prediction.level,
        confidence=_interval(number(prediction.low), number(prediction.high)),
        martingale=prediction.martingale,
        signal=signal.side,
        signal_strength=signal.strength,
        expected_move_bp=signal.move,
        cost_bp=signal.cost,
        skill=None
        if skill is None or skill["skill"] is None
        else Skill(
            value=skill["skill"], confidence=_interval(skill["skill_lo"], skill["skill_hi"])
        ),
        approved=horizon in approved,
    )


def _interval(low: float | None, high: float | None) -> tuple[float, float] | None:
    return None if low is None or high is None else (low, high)


def told(error: Exception) -> str:
    """One line on what is wrong with a request."""
    if not isinstance(error, ValidationError):
        return str(error)
    wrong = error.errors(include_url=False, include_context=False, include_input=False)[0]
    where = ".".join(map(str, wrong["loc"])) or "request"
    rule = 'expected {"pair": "eurusd"}, maybe with "timestamp"'
    return f"{where[:40]}: {wrong['msg'][:120]}; {rule}."
