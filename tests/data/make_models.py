"""Fits the models that later versions must load: `python tests/data/make_models.py`.

Writes a folder named after the version, once for each release. What is in the folders of former
versions is never written again.
"""

import zipfile
from pathlib import Path

import numpy as np
import skops.io
import torch
from sklearn.datasets import load_digits

import sklearn_simvae
from sklearn_simvae import MultimodalSimVAE, SimCLR, SimVAE

TINY = {"n_components": 3, "hidden_layer_sizes": (4,), "max_epochs": 2, "random_state": 0}
HALVES = [("left", "mlp", slice(32)), ("right", "mlp", slice(32, 64))]
MODELS = {
    "SimVAE": SimVAE(**TINY, input_shape=(8, 8)),
    "SimCLR": SimCLR(**TINY, input_shape=(8, 8), projection_layer_sizes=(4, 4)),
    "MultimodalSimVAE": MultimodalSimVAE(**TINY, modalities=HALVES),
}


def main():
    torch.set_num_threads(1)
    version = sklearn_simvae.__version__.partition(".dev")[0]
    folder = Path(__file__).parent / version
    folder.mkdir(exist_ok=True)
    X = (load_digits().data[:200] / 16).astype(np.float32)
    rows = X[:10]
    representations = {}
    for name, model in MODELS.items():
        model.fit(X).save_weights(folder / f"{name}.safetensors")
        skops.io.dump(model, folder / f"{name}.skops", compression=zipfile.ZIP_DEFLATED)
        representations[name] = model.transform(rows)
    np.savez_compressed(folder / "representations.npz", rows=rows, **representations)


if __name__ == "__main__":
    main()
