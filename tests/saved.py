"""Estimators and files for the tests of persistence."""

import json

import skops.io
from torch import nn

from sklearn_simvae import _files as files
from sklearn_simvae.persistence import trusted_types


def mlp(input_shape, n_outputs, width=12):
    return nn.Sequential(nn.Linear(input_shape[0], width), nn.ReLU(), nn.Linear(width, n_outputs))


def copied(data, **changes):
    """A file of ours with other metadata, and a checksum that is right."""
    tensors, metadata = files.unpack(data, "it", "weights")
    text = json.dumps({**metadata, **changes})
    header = {"sklearn_simvae": text, "sha256": files._digest(tensors, text)}
    return files.need("safetensors.torch").save(tensors, header)


class Hostile:
    def __reduce__(self):
        return exec, ("raise SystemExit('the file ran code')",)


def through_skops(estimator, path):
    skops.io.dump(estimator, path)
    return skops.io.load(path, trusted=trusted_types())
