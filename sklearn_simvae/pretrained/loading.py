"""Networks by the names that they have in timm and transformers, and what they expect of pixels."""

import difflib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from sklearn_simvae._files import need
from sklearn_simvae.networks.checks import check_no_torchscript
from sklearn_simvae.networks.copies import as_float32, copy_module
from sklearn_simvae.training.random_state import isolated_random_state

# Names that timm itself takes for models which are not among its own.
_TIMM_PREFIXES = ("hf-hub:", "hf_hub:", "local-dir:")


@dataclass(frozen=True)
class Network:
    """A pretrained network, and the images that it was trained on.

    Parameters
    ----------
    module : nn.Module
        Copy in float32 that belongs to the caller.
    mean, std : tuple of float or None, default=None
        Mean and standard deviation of the channels of pixels in [0, 1], where they are known.
    image_size : tuple of int or None, default=None
        Height and width of the images, where they are known.
    """

    module: nn.Module
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    image_size: tuple[int, int] | None = None


def load_network(encoder: Any, weights: str | os.PathLike | None = None) -> Network:
    """Copy a module, or load a network by its name.

    Parameters
    ----------
    encoder : str, path-like or nn.Module
        A module; the name of a model of timm, such as "resnet18", "hf-hub:timm/resnet18.a1_in1k" or
        "local-dir:folder"; or one of transformers, with a slash, such as "facebook/dinov2-small".
        The path of a folder that either of them saved.
    weights : str or path-like, default=None
        File of the weights of a model of timm. None takes those that were published for it.

    Returns
    -------
    network : Network
        The network, with what it says of its images.

    Raises
    ------
    ValueError
        If there is no such model, or a module is not one whose features can be computed.
    ImportError
        If the library that has the model is not installed.
    OSError
        If the weights are neither in the cache nor can be downloaded.

    Examples
    --------
    >>> from torch import nn
    >>> from sklearn_simvae.pretrained.loading import load_network
    >>> load_network(nn.Linear(3, 2)).module
    Linear(in_features=3, out_features=2, bias=True)
    """
    if isinstance(encoder, str | os.PathLike):
        name = os.fspath(encoder)
        load = _from_transformers if _is_of_transformers(name) else _from_timm
        # Layers start with random numbers, before the weights are read.
        with isolated_random_state(0, torch.device("cpu")):
            return load(name, None if weights is None else os.fspath(weights))
    if weights is not None:
        raise ValueError(
            f"weights={weights!r} is the file of a model that is given by its name; load it into "
            "the module by load_state_dict instead."
        )
    if not isinstance(encoder, nn.Module):
        kind = f"the class {encoder.__name__}" if isinstance(encoder, type) else repr(encoder)
        fitted = " For a fitted estimator, give its encoder_." if hasattr(encoder, "fit") else ""
        raise ValueError(
            "encoder must be a torch module or the name of a model of timm or transformers, got "
            f"{kind:.200}.{fitted}"
        )
    check_no_torchscript(encoder, "encoder")
    if any(is_lazy(t) for t in (*encoder.parameters(), *encoder.buffers())):
        raise ValueError(
            "The encoder has lazy layers without weights, so it is not pretrained. Call it once on "
            "a batch, or load its weights, before it is given."
        )
    module = as_float32(copy_module(encoder))
    return Network(module, **_images_of_module(module))


def _is_of_transformers(name: str) -> bool:
    if (config := Path(name) / "config.json").is_file():
        return "model_type" in json.loads(config.read_text(encoding="utf-8"))
    return "/" in name and not name.startswith(_TIMM_PREFIXES) and not name.startswith("timm/")


