"""All parameters of a run, frozen and validated; an unknown key is an error."""

from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from bqx.errors import ParameterError
from bqx.market import declared
from bqx.market.declared import Side, SpreadUnit, Stamped
from bqx.market.pairs import PAIRS
from bqx.parallel import Backend
from bqx.params import rules
from bqx.params.rules import Clock, Count, Horizons, Market, Minutes, Size


class Lengths(NamedTuple):
    """Lengths of the parts of a walk-forward fold and the step between folds, in trading days."""

    train: int
    validation: int
    test: int
    step: int


class Params(BaseModel):
    """All parameters of a run; the defaults are those of ``params/ci.yaml``."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, use_attribute_docstrings=True, allow_inf_nan=False
    )

    out: Annotated[str, BeforeValidator(rules.place)] = "runs/ci"
    """Run folder, from the project's root."""
    seed: int = Field(0, ge=0, lt=1 << 32)
    """Seed of everything random."""
    workers: int = Field(2, ge=1, le=len(PAIRS))
    """Pairs worked on at the same time."""
    backend: Backend = "processes"
    """Where pairs are worked on: processes, threads, or dask for a cluster, whose scheduler stands
    in DASK_SCHEDULER_ADDRESS."""

    market: Market = "planted"
    """Synthetic market, used when bars is empty: null, a martingale, or with a signal: planted,
    a weak momentum, strong, a threshold, or a lead of other pairs."""
    bars: Annotated[str, BeforeValidator(rules.bars)] = ""
    """Folder or file of one-minute bars, from the project's root, an s3:// folder, or a
    postgresql:// database; empty for a synthetic market, null where the user must give one."""
    published: Annotated[str, BeforeValidator(rules.published)] = ""
    """A postgresql:// database whose published features are read instead of computed, with the same
    values; empty to compute them."""
    clock: Clock = ""
    """Clock of the files: a time zone, UTC+2, or a list of [from date, clock]; empty for the
    format's own."""
    stamped: Stamped = ""
    """Which end of its minute the time of a bar is: open or close; empty for the open, unless the
    weeks' ends show the close."""
    spread_unit: SpreadUnit = ""
    """Unit of a spread in the files: rate, pips or points (the rate's last digit); empty for the
    format's own."""
    side: Side = ""
    """Side of rates that name none: bid, ask or mid; ask and mid also let rates in that are theirs
    alone; empty for bid."""
    gap: bool = False
    """Whether more than a month without any bar may lie between the bars."""
    pairs: Annotated[tuple[str, ...], BeforeValidator(rules.pairs)] = rules.FEW
    """Pairs; an empty list for all there are."""
    start: Annotated[str, BeforeValidator(rules.start)] = "2024-01-07"
    """First date of the synthetic market."""
    days: int = Field(84, ge=1, le=3_653)
    """Calendar days of the synthetic market."""
    baseline: Annotated[str, BeforeValidator(rules.baseline)] = ""
    """UTC time whose bar is 100 on the rate index; empty for the first."""
    max_fill: int = Field(15, ge=0, le=1_440)
    """Longest hole that carries the last close, minutes."""

    target_window: Annotated[int | Literal["matched"], BeforeValidator(rules.window)] = 15
    """Window of the target, minutes, or matched to the horizon."""
    target: Literal["delta", "level", "scaled"] = "delta"
    """Target in the scores."""
    horizons: Horizons = (15, 30, 45, 60, 75)
    """Horizons, minutes."""
    profile: Literal["core", "v1", "v2", "v3", "v4", "v4_encoded", "learned", "full"] = "core"
    """Named list of features."""
    features: Annotated[tuple[str, ...], BeforeValidator(rules.features)] = ()
    """Files, from the project's root, that declare features of your own (`FAMILIES`); they join the
    profile's once they are proven not to read ahead on the run's bars."""
    include: Annotated[tuple[str, ...], BeforeValidator(rules.names)] = ()
    """Families, tables or patterns of names, such as spectrum or bqx_rsi_*, that join the profile's
    features."""
    exclude: Annotated[tuple[str, ...], BeforeValidator(rules.names)] = ()
    """Families, tables or patterns of names that are left out of the columns."""
    lags: Minutes = (60, 120, 180, 240)
    """Lags of columns, minutes; [] for none, and none of 61 minutes without strict61."""
    strict61: bool = False
    """Whether the columns that read up to t-61 replace the unlagged ones."""

    scheme: Literal["rolling", "chronological", "combinatorial"] = "rolling"
    """Folds: of a rolling origin, one of 70, 15 and 15 percent of the days, or every choice of
    test groups."""
    train_days: Size = 20
    """Trading days of a training part of the rolling origin; 0, as for the three below, chooses
    them from the length of the bars."""
    validation_days: Size = 12
    """Trading days of a validation part."""
    test_days: Size = 14
    """Trading days of a test part."""
    step_days: Size = 14
    """Trading days from fold to fold."""
    expanding: bool = True
    """Whether the training and validation parts of the rolling origin grow with the days before
    each test part, or keep their lengths."""
    groups: int = Field(6, ge=3, le=100)
    """Groups of trading days of the combinatorial folds."""
    test_groups: Count = 2
    """Groups that a combinatorial fold tests."""
    embargo: Size = 120
    """Minutes kept free around validation and test rows."""
    stride: Count = 5
    """Minutes from one training row to the next."""

    selected: Count = 40
    """Columns selected per pair and fold."""
    domain_share: float = Field(0.4, ge=0, le=0.5, strict=False)
    """Least share of the selected columns for each of the rate and BQX domains."""
    quotas: Annotated[dict[str, int], BeforeValidator(rules.quotas)] = rules.NONE
    """Columns selected of each group, of rate, bqx, dual, cross_pair, time_and_regime and learned,
    instead of the domains' share; {} for no groups."""
    least_importance: float = Field(0.0, ge=0, le=1, strict=False)
    """Share of the forest's importance below which a column is not selected."""
    ranked_by: Literal["forest", "borda"] = "forest"
    """What ranks the columns: the forest alone, or the mean rank over five rankers."""
    forest_trees: int = Field(60, ge=1, le=10_000)
    """Trees of the selecting forest."""
    forest_depth: int = Field(5, ge=1, le=64)
    """Depth of the selecting forest."""
    rounds: int = Field(200, ge=1, le=100_000)
    """Most boosting rounds."""
    depth: int = Field(2, ge=1, le=12)
    """Depth of the boosted trees."""
    learning_rate: float = Field(0.05, gt=0, le=1, strict=False)
    """Learning rate of the boosting."""

    models: Annotated[tuple[str, ...], BeforeValidator(rules.models)] = ("ridge", "xgboost")
    """Models that are compared, the simpler before the more complex."""
    model: str = "chosen"
    """Model that forecasts, is traded and served: one of models, or chosen among them on each
    fold's validation rows."""
    settings: Annotated[dict[str, dict[str, Any]], BeforeValidator(rules.settings)] = rules.NONE
    """Settings of models by name, such as {forest: {n_estimators: 200, max_depth: 15}}, that win
    over those of the run."""
    device: Literal["cpu", "cuda"] = "cpu"
    """Where networks are trained; cuda needs a GPU."""
    trials: Size = 0
    """Trials of the search for each model's settings, a pair and fold; 0 for none."""
    ranges: Annotated[
        dict[str, dict[str, tuple[int | float, int | float]]], BeforeValidator(rules.ranges)
    ] = rules.NONE
    """Settings that the search chooses, by model, each from its lowest to its highest value; {} for
    the model's own."""
    tuning_seconds: Size = 0
    """Seconds after which a search ends; 0 for no limit."""
    tuned: Literal["priority", "each"] = "priority"
    """Pairs that are searched on: the three with priority for all, or each for itself."""

    confidence: float = Field(0.95, gt=0.5, lt=1, strict=False)
    """Confidence of intervals."""
    coverage: float = Field(0.9, gt=0.5, lt=1, strict=False)
    """Share of the labels that the intervals of forecasts shall hold."""
    entry: Literal["late", "next"] = "late"
    """When a forecast of a window shorter than its horizon is entered: late, when the minutes begin
    of which it speaks, or at the next minute's open."""
    account: Literal["retail", "raw"] = "retail"
    """Account of the broker: retail, whose spread is all that it takes, or raw, with a narrower
    spread and a commission of 0.35 bp a fill. Bars that bring a spread are charged that."""
    signal: Annotated[str, BeforeValidator(rules.signal)] = ""
    """Rule of your own that turns an expected move into a side, as FILE.py:function from the
    project's root; empty for a trade wherever the move beats its cost."""
    spread_multiple: float = Field(1.0, ge=0, strict=False)
    """Multiple of the spread that is paid."""
    slippage: float = Field(0.1, ge=0, strict=False)
    """Lost on every fill beyond half the spread, pips."""
    commission: float = Field(0.0, ge=0, strict=False)
    """Commission of every fill beyond the account's own, bp of the notional."""
    interest: Annotated[dict[str, float], BeforeValidator(rules.interest)] = rules.INTEREST
    """Overnight interest of each currency, annual percent: about the policy rates of January
    2024."""
    markup: float = Field(1.0, ge=0, strict=False)
    """What a long and a short of the same size lose together to the broker at rollovers, annual
    percent."""
    target_volatility: float = Field(10.0, gt=0, strict=False)
    """Volatility that a position is sized to, annual percent of a notional."""
    largest_position: float = Field(2.0, gt=0, strict=False)
    """Largest position of a pair and horizon, notionals."""
    order_size: float = Field(1.0, gt=0, strict=False)
    """Largest order that a minute fills at its spread, millions of the base currency."""
    serve_pair: str = ""
    """Pair whose bundle is served; empty for the first."""

    @model_validator(mode="after")
    def _coherent(self) -> "Params":
        lengths = (self.train_days, self.validation_days, self.test_days, self.step_days)
        if 0 in lengths and any(lengths):
            raise ValueError(
                "train_days, validation_days, test_days and step_days: expected all 0 or none, got "
                f"{lengths}"
            )
        if self.groups < self.test_groups + 2:
            raise ValueError(
                "groups: expected at least 2 more than test_groups, got "
                f"{self.groups} and {self.test_groups}"
            )
        if self.model not in ("chosen", *self.models):
            raise ValueError(f"model: expected 'chosen' or one of models, got {self.model[:60]!r}")
        if (asked := sum(self.quotas.values())) > self.selected:
            raise ValueError(f"quotas: expected at most selected, {self.selected}, got {asked}")
        # A notebook that does not hold the pairs finds them in its bars.
        pairs = (self.pairs or PAIRS) if "pairs" in self.model_fields_set else PAIRS
        if self.serve_pair and self.serve_pair not in pairs:
            raise ValueError(
                f"serve_pair: expected '' or one of pairs, got {self.serve_pair[:60]!r}"
            )
        return self

    @property
    def folder(self) -> Path:
        """The run folder."""
        return root() / Path(self.out).expanduser()

    @property
    def bars_path(self) -> Path | None:
        """Folder or file of bars, of those that lie elsewhere the run's own copy; None for a
        synthetic market."""
        if self.bars_address:
            return self.folder / "fetched"
        return root() / Path(self.bars).expanduser() if self.bars else None

    @property
    def bars_address(self) -> str:
        """Address of bars in a bucket or a database, empty where they are files or simulated."""
        return self.bars if "://" in self.bars else ""

    @property
    def own_features(self) -> tuple[str, ...]:
        """Files of a user's own features."""
        return tuple(str(root() / file) for file in self.features)

    @property
    def declared(self) -> dict[str, Any]:
        """What is declared of the bar files, by the names of `bqx.market.declared.Declared`."""
        return {key: getattr(self, key) for key in declared.KEYS}

    @property
    def candidates(self) -> int:
        """Models among which a fold's validation rows choose."""
        return len(self.models) if self.model == "chosen" else 1

    def window(self, horizon: int) -> int:
        """Window of the target at a horizon, minutes."""
        return horizon if self.target_window == "matched" else self.target_window

    def lengths(self, days: int) -> Lengths:
        """Lengths of the parts of a rolling or chronological fold for so many trading days.

        Lengths of 0 are chosen so that five folds fit: four tenths of the days train, one tenth
        validates and one tests. The chronological fold is a single one.

        Raises ParameterError when not even one fold fits.

        >>> Params(train_days=0, validation_days=0, test_days=0, step_days=0).lengths(260)
        Lengths(train=104, validation=26, test=26, step=26)
        >>> Params(scheme="chronological").lengths(260)
        Lengths(train=182, validation=39, test=39, step=39)
        """
        if self.scheme == "chronological":
            train, validation = days * 70 // 100, days * 15 // 100
            test = days - train - validation
            return Lengths(train, validation, test, test)
        unit = days // 10
        lengths = (
            Lengths(self.train_days, self.validation_days, self.test_days, self.step_days)
            if self.train_days
            else Lengths(4 * unit, unit, unit, unit)
        )
        need = sum(lengths[:3]) or 10
        if days < need:
            raise ParameterError(
                f"bars: too few for a fold, got {days} trading days; expected at least {need}: "
                "train_days + validation_days + test_days, or 10 where they are 0. Give more bars, "
                "or shorten them."
            )
        return lengths


def root() -> Path:
    """The project's root: the nearest folder from here upwards with a pyproject.toml, else here."""
    here = Path.cwd()
    return next((f for f in (here, *here.parents) if (f / "pyproject.toml").is_file()), here)
