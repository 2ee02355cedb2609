"""States of estimators for skops, as plain values that hold no code."""

from typing import Any

from sklearn_simvae._files import pack, unpack
from sklearn_simvae._states import optimizer_parts
from sklearn_simvae._trusted import trusted_names
from sklearn_simvae.persistence.pickles import refuse_modules
from sklearn_simvae.persistence.weights import described, restore, use_device_here

# Attributes set by `fit` that are restored from the packed bytes.
_PACKED = (
    *("net_", "layout_", "n_features_in_", "feature_names_in_", "history_", "n_iter_"),
    *("_fitted_structure", "_fitted_batch_size"),
)


def trusted_types() -> list[str]:
    """Return the types of this package that a skops file may hold.

    They are the estimators and the augmentations. None of them runs code from the file, of which
    only parameters and numbers are read.

    Returns
    -------
    types : list of str
        Names to pass to :func:`skops.io.load` as `trusted`, together with other types that you
        know and trust.

    Examples
    --------
    >>> from sklearn_simvae.persistence import trusted_types
    >>> "sklearn_simvae.generative.simvae.SimVAE" in trusted_types()
    True
    """
    return trusted_names()


def plain_state(estimator) -> dict[str, Any]:
    """Return the state of an estimator as plain values, with the fitted network packed as bytes.

    Parameters
    ----------
    estimator : BaseSSL
        An estimator, fitted or not.

    Returns
    -------
    state : dict
        Attributes of the estimator without the net, which :func:`set_plain_state` restores.
    """
    state = {name: v for name, v in estimator.__dict__.items() if name not in _PACKED}
    refuse_modules(estimator)
    if "net_" in estimator.__dict__:
        tensors, metadata = described(estimator)
        estimator._check_structure("A file of skops keeps the optimizer of")
        moments, metadata["optimizer"] = optimizer_parts(estimator.net_.optimizer_)
        state["_packed"] = pack({**tensors, **moments}, metadata)
        state["_fitted_preprocessors"] = estimator.layout_.preprocessors
    return state


def set_plain_state(estimator, packed: bytes, preprocessors: dict[str, Any]) -> None:
    """Restore the fitted attributes of an estimator whose parameters are already set.

    Parameters
    ----------
    estimator : BaseSSL
        Estimator to change.
    packed : bytes
        Packed network, from :func:`plain_state`.
    preprocessors : dict of str to transformer
        Fitted preprocessors of the modalities that have one.

    Raises
    ------
    ValueError
        If the bytes are damaged, or do not fit the parameters.
    """
    estimator._validate_params()
    use_device_here(estimator)
    tensors, metadata = unpack(packed, "The file", "weights")
    restore(estimator, tensors, metadata, "The file", preprocessors)
