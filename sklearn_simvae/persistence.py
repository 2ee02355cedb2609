"""Saving of fitted estimators: weights as safetensors, pickle, skops and encoders as ONNX."""

import contextlib
import copy
import copyreg
import inspect
import io
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from sklearn_simvae._files import need, pack, unpack, write_whole
from sklearn_simvae._plain import one_or_many, plain
from sklearn_simvae._states import (
    module_differences,
    module_tensors,
    optimizer_parts,
    plain_history,
    set_history,
    set_module,
    set_optimizer,
)
from sklearn_simvae._trusted import trusted_names
from sklearn_simvae.networks.copies import holds_parametrization, picklable
from sklearn_simvae.training import own_modes, reads, resolve_device, turns_of
from sklearn_simvae.training.callbacks import without_data
from sklearn_simvae.training.modes import evaluation_mode
from sklearn_simvae.views import Layout

__all__ = ["ONNX_OPSET", "read_metadata", "trusted_types"]

# Version of the ONNX operators that `to_onnx` writes.
ONNX_OPSET = 18

# Parameters of the structure that only matter for training; weights fit whatever they are.
_OF_TRAINING = ("optimizer", "weight_decay", "compile")
# Attributes set by `fit` that are restored from the packed bytes.
_PACKED = (
    *("net_", "layout_", "n_features_in_", "feature_names_in_", "history_", "n_iter_"),
    *("_fitted_structure", "_fitted_batch_size", "_fitted_width"),
)


class PersistenceMixin:
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
            estimator or network; the message says what differs. The estimator is then unchanged.
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
        to_onnx(self, path, self.layout_, self._represent)

    def __reduce_ex__(self, protocol):
        # For pickle and joblib, which keep all objects as they are. skops uses __getstate__.
        return copyreg.__newobj__, (type(self),), pickled_state(self)

    def __copy__(self):
        other = type(self).__new__(type(self))
        other.__dict__.update(self.__dict__)
        return other

    def __deepcopy__(self, memo):
        memo[id(self)] = other = type(self).__new__(type(self))
        other.__dict__.update(copy.deepcopy(self.__dict__, memo))
        return other

    def __getstate__(self):
        return plain_state(self)

    @own_modes()
    def __setstate__(self, state):
        state = dict(state)
        packed = state.pop("_packed", None)
        preprocessors = state.pop("_fitted_preprocessors", None)
        # Older pickles hold this attribute, which is a property now.
        state.pop("history_", None)
        super().__setstate__(state)
        if packed is not None:
            set_plain_state(self, packed, preprocessors)

    def _layout_to_dict(self) -> dict:
        return self.layout_.to_dict()

    def _layout_from_dict(self, fields: dict, preprocessors: dict) -> Layout:
        return Layout.from_dict(fields)

    def _check_preprocessors(self, metadata: dict, where: str) -> None:
        """Raise an error if the preprocessors of a file's estimator were fitted differently."""

    def _preprocessors(self, layout: Layout | None) -> dict:
        """Return the fitted transformers, by name, that a layout needs to read data."""
        return {}


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


# ---------------------------------------------------------------- weights


def save_weights(estimator, path: str | os.PathLike) -> None:
    """Write weights to a file, see :meth:`BaseSSL.save_weights`."""
    check_is_fitted(estimator, "net_")
    write_whole(path, pack(*_described(estimator)))


def load_weights(estimator, path: str | os.PathLike) -> None:
    """Load weights from a file, see :meth:`BaseSSL.load_weights`."""
    estimator._validate_params()
    tensors, metadata = unpack(Path(path).read_bytes(), str(path), "weights")
    layout = estimator.__dict__.get("layout_")
    estimator._check_preprocessors(metadata, str(path))
    _restore(estimator, tensors, metadata, str(path), estimator._preprocessors(layout))


