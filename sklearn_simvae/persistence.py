"""Keeping what was fitted: weights in safetensors, skops files and encoders in ONNX."""

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

from sklearn_simvae._files import (
    module_differences,
    module_tensors,
    need,
    optimizer_parts,
    pack,
    plain_history,
    set_history,
    set_module,
    set_optimizer,
    unpack,
    write_whole,
)
from sklearn_simvae._plain import one_or_many, plain
from sklearn_simvae._trusted import trusted_names
from sklearn_simvae.networks.copies import holds_parametrization, picklable
from sklearn_simvae.training import own_modes, reads, resolve_device, turns_of
from sklearn_simvae.training.callbacks import without_data
from sklearn_simvae.training.modes import evaluation_mode
from sklearn_simvae.views import Layout

__all__ = ["ONNX_OPSET", "read_metadata", "trusted_types"]

# The version of ONNX's operators that `to_onnx` writes.
ONNX_OPSET = 18

# Parts of a network's structure that are of its training, and leave no trace in its weights.
_OF_TRAINING = ("optimizer", "weight_decay", "compile")
# What `fit` sets and the packed form gives back.
_PACKED = (
    *("net_", "layout_", "n_features_in_", "feature_names_in_", "history_", "n_iter_"),
    *("_fitted_structure", "_fitted_batch_size"),
)


