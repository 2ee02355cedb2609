"""Drawing functions that the displays share: axes, and rows as images, lines or bars."""

from collections.abc import Sequence

import numpy as np
import torch

from sklearn_simvae.views import Layout
from sklearn_simvae.views.checks import in_unit_interval

# Ten colors that color-blind readers tell apart: Petroff, "Accessible Color Sequences for Data
# Visualization", arXiv 2107.02270.
PALETTE = (
    *("#3f90da", "#ffa90e", "#bd1f01", "#94a4a2", "#832db6"),
    *("#a96b59", "#e76300", "#b9ac70", "#717581", "#92dadd"),
)

# Limits of a figure, in inches, unless its parts become too small to see.
_MAX_WIDTH, _MAX_HEIGHT = 10.0, 8.0
_MIN_SCALE, _MAX_SCALE = 0.6, 1.3


def require_matplotlib(name: str) -> None:
    """Raise if matplotlib is not installed.

    Parameters
    ----------
    name : str
        Name of the method that needs it.

    Raises
    ------
    ImportError
        If matplotlib is not installed; the message names the extra to install.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f'{name} needs matplotlib: pip install "sklearn-simvae[plot]".'
        ) from error


def named_once(style: dict | None, artist: type) -> dict:
    """Replace short names in a style by full ones, so that it overrides the settings of a display.

    Parameters
    ----------
    style : dict or None
        Keyword arguments of the user, which may have short names such as "lw".
    artist : type
        The matplotlib artist that the style is for.

    Returns
    -------
    style : dict
        The same style under full names.
    """
    from matplotlib.cbook import normalize_kwargs

    return normalize_kwargs(style or {}, artist)


def make_axes(n_rows: int, n_columns: int, ax, figsize: tuple[float, float], **shared):
    """Make a grid of axes, in a new figure or in the place of given axes.

    Parameters
    ----------
    n_rows, n_columns : int
        Shape of the grid.
    ax : matplotlib Axes or None
        Axes to divide; used as they are if the grid has one place. Their title stays above the
        parts. None makes a figure.
    figsize : (float, float)
        Size of a new figure, in inches.
    **shared : object
        Same as in :func:`matplotlib.pyplot.subplots`.

    Returns
    -------
    figure : matplotlib Figure
        The figure that holds the axes.
    axes : ndarray of Axes of shape (n_rows, n_columns)
        The grid.

    Raises
    ------
    ValueError
        If `ax` must be divided, but is not part of a grid.
    """
    import matplotlib.pyplot as plt

    if ax is None:
        return plt.subplots(
            n_rows, n_columns, figsize=figsize, layout="constrained", squeeze=False, **shared
        )
    if n_rows * n_columns == 1:
        return ax.figure, np.array([[ax]], dtype=object)
    place = ax.get_subplotspec()
    if place is None:
        raise ValueError(
            "ax must be a subplot, to be divided into several axes; got axes that were placed by "
            "hand. Make it by plt.subplots or figure.add_subplot."
        )
    ax.set_axis_off()
    axes = place.subgridspec(n_rows, n_columns).subplots(squeeze=False, **shared)
    # A line above the titles of the parts, where it does not overlap them.
    title = ax.get_title()
    if title:
        ax.set_title("")
        axes[0, 0].set_title(f"{title}\n", loc="left")
    # New axes become the current ones of their figure.
    ax.figure.sca(ax)
    return ax.figure, axes


def to_drawable(rows: np.ndarray, layout: Layout) -> np.ndarray:
    """Convert rows to arrays that matplotlib can draw.

    Parameters
    ----------
    rows : ndarray of shape (k, ...)
        Rows in the layout that an estimator was fitted on, flat or shaped.
    layout : Layout
        Kind and shape of a row.

    Returns
    -------
    x : ndarray of float32
        Images of shape (k, H, W) or (k, H, W, C) with C of 3 or 4, series (k, length, channels),
        vectors (k, d). Pixels are scaled to [0, 1]. Images of other numbers of channels become
        gray, the mean of their channels.
    """
    rows = np.array(rows)
    # torch knows only the byte order of the machine.
    rows = rows.astype(rows.dtype.newbyteorder("="), copy=False)
    x = layout.to_network(torch.from_numpy(rows)).numpy()
    if layout.kind == "vector":
        return x
    x = np.moveaxis(x, 1, -1)
    return x.mean(-1) if layout.kind == "image" and x.shape[-1] not in (3, 4) else x


def draw_rows(
    x: np.ndarray,
    kind: str,
    n_columns: int,
    *,
    ax=None,
    row_labels: Sequence[str] = (),
    column_labels: Sequence[str] = (),
    row_kw: dict | None = None,
):
    """Draw rows in a grid, line after line, all on one scale.

    Parameters
    ----------
    x : ndarray of shape (k, ...)
        Rows, as :func:`to_drawable` returns them.
    kind : {"image", "series", "vector"}
        Kind of a row.
    n_columns : int
        Number of columns of the grid.
    ax : matplotlib Axes, default=None
        Axes to divide. None makes a figure.
    row_labels, column_labels : sequence of str
        Labels at the left and at the top of the grid.
    row_kw : dict, default=None
        Keyword arguments of `imshow`, `plot` or `stairs`, by the kind.

    Returns
    -------
    figure : matplotlib Figure
        The figure that holds the axes.
    axes : ndarray of Axes of shape (n_rows, n_columns)
        The grid. Axes that are left over at its end are not visible.
    artists : ndarray of object of shape (n_rows, n_columns)
        An AxesImage, a list of Line2D or a StepPatch for each row, None at the end.
    """
    n_rows = -(-len(x) // n_columns)
    image = kind == "image"
    width, height = (1.0, x.shape[1] / x.shape[2]) if image else (1.8, 1.2)
    scale = min(_MAX_WIDTH / (n_columns * width), _MAX_HEIGHT / (n_rows * height))
    scale = np.clip(scale, _MIN_SCALE, _MAX_SCALE)
    figsize = (
        n_columns * width * scale + (0.9 if row_labels else 0.1),
        n_rows * height * scale + (0.3 if column_labels else 0.1),
    )
    share = {} if image else {"sharex": True, "sharey": True}
    figure, axes = make_axes(n_rows, n_columns, ax, figsize, **share)
    draw = _draw_images if image else _draw_series if kind == "series" else _draw_vectors
    artists = np.full(axes.size, None, dtype=object)
    for place, artist in enumerate(draw(axes.flat, x, row_kw or {})):
        artists[place] = artist
    for empty in axes.flat[len(x) :]:
        empty.set_visible(False)
    for one, label in zip(axes[:, 0], row_labels, strict=bool(row_labels)):
        one.set_ylabel(label, rotation=0, ha="right", va="center")
    for one, label in zip(axes[0], column_labels, strict=bool(column_labels)):
        one.set_title(label, fontsize="medium")
    return figure, axes, artists.reshape(axes.shape)


def _draw_images(axes, x, row_kw):
    low, high = (0, 1) if in_unit_interval(x) else (x.min(), x.max())
    if x.ndim == 4:
        # matplotlib does not scale images with color channels.
        x = (x - low) / ((high - low) or 1)
    settings = {"cmap": "gray", "vmin": low, "vmax": high, "interpolation": "nearest", **row_kw}
    for ax, image in zip(axes, x, strict=False):
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
        yield ax.imshow(image, **settings)


def _draw_series(axes, x, row_kw):
    from matplotlib.lines import Line2D

    for ax, series in zip(axes, x, strict=False):
        _few_ticks(ax)
        yield ax.plot(series, **{"linewidth": 1, **named_once(row_kw, Line2D)})


def _draw_vectors(axes, x, row_kw):
    edges = np.arange(x.shape[1] + 1) - 0.5
    for ax, values in zip(axes, x, strict=False):
        _few_ticks(ax)
        yield ax.stairs(values, edges, **{"fill": True, **row_kw})


def _few_ticks(ax):
    from matplotlib.ticker import MaxNLocator

    ax.xaxis.set_major_locator(MaxNLocator(3, integer=True))
    ax.yaxis.set_major_locator(MaxNLocator(3))
    ax.tick_params(labelsize="small")