def _described(estimator) -> tuple[dict[str, Tensor], dict[str, Any]]:
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
        "structure": _structure(estimator),
        "layout": estimator._layout_to_dict(),
        "unit_interval": plain(net.unit_interval),
        "feature_names": None if names is None else [str(name) for name in names],
        "history": plain_history(net.history),
        "seed": int(net.seed),
        # From the last fit that succeeded, not from one that failed later.
        "batch_size": int(estimator._fitted_batch_size),
    }


def _structure(estimator) -> dict[str, Any]:
    names = [name for name in estimator._structure if name not in _OF_TRAINING]
    return {name: plain(one_or_many(name, getattr(estimator, name))) for name in names}


def _restore(estimator, tensors, metadata, where: str, preprocessors: dict[str, Any]) -> None:
    """Make a net from the contents of a file, and keep it in the estimator if all of it fits."""
    name = type(estimator).__name__
    try:
        if metadata["class"] != name:
            raise ValueError(
                f"{where} holds the weights of a {metadata['class']}, but this is a {name}. Load "
                f"it into a {metadata['class']}."
            )
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
        layout = estimator._layout_from_dict(metadata["layout"], preprocessors)
        net = estimator._new_net(layout, metadata["unit_interval"], metadata["seed"])
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
        names = metadata["feature_names"]
        names = None if names is None else np.asarray(names, dtype=object)
    except (KeyError, TypeError, AttributeError, IndexError) as error:
        raise ValueError(
            f"{where} has metadata that this version does not understand ({error!r}). Save the "
            "weights anew."
        ) from error
    net.module_.eval()
    estimator._keep(net, layout, names, metadata["batch_size"])


# ---------------------------------------------------------------- pickle


class _Weights:
    """A tensor that is pickled by its values, so that pickles of equal tensors are equal.

    torch's own pickles hold the address of the tensor. joblib would then take each copy of a module
    for a different one, and a Pipeline with memory would never find its cached results.
    """

    def __init__(self, tensor: Tensor):
        self.tensor = tensor

    def __reduce__(self):
        t = self.tensor
        values = t.detach().cpu().contiguous()
        # numpy does not know all types of torch.
        data = values.reshape(-1).view(torch.uint8).numpy()
        kind = (t.dtype, str(t.device), t.requires_grad, isinstance(t, nn.Parameter))
        return _weights, (data, tuple(t.shape), *kind)


def _weights(data, shape, dtype, device, requires_grad, is_parameter) -> Tensor:
    # Copied, since joblib may pass read-only arrays.
    tensor = torch.from_numpy(np.array(data)).view(dtype).reshape(shape).to(device)
    if is_parameter:
        return nn.Parameter(tensor, requires_grad=requires_grad)
    return tensor.requires_grad_(requires_grad)


def pickled_state(estimator) -> dict[str, Any]:
    """Return the state of an estimator for pickle.

    Parameters
    ----------
    estimator : BaseSSL
        An estimator, fitted or not.

    Returns
    -------
    state : dict
        Attributes of the estimator. Modules among the parameters have weights that are pickled by
        value, and callbacks of a fitted estimator hold no data.
    """
    state, memo = dict(picklable(estimator.__dict__)), {}
    for name in estimator.get_params(deep=False):
        if _holds_module(state.get(name)) and not holds_parametrization(estimator.__dict__[name]):
            state[name] = _with_weights_by_value(state[name], memo)
    if "net_" in state:
        state["callbacks"] = without_data(state["callbacks"])
    return state


def _with_weights_by_value(value, memo: dict[int, Any]):
    if isinstance(value, list | tuple):
        return type(value)(_with_weights_by_value(item, memo) for item in value)
    if isinstance(value, dict):
        return {name: _with_weights_by_value(item, memo) for name, item in value.items()}
    if not isinstance(value, nn.Module):
        return value
    for tensor in (*value.parameters(), *value.buffers()):
        plain_type = type(tensor) in (Tensor, nn.Parameter) and tensor.layout is torch.strided
        has_more = tensor.is_meta or tensor.__dict__ or tensor._backward_hooks
        if plain_type and not has_more:
            memo[id(tensor)] = _Weights(tensor)
    try:
        # The memo puts the stand-ins in place of the weights, which are not copied.
        return copy.deepcopy(value, memo)
    except Exception:
        # torch can pickle but not copy some modules, such as those that keep an activation.
        return value


