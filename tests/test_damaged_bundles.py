"""No damaged or exchanged file of a bundle or a registry forecasts: right values, or one line."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from damage import damage, damage_folders
from learned import PAIR, PARAMS, learn

from bqx.errors import ArtefactError
from bqx.learning import bundle
from bqx.learning.bundle import Bundle, Prediction
from bqx.market.bars import Bars
from bqx.serving.models import Models
from bqx.serving.registry import Registry
from bqx.serving.registry_folder import Folder

FEW, MANY = 3, 1_000


@pytest.fixture(scope="module")
def bars() -> Bars:
    rows = learn("strong", 1).bars
    return rows.rows(len(rows) - 4_000, len(rows))


@pytest.fixture(scope="module")
def packed() -> list[Bundle]:
    """Two bundles of a pair, of two folds: each forecasts something else."""
    learned = learn("strong", 1)
    fits = learned.result.fits[-2:]
    return [bundle.bundle(learned.bars, fit, PARAMS, {"fold": fit.number}) for fit in fits]


def forecasts(of: Bundle, bars: Bars) -> dict[int, Prediction]:
    return of.predict(bars)


def attack_bundle(folder: Path, packed: Bundle, bars: Bars, flips: int) -> None:
    packed.save(folder)
    expected = forecasts(packed, bars)

    def read() -> dict[int, Prediction]:
        return forecasts(bundle.load(folder), bars)

    assert read() == expected
    cases, refused = damage(folder, read, lambda found: found == expected, flips=flips)
    # A space for a line's end in JSON says the same.
    assert refused > 0.9 * cases
    damage_folders(folder, read, lambda found: found == expected)
    assert read() == expected


def test_a_damaged_bundle_never_forecasts(packed: list[Bundle], bars: Bars, tmp_path: Path) -> None:
    attack_bundle(tmp_path / "bundle", packed[1], bars, FEW)


@pytest.mark.fuzz
def test_thousands_of_damaged_bundles_never_forecast(
    packed: list[Bundle], bars: Bars, tmp_path: Path
) -> None:
    attack_bundle(tmp_path / "bundle", packed[1], bars, MANY)


def test_bundles_of_two_folds_forecast_different_things(packed: list[Bundle], bars: Bars) -> None:
    one, two = (forecasts(of, bars) for of in packed)
    assert one[15].innovation != two[15].innovation


def registered(folder: Path, packed: list[Bundle], bundles: Path) -> Folder:
    """A registry whose first version is archived, the second approved and the third rejected."""
    store = Folder(folder)
    asked = Registry(store, "a quant")
    for number, made in enumerate([*packed, replace(packed[0], metrics={})]):
        made.save(bundles / str(number))
    for number in range(3):
        version = asked.register(PAIR, str(bundles / str(number)), {"number": number})
        if number < 2:
            asked.approve(version)
        else:
            asked.reject(version, ("slow",))
    return store


def attack_registry(folder: Path, packed: list[Bundle], bars: Bars, flips: int) -> None:
    store = registered(folder / "registry", packed, folder / "bundles")

    def read() -> tuple[Any, ...]:
        served = Models(store.folder).current()[PAIR]
        states = [(v.number, v.status) for v in Folder(store.folder).versions(PAIR)]
        return served.version, forecasts(served.bundle, bars), states

    expected = read()
    assert expected[0].number == 2
    damage(store.folder, read, lambda found: found == expected, flips=flips)
    damage_folders(store.folder, read, lambda found: found == expected)
    assert read() == expected


def test_a_damaged_registry_never_serves_another_version(
    packed: list[Bundle], bars: Bars, tmp_path: Path
) -> None:
    attack_registry(tmp_path, packed, bars, FEW)


@pytest.mark.fuzz
def test_thousands_of_damaged_registries_never_serve_another_version(
    packed: list[Bundle], bars: Bars, tmp_path: Path
) -> None:
    attack_registry(tmp_path, packed, bars, MANY // 10)


def test_another_version_in_the_place_of_the_approved_one_is_named(
    packed: list[Bundle], bars: Bars, tmp_path: Path
) -> None:
    store = registered(tmp_path / "registry", packed, tmp_path / "bundles")
    theirs = store.folder / PAIR / "0001" / "bundle"
    ours = store.folder / PAIR / "0002" / "bundle"
    ours.rename(tmp_path / "aside")
    ours.symlink_to(theirs)
    with pytest.raises(ArtefactError, match="exchanged or damaged, got another hash"):
        Models(store.folder)
