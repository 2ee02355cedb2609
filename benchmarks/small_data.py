"""SimVAE with the networks of the paper on 3,600 glyphs and 2,000 images of Fashion-MNIST.

    python benchmarks/small_data.py [--seeds 3]

It prints the kNN(15) test accuracy on standardized features after some of 100 epochs,
for PCA with as many components too, and for the same networks under torch's own initialization
(given as factories, whose weights the package keeps). So it shows how fast each leaves the
collapsed state in which the decoder returns the mean picture. The data come from the folder in
SKLEARN_SIMVAE_DATA.
"""

import argparse
import math
from itertools import pairwise

import numpy as np
from sklearn.decomposition import PCA
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from skorch.callbacks import Callback
from torch import nn

from sklearn_simvae import SimVAE
from sklearn_simvae.datasets import fetch_fashion_mnist, fetch_glyphs

HIDDEN = (2000, 500, 500)
CHECKPOINTS = (3, 10, 30, 100)


def plain_mlp(sizes):
    layers = []
    for n_in, n_out in pairwise(sizes):
        layers += [nn.Linear(n_in, n_out), nn.ReLU()]
    return layers[:-1]


def plain_encoder(input_shape, n_outputs):
    return nn.Sequential(nn.Flatten(), *plain_mlp([math.prod(input_shape), *HIDDEN, n_outputs]))


def plain_decoder(n_components, output_shape):
    layers = plain_mlp([n_components, *HIDDEN[::-1], math.prod(output_shape)])
    return nn.Sequential(*layers, nn.Unflatten(1, output_shape))


def glyphs():
    data = fetch_glyphs()
    order = np.random.default_rng(0).permutation(len(data.data))
    X, y = data.data[order], data.target[order]
    return X[:3600], y[:3600], X[3600:], y[3600:], (32, 32)


def fashion():
    train, test = fetch_fashion_mnist(), fetch_fashion_mnist(subset="test")
    return train.data[:2000], train.target[:2000], test.data, test.target, (28, 28)


def knn(Z_train, y_train, Z_test, y_test):
    model = make_pipeline(StandardScaler(), KNeighborsClassifier(15)).fit(Z_train, y_train)
    return model.score(Z_test, y_test)


class Probe(Callback):
    """Callback that measures the accuracy after some epochs."""

    def __init__(self, data):
        self.data = data

    def on_train_begin(self, net, **kwargs):
        self.accuracy = {}

    def on_epoch_end(self, net, **kwargs):
        epoch = len(net.history)
        if epoch in CHECKPOINTS:
            probe = net.run.options.as_fitted(net)
            X_train, y_train, X_test, y_test, _ = self.data
            net.module_.eval()
            Z_train, Z_test = probe.transform(X_train), probe.transform(X_test)
            net.module_.train()
            self.accuracy[epoch] = round(knn(Z_train, y_train, Z_test, y_test), 3)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    for name, load in {"glyphs": glyphs, "fashion": fashion}.items():
        data = X_train, y_train, X_test, y_test, shape = load()
        pca = PCA(10, random_state=0).fit(X_train)
        score = knn(pca.transform(X_train), y_train, pca.transform(X_test), y_test)
        print(f"{name}: {len(X_train)} images, PCA(10) kNN {score:.3f}")
        shared = {"hidden_layer_sizes": HIDDEN, "max_epochs": CHECKPOINTS[-1], "input_shape": shape}
        plain = {"encoder": plain_encoder, "decoder": plain_decoder}
        for label, networks in {"SimVAE()": {}, "torch's initialization": plain}.items():
            for seed in range(args.seeds):
                probe = Probe(data)
                simvae = SimVAE(random_state=seed, callbacks=[probe], **shared, **networks)
                simvae.fit(X_train)
                print(f"  {label}, seed {seed}: kNN after epochs {probe.accuracy}", flush=True)


if __name__ == "__main__":
    main()
