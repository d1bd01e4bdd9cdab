"""The loop: what a call of ``bqx retrain`` does, given the bars that are known by now.

A round begins when something asks for it, and goes through its steps: challengers trained, judged
together, registered; some days in the shadow; promoted by one line in the registry's log, which is
what servers follow; some days under watch, in which it is taken back where it does worse than what
it follows. A call does all that the bars allow and can be made again at any time.
"""

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from bqx.errors import BqxError, ParameterError
from bqx.evaluation.reasons import Reason
from bqx.files import read_json, write_json
from bqx.learning.bundle import Bundle
from bqx.params import Params
from bqx.retraining import bars as known_bars
from bqx.retraining import challengers, judgement, report, rounds, training, trial, triggers
from bqx.retraining.bars import Frames
from bqx.retraining.rounds import BEGUN, JUDGED, PROMOTED, REGISTERED, SHADOWED, WATCHED, Round
from bqx.serving import registry_folder
from bqx.serving.registry import Registry, Version
from bqx.serving.registry_folder import Folder

BY = "bqx retrain"
"""Who registers, promotes and takes back, in the registry's log."""


@dataclass(frozen=True)
class Loop:
    """A place of retrainings and the registry that it feeds.

    ``place`` : folder of the rounds; ``store`` : the registry; ``params`` : what challengers are
    trained by.
    """

    place: Path
    store: Folder
    params: Params

    @property
    def registry(self) -> Registry:
        """What may be asked of the versions."""
        return Registry(self.store, BY)

    def step(
        self, raw: Frames, now: datetime, measured: Path | None = None
    ) -> tuple[list[Round], tuple[Reason, ...]]:
        """Do what is due now; the rounds that were worked on, and what began a new one.

        Raises
        ------
        ArtefactError : another retraining is at work, or what one has written is damaged or of a
            time to come.
        BarError : no bars before now.
        ParameterError : a round that is not trained yet was begun with other parameters.
        """
        with rounds.locked(self.place):
            frames = known_bars.known(raw, now)
            retrainings = rounds.of(self.place)
            rounds.check_times(retrainings)
            worked = [retraining for retraining in retrainings if not retraining.has(WATCHED)]
            for retraining in worked:
                self._advance(retraining, frames, now)
            reasons: tuple[Reason, ...] = ()
            if not any(retraining.is_open for retraining in worked):
                reasons = self._fired(now, measured)
            if reasons:
                retraining = rounds.begin(self.place, now, reasons, self.params, tuple(frames))
                self._advance(retraining, frames, now)
                worked.append(retraining)
            return worked, reasons

    def _fired(self, now: datetime, measured: Path | None) -> tuple[Reason, ...]:
        before = rounds.of(self.place)
        last = before[-1].now if before else None
        numbers = triggers.measured(measured, now, last) if measured else {}
        return triggers.fired(now, last, numbers)

    def _advance(self, own: Round, frames: Frames, now: datetime) -> None:
        """All steps of a round that the bars allow; none of a round of a later time."""
        if now < own.now:
            return
        for step, work in (
            (JUDGED, self._judge),
            (REGISTERED, self._register),
            (SHADOWED, self._shadow),
            (PROMOTED, self._promote),
            (WATCHED, self._watch),
        ):
            if not own.has(step):
                content = work(own, frames, now)
                if content is None:
                    break
                own.write(step, content)
        report.write(own)

    def _judge(self, own: Round, frames: Frames, now: datetime) -> dict[str, Any]:
        """Challengers of all pairs that can have one, judged together."""
        begun = own.read(BEGUN)
        if begun["params"] != rounds.identity(self.params):
            raise ParameterError(
                f"round {own}: was begun with other parameters, got {begun['params'][:12]}; "
                f"expected {rounds.identity(self.params)[:12]}. Give those, or remove {own.folder}."
            )
        until = known_bars.known(frames, own.now)
        dataset = known_bars.latest(
            {pair: until[pair] for pair in begun["pairs"] if pair in until}, self.params, own.now
        )
        for pair in begun["pairs"]:
            if pair not in dataset and not own.failure(pair).exists():
                own.fail(pair, [Reason(f"no bars in {known_bars.MONTHS} months")])
        challengers.train(own, dataset, self._served, self.params)
        done = {p: training.read(own.trained(p)) for p in dataset if own.trained(p).exists()}
        judged = judgement.judge(done, self.params.seed) if done else {}
        failed = {
            pair: read_json(own.failure(pair))["reasons"]
            for pair in begun["pairs"]
            if own.failure(pair).exists()
        }
        pairs = {p: asdict(of) | {"since": done[p].since} for p, of in judged.items()}
        return {"pairs": pairs, "failed": failed}

    def _served(self, pair: str) -> tuple[int, Bundle] | None:
        """Number and bundle of the served version."""
        version = self.registry.latest_approved(pair) if self.store.exists else None
        return (version.number, self.store.read(version)) if version else None

    def _register(self, own: Round, frames: Frames, now: datetime) -> dict[str, Any]:
        """A version of every challenger; those that did not pass are rejected."""
        numbers = {}
        for pair, judged in own.read(JUDGED)["pairs"].items():
            done = training.read(own.trained(pair))
            facts = registry_folder.facts_of(done.folder) | {
                "model": done.bundle.model.NAME,
                "horizons": judged["horizons"],
                "skill": judged["scores"],
                "latency_ms": round(done.latency_ms, 2),
                "round": str(own),
            }
            version = self.registry.register(pair, str(done.folder), facts)
            reasons = [Reason.of(reason) for reason in judged["reasons"]]
            if reasons and version.status == "pending":
                self.registry.reject(version, reasons)
            numbers[pair] = version.number
        return {"versions": numbers}

    def _shadow(self, own: Round, frames: Frames, now: datetime) -> dict[str, Any] | None:
        """What days after the training have against those that passed; None while there are too
        few."""
        passed = [p for p, judged in own.read(JUDGED)["pairs"].items() if not judged["reasons"]]
        days = trial.days_after(frames, own.now, now)
        if not passed:
            return {"days": [], "pairs": {}}
        if len(days) < trial.DAYS:
            return None
        shadowed: dict[str, Any] = {}
        for pair in passed:
            done = training.read(own.trained(pair))
            try:
                table = self._compared(frames, days, done.bundle, follows=done.champion)
            except BqxError as error:
                # What cannot be watched is not promoted; the pairs beside it may be.
                shadowed[pair] = {"reasons": [asdict(Reason(str(error)))], "scores": {}}
                continue
            against = [asdict(reason) for reason in trial.vetoes(table)]
            shadowed[pair] = {"reasons": against, "scores": judgement.scores_of(table)}
        return {"days": days, "pairs": shadowed}

    def _promote(self, own: Round, frames: Frames, now: datetime) -> dict[str, Any] | None:
        """One line of the registry's log for each that passed, and one for each that did not;
        None where a later call has seen days in the shadow that have not ended by now."""
        numbers, shadowed = own.read(REGISTERED)["versions"], own.read(SHADOWED)
        if len(trial.days_after(frames, own.now, now)) < len(shadowed["days"]):
            return None
        promoted = {}
        for pair, shadow in shadowed["pairs"].items():
            follows = training.read(own.trained(pair)).champion
            version = self._version(pair, numbers[pair])
            reasons = [Reason.of(reason) for reason in shadow["reasons"]]
            served = self.registry.latest_approved(pair)
            # Of a call that was killed after its line.
            is_ours = version is not None and version.status == "approved"
            if not is_ours and (served.number if served else 0) != follows:
                reasons.append(Reason(f"judged against version {follows}, which is not served"))
            if version is not None and version.status == "pending":
                version = self.registry.judge(version, reasons)
            if version is not None and version.status == "approved":
                promoted[pair] = {"version": version.number, "follows": follows}
        return {"now": now.isoformat(), "pairs": promoted}

    def _watch(self, own: Round, frames: Frames, now: datetime) -> dict[str, Any] | None:
        """Versions that do worse than what they follow are taken back; None while days are to
        come."""
        promoted = own.read(PROMOTED)
        days = trial.days_after(frames, datetime.fromisoformat(promoted["now"]), now)
        if promoted["pairs"] and not days:
            return None
        kept: dict[str, Any] = {}
        is_over = True
        for pair, entry in promoted["pairs"].items():
            version, before = (self._version(pair, entry[k]) for k in ("version", "follows"))
            if version is None or version.status != "approved":
                kept[pair] = self._taken_back(own, pair) or {"status": "not served any more"}
                continue
            is_last = len(days) == trial.DAYS
            try:
                served = self.store.read(version)
                table = self._compared(frames, days, served, follows=entry["follows"])
            except BqxError as error:
                is_over &= is_last
                kept[pair] = {"status": "kept, not compared", "reason": str(error)}
                continue
            worsening = trial.worse(table)
            if worsening is not None:
                kept[pair] = self._take_back(own, version, before, worsening)
            else:
                is_over &= is_last
                kept[pair] = {"status": "kept", "scores": judgement.scores_of(table)}
        return {"days": days, "pairs": kept} if is_over else None

    def _compared(
        self, frames: Frames, days: Sequence[int], challenger: Bundle, *, follows: int
    ) -> pd.DataFrame:
        """A bundle beside the version that it follows, on some days."""
        champion = self._version(challenger.pair, follows)
        return trial.compared(
            frames,
            days,
            challenger=challenger,
            champion=self.store.read(champion) if champion else None,
            params=self.params,
        )

    def _take_back(
        self, own: Round, version: Version, before: Version | None, found: tuple[int, float]
    ) -> dict[str, Any]:
        """Serve again what a version followed, or nothing; how long that took, seconds."""
        day, t = found
        follows = "the version that it follows" if before else "the martingale"
        rule = f"t of the gain over {follows}"
        reason = Reason(rule, t, ">", trial.WORSE, note=f"day {day}")
        start = time.perf_counter()
        if before is not None:
            why = f"instead of version {version.number}: {reason}"
            self.registry.approve(before, (why,))
        else:
            self.registry.reject(version, (reason,))
        content = {
            "status": "taken back",
            "reason": str(reason),
            "served": before.number if before else None,
            "seconds": round(time.perf_counter() - start, 3),
        }
        write_json(own.folder / f"taken_back.{version.pair}.json", content)
        return content

    def _taken_back(self, own: Round, pair: str) -> dict[str, Any] | None:
        path = own.folder / f"taken_back.{pair}.json"
        content: dict[str, Any] | None = read_json(path) if path.exists() else None
        return content

    def _version(self, pair: str, number: int) -> Version | None:
        versions = {version.number: version for version in self.store.versions(pair)}
        return versions.get(number)
