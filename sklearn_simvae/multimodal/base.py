"""Base of the multimodal estimators: rows whose parts are of several kinds.

The modalities of a row are its views. Travelling, they stand one after the other in a row of
numbers, NaN where one is missing, so that everything between X and the networks is that of the
other estimators.
"""

import functools
from typing import Any

import numpy as np
from sklearn.utils.metaestimators import _BaseComposition
from sklearn.utils.validation import _check_feature_names, check_is_fitted
from torch import nn

from sklearn_simvae import persistence
from sklearn_simvae._checks import check_finite
from sklearn_simvae._nested import check_nested
from sklearn_simvae._parameters import constraints_of, structure_of
from sklearn_simvae._plain import fitted_digest, plain
from sklearn_simvae._shared_parameters import MODALITIES
from sklearn_simvae.base import BaseSSL
from sklearn_simvae.losses.reduction import mean_over_views
from sklearn_simvae.multimodal.layout import Modality, ModalLayout
from sklearn_simvae.multimodal.reader import ModalityReader
from sklearn_simvae.multimodal.view_maker import ModalViewMaker
from sklearn_simvae.training import inference, reads
from sklearn_simvae.training.memory import split_on_oom
from sklearn_simvae.views import Layout, Samples, default_augmentation
from sklearn_simvae.views.checks import check_augmentation, check_colors, has_colors
from sklearn_simvae.views.lazy import by_chunk, is_dask_array, named
from sklearn_simvae.views.samples import one_hot_columns

# Parameters of rows of one kind.
_NOT_SHARED = {
    "kind": "auto",
    "channels": "auto",
    "group_column": None,
    "encoder": "auto",
    "representation": "latent",
    "n_views": 1,
    "augmentation": None,
    "input_shape": None,
}


