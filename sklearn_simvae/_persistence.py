"""Methods of the estimators that save and load them, which import what they need when called."""

import copy
import copyreg
import os
from typing import Any, Self

from sklearn.utils.validation import check_is_fitted

from sklearn_simvae._batch import Batch
from sklearn_simvae.training import own_modes, reads, turns_of


class PickledByValueMixin:
    """Mixin for what has torch modules among its parameters: equal ones have equal pickles."""

    def __reduce_ex__(self, protocol):
        # For pickle and joblib, which keep all objects as they are. skops uses __getstate__.
        from sklearn_simvae.persistence.pickles import pickled_state

        return copyreg.__newobj__, (type(self),), pickled_state(self)

    def __copy__(self):
        other = type(self).__new__(type(self))
        other.__dict__.update(self.__dict__)
        return other

    def __deepcopy__(self, memo):
        memo[id(self)] = other = type(self).__new__(type(self))
        other.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return other


class PersistenceMixin(PickledByValueMixin):
    """Mixin that saves and loads the estimators of this package."""

    @reads
    def save_weights(self, path: str | os.PathLike) -> None:
        """Write the network's weights, and all that is needed to build it again, to a file.

        The file is in the safetensors format. It holds only numbers and text, and does not depend
        on the device. Beside the weights it holds the history, the names of the features and the
        parameters (those that are not the user's own code), but not the optimizer's state.

        Parameters
        ----------
        path : str or path-like
            Path of the file, e.g. "model.safetensors". An existing file is replaced as a whole.

        Raises
        ------
        ValueError
            If parameters of the network changed since it was fitted.
        OSError
            If the file cannot be written; an existing file is then unchanged.

        See Also
        --------
        from_file : Make an estimator from such a file.
        load_weights : Load such a file into an estimator.
        sklearn_simvae.persistence.read_metadata : Read the metadata of such a file.

        Examples
        --------
        >>> import tempfile
        >>> from sklearn.datasets import load_iris
        >>> from sklearn_simvae import SimVAE
        >>> X = load_iris().data
        >>> vae = SimVAE(2, hidden_layer_sizes=(8,), max_epochs=2, random_state=0).fit(X)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     vae.save_weights(f"{folder}/vae.safetensors")
        ...     other = SimVAE(2, hidden_layer_sizes=(8,))
        ...     other = other.load_weights(f"{folder}/vae.safetensors")
        >>> bool((other.transform(X) == vae.transform(X)).all())
        True
        """
        from sklearn_simvae.persistence.weights import save_weights

        save_weights(self, path)

    def load_weights(self, path: str | os.PathLike):
        """Load the weights that :meth:`save_weights` wrote, without running code from the file.

        The estimator is then fitted: `transform`, scores and the history are the same as those of
        the estimator that was saved. `partial_fit` and `warm_start` continue from its weights, but
        with a new state of the optimizer. The estimator keeps its own parameters; those that
        describe the network must be equal to those in the file. An `encoder` or `decoder` that is
        not a name is only checked against the shapes of the weights.

        The file does not hold the preprocessors of modalities. If there are some, the estimator
        must have been fitted, or loaded from skops or joblib, before.

        Parameters
        ----------
        path : str or path-like
            Path of the file.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If the file is damaged, of another kind or of a later format, or if it is from another
            estimator or network, or goes with other preprocessors; the message says what differs.
            The estimator is then unchanged.
        """
        from sklearn_simvae.persistence.weights import load_weights

        with turns_of(self).training, own_modes():
            load_weights(self, path)
        return self

    @classmethod
    def from_file(cls, path: str | os.PathLike, **parameters: Any) -> Self:
        """Make a fitted estimator from a file of :meth:`save_weights` alone.

        It has the parameters of the estimator that was saved, and its weights, so that nothing else
        needs to be known. No code is run: the parameters are numbers, text and augmentations of
        this package. Others, such as a function that makes the encoder, are not in the file, and
        you give them again. Callbacks and random states are left at their defaults.

        Parameters
        ----------
        path : str or path-like
            Path of the file.
        **parameters : object
            Parameters of the constructor, in place of those in the file.

        Returns
        -------
        estimator : object
            A fitted estimator of this class.

        Raises
        ------
        ValueError
            If the file is damaged, of another kind or of a later format, or of another class; if it
            does not hold a parameter, which the message names; if one that was given does not
            describe the network in the file; or if the estimator had preprocessors.
        TypeError
            If the class has no parameter of a name that was given.

        Warns
        -----
        UserWarning
            If the device of the estimator is not available here. It is loaded on the CPU.

        See Also
        --------
        load_weights : Load a file into an estimator whose parameters are known.

        Examples
        --------
        >>> import tempfile
        >>> from sklearn.datasets import load_iris
        >>> from sklearn_simvae import SimVAE
        >>> X = load_iris().data
        >>> vae = SimVAE(2, hidden_layer_sizes=(8,), max_epochs=2, random_state=0).fit(X)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     vae.save_weights(f"{folder}/vae.safetensors")
        ...     other = SimVAE.from_file(f"{folder}/vae.safetensors")
        >>> other
        SimVAE(hidden_layer_sizes=(8,), max_epochs=2, n_components=2, random_state=0)
        >>> bool((other.transform(X) == vae.transform(X)).all())
        True
        """
        from sklearn_simvae.persistence.weights import from_file

        with own_modes():
            return from_file(cls, path, parameters)

    @reads
    def to_onnx(self, path: str | os.PathLike, output: str = "representation") -> None:
        """Write the encoder, the decoder or the score as an ONNX file.

        Neither Python nor torch is needed to run it. The rows that it takes or gives have the shape
        of those given to `fit`, without a views axis, and their number n may vary. It does not
        check them.

        Parameters
        ----------
        path : str or path-like
            Path of the file, e.g. "encoder.onnx". An existing file is replaced as a whole.
        output : {"representation", "decoder", "score"}, default="representation"
            Part to write. "representation" maps the input "rows", float32, or uint8 if `fit` was
            given uint8 images, to the output "representation" of :meth:`transform`. "decoder" maps
            the input "latents" of shape `(n, n_components)` to the output "rows" of
            `inverse_transform`. "score" maps "rows" to the output "score" of `score_samples`, of
            shape `(n,)`. The last two are of the generative methods alone.

        Raises
        ------
        ValueError
            If this method has no decoder or no score of rows, or if the network has operations that
            ONNX does not support.
        OSError
            If the file cannot be written; an existing file is then unchanged.
        """
        from sklearn_simvae.persistence.onnx import to_onnx

        check_is_fitted(self, "net_")
        to_onnx(self, path, output, self.layout_, lambda x: self._represent(Batch(x.unsqueeze(1))))

    def __getstate__(self):
        from sklearn_simvae.persistence.skops import plain_state

        return plain_state(self)

    @own_modes()
    def __setstate__(self, state):
        state = dict(state)
        packed = state.pop("_packed", None)
        preprocessors = state.pop("_fitted_preprocessors", None)
        super().__setstate__(state)
        if packed is not None:
            from sklearn_simvae.persistence.skops import set_plain_state

            set_plain_state(self, packed, preprocessors)
