"""The way from a table or a dict of modalities to samples."""

from collections.abc import Callable, Mapping

import numpy as np
from scipy.sparse import issparse
from sklearn.utils.validation import _get_feature_names, check_array

from sklearn_simvae.multimodal.declaration import declare
from sklearn_simvae.multimodal.layout import Modality, ModalLayout, take_columns, type_name
from sklearn_simvae.multimodal.modalities import fit_modalities, read_modalities
from sklearn_simvae.multimodal.samples import ModalSamples, ModalViewMaker
from sklearn_simvae.views import Layout, LazyArray, ViewMaker, as_lazy_array
from sklearn_simvae.views.checks import (
    check_augmentation,
    check_colors,
    check_like_fitted,
    has_colors,
)
from sklearn_simvae.views.hints import warn_of_scales
from sklearn_simvae.views.lazy import as_table, named
from sklearn_simvae.views.rows import check_holds_rows, stack_cells
from sklearn_simvae.views.view_maker import one_hot_columns


class ModalityReader:
    """Read tables and dicts whose rows have parts of several kinds.

    It has the methods of :class:`~sklearn_simvae.views.reader.ArrayReader`.

    Parameters
    ----------
    name : str
        Name of the estimator, for messages.
    layout : ModalLayout or None, default=None
        Layout of the rows that were fitted; None where they are yet to be read.
    feature_names : ndarray of str or None, default=None
        Names of the columns that were fitted.
    modalities, preprocessing, input_shapes, augmentations : object
        Parameters of the estimator of these names.
    default_augmentation : callable
        From a layout to the augmentation that "auto" stands for.

    Attributes
    ----------
    layout : ModalLayout
        Layout of the rows, once they are read.
    """

    def __init__(
        self,
        name: str,
        layout: ModalLayout | None = None,
        feature_names: np.ndarray | None = None,
        *,
        modalities=None,
        preprocessing=(),
        input_shapes=None,
        augmentations=None,
        default_augmentation=None,
    ):
        self.name = name
        self.layout = layout
        self.feature_names = feature_names
        self.modalities = modalities
        self.preprocessing = preprocessing
        self.input_shapes = input_shapes
        self.augmentations = augmentations
        self.default_augmentation = default_augmentation
        self._check: Callable[[ModalSamples], None] | None = None

    def require(self, check: Callable[[ModalSamples], None]) -> None:
        """Have values looked at when they are read.

        Parameters
        ----------
        check : callable
            Raises where the values of a modality are not fit for it.
        """
        self._check = check

    def split_groups(self, X, groups=None, needed: bool = False) -> tuple:
        """Refuse groups, since the views of a row are its modalities.

        Parameters
        ----------
        X : object
            Rows.
        groups : None
            Groups.
        needed : bool, default=False
            Not used.

        Returns
        -------
        X : object
            The same rows.
        groups : None
            No groups.

        Raises
        ------
        ValueError
            If there are groups.
        """
        if groups is not None:
            raise ValueError(f"{self.name} takes no groups: the views of a row are its modalities.")
        return X, None

    def fit(self, X, groups=None, n_views: int = 1, hints: bool = True) -> ModalSamples:
        """Read the X that is to be fitted: fit the preprocessors, and learn the layout.

        Parameters
        ----------
        X : array-like, DataFrame, sparse matrix or dict
            Rows.
        groups : None, default=None
            Not used.
        n_views : int, default=1
            Not used.
        hints : bool, default=True
            Whether to warn of features of another scale than others.

        Returns
        -------
        samples : Samples
            The samples of X.

        Raises
        ------
        ValueError
            If X or the declaration of the modalities is not valid.
        """
        X = self._check_table(X)
        declared = declare(X, self.modalities, self.preprocessing)
        samples = fit_modalities(X, declared, self.input_shapes)
        self.layout = samples.layout
        if hints:
            self._hint_at_scales(samples, _get_feature_names(named(X)))
        return self._checked(samples)

    def read(self, X, groups=None, n_views: int = 1, only: str | None = None) -> ModalSamples:
        """Read an X that is like what was fitted, or holds one modality alone.

        Parameters
        ----------
        X : array-like, DataFrame, sparse matrix or dict
            Rows.
        groups : None, default=None
            Not used.
        n_views : int, default=1
            Not used.
        only : str, default=None
            Name of the one modality to read.

        Returns
        -------
        samples : Samples
            The samples of X.

        Raises
        ------
        ValueError
            If X is not valid, or not like what was fitted.
        """
        self.split_groups(X, groups)
        layout = self.layout
        if only is not None:
            layout.index(only)
            if layout.from_dict and not isinstance(X, Mapping):
                X = {only: X}
        if only is not None and self.is_alone(X, only):
            X, layout = self._apart(as_table(X), only)
        else:
            X = self._check_table(X)
            self.check_shape(X)
        samples = read_modalities(X, layout, only)
        for part in samples.parts:
            if part.shape[0]:
                part.X = check_like_fitted(self.name, part.X, part.layout)
        return self._checked(samples)

    def check_shape(self, X) -> None:
        """Raise if rows, whatever they hold, are not of the form of those that were fitted.

        Parameters
        ----------
        X : object
            Rows.

        Raises
        ------
        ValueError
            If they are of another form.
        """
        if isinstance(X, Mapping) != self.layout.from_dict:
            kind = "a dict of arrays" if self.layout.from_dict else "a table"
            raise ValueError(f"{self.name} was fitted on {kind}, and expects one; got {type(X)}.")
        if not self.layout.from_dict and X.shape[1] != self.layout.n_columns:
            raise ValueError(
                f"X has {X.shape[1]} features, but {self.name} is expecting "
                f"{self.layout.n_columns} features as input."
            )

    def view_maker(self, samples: ModalSamples) -> ModalViewMaker:
        """Make the function from a batch as it is read to views, on the device.

        Parameters
        ----------
        samples : ModalSamples
            All samples of which views are to be made.

        Returns
        -------
        maker : ModalViewMaker
            Makes views.

        Raises
        ------
        ValueError
            If an augmentation is of no modality or not valid, or does not suit the values.
        """
        makers = {}
        for name, augmentation in (self.augmentations or {}).items():
            part = samples.parts[samples.layout.index(name)]
            if isinstance(augmentation, str) and augmentation == "auto":
                if has_colors(part.layout):
                    check_colors(part.X, part.what)
                    part.hold_between(0, 1)
                augmentation = self.default_augmentation(part.layout)
            if not callable(augmentation):
                raise ValueError(
                    f"augmentations[{name!r}] must be 'auto' or a callable from a batch to a "
                    f"batch, got {augmentation!r}."
                )
            check_augmentation(augmentation, f"augmentations[{name!r}]")
            one_hot = one_hot_columns(part.X, part.layout)
            makers[name] = ViewMaker(part.layout, 1, augmentation, one_hot)
        return ModalViewMaker(samples.layout, makers)

    def layout_from_dict(self, fields: dict, preprocessors: dict) -> ModalLayout:
        """Make a layout from the result of its `to_dict`.

        Parameters
        ----------
        fields : dict
            Fields by name.
        preprocessors : dict of str to transformer
            Fitted transformers by name of the modality.

        Returns
        -------
        layout : ModalLayout
            The same layout.

        Raises
        ------
        ValueError
            If a preprocessor is not there.
        """
        missing = [
            f"{m['name']!r} ({m['preprocessor']})"
            for m in fields["modalities"]
            if m["preprocessor"] != type_name(preprocessors.get(m["name"]))
        ]
        if missing:
            raise ValueError(
                "Weights alone do not hold preprocessors, and these are not fitted here: "
                f"{', '.join(missing)}. Load them into the estimator that was fitted, or keep the "
                "whole estimator by skops or joblib."
            )
        encoders = {item[0]: item[1] for item in self.modalities or []}
        modalities = (
            Modality(
                m["name"],
                encoders.get(m["name"], "auto"),
                None if m["columns"] is None else tuple(m["columns"]),
                m["as_series"],
                preprocessors.get(m["name"]),
                Layout.from_dict(m["layout"]),
                tuple(m["feature_names"]) if m["feature_names"] else None,
            )
            for m in fields["modalities"]
        )
        return ModalLayout.of(modalities, fields["n_columns"], fields["from_dict"])

    def is_alone(self, X, modality: str) -> bool:
        """Tell whether X is the columns of a modality without those of the others.

        Parameters
        ----------
        X : object
            Rows.
        modality : str
            Name of the modality.

        Returns
        -------
        alone : bool
            False for a dict.
        """
        own = self.layout.modalities[self.layout.index(modality)]
        if self.layout.from_dict or isinstance(X, Mapping):
            return False
        shape, n_columns = _shape(X), self.layout.n_columns
        # A table has two dimensions, and of a list, such as of tokens, as many entries in a row.
        if own.as_series and (len(shape) != 2 or (isinstance(X, list) and shape[1] != n_columns)):
            return True
        return len(shape) == 2 and shape[1] == len(own.columns) < n_columns

    def _checked(self, samples: ModalSamples) -> ModalSamples:
        if self._check is not None:
            self._check(samples)
        return samples

    def _apart(self, X, only: str) -> tuple[dict, ModalLayout]:
        """The columns of one modality as an entry of a dict, and the layout of that."""
        own = self.layout.modalities[self.layout.index(only)]
        if own.as_series and _shape(X)[1:] == (1,):
            X = [row[0] for row in X] if isinstance(X, list) else take_columns(X, 0)
        return {only: X}, self.layout.apart(self.feature_names)

    def _hint_at_scales(self, samples: ModalSamples, names: np.ndarray | None) -> None:
        for m, part in zip(self.layout.modalities, samples.parts, strict=True):
            # Sparse values, such as counts of words, have no scale by column.
            if issparse(part.X):
                continue
            own = m.feature_names
            if names is not None and m.columns is not None:
                own = names[list(m.columns)]
            # A preprocessor makes columns of its own.
            own = own if m.preprocessor is None else None
            warn_of_scales(m.layout, part.X, own, f"modality {m.name!r}")

    def _check_table(self, X):
        """X as a dict, a table of mixed columns, or an array of numbers."""
        check_holds_rows(X)
        # Some sparse arrays are mappings too.
        if isinstance(X, Mapping) and not issparse(X):
            return {name: as_table(values) for name, values in X.items()}
        X = as_table(X)
        mixed = isinstance(X, np.ndarray) and X.dtype.kind in "OUS" and self.preprocessing
        if hasattr(X, "columns") or mixed:
            if len(X.shape) != 2 or not X.shape[0]:
                raise ValueError(f"X must be a table with rows and columns, got shape {X.shape}.")
            return X
        if not isinstance(X, np.ndarray) and isinstance(as_lazy_array(X), LazyArray):
            raise ValueError(
                f"X is of type {type(X).__name__}, which would be read whole to take its columns "
                "apart. Give a dict with such a source for each modality, to be read by batch."
            )
        X = stack_cells(X)
        if (hasattr(X, "shape") or isinstance(X, list)) and len(_shape(X)) > 2:
            raise ValueError(
                f"X has the shape {_shape(X)}, and {self.name} takes a dict of arrays, "
                "{name: rows}, or a table. In searches and cross-validation, which take rows by "
                "index, give a table with a column of arrays for each modality, e.g. "
                "pandas.DataFrame({name: list(rows)})."
            )
        return check_array(
            X,
            accept_sparse="csr",
            dtype="numeric",
            ensure_all_finite="allow-nan",
            estimator=self.name,
            input_name="X",
        )


def _shape(X) -> tuple[int, ...]:
    """The shape of X; of rows that differ in length, their number."""
    if hasattr(X, "shape"):
        return tuple(X.shape)
    try:
        return np.shape(X)
    except ValueError:
        return (len(X),)