class PersistenceMixin:
    """How an estimator of this package is kept, for all of them."""

    @reads
    def save_weights(self, path: str | os.PathLike) -> None:
        """Write the network's weights, and what is needed to build it again, to a file.

        The file is in the safetensors format: numbers and text, from any device for any other.
        Beside the weights it holds the history, the names of the features and the parameters as far
        as they are not the user's own code, but not the optimiser's state.

        Parameters
        ----------
        path : str or path-like
            The file, e.g. "model.safetensors". One that is there is replaced as a whole.

        Raises
        ------
        ValueError
            If parameters of the network changed since it was fitted.
        OSError
            If the file cannot be written; one that was there is as it was.

        See Also
        --------
        load_weights : Reads it.
        sklearn_simvae.persistence.read_metadata : What such a file says of itself.

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
        """Take the weights that :meth:`save_weights` wrote; nothing in the file is run.

        The estimator is then as fitted: `transform`, scores and the history are those of the one
        that was saved, and `partial_fit` or `warm_start` go on from there, with the optimiser's
        moments forgotten. Its parameters stay its own: those of the network must be those of the
        file. An `encoder` or `decoder` that is not a name is held against the shapes of the
        weights.

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
            or network, with what differs. What was fitted before is then kept.
        """
        with turns_of(self).training, own_modes():
            load_weights(self, path)
        return self

    @reads
    def to_onnx(self, path: str | os.PathLike) -> None:
        """Write the encoder, from rows to what `transform` gives, as an ONNX file.

        It runs without Python or torch. Its input "rows" is float32 of shape `(n, ...)`, with rows
        as `fit` saw them, or uint8 where that saw uint8 images, which are scaled inside; its output
        "representation" is that of :meth:`transform`. Rows have no views axis. n is free.

        Parameters
        ----------
        path : str or path-like
            The file, e.g. "encoder.onnx". One that is there is replaced as a whole.

        Raises
        ------
        ValueError
            If the encoder does what ONNX cannot say.
        OSError
            If the file cannot be written; one that was there is as it was.
        """
        check_is_fitted(self, "net_")
        to_onnx(self, path, self.layout_, self._represent)

    def __reduce_ex__(self, protocol):
        # For pickle and joblib: all objects as they are. __getstate__ is what skops sees.
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
        # Of estimators that were pickled when it was no property.
        state.pop("history_", None)
        super().__setstate__(state)
        if packed is not None:
            set_plain_state(self, packed, preprocessors)

    def _layout_to_dict(self) -> dict:
        return self.layout_.to_dict()

    def _layout_from_dict(self, fields: dict, preprocessors: dict) -> Layout:
        return Layout.from_dict(fields)

    def _check_preprocessors(self, metadata: dict, where: str) -> None:
        """Raise where a file is of an estimator whose preprocessors learned other things."""

    def _preprocessors(self, layout: Layout | None) -> dict:
        """Fitted transformers by name, without which a layout reads no data."""
        return {}


def read_metadata(path: str | os.PathLike) -> dict[str, Any]:
    """What a file of :meth:`save_weights` says of itself.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    metadata : dict
        "class", "version" of the package, "params" (all parameters of the estimator, as far as they
        are not the user's own code), "history", "feature_names", "layout" and others.

    Raises
    ------
    ValueError
        If it is damaged or not such a file.

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
    """The types of this package that a skops file may hold.

    None of them runs code that comes from the file: they are the estimators and the augmentations,
    of which parameters and numbers are read.

    Returns
    -------
    types : list of str
        To be given to :func:`skops.io.load` as `trusted`, with what else you know and trust.

    Examples
    --------
    >>> from sklearn_simvae.persistence import trusted_types
    >>> "sklearn_simvae.generative.simvae.SimVAE" in trusted_types()
    True
    """
    return trusted_names()


# ---------------------------------------------------------------- weights


def save_weights(estimator, path: str | os.PathLike) -> None:
    """See :meth:`SSLTransformer.save_weights`."""
    check_is_fitted(estimator, "net_")
    write_whole(path, pack(*_described(estimator)))


def load_weights(estimator, path: str | os.PathLike) -> None:
    """See :meth:`SSLTransformer.load_weights`."""
    estimator._validate_params()
    tensors, metadata = unpack(Path(path).read_bytes(), str(path), "weights")
    layout = estimator.__dict__.get("layout_")
    estimator._check_preprocessors(metadata, str(path))
    _restore(estimator, tensors, metadata, str(path), estimator._preprocessors(layout))


def _described(estimator) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The weights of a fitted estimator, and all that is needed to build its network again."""
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
        # Of the fit that there is, whatever one that failed had set.
        "batch_size": int(estimator._fitted_batch_size),
    }


def _structure(estimator) -> dict[str, Any]:
    names = [name for name in estimator._structure if name not in _OF_TRAINING]
    return {name: plain(one_or_many(name, getattr(estimator, name))) for name in names}


def _restore(estimator, tensors, metadata, where: str, preprocessors: dict[str, Any]) -> None:
    """Make a net, and keep it if all of the file fits."""
    name = type(estimator).__name__
    try:
        if metadata["class"] != name:
            raise ValueError(
                f"{where} holds the weights of a {metadata['class']}, and this is a {name}. Load "
                f"it into a {metadata['class']}."
            )
        own = _structure(estimator)
        # Parameters that came later were at their defaults.
        known = inspect.signature(type(estimator)).parameters
        given = {name: known[name].default for name in own} | metadata["structure"]
        theirs = {name: one_or_many(name, value) for name, value in given.items()}
        different = [
            f"{parameter}={theirs.get(parameter)!r} there and {own[parameter]!r} here"
            for parameter in own
            if theirs.get(parameter) != own[parameter]
        ]
        if different:
            raise ValueError(
                f"{where} is of another network than the parameters of this {name} describe: "
                f"{', '.join(different)}. Set them as they are there, by set_params."
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
    """A tensor that is pickled by its values, as which it is equal for all copies.

    torch pickles the address of a tensor with it, by which joblib takes each copy of a module for
    another one, and a Pipeline with memory never finds what it has computed.
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
    # A copy: what joblib hands on may be read-only.
    tensor = torch.from_numpy(np.array(data)).view(dtype).reshape(shape).to(device)
    if is_parameter:
        return nn.Parameter(tensor, requires_grad=requires_grad)
    return tensor.requires_grad_(requires_grad)


def pickled_state(estimator) -> dict[str, Any]:
    """The state of an estimator as it is pickled.

    Parameters
    ----------
    estimator : SSLTransformer
        Fitted or not.

    Returns
    -------
    state : dict
        Its attributes. Modules among the parameters have weights that are pickled by value, and
        callbacks of a fitted estimator hold no data.
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
        # A copy of all but the weights, in whose place it finds the others.
        return copy.deepcopy(value, memo)
    except Exception:
        # What torch can pickle but not copy, such as a module that keeps an activation.
        return value


# ---------------------------------------------------------------- skops


def plain_state(estimator) -> dict[str, Any]:
    """The state of an estimator in plain parts: parameters, and what was fitted as bytes.

    Parameters
    ----------
    estimator : SSLTransformer
        Fitted or not.

    Returns
    -------
    state : dict
        Without a net: what :func:`set_plain_state` takes.
    """
    state = {name: v for name, v in estimator.__dict__.items() if name not in _PACKED}
    modules = [n for n, v in estimator.get_params(deep=False).items() if _holds_module(v)]
    if modules:
        raise ValueError(
            f"{', '.join(modules)} of this {type(estimator).__name__} holds a torch module, which "
            "is code. Give a function that makes it, save_weights, or use joblib and load only "
            "files that you trust."
        )
    if "net_" in estimator.__dict__:
        tensors, metadata = _described(estimator)
        estimator._check_structure("A file of skops keeps the optimiser of")
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
    """Give an estimator, which has its parameters, what was fitted.

    Parameters
    ----------
    estimator : SSLTransformer
        To be changed.
    packed : bytes
        From :func:`plain_state`.
    preprocessors : dict of str to transformer
        Fitted, of the modalities that have one.

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
    """What a network makes of rows as users give them."""

    def __init__(self, module, layout, represent):
        super().__init__()
        self.module = module
        self.layout = layout
        self.represent = represent

    def forward(self, rows):
        return self.represent(self.layout.to_network(rows)).float()


# A caller's modes would be written into the file.
@own_modes()
def to_onnx(estimator, path: str | os.PathLike, layout, represent) -> None:
    """Write a network, from rows to their representation, as an ONNX file.

    Parameters
    ----------
    estimator : SSLTransformer
        Fitted.
    path : path-like
        Where to.
    layout : Layout
        Of the rows that it is to take.
    represent : callable
        From a batch in network layout to representations.

    Raises
    ------
    ValueError
        If the network does what ONNX cannot say.
    """
    need("onnx")
    module = _FromRows(estimator.module_, layout, represent)
    # Two rows, lest what is right for a single row alone be taken for a rule.
    dtype = torch.uint8 if layout.pixels else torch.float32
    rows = torch.zeros(2, *layout.row_shape, dtype=dtype, device=estimator.net_.device)
    file = io.BytesIO()
    try:
        with warnings.catch_warnings(), evaluation_mode(module), _silent_export():
            # The exporter that goes by torch.export takes ten times as long, and says no more.
            warnings.simplefilter("ignore", DeprecationWarning)
            # What torch's own layers check of a batch is right for any batch.
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
    # What is raised depends on the operator.
    except Exception as error:
        first = next(iter(str(error).strip().splitlines()), type(error).__name__)
        name = type(estimator).__name__
        raise ValueError(
            f"The encoder of this {name} does what ONNX cannot say: {first:.300}"
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
