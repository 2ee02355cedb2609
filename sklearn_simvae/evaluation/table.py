"""Results as a tidy table: a row for each number."""

import csv
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from sklearn_simvae._checks import is_missing


class ResultTable(list):
    """A list of dicts, one for each number that was measured.

    `pandas.DataFrame(table)` makes a frame of it; printed, it shows mean and standard deviation
    over the seeds.

    Parameters
    ----------
    rows : iterable of dict
        With "value", the number, mostly "seed", and what else tells one number from another.

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

    # What tells runs of one measurement apart; all other columns say what was measured.
    _per_run = ("seed", "value", "setting")

    def __init__(self, rows: Iterable[dict] = ()):
        super().__init__(rows)

    def select(self, **labels) -> "ResultTable":
        """The rows with these labels.

        Parameters
        ----------
        **labels : object
            A value for each column that is to have it.

        Returns
        -------
        table : ResultTable
            Those rows.
        """
        return ResultTable(
            row for row in self if all(row.get(name) == value for name, value in labels.items())
        )

    def mean(self, **labels) -> float:
        """The mean of the values of the rows with these labels.

        Parameters
        ----------
        **labels : object
            As for :meth:`select`.

        Returns
        -------
        mean : float
            Over all seeds.

        Raises
        ------
        KeyError
            If no row has them.
        """
        values = [row["value"] for row in self.select(**labels)]
        if not values:
            raise KeyError(f"no row has {labels}; there are {self.labels()}")
        return float(np.mean(values))

    def labels(self) -> list[dict]:
        """What was measured: the labels of the rows, each once, in order.

        Returns
        -------
        labels : list of dict
            Without seeds, values and settings.
        """
        found: dict[frozenset, dict] = {}
        for labels in map(self._labels, self):
            found.setdefault(frozenset(labels.items()), labels)
        return list(found.values())

    def _labels(self, row: dict) -> dict:
        """What a row is of, but for entries that are empty in a table of more columns."""
        return {
            name: value
            for name, value in row.items()
            if name not in self._per_run and not is_empty(value)
        }

    def summary(self) -> list[dict]:
        """Mean, standard deviation and number of the values of each measurement.

        Returns
        -------
        rows : list of dict
            The labels, "mean", "std" (of a sample; NaN of one run) and "n".
        """
        rows = []
        for labels in self.labels():
            values = [row["value"] for row in self if self._labels(row) == labels]
            std = float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")
            rows.append({**labels, "mean": float(np.mean(values)), "std": std, "n": len(values)})
        return rows

    def to_frame(self):
        """The table as a pandas DataFrame.

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
            The file.
        """
        columns = list(dict.fromkeys(name for row in self for name in row))
        with Path(path).open("w", newline="") as file:
            writer = csv.DictWriter(file, columns, restval="")
            writer.writeheader()
            writer.writerows(self)

    def __str__(self) -> str:
        rows = self.summary()
        columns = list(dict.fromkeys(name for row in rows for name in row))
        # The figures come last, whatever labels later rows bring.
        columns.sort(key=("mean", "std", "n").__contains__)
        return aligned(columns, [[_cell(row.get(name, "")) for name in columns] for row in rows])


def is_empty(value) -> bool:
    """Whether an entry says nothing, as in a table of more columns.

    Parameters
    ----------
    value : object
        Any.

    Returns
    -------
    empty : bool
        Of None, "", NaN and the NA of pandas.
    """
    return is_missing(value) or (isinstance(value, str) and not value)


def aligned(columns: Sequence[str], cells: Sequence[Sequence[str]]) -> str:
    """Lay text out in columns.

    Parameters
    ----------
    columns : sequence of str
        The heads.
    cells : sequence of sequence of str
        The lines below.

    Returns
    -------
    text : str
        A line for the heads, and one for each of `cells`.
    """
    lines = [list(columns), *map(list, cells)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def _cell(value) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)