# ---------------------------------------------------------------- skops


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
    modules = [n for n, v in estimator.get_params(deep=False).items() if _holds_module(v)]
    if modules:
        raise ValueError(
            f"{', '.join(modules)} of this {type(estimator).__name__} holds a torch module, which "
            "is code. Give a function that makes the module, call save_weights instead, or use "
            "joblib and load only files that you trust."
        )
    if "net_" in estimator.__dict__:
        tensors, metadata = _described(estimator)
        estimator._check_structure("A file of skops keeps the optimizer of")
        moments, metadata["optimizer"] = optimizer_parts(estimator.net_.optimizer_)
        state["_packed"] = pack({**tensors, **moments}, metadata)
        state["_fitted_preprocessors"] = estimator._preprocessors(estimator.layout_)
    return state


def _holds_module(value) -> bool:
    if isinstance(value, list | tuple):
        return any(map(_holds_module, value))
    if isinstance(value, dict):
        return any(map(_holds_module, value.values()))
    return isinstance(value, nn.Module)


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
    try:
        resolve_device(estimator.device)
    except ValueError as error:
        warnings.warn(f"{error} It is loaded on the CPU.", UserWarning)
        estimator.device = "cpu"
    tensors, metadata = unpack(packed, "The file", "weights")
    _restore(estimator, tensors, metadata, "The file", preprocessors)


# ---------------------------------------------------------------- ONNX


class _FromRows(nn.Module):
    """Module that computes the representation of rows in the user's layout."""

    def __init__(self, module, layout, represent):
        super().__init__()
        self.module = module
        self.layout = layout
        self.represent = represent

    def forward(self, rows):
        return self.represent(self.layout.to_network(rows)).float()


# The package's own modes, since those of the caller (such as autocast) would end up in the file.
@own_modes()
def to_onnx(estimator, path: str | os.PathLike, layout, represent) -> None:
    """Write a network that maps rows to their representation as an ONNX file.

    Parameters
    ----------
    estimator : BaseSSL
        A fitted estimator.
    path : path-like
        Path of the file to write.
    layout : Layout
        Layout of the rows that the network in the file takes.
    represent : callable
        Function from a batch in the layout of the networks to representations.

    Raises
    ------
    ValueError
        If the network has operations that ONNX does not support.
    """
    need("onnx")
    module = _FromRows(estimator.module_, layout, represent)
    # Two rows, since with one row the export could treat the batch axis as constant.
    dtype = torch.uint8 if layout.pixels else torch.float32
    rows = torch.zeros(2, *layout.row_shape, dtype=dtype, device=estimator.net_.device)
    file = io.BytesIO()
    try:
        with warnings.catch_warnings(), evaluation_mode(module), _silent_export():
            # The newer exporter, based on torch.export, takes ten times as long for the same file.
            warnings.simplefilter("ignore", DeprecationWarning)
            # The checks in torch's own layers hold for any batch.
            warnings.filterwarnings("ignore", category=torch.jit.TracerWarning, module="torch")
            torch.onnx.export(
                module,
                (rows,),
                file,
                dynamo=False,
                opset_version=ONNX_OPSET,
                input_names=["rows"],
                output_names=["representation"],
                dynamic_axes={"rows": {0: "n"}, "representation": {0: "n"}},
            )
    # The type of the error depends on the operator.
    except Exception as error:
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)
        name = type(estimator).__name__
        raise ValueError(
            f"The encoder of this {name} has an operation that ONNX does not support: {first:.300}"
        ) from error
    write_whole(path, file.getvalue())


@contextlib.contextmanager
def _silent_export() -> Iterator[None]:
    """Keep torch from printing the whole graph of an export that fails."""
    log = torch._C._jit_onnx_log
    torch._C._jit_onnx_log = lambda *parts: None
    try:
        yield
    finally:
        torch._C._jit_onnx_log = log
