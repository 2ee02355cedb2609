"""Kinds of data in one row, and their places in it."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils import _safe_indexing

from sklearn_simvae.views import Layout


@dataclass(frozen=True)
class Modality:
    """A kind of data in the rows of X.

    Parameters
    ----------
    name : str
        Its name.
    encoder : str, callable or torch.nn.Module
        Same as the `encoder` of the other estimators.
    columns : tuple of int or None
        Its columns in X; None where X is a dict.
    as_series : bool
        Whether its column is taken as one-dimensional, as text vectorisers want it.
    preprocessor : transformer or None
        Fitted, of this modality alone.
    layout : Layout
        How what the preprocessor gives is read.
    start : int
        Its first place in a row as the networks read it.
    feature_names : tuple of str or None
        Names of the columns of a dict's entry, where they are strings.
    """

    name: str
    encoder: Any
    columns: tuple[int, ...] | None
    as_series: bool = False
    preprocessor: Any = None
    layout: Layout | None = None
    start: int = 0
    feature_names: tuple[str, ...] | None = None

    @property
    def stop(self) -> int:
        """The place after its last."""
        return self.start + self.layout.n_features

    def raw(self, X) -> Any:
        """Its part of X, as it comes; None where a dict does not have it."""
        if self.columns is None:
            return X.get(self.name)
        # Sparse arrays of one dimension are new to scipy.
        as_series = self.as_series and not sparse.issparse(X)
        columns = self.columns[0] if as_series else list(self.columns)
        values = take_columns(X, columns)
        # Columns of Arrow hold scalars of its own.
        return values.to_pylist() if as_series and hasattr(values, "to_pylist") else values


def take_columns(X, columns: int | list[int]):
    """Take a column of a table as a series, or some of them as a table."""
    if hasattr(X, "to_pylist") and hasattr(X, "select"):
        # Tables of Arrow, which old versions of scikit-learn do not index.
        return X.select(columns) if isinstance(columns, list) else X.column(columns)
    return _safe_indexing(X, columns, axis=1)


@dataclass(frozen=True)
class ModalLayout(Layout):
    """The layout of rows that hold several modalities, one after the other.

    Parameters
    ----------
    modalities : tuple of Modality
        In the order in which they were declared.
    n_columns : int
        Columns of X in `fit`; for a dict, all values of a row.
    from_dict : bool
        Whether X was a dict.
    """

    modalities: tuple[Modality, ...] = ()
    n_columns: int = 0
    from_dict: bool = False

    @property
    def names(self) -> list[str]:
        """Names of the modalities."""
        return [modality.name for modality in self.modalities]

    def index(self, name: str) -> int:
        """The place of a modality.

        Parameters
        ----------
        name : str
            Its name.

        Returns
        -------
        index : int
            Counted from 0.

        Raises
        ------
        ValueError
            If there is none of that name.
        """
        if name not in self.names:
            raise ValueError(f"There is no modality {name!r}; there are {self.names}.")
        return self.names.index(name)

    def apart(self, feature_names: np.ndarray | None) -> "ModalLayout":
        """The same for a dict of the columns of each modality of a table.

        Parameters
        ----------
        feature_names : ndarray of str of shape (n_columns,) or None
            Names of all columns.

        Returns
        -------
        layout : ModalLayout
            Layout of such a dict.
        """
        modalities = []
        for m in self.modalities:
            names = None if feature_names is None else feature_names[list(m.columns)]
            names = None if names is None or m.as_series else tuple(names.tolist())
            modalities.append(replace(m, columns=None, feature_names=names))
        return replace(self, modalities=tuple(modalities), from_dict=True)
