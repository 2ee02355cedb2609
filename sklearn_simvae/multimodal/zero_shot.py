"""A classifier whose classes are given by descriptions."""

import numpy as np
from scipy.special import softmax
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.preprocessing import normalize
from sklearn.utils.validation import check_consistent_length, check_is_fitted, column_or_1d

from sklearn_simvae._html import LinkMixin
from sklearn_simvae._trusted import trust
from sklearn_simvae.views.rows import tensor_to_array


@trust
class ZeroShotClassifier(LinkMixin, ClassifierMixin, BaseEstimator):
    """Classifier by the most similar description of a class, in the space of a fitted CLIP.

    Parameters
    ----------
    clip : CLIP
        Fitted estimator, which is not fitted again. Put it into a
        :class:`~sklearn.frozen.FrozenEstimator` to keep it fitted in clones, e.g. in
        cross-validation.
    source : str
        Modality of the rows to classify.
    target : str
        Modality of the descriptions.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Classes, sorted.
    embeddings_ : ndarray of float32 of shape (n_classes, d)
        Mean direction of the descriptions of each class.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_simvae import CLIP
    >>> from sklearn_simvae.multimodal import ZeroShotClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> halves = [("upper", "auto", slice(0, 32)), ("lower", "auto", slice(32, 64))]
    >>> clip = CLIP(modalities=halves, hidden_layer_sizes=(64,), max_epochs=5, random_state=0)
    >>> classifier = ZeroShotClassifier(clip.fit(X / 16), "upper", "lower")
    >>> classifier.fit(X[:500] / 16, y[:500]).predict(X[500:] / 16).shape
    (1297,)
    """

    _public_module = "sklearn_simvae.multimodal"

    def __init__(self, clip, source, target):
        self.clip = clip
        self.source = source
        self.target = target

    def fit(self, X, y):
        """Embed the descriptions of each class.

        Parameters
        ----------
        X : array-like or dict of n descriptions
            Descriptions, in the form in which `clip.transform` takes the modality `target`.
        y : array-like of shape (n,)
            Class that each description describes.

        Returns
        -------
        self : ZeroShotClassifier
            The fitted classifier.

        Raises
        ------
        ValueError
            If there are not as many classes as descriptions.
        """
        y = column_or_1d(tensor_to_array(y))
        embeddings = normalize(self.clip.project(X, self.target))
        check_consistent_length(embeddings, y)
        self.classes_, which = np.unique(y, return_inverse=True)
        means = [embeddings[which == c].mean(0) for c in range(len(self.classes_))]
        self.embeddings_ = normalize(np.stack(means))
        return self

    def decision_function(self, X) -> np.ndarray:
        """Compute the logits of the classes: cosine similarities times the learned scale.

        Parameters
        ----------
        X : array-like or dict
            Rows, in the form in which `clip.transform` takes the modality `source`.

        Returns
        -------
        logits : ndarray of float32 of shape (n, n_classes)
            Higher for more similar classes. For two classes, the second logit minus the first, of
            shape (n,).
        """
        logits = self._logits(X)
        return logits[:, 1] - logits[:, 0] if len(self.classes_) == 2 else logits

    def _logits(self, X) -> np.ndarray:
        check_is_fitted(self)
        similarity = normalize(self.clip.project(X, self.source)) @ self.embeddings_.T
        return similarity * self.clip.module_.scale.log_scale.detach().exp().cpu().numpy()

    def predict_proba(self, X) -> np.ndarray:
        """Compute the probabilities of the classes.

        Parameters
        ----------
        X : array-like or dict
            Same as in :meth:`decision_function`.

        Returns
        -------
        probabilities : ndarray of float32 of shape (n, n_classes)
            Probabilities, which sum to 1 in each row.
        """
        return softmax(self._logits(X), axis=1)

    def predict(self, X) -> np.ndarray:
        """Predict the most similar class.

        Parameters
        ----------
        X : array-like or dict
            Same as in :meth:`decision_function`.

        Returns
        -------
        classes : ndarray of shape (n,)
            Entries of `classes_`.
        """
        best = self._logits(X).argmax(1)
        return self.classes_[best]