class BaseMultimodal(BaseSSL, _BaseComposition):
    """Base of the estimators whose views are modalities.

    Their module has `encoders`, and `latents`, which gives one latent for each modality.
    """

    _tables = {"modalities": MODALITIES}
    _parameter_constraints = {
        **{
            name: constraint
            for name, constraint in BaseSSL._parameter_constraints.items()
            if name not in _NOT_SHARED
        },
        **constraints_of(MODALITIES),
    }
    _not_shared = _NOT_SHARED
    _structure = (
        *(name for name in BaseSSL._structure if name not in _NOT_SHARED),
        *structure_of(MODALITIES),
    )

    modalities: list[Any] | tuple[Any, ...] | None
    preprocessing: list[Any] | tuple[Any, ...]
    input_shapes: dict[str, Any] | None
    augmentations: dict[str, Any] | None

    def __init__(self, n_components: int = 10, **parameters: Any):
        # On to another base, with what that has beside the modalities.
        super().__init__(n_components, **parameters)

    def get_params(self, deep=True) -> dict:
        """The parameters, and with `deep` the preprocessors by name and their parameters.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include the preprocessors.

        Returns
        -------
        params : dict of str to object
            By name; of a preprocessor `name__parameter`.
        """
        return self._get_params("preprocessing", deep=deep)

    def set_params(self, **params):
        """Set parameters, a preprocessor by its name, or one of its parameters.

        Parameters
        ----------
        **params : object
            By name; of a preprocessor `name__parameter`.

        Returns
        -------
        self : object
            The estimator.
        """
        if isinstance(self.preprocessing, tuple) and self.preprocessing:
            # scikit-learn replaces items of lists alone.
            self.preprocessing = list(self.preprocessing)
        check_nested(self, params)
        return self._set_params("preprocessing", **params)

    # ---------------------------------------------------------------- fit

    def _reader(self, anew=False):
        if not anew:
            check_is_fitted(self, "net_")
        return ModalityReader(
            type(self).__name__,
            None if anew else self.layout_,
            None if anew else self.__dict__.get("feature_names_in_"),
            modalities=self.modalities,
            preprocessing=self.preprocessing,
            input_shapes=self.input_shapes,
        )

    def _validate_params(self):
        super()._validate_params()
        # Items of another form are refused, with what is wrong of them, when X is read.
        items = (i for i in self.preprocessing if isinstance(i, tuple | list) and len(i) == 2)
        self._validate_names([name for name, _ in items if isinstance(name, str)])

    def _view_maker(self, samples):
        layout, make = samples.layout, super()._view_maker(samples)
        augmentations = {}
        for name, augmentation in (self.augmentations or {}).items():
            j = layout.index(name)
            own = layout.modalities[j].layout
            if isinstance(augmentation, str) and augmentation == "auto":
                block = samples.X.blocks[j]
                if has_colors(own):
                    check_colors(block.values, f"The modality {name!r}")
                    block.hold_between(0, 1)
                augmentation = default_augmentation(own.kind, own.network_shape[0])
            if not callable(augmentation):
                raise ValueError(
                    f"augmentations[{name!r}] must be 'auto' or a callable from a batch to a "
                    f"batch, got {augmentation!r}."
                )
            check_augmentation(augmentation, f"augmentations[{name!r}]")
            one_hot = one_hot_columns(samples.X.blocks[j].values, own)
            augmentations[name] = augmentation, one_hot
        if not augmentations:
            return make
        return ModalViewMaker(make, layout, augmentations)

    # ---------------------------------------------------------------- representation

    @reads
    def transform(self, X, modality=None) -> np.ndarray:
        """Represent each row of X.

        Parameters
        ----------
        X : array-like, DataFrame, sparse matrix or dict
            Same as in :meth:`fit`; missing modalities are NaN or None, or left out of a dict. If
            `modality` is given, its values alone are enough: the entry of a dict, or its columns of
            a table. A Dask array is transformed by chunk, when the result is asked for.
        modality : str, default=None
            Modality to represent. None is the mean over those that a row has.

        Returns
        -------
        Z : ndarray or dask.array.Array of float32 of shape (n, n_components)
            One row for each row of X.

        Raises
        ------
        ValueError
            If X is not like what was fitted, there is no such modality, or a row lacks it.
        """
        if is_dask_array(X):
            if modality is None:
                self._reader().check_shape(X)
            transform = functools.partial(self.transform, modality=modality)
            return by_chunk(transform, X, (self._n_features_out,))
        samples = self._samples_of(X, modality)
        latent = functools.partial(self._latent, self.module_)
        with inference(self.module_):
            Z = samples.map(lambda v: split_on_oom(latent, v[:, 0]), self.net_.device)
        return check_finite(type(self).__name__, Z)

    def _samples_of(self, X, modality: str | None) -> Samples:
        """The samples of X, with one modality or with all that they have."""
        if modality is None:
            return self._read(X)
        reader = self._reader()
        if not reader.is_alone(X, modality):
            _check_feature_names(self, named(X), reset=False)
        return reader.read(X, only=modality)

    def _latent(self, module, x):
        mask, z = module.latents(x)
        return mean_over_views(z, mask).float()

    @property
    def encoders_(self) -> dict[str, nn.Module]:
        """The encoder of each modality, by name."""
        return dict(zip(self.layout_.names, self.module_.encoders, strict=True))

    @property
    def encoder_(self) -> nn.Module:
        """The encoders in a list, in the order of the modalities."""
        return self.module_.encoders

    # ---------------------------------------------------------------- keeping

    def load_weights(self, path):
        """Take the weights that :meth:`save_weights` wrote; nothing in the file is run.

        The estimator is then as fitted: `transform`, scores and the history are those of the one
        that was saved, and `partial_fit` or `warm_start` go on from there, with the optimiser's
        moments forgotten. Its parameters stay its own: those of the network must be those of the
        file. Encoders that are not names are held against the shapes of the weights.

        The file does not hold the preprocessors, which are objects of scikit-learn: where there are
        some, the estimator must have been fitted or loaded from skops or joblib before.

        Parameters
        ----------
        path : str or path-like
            The file.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If the file is damaged or of something else, of a later format, or of another estimator
            or network, with what differs, or if it needs preprocessors that this estimator has not.
            The former fit is then kept.
        """
        return super().load_weights(path)

    @reads
    def to_onnx(self, path, modality) -> None:
        """Write the encoder of a modality, from its rows to their representation, as an ONNX file.

        It runs without Python or torch. Its input "rows" is float32 of shape `(n, ...)`, with rows
        of that modality as `fit` saw them, or as its preprocessor gives them, dense; uint8 where
        `fit` saw uint8 images, which are scaled inside. Its output "representation" is that of
        `transform(X, modality=modality)`. n is free.

        Parameters
        ----------
        path : str or path-like
            The file, e.g. "text.onnx". One that is there is replaced as a whole.
        modality : str
            Its name.

        Raises
        ------
        ValueError
            If there is no such modality, or the encoder does what ONNX cannot say.
        OSError
            If the file cannot be written; one that was there is as it was.
        """
        check_is_fitted(self, "net_")
        j = self.layout_.index(modality)
        represent = functools.partial(self._latent_of, self.module_.encoders[j])
        persistence.to_onnx(self, path, self.layout_.modalities[j].layout, represent)

    def _latent_of(self, encoder, x):
        """Compute the latents of one modality: means, or directions."""
        z = encoder(x).float()
        if hasattr(self.module_, "encode"):
            return z[:, : self.module_.n_components]
        return nn.functional.normalize(z, dim=-1)

    def _layout_to_dict(self):
        layout = self.layout_
        modalities = [
            {
                "name": m.name,
                "encoder": plain(m.encoder),
                "columns": m.columns,
                "as_series": m.as_series,
                "preprocessor": _type_name(m.preprocessor),
                "learned": None if m.preprocessor is None else fitted_digest(m.preprocessor),
                "layout": m.layout.to_dict(),
                "start": m.start,
                "feature_names": m.feature_names,
            }
            for m in layout.modalities
        ]
        own = {"n_columns": int(layout.n_columns), "from_dict": layout.from_dict}
        return {"modalities": plain(modalities), **own}

    def _layout_from_dict(self, fields, preprocessors):
        encoders = {item[0]: item[1] for item in self.modalities or []}
        missing = [
            f"{m['name']!r} ({m['preprocessor']})"
            for m in fields["modalities"]
            if m["preprocessor"] != _type_name(preprocessors.get(m["name"]))
        ]
        if missing:
            raise ValueError(
                "Weights alone do not hold preprocessors, and these are not fitted here: "
                f"{', '.join(missing)}. Load them into the estimator that was fitted, or keep the "
                "whole estimator by skops or joblib."
            )
        modalities = tuple(
            Modality(
                m["name"],
                encoders.get(m["name"], "auto"),
                None if m["columns"] is None else tuple(m["columns"]),
                m["as_series"],
                preprocessors.get(m["name"]),
                Layout.from_dict(m["layout"]),
                m["start"],
                # Files that were written before have none.
                tuple(m["feature_names"]) if m.get("feature_names") else None,
            )
            for m in fields["modalities"]
        )
        n_values = (modalities[-1].stop,)
        return ModalLayout(
            "vector",
            n_values,
            n_values,
            modalities=modalities,
            n_columns=fields["n_columns"],
            from_dict=fields["from_dict"],
        )

    def _check_preprocessors(self, metadata, where):
        own = self._preprocessors(self.__dict__.get("layout_"))
        modalities = metadata.get("layout", {}).get("modalities", [])
        # Files of before have none, or a "digest" by another rule, which says nothing here.
        theirs = {m["name"]: m["learned"] for m in modalities if m.get("learned")}
        different = [
            name for name in own if name in theirs and fitted_digest(own[name]) != theirs[name]
        ]
        if different:
            raise ValueError(
                f"{where} goes with other preprocessors of {different} than those that are fitted "
                "here, which have other parameters or saw other data. Load it into the estimator "
                "that was fitted, or keep the whole estimator by skops or joblib."
            )

    def _preprocessors(self, layout):
        made = {} if layout is None else {m.name: m.preprocessor for m in layout.modalities}
        return {name: fitted for name, fitted in made.items() if fitted is not None}

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = False
        tags.input_tags.sparse = True
        return tags


def _type_name(value) -> str | None:
    return None if value is None else type(value).__name__
