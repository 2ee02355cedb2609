"""Weights of fitted estimators, with all that is needed to build their networks, as safetensors."""

import inspect
import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from sklearn_simvae._files import pack, unpack, write_whole
from sklearn_simvae._plain import fitted_digest, one_or_many, plain
from sklearn_simvae._states import (
    module_differences,
    module_tensors,
    plain_history,
    set_history,
    set_module,
    set_optimizer,
)
from sklearn_simvae.persistence.arguments import NotHeld, read, read_former, written
from sklearn_simvae.training import resolve_device

# Parameters of the structure that only matter for training; weights fit whatever they are.
_OF_TRAINING = ("optimizer", "weight_decay", "compile")
# Parameters that have their defaults if a file does not hold their values.
_NEED_NOT_BE_HELD = ("callbacks", "random_state")


def read_metadata(path: str | os.PathLike) -> dict[str, Any]:
    """Read the metadata of a file that :meth:`save_weights` wrote.

    Parameters
    ----------
    path : path-like
        Path of the file.

    Returns
    -------
    metadata : dict
        "class", "version" of the package, "params" (the parameters of the estimator that are not
        the user's own code), "history", "feature_names", "layout" and others.

    Raises
    ------
    ValueError
        If the file is damaged, or was not written by :meth:`save_weights`.

    Examples
    --------
    >>> import tempfile
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_simvae import SimVAE
    >>> from sklearn_simvae.persistence import read_metadata
    >>> vae = SimVAE(2, hidden_layer_sizes=(8,), max_epochs=2, random_state=0)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     vae.fit(load_iris().data).save_weights(f"{folder}/vae.safetensors")
    ...     metadata = read_metadata(f"{folder}/vae.safetensors")
    >>> metadata["class"], metadata["params"]["n_components"]
    ('SimVAE', 2)
    """
    return unpack(Path(path).read_bytes(), str(path), "weights")[1]


def save_weights(estimator, path: str | os.PathLike) -> None:
    """Write weights to a file, see :meth:`BaseSSL.save_weights`."""
    check_is_fitted(estimator, "net_")
    write_whole(path, pack(*described(estimator)))


def load_weights(estimator, path: str | os.PathLike) -> None:
    """Load weights from a file, see :meth:`BaseSSL.load_weights`."""
    estimator._validate_params()
    tensors, metadata = unpack(Path(path).read_bytes(), str(path), "weights")
    layout = estimator.__dict__.get("layout_")
    preprocessors = {} if layout is None else layout.preprocessors
    _check_preprocessors(preprocessors, metadata, str(path))
    restore(estimator, tensors, metadata, str(path), preprocessors)


def from_file(cls: type, path: str | os.PathLike, given: dict[str, Any]) -> Any:
    """Make a fitted estimator from a file, see :meth:`BaseSSL.from_file`."""
    # Parameters that the class does not have are refused before anything is read.
    cls(**given)
    tensors, metadata = unpack(Path(path).read_bytes(), str(path), "weights")
    _check_class(cls.__name__, metadata, str(path))
    _check_no_preprocessors(metadata, str(path))
    estimator = cls(**(_arguments(cls, metadata, str(path), given) | given))
    estimator._validate_params()
    use_device_here(estimator)
    restore(estimator, tensors, metadata, str(path), {})
    return estimator


def _arguments(cls: type, metadata, where: str, given: dict[str, Any]) -> dict[str, Any]:
    """Read the arguments of the constructor, except those that are given."""
    former = "arguments" not in metadata
    forms, read_one = metadata["params" if former else "arguments"], read_former if former else read
    if not isinstance(forms, dict) or not forms.keys() <= inspect.signature(cls).parameters.keys():
        raise ValueError(
            f"{where} has parameters that {cls.__name__} does not have in this version. Give "
            "parameters to its constructor, and call load_weights."
        )
    arguments, missing = {}, {}
    for name in forms.keys() - given.keys():
        try:
            arguments[name] = read_one(forms[name])
        except NotHeld as error:
            missing[name] = str(error)
    for name in _NEED_NOT_BE_HELD:
        missing.pop(name, None)
    if missing:
        held = ", ".join(f"{name} ({code:.100})" for name, code in sorted(missing.items()))
        wanted = ", ".join(f"{name}=..." for name in sorted(missing))
        raise ValueError(
            f"{where} does not hold {held}, since files of weights hold no code. Give it as it "
            f"was in fit: {cls.__name__}.from_file({where!r}, {wanted})."
        )
    return arguments


def _check_no_preprocessors(metadata, where: str) -> None:
    """Raise an error if the estimator of a file had preprocessors, which are not in it."""
    modalities = metadata.get("layout", {}).get("modalities", [])
    names = [f"{m['name']!r} ({m['preprocessor']})" for m in modalities if m.get("preprocessor")]
    if names:
        raise ValueError(
            f"{where} is of a {metadata['class']} with fitted preprocessors, which files of "
            f"weights do not hold: {', '.join(names)}. Keep the whole estimator by skops or "
            "joblib, or call load_weights of the estimator that was fitted."
        )


