"""SHAP's own plots of what columns add to a forecast."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from bqx.report.figures.canvas import BLUE, ORANGE, canvas, styled

LOW_TO_HIGH = LinearSegmentedColormap.from_list("low to high", [BLUE, "#BBBBBB", ORANGE])
SHAP_LABEL = "SHAP value (sigma)"


@styled
def beeswarm(shap_values: pd.DataFrame, columns: pd.DataFrame, most: int = 10) -> Figure:
    """What the most used columns add to every forecast, a dot for each, coloured by its value.

    ``shap_values`` in sigma and ``columns``, their values, are (n, C) with the same names. A column
    without a value has no dots.
    """
    shap = _shap()
    columns = columns.dropna(axis="columns", how="all")
    shap_values = shap_values[columns.columns]
    figure, axes = canvas(height=0.36 * min(most, shap_values.shape[1]) + 1.4)
    with _same_dots_every_time():
        shap.plots.beeswarm(
            shap.Explanation(
                shap_values.to_numpy(), data=columns.to_numpy(), feature_names=list(columns)
            ),
            max_display=most,
            color=LOW_TO_HIGH,
            color_bar_label="value of the column",
            group_remaining_features=False,
            plot_size=None,
            ax=axes,
            show=False,
        )
    axes.locator_params(axis="x", nbins=6)
    axes.tick_params(labelsize="medium")
    axes.set_xlabel(SHAP_LABEL, fontsize="medium")
    plt.close(figure)
    return figure


@styled
def dependence(shap_values: pd.DataFrame, columns: pd.DataFrame, most: int = 2) -> Figure:
    """What the most used columns add against their own values: one axes per column.

    Arguments as of `beeswarm`.
    """
    shap = _shap()
    used = shap_values.abs().mean().sort_values(ascending=False, kind="stable").index[:most]
    figure, all_axes = canvas(len(used), height=3.2)
    for axes, name in zip(np.atleast_1d(all_axes), used, strict=True):
        with _same_dots_every_time():
            shap.plots.scatter(
                shap.Explanation(
                    shap_values[name].to_numpy(),
                    data=columns[name].to_numpy(),
                    feature_names=name,
                ),
                color=BLUE,
                hist=False,
                ax=axes,
                show=False,
            )
        axes.axhline(0, color="black", lw=1)
        axes.set_xlabel(name, fontsize="medium")
        axes.set_ylabel(SHAP_LABEL, fontsize="medium")
        axes.tick_params(labelsize="medium")
    plt.close(figure)
    return figure


def _shap() -> Any:
    """The package, imported when it is drawn with: it takes seconds, and Matplotlib warns it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)
        import shap
    return shap


@contextmanager
def _same_dots_every_time() -> Iterator[None]:
    """SHAP scatters and orders dots by NumPy's global generator."""
    before = np.random.get_state()  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    try:
        yield
    finally:
        np.random.set_state(before)  # noqa: NPY002
