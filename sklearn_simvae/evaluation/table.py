"""Results as a tidy table, with a row for each number."""

import csv
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from sklearn_simvae._checks import is_missing


class ResultTable(list):
    """List of dicts, one for each number that was measured.

    `pandas.DataFrame(table)` turns it into a frame. When printed, it shows the mean and the
    standard deviation over the seeds.

    Parameters
    ----------
    rows : iterable of dict
        One dict for each number, with the number as "value", mostly with "seed", and with labels
        that tell one number from another.

    Examples
    --------
    >>> from sklearn_simvae.evaluation import ResultTable
    >>> table = ResultTable(
    ...     {"probe": "knn", "metric": "accuracy", "seed": seed, "value": value}
    ...     for seed, value in enumerate([0.81, 0.83])
    ... )
    >>> round(table.mean(probe="knn"), 3)
    0.82
    >>> print(table)
    probe  metric    mean   std    n
    knn    accuracy  0.820  0.014  2
    """

    # These columns differ between runs of one measurement; all others say what was measured.
    _per_run = ("seed", "value", "setting")

    def __init__(self, rows: Iterable[dict] = ()):
        super().__init__(rows)

    def select(self, **labels) -> "ResultTable":
        """Select the rows with these labels.

        Parameters
        ----------
        **labels : object
            Names of columns, and the value that each of them must have.

        Returns
        -------
        table : ResultTable
            The selected rows.
        """
        return ResultTable(
            row for row in self if all(row.get(name) == value for name, value in labels.items())
        )

    def mean(self, **labels) -> float:
        """Average the values of the rows with these labels.

        Parameters
        ----------
        **labels : object
            Same as in :meth:`select`.

        Returns
        -------
        mean : float
            The mean over all seeds.

        Raises
        ------
        KeyError
            If no row has these labels.
        """
        values = [row["value"] for row in self.select(**labels)]
        if not values:
            raise KeyError(f"no row has {labels}; there are {self.labels()}")
        return float(np.mean(values))

    def labels(self) -> list[dict]:
        """List the labels of the rows, which say what was measured, each once and in order.

        Returns
        -------
        labels : list of dict
            The labels, without seeds, values and settings.
        """
        found: dict[frozenset, dict] = {}
        for labels in map(self._labels, self):
            found.setdefault(frozenset(labels.items()), labels)
        return list(found.values())

    def _labels(self, row: dict) -> dict:
        """Return the labels of a row, without entries that are empty in a table of more columns."""
        return {
            name: value
            for name, value in row.items()
            if name not in self._per_run and not is_empty(value)
        }

    def summary(self) -> list[dict]:
        """Compute mean, standard deviation and number of the values of each measurement.

        Returns
        -------
        rows : list of dict
            Dicts with the labels, "mean", "std" (the sample standard deviation; NaN for one run)
            and "n".
        """
        rows = []
        for labels in self.labels():
            values = [row["value"] for row in self if self._labels(row) == labels]
            std = float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
            rows.append({**labels, "mean": float(np.mean(values)), "std": std, "n": len(values)})
        return rows

    def to_frame(self):
        """Make a pandas DataFrame of the table.

        Returns
        -------
        frame : pandas.DataFrame
            A row for each number.

        Raises
        ------
        ImportError
            If pandas is not installed.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise ImportError(
                'to_frame needs pandas: pip install "sklearn-simvae[evaluation]", or use the rows, '
                "which are dicts."
            ) from error
        return pd.DataFrame(list(self))

    def to_csv(self, path: str | os.PathLike) -> None:
        """Write the table to a file.

        Parameters
        ----------
        path : str or path-like
            Path of the file.
        """
        columns = list(dict.fromkeys(name for row in self for name in row))
        with Path(path).open("w", newline="") as file:
            writer = csv.DictWriter(file, columns, restval="")
            writer.writeheader()
            writer.writerows(self)

    def __str__(self) -> str:
        rows = self.summary()
        columns = list(dict.fromkeys(name for row in rows for name in row))
        # The numbers come last, even if later rows have further labels.
        columns.sort(key=("mean", "std", "n").__contains__)
        return aligned(columns, [[_cell(row.get(name, "")) for name in columns] for row in rows])


def is_empty(value) -> bool:
    """Tell whether an entry is empty, as in a table of more columns.

    Parameters
    ----------
    value : object
        Any entry.

    Returns
    -------
    empty : bool
        True for None, "", NaN and the NA of pandas.
    """
    return is_missing(value) or (isinstance(value, str) and not value)


def aligned(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    """Lay text out in columns.

    Parameters
    ----------
    columns : sequence of str
        The column names.
    cells : sequence of sequence of str
        The text of each line below.

    Returns
    -------
    text : str
        A line with the column names, and one for each of `cells`.
    """
    lines = [list(columns), *map(list, cells)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _cell(value) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
