"""Kinds of data in one row."""

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from scipy import sparse
from sklearn.utils import _safe_indexing

from sklearn_simvae._batch import Batch
from sklearn_simvae._plain import fitted_digest, plain
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
    feature_names : tuple of str or None
        Names of the columns of a dict's entry, where they are strings.
    """

    name: str
    encoder: Any
    columns: tuple[int, ...] | None
    as_series: bool = False
    preprocessor: Any = None
    layout: Layout | None = None
    feature_names: tuple[str, ...] | None = None

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


def type_name(value) -> str | None:
    """Return the name of the type of a preprocessor, if there is one."""
    return None if value is None else type(value).__name__


def take_columns(X, columns: int | list[int]):
    """Take a column of a table as a series, or some of them as a table."""
    if hasattr(X, "to_pylist") and hasattr(X, "select"):
        # Tables of Arrow, which old versions of scikit-learn do not index.
        return X.select(columns) if isinstance(columns, list) else X.column(columns)
    return _safe_indexing(X, columns, axis=1)


@dataclass(frozen=True)
class ModalLayout(Layout):
    """The layout of rows that hold several modalities.

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

    @classmethod
    def of(cls, modalities, n_columns: int | None, from_dict: bool) -> "ModalLayout":
        """Put modalities together, whose own layouts are known.

        Parameters
        ----------
        modalities : iterable of Modality
            In the order in which they were declared.
        n_columns : int or None
            Columns of X in `fit`; None means all values of a row.
        from_dict : bool
            Whether X was a dict.

        Returns
        -------
        layout : ModalLayout
            Layout of the rows.
        """
        modalities = tuple(modalities)
        shape = (sum(m.layout.n_features for m in modalities),)
        own = {"n_columns": n_columns or math.prod(shape), "from_dict": from_dict}
        return cls("vector", shape, shape, modalities=modalities, **own)

    @property
    def names(self) -> list[str]:
        """Names of the modalities."""
        return [modality.name for modality in self.modalities]

    @property
    def preprocessors(self) -> dict[str, Any]:
        """Fitted transformers by name of the modality, without which X cannot be read."""
        return {m.name: m.preprocessor for m in self.modalities if m.preprocessor is not None}

    def zeros(self, device="cpu") -> Batch:
        """Make a batch of one sample, whose modalities are there and zero.

        Parameters
        ----------
        device : torch.device or str, default="cpu"
            Device of the views.

        Returns
        -------
        batch : Batch
            Modalities as networks take them.
        """
        views = tuple(m.layout.zeros(device).views[:, 0] for m in self.modalities)
        return Batch(views, torch.ones((1, len(views)), dtype=torch.bool, device=device))

    def to_dict(self) -> dict[str, Any]:
        """Convert the layout to a dict of values that JSON can hold.

        Returns
        -------
        fields : dict
            Fields by name, without the preprocessors.
        """
        modalities = [
            {
                "name": m.name,
                "encoder": plain(m.encoder),
                "columns": m.columns,
                "as_series": m.as_series,
                "preprocessor": type_name(m.preprocessor),
                "learned": None if m.preprocessor is None else fitted_digest(m.preprocessor),
                "layout": m.layout.to_dict(),
                "feature_names": m.feature_names,
            }
            for m in self.modalities
        ]
        own = {"n_columns": int(self.n_columns), "from_dict": self.from_dict}
        return {"modalities": plain(modalities), **own}

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
