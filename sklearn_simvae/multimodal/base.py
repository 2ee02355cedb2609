"""Base of the multimodal estimators: rows whose parts are of several kinds.

The modalities of a row are its views. The reader notes which of them a row has: from there on a
batch has a tensor for each modality, and a mask.
"""

import functools
from typing import Any

import numpy as np
from sklearn.utils.metaestimators import _BaseComposition
from sklearn.utils.validation import _check_feature_names, check_is_fitted
from torch import nn

from sklearn_simvae._nested import check_nested
from sklearn_simvae._parameters import constraints_of, structure_of
from sklearn_simvae._shared_parameters import MODALITIES
from sklearn_simvae.base import BaseSSL
from sklearn_simvae.multimodal.reader import ModalityReader
from sklearn_simvae.multimodal.samples import ModalSamples
from sklearn_simvae.training import reads
from sklearn_simvae.views.lazy import by_chunk, is_dask_array, named

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

    Their module has a list of encoders as `encoder`, and `latents_of` for rows of one modality.
    """

    _tables = {"modalities": MODALITIES}
    _parameter_constraints = {**BaseSSL._parameter_constraints, **constraints_of(MODALITIES)}
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
            augmentations=self.augmentations,
            default_augmentation=self._default_augmentation,
        )

    def _validate_params(self):
        super()._validate_params()
        # Items of another form are refused, with what is wrong of them, when X is read.
        items = (i for i in self.preprocessing if isinstance(i, tuple | list) and len(i) == 2)
        self._validate_names([name for name, _ in items if isinstance(name, str)])

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
        return self._apply(self._represent, self._samples_of(X, modality))

    def _samples_of(self, X, modality: str | None) -> ModalSamples:
        """The samples of X, with one modality or with all that they have."""
        if modality is None:
            return self._read(X)
        reader = self._reader()
        if not reader.is_alone(X, modality):
            _check_feature_names(self, named(X), reset=False)
        return reader.read(X, only=modality)

    @property
    def encoders_(self) -> dict[str, nn.Module]:
        """The encoder of each modality, by name."""
        return dict(zip(self.layout_.names, self.encoder_, strict=True))

    # ---------------------------------------------------------------- keeping

    @reads
    def to_onnx(self, path, modality, output="representation") -> None:
        """Write the encoder, the decoder or the score of a modality as an ONNX file.

        It runs without Python or torch. Its rows are those of that modality as `fit` saw them, or
        as its preprocessor gives them, dense, and their number n may vary.

        Parameters
        ----------
        path : str or path-like
            The file, e.g. "text.onnx". One that is there is replaced as a whole.
        modality : str
            Its name.
        output : {"representation", "decoder", "score"}, default="representation"
            Part to write. "representation" maps the input "rows", float32, or uint8 where `fit` saw
            uint8 images, to the output "representation" of `transform(X, modality=modality)`.
            "decoder" maps the input "latents" to the "rows" of this modality that
            `inverse_transform` gives. "score" maps "rows" to the "score" that `score_samples` gives
            to rows with this modality alone. Only MultimodalSimVAE has the last two.

        Raises
        ------
        ValueError
            If there is no such modality, the method has no decoder, or the network does what ONNX
            cannot say.
        OSError
            If the file cannot be written; one that was there is as it was.
        """
        from sklearn_simvae.persistence.onnx import to_onnx

        check_is_fitted(self, "net_")
        j = self.layout_.index(modality)
        represent = functools.partial(self.module_.latents_of, j)
        to_onnx(self, path, output, self.layout_.modalities[j].layout, represent, place=j)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = False
        # A modality may be missing as a whole, but not in part.
        tags.input_tags.allow_nan = False
        tags.input_tags.sparse = True
        return tags
