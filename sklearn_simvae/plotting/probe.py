"""Content against style: the accuracy of probes for several methods."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike

from sklearn_simvae.evaluation.table import is_empty
from sklearn_simvae.plotting._drawing import named_once, require_matplotlib

# Places to try for a label: distances from its point, in typographic points, then directions.
_DISTANCES = (6, 14, 24, 36, 50, 66)
_DIRECTIONS = ((1, 0), (-1, 0), (0, 1), (0, -1), (1, 1), (-1, 1), (1, -1), (-1, -1))


class ProbeDisplay:
    """Content against style, with a point and a name for each method.

    Use :meth:`from_results` to make one.

    Parameters
    ----------
    methods : sequence of str
        Names of the methods.
    content, style : array-like of shape (n_methods,)
        Means over runs, for each method.
    content_std, style_std : array-like of shape (n_methods,), default=None
        Standard deviations over runs; NaN for methods with one run.
    content_name, style_name : str
        Names of the axes.

    Attributes
    ----------
    figure_ : matplotlib Figure
        The figure.
    ax_ : matplotlib Axes
        The axes.
    errorbar_ : matplotlib ErrorbarContainer
        The points and their bars.
    labels_ : list of matplotlib Annotation
        The names, in the order of `methods`.

    See Also
    --------
    sklearn_simvae.evaluation.probe : Measures content.
    sklearn_simvae.evaluation.style_probe : Measures style.

    Examples
    --------
    >>> from sklearn_simvae.plotting import ProbeDisplay
    >>> table = [
    ...     {"method": "SimVAE", "probe": "linear", "metric": "accuracy", "value": 0.8},
    ...     {"method": "SimVAE", "probe": "linear", "metric": "r2", "factor": "mean", "value": 0.4},
    ...     {"method": "SimCLR", "probe": "linear", "metric": "accuracy", "value": 0.7},
    ...     {"method": "SimCLR", "probe": "linear", "metric": "r2", "factor": "mean", "value": 0.2},
    ... ]
    >>> display = ProbeDisplay.from_results(table)
    >>> display.methods, display.content
    (['SimVAE', 'SimCLR'], array([0.8, 0.7]))
    """

    def __init__(
        self,
        methods: Sequence[str],
        content: ArrayLike,
        style: ArrayLike,
        *,
        content_std: ArrayLike | None = None,
        style_std: ArrayLike | None = None,
        content_name: str = "content",
        style_name: str = "style",
    ):
        self.methods = methods
        self.content = content
        self.style = style
        self.content_std = content_std
        self.style_std = style_std
        self.content_name = content_name
        self.style_name = style_name

    @classmethod
    def from_results(
        cls,
        table: Iterable[dict],
        *,
        probe: str = "linear",
        metric: str = "accuracy",
        factor: str | None = None,
        method: str = "method",
        ax=None,
        errorbar_kw: dict | None = None,
    ) -> "ProbeDisplay":
        """Plot tables of :func:`~sklearn_simvae.evaluation.probe` and `style_probe`.

        Parameters
        ----------
        table : ResultTable, iterable of dict or DataFrame
            The rows of both tables, for all methods, with a further column that names the method.
            Rows with a "factor" measure style, all others content. Rows of the same method are
            averaged.
        probe : str, default="linear"
            The probe to plot, for both content and style.
        metric : str, default="accuracy"
            The metric of content, and of a style factor that is predicted by classification.
        factor : str, default=None
            The factor of style to plot. None is "mean", the mean over all factors that are
            predicted by regression, or else the only factor.
        method : str, default="method"
            The column that names the method.
        ax : matplotlib Axes, default=None
            Same as in :meth:`plot`.
        errorbar_kw : dict, default=None
            Same as in :meth:`plot`.

        Returns
        -------
        display : ProbeDisplay
            The display of what was plotted.

        Raises
        ------
        ValueError
            If columns or rows are missing, or if rows of a method measure different things.
        """
        require_matplotlib(f"{cls.__name__}.from_results")
        rows = _rows(table, ("value", "probe", "metric", method))
        factors = list(dict.fromkeys(row["factor"] for row in rows if "factor" in row))
        if factor is None and len(factors) > 1 and "mean" not in factors:
            raise ValueError(
                f"The table has several factors of style, {factors}. Choose by factor."
            )
        if factor is None and factors:
            factor = "mean" if "mean" in factors else factors[0]
        content = [row for row in rows if "factor" not in row]
        style = [row for row in rows if "factor" in row and row["factor"] == factor]
        regression = any(row["metric"] == "r2" for row in style)
        style_metric = "r2" if regression else metric
        # The values to average, by method.
        content = _values(content, method, "content", probe=probe, metric=metric)
        style = _values(style, method, f"style {factor!r}", probe=probe, metric=style_metric)
        if content.keys() != style.keys():
            alone = sorted(map(str, content.keys() ^ style.keys()))
            raise ValueError(
                f"The methods {alone} have rows of content or of style alone. Give both for each."
            )
        means, stds = (
            [np.array([statistic(values[name]) for name in content]) for values in (content, style)]
            for statistic in (np.mean, _std)
        )
        what = "mean over factors" if factor == "mean" else str(factor)
        return cls(
            list(content),
            *means,
            content_std=stds[0],
            style_std=stds[1],
            content_name=f"content: {_metric_name(metric)} ({probe} probe)",
            style_name=f"style: {_metric_name(style_metric)}, {what} ({probe} probe)",
        ).plot(ax, errorbar_kw=errorbar_kw)

    def plot(self, ax=None, *, errorbar_kw: dict | None = None) -> "ProbeDisplay":
        """Draw the points and their names.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw in. None makes a figure. Names are placed for the present size of the
            axes.
        errorbar_kw : dict, default=None
            Keyword arguments of matplotlib's `errorbar`.

        Returns
        -------
        display : ProbeDisplay
            The display itself.
        """
        require_matplotlib(f"{type(self).__name__}.plot")
        import matplotlib.pyplot as plt
        from matplotlib.lines import Line2D

        if ax is None:
            _, ax = plt.subplots(figsize=(6.4, 4.8), layout="constrained")
        self.ax_, self.figure_ = ax, ax.figure
        errorbar_kw = named_once(errorbar_kw, Line2D)
        settings = {"fmt": "o", "markersize": 5, "elinewidth": 1, **errorbar_kw}
        bars = [
            None if std is None else np.nan_to_num(std)
            for std in (self.style_std, self.content_std)
        ]
        self.errorbar_ = ax.errorbar(
            self.style, self.content, xerr=bars[0], yerr=bars[1], **settings
        )
        ax.set(xlabel=self.style_name, ylabel=self.content_name)
        # Leaves room for the names.
        ax.margins(0.12)
        self.labels_ = _label_points(
            ax, self.methods, np.column_stack([self.style, self.content]), bars
        )
        return self


def _rows(table, columns: Sequence[str]) -> list[dict]:
    """Return the rows as dicts, without entries that are empty in a table of more columns."""
    # Frames of polars have `to_dicts`, frames of pandas `to_dict`.
    if hasattr(table, "to_dicts"):
        rows = table.to_dicts()
    else:
        rows = table.to_dict("records") if hasattr(table, "to_dict") else list(table)
    rows = [{name: v for name, v in row.items() if not is_empty(v)} for row in rows]
    missing = [name for name in columns if not all(name in row for row in rows)]
    if missing or not rows:
        raise ValueError(
            f"table has {len(rows)} rows, of which not all have {missing or list(columns)}. Give "
            "rows of evaluation.probe and style_probe, each with the name of its method added."
        )
    return rows


def _values(rows: list[dict], method: str, what: str, **labels) -> dict[str, list[float]]:
    """Return the values of the rows with these labels, by method."""
    chosen = [row for row in rows if all(row[name] == value for name, value in labels.items())]
    if not chosen:
        found = {name: list(dict.fromkeys(row[name] for row in rows)) for name in labels}
        raise ValueError(f"table has no rows of {what} with {labels}; it has {found}.")
    values: dict[str, list[float]] = {}
    for row in chosen:
        values.setdefault(row[method], []).append(float(row["value"]))
    for name in values:
        own = [row for row in chosen if row[method] == name]
        columns = {column for row in own for column in row} - {"value", "setting"}
        for column in columns:
            found = list(dict.fromkeys(str(row.get(column)) for row in own))
            # Runs differ in their seeds, in any column whose name has "seed" in it.
            if len(found) > 1 and "seed" not in column:
                raise ValueError(
                    f"The rows of {name!r} differ in {column!r}, {found}, and are not to be "
                    "averaged. Select one of them, or add it to the names of the methods."
                )
    return values


def _std(values: list[float]) -> float:
    return float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")


def _metric_name(metric: str) -> str:
    return "$R^2$" if metric == "r2" else metric.replace("_", " ")


def _label_points(ax, labels, points: np.ndarray, bars) -> list:
    """Write a label beside each point, clear of points, bars and other labels if possible."""
    figure = ax.figure.canvas.figure
    # The layout sets the size of the axes only when it is drawn.
    figure.draw_without_rendering()
    pixels = figure.dpi / 72
    # Boxes that a label may not cover, and those of labels, which lines may not cross.
    taken, boxes = _bar_boxes(ax, points, bars, 3 * pixels), []
    texts = []
    for label, point in zip(labels, points, strict=True):
        measured = ax.text(0, 0, label, fontsize="small")
        size = measured.get_window_extent()
        measured.remove()
        start = ax.transData.transform(point)
        best = None
        for offset, direction, box, line in _places(start, size, pixels):
            covered = sum(_overlap(box, other) for other in taken)
            covered += sum(_overlap(one, other) for one in line for other in boxes)
            covered += size.width * size.height - _overlap(box, ax.bbox)
            if best is None or covered < best[0] - 1e-6:
                best = covered, offset, direction, box, line
        _, offset, (right, up), box, line = best
        boxes.append(box.padded(pixels))
        taken += [boxes[-1], *line]
        arrow = {"arrowstyle": "-", "color": "0.5", "lw": 0.7, "shrinkA": 0, "shrinkB": 4}
        text = ax.annotate(
            label,
            point,
            xytext=offset,
            textcoords="offset points",
            fontsize="small",
            ha=("right", "center", "left")[right + 1],
            va=("top", "center", "bottom")[up + 1],
            arrowprops={**arrow, "relpos": ((1 - right) / 2, (1 - up) / 2)},
        )
        texts.append(text)
    return texts


def _bar_boxes(ax, points: np.ndarray, bars, margin: float) -> list:
    """Return the boxes around the error bars of each point, in pixels."""
    from matplotlib.transforms import Bbox

    to_pixels = ax.transData.transform
    x_std, y_std = (np.zeros(len(points)) if std is None else np.asarray(std) for std in bars)
    return [
        Bbox([to_pixels(low), to_pixels(high)]).padded(margin)
        for (x, y), dx, dy in zip(points, x_std, y_std, strict=True)
        for low, high in (((x - dx, y), (x + dx, y)), ((x, y - dy), (x, y + dy)))
    ]


def _places(start, size, pixels: float) -> Iterator[tuple]:
    """Yield offset, direction, box and boxes of the line of each place for a label of a point."""
    from matplotlib.transforms import Bbox

    for distance in _DISTANCES:
        for direction in _DIRECTIONS:
            offset = distance * np.array(direction) / np.hypot(*direction)
            # The offset is that of the side of the label that faces the point.
            corner = start + offset * pixels
            corner = corner - (1 - np.array(direction)) / 2 * (size.width, size.height)
            box = Bbox.from_bounds(*corner, size.width, size.height)
            line = [
                Bbox.from_bounds(*(start + part * offset * pixels), 1, 1).padded(pixels)
                for part in np.linspace(0, 1, 9)
            ]
            yield offset, direction, box, line


def _overlap(a, b) -> float:
    """Compute the area that two boxes share, in square pixels."""
    width = min(a.x1, b.x1) - max(a.x0, b.x0)
    height = min(a.y1, b.y1) - max(a.y0, b.y0)
    return max(width, 0) * max(height, 0)