def use_device_here(estimator) -> None:
    """Set the device of an estimator to the CPU, with a warning, if its own is not available.

    Parameters
    ----------
    estimator : BaseSSL
        Estimator that is to be loaded.
    """
    try:
        resolve_device(estimator.device)
    except ValueError as error:
        warnings.warn(f"{error} It is loaded on the CPU.", UserWarning)
        estimator.device = "cpu"


def described(estimator) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the weights of a fitted estimator, and all that is needed to build its network."""
    now, net = estimator._current_structure(), estimator.net_
    changed = [
        name
        for name, value in estimator._fitted_structure.items()
        if value != now[name] and name not in _OF_TRAINING
    ]
    if changed:
        raise ValueError(
            f"{', '.join(changed)} changed since this {type(estimator).__name__} was fitted, and "
            "no longer describes its network. Set back what changed, or fit anew."
        )
    names = estimator.__dict__.get("feature_names_in_")
    return module_tensors(net.module_), {
        "kind": "weights",
        "class": type(estimator).__name__,
        "params": plain(estimator.get_params(deep=False)),
        "arguments": {n: written(v) for n, v in estimator.get_params(deep=False).items()},
        "structure": _structure(estimator),
        "layout": estimator.layout_.to_dict(),
        "unit_interval": plain(net.unit_interval),
        "hidden_layer_sizes": plain(net.hidden_layer_sizes),
        "feature_names": None if names is None else [str(name) for name in names],
        "history": plain_history(net.history),
        "seed": int(net.seed),
        # From the last fit that succeeded, not from one that failed later.
        "batch_size": int(estimator._fitted_batch_size),
    }


def _structure(estimator) -> dict[str, Any]:
    names = [name for name in estimator._structure if name not in _OF_TRAINING]
    return {name: plain(one_or_many(name, getattr(estimator, name))) for name in names}


def restore(estimator, tensors, metadata, where: str, preprocessors: dict[str, Any]) -> None:
    """Make a net from the contents of a file, and keep it in the estimator if all of it fits."""
    try:
        _check_structure(estimator, metadata, where)
        reader = estimator._reader(anew=True)
        layout = reader.layout_from_dict(metadata["layout"], preprocessors)
        sizes = metadata["hidden_layer_sizes"]
        # Widths for each modality are lists in a list.
        several = bool(sizes) and isinstance(sizes[0], list)
        sizes = [tuple(own) for own in sizes] if several else tuple(sizes)
        net = estimator._new_net(layout, metadata["unit_interval"], sizes, metadata["seed"])
        _fill(net, tensors, metadata, where, type(estimator).__name__)
        names = metadata["feature_names"]
        names = None if names is None else np.asarray(names, dtype=object)
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(
            f"{where} has metadata that this version does not understand ({error!r}). Save the "
            "weights anew."
        ) from error
    net.module_.eval()
    estimator._keep(net, layout, names, metadata["batch_size"])


def _check_class(name: str, metadata, where: str) -> None:
    """Raise an error if a file is of another class than that of this name."""
    if metadata["class"] != name:
        raise ValueError(
            f"{where} holds the weights of a {metadata['class']}, but this is a {name}. Load "
            f"it into a {metadata['class']}."
        )


def _check_structure(estimator, metadata, where: str) -> None:
    """Raise an error if a file is of another class, or of other parameters of the network."""
    name = type(estimator).__name__
    _check_class(name, metadata, where)
    own = _structure(estimator)
    # Parameters that are missing in older files have their defaults.
    known = inspect.signature(type(estimator)).parameters
    given = {name: known[name].default for name in own} | metadata["structure"]
    theirs = {name: one_or_many(name, value) for name, value in given.items()}
    different = [
        f"{parameter}={theirs.get(parameter)!r} in the file and {own[parameter]!r} here"
        for parameter in own
        if theirs.get(parameter) != own[parameter]
    ]
    if different:
        raise ValueError(
            f"{where} is from another network than the parameters of this {name} describe: "
            f"{', '.join(different)}. Set them to the values in the file with set_params."
        )


def _check_preprocessors(own: dict[str, Any], metadata, where: str) -> None:
    """Raise an error if the preprocessors of a file's estimator were fitted differently."""
    if not own:
        return
    modalities = metadata.get("layout", {}).get("modalities", [])
    # Older files have none, or a "digest" by another rule, which says nothing here.
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


def _fill(net, tensors, metadata, where: str, name: str) -> None:
    """Set the weights, the optimizer and the history of a new net to those of a file."""
    different = module_differences(net.module_, tensors)
    if different:
        raise ValueError(
            f"{where} does not fit the network that the parameters of this {name} make: "
            f"{'; '.join(different)}. Give the encoder and decoder that were fitted."
        )
    set_module(net.module_, tensors)
    if "optimizer" in metadata:
        set_optimizer(net.optimizer_, tensors, metadata["optimizer"])
    set_history(net.history, metadata["history"])