def _from_timm(name: str, weights: str | None) -> Network:
    timm = need("timm", "timm")
    if weights is not None and not Path(weights).is_file():
        raise FileNotFoundError(f"weights={weights!r} is not a file.")
    if Path(name).is_dir():
        source = f"local-dir:{name}"
    else:
        source = f"hf-hub:{name}" if name.startswith("timm/") else name
    if not source.startswith(_TIMM_PREFIXES) and not timm.is_model(source.partition(".")[0]):
        near = difflib.get_close_matches(source.partition(".")[0], timm.list_models(), 5)
        raise ValueError(
            f"timm has no model {name!r}"
            f"{', but it has ' + ', '.join(near) if near else ''}. timm.list_models() lists all; "
            "names of transformers have a slash, as 'facebook/dinov2-small'."
        )
    try:
        # Without classes the model gives its pooled features.
        module = timm.create_model(source, pretrained=weights is None, num_classes=0)
    except OSError as error:
        repository = source.partition(":")[2] or timm.get_pretrained_cfg(source).hf_hub_id
        raise _missing(name, "timm", repository, "the path of a file as weights=") from error
    if weights is not None:
        _load_weights(timm, module, name, weights)
    return Network(as_float32(module), **_images_of_module(module))


def _load_weights(timm: Any, module: nn.Module, name: str, weights: str) -> None:
    """Load a file into a model, which has no classes though the file may have them."""
    try:
        found = timm.models.load_checkpoint(module, weights, strict=False)
        lacking = getattr(found, "missing_keys", [])
    except RuntimeError as error:
        raise ValueError(f"weights={weights!r} do not fit the model {name!r}: {error}") from error
    if lacking:
        raise ValueError(
            f"weights={weights!r} lack {len(lacking)} of the parameters of the model {name!r}, "
            f"such as {lacking[0]!r}. Give the file of this model."
        )


def _from_transformers(name: str, weights: str | None) -> Network:
    transformers = need("transformers", "transformers")
    if weights is not None:
        raise ValueError(
            f"weights={weights!r} is for models of timm. Give the folder in which save_pretrained "
            f"wrote the model as encoder, in place of {name!r}."
        )
    try:
        module = transformers.AutoModel.from_pretrained(name)
    except OSError as error:
        folder = "the path of a folder that save_pretrained wrote as encoder="
        raise _missing(name, "transformers", name, folder) from error
    # Models of images and text have a part for each.
    module = getattr(module, "vision_model", module)
    return Network(as_float32(module), **_images_of_processor(name, module))


def _missing(name: str, library: str, repository: str, otherwise: str) -> OSError:
    return OSError(
        f"The weights of {name!r} are neither in the cache of {library} nor could they be "
        f"downloaded. Where there is a connection, run `hf download {repository}` and copy the "
        f"cache (~/.cache/huggingface, or where HF_HOME points) here, or give {otherwise}."
    )


def _images_of_module(module: nn.Module) -> dict[str, Any]:
    """Read what a model of timm, or the configuration of one of transformers, says of images."""
    config = getattr(module, "pretrained_cfg", None) or {}
    # Some versions of timm keep an object there.
    config = config if isinstance(config, Mapping) else vars(config)
    size = config.get("input_size")
    if size is not None:
        size = tuple(size)[1:]
    else:
        size = _pair(getattr(getattr(module, "config", None), "image_size", None))
    return {"mean": _known(config, "mean"), "std": _known(config, "std"), "image_size": size}


def _images_of_processor(name: str, module: nn.Module) -> dict[str, Any]:
    """Read what the preprocessor that belongs to a model of transformers does to images."""
    found = _images_of_module(module)
    base = need("transformers.image_processing_base", "transformers")
    try:
        config, _ = base.ImageProcessingMixin.get_image_processor_dict(name)
    except OSError:
        # There is none for models of other data.
        return found
    if config.get("do_normalize", True):
        found |= {"mean": _known(config, "image_mean"), "std": _known(config, "image_std")}
    size = config.get("crop_size") if config.get("do_center_crop") else None
    size = _pair(config.get("size") if size is None else size)
    return found if size is None else found | {"image_size": size}


def _known(config: Mapping[str, Any], name: str) -> tuple[float, ...] | None:
    return None if config.get(name) is None else tuple(map(float, config[name]))


def _pair(size: Any) -> tuple[int, int] | None:
    """Convert the forms in which transformers gives the size of images."""
    if isinstance(size, Mapping):
        edge = size.get("shortest_edge")
        size = (size.get("height", edge), size.get("width", edge))
    elif isinstance(size, int):
        size = (size, size)
    return None if size is None or None in tuple(size) else (int(size[0]), int(size[1]))
