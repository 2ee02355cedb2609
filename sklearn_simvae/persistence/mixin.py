"""Methods of the estimators that save and load them."""

import os

from sklearn.utils.validation import check_is_fitted

from sklearn_simvae._batch import Batch
from sklearn_simvae.persistence.onnx import to_onnx
from sklearn_simvae.persistence.pickles import PickledByValueMixin
from sklearn_simvae.persistence.skops import plain_state, set_plain_state
from sklearn_simvae.persistence.weights import load_weights, save_weights
from sklearn_simvae.training import own_modes, reads, turns_of


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
        load_weights : Load such a file.
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
        with turns_of(self).training, own_modes():
            load_weights(self, path)
        return self

    @reads
    def to_onnx(self, path: str | os.PathLike) -> None:
        """Write the encoder, which computes the result of `transform`, as an ONNX file.

        Neither Python nor torch is needed to run it. Its input "rows" is float32 of shape
        `(n, ...)`, or uint8 if `fit` was given uint8 images, which the encoder then scales. The
        rows have the shape of those given to `fit`, without a views axis, and n may vary. Its
        output "representation" is that of :meth:`transform`.

        Parameters
        ----------
        path : str or path-like
            Path of the file, e.g. "encoder.onnx". An existing file is replaced as a whole.

        Raises
        ------
        ValueError
            If the encoder has operations that ONNX does not support.
        OSError
            If the file cannot be written; an existing file is then unchanged.
        """
        check_is_fitted(self, "net_")
        to_onnx(self, path, self.layout_, lambda x: self._represent(Batch(x.unsqueeze(1))))

    def __getstate__(self):
        return plain_state(self)

    @own_modes()
    def __setstate__(self, state):
        state = dict(state)
        packed = state.pop("_packed", None)
        preprocessors = state.pop("_fitted_preprocessors", None)
        super().__setstate__(state)
        if packed is not None:
            set_plain_state(self, packed, preprocessors)
