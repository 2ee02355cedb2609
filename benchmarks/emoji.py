"""Pictures and words: emoji and their Unicode names, retrieved both ways.

    python benchmarks/emoji.py [--seeds 3] [--epochs 60] [--n-jobs 2] [--results benchmarks/results]

The emoji are split by their first code point into training, validation and test parts, so that no
near copy of a test emoji is in the training part. For each method the script measures the recall
among all test emoji, from picture to name and back. It compares this with chance, and with CCA of
principal components, whose dimensions are chosen on the validation part. "half" is MultimodalSimVAE
trained on all rows, where a random half of the names is missing. "complete" is the same model
trained on the rows that have both, once for as many epochs and once for as many steps. The linear
probe predicts from the picture which of the most frequent words its name has. Rows that are in the
results already are not computed again. The data come from the folder in SKLEARN_SIMVAE_DATA.
"""

import argparse
import csv
import itertools
import warnings
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch
from sklearn.cross_decomposition import CCA
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import GroupShuffleSplit
from sklearn.pipeline import make_union
from torch import nn

from sklearn_simvae.datasets import fetch_emoji
from sklearn_simvae.evaluation import probe
from sklearn_simvae.multimodal import CLIP, MultimodalSimVAE, recall_at_k
from sklearn_simvae.views import (
    ColorJitter,
    Compose,
    FeatureMasking,
    RandomHorizontalFlip,
    RandomResizedCrop,
)

COLUMNS = ["method", "epochs", "seed", "metric", "value"]
WORDS = [
    "face",
    "sign",
    "hand",
    "man",
    "woman",
    "person",
    "heart",
    "symbol",
    "arrow",
    "clock",
    "mark",
]
K = (1, 5, 10)


def split(emoji, seed):
    """Return the rows of the training, validation and test parts."""
    rows = np.arange(len(emoji.images))
    parts = GroupShuffleSplit(1, test_size=0.2, random_state=seed)
    rest, test = next(parts.split(rows, groups=emoji.group))
    train, valid = next(parts.split(rest, groups=emoji.group[rest]))
    return rest[train], rest[valid], test


def vectorizer():
    """Make the vectorizer of all methods, for words, pairs of words and parts of words."""
    return make_union(
        TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 4), min_df=5, sublinear_tf=True),
    )


def linear(input_shape, n_outputs):
    """Make an encoder of words; there are too few names for more than one layer."""
    return nn.Linear(input_shape[0], n_outputs)


def strided(input_shape, n_outputs, widths=(32, 64, 128, 256)):
    """Make an encoder of small pictures, with four strided convolutions."""
    layers = []
    for n_in, n_out in pairwise([input_shape[0], *widths]):
        layers += [nn.Conv2d(n_in, n_out, 3, stride=2, padding=1), nn.BatchNorm2d(n_out), nn.ReLU()]
    convolutions = nn.Sequential(*layers, nn.Flatten())
    with torch.no_grad():
        n_features = convolutions.eval()(torch.zeros(1, *input_shape)).shape[1]
    return nn.Sequential(convolutions.train(), nn.Linear(n_features, n_outputs))


def settings():
    """Return the settings that both networks share."""
    return {
        "n_components": 64,
        "modalities": [("image", strided), ("text", linear)],
        "input_shapes": {"image": (48, 48, 3)},
        "preprocessing": [("text", vectorizer())],
        "augmentations": {
            "image": Compose(
                [
                    ColorJitter(0.2, 0.2, 0.2, 0.02),
                    RandomResizedCrop((0.6, 1.0)),
                    RandomHorizontalFlip(),
                ]
            ),
            "text": FeatureMasking(0.3),
        },
        "hidden_layer_sizes": (512, 256),
    }


class Embedded:
    """CCA of principal components, as a model of two modalities."""

    def __init__(self, n_image, n_text, n_components):
        self.images, self.words = PCA(n_image, random_state=0), vectorizer()
        self.svd = TruncatedSVD(n_text, random_state=0)
        self.cca = CCA(n_components, max_iter=1000)

    def fit(self, X):
        a = self.images.fit_transform(pixels(X["image"]))
        self.cca.fit(a, self.svd.fit_transform(self.words.fit_transform(X["text"])))
        return self

    def embed(self, X):
        a = self.images.transform(pixels(X["image"]))
        return self.cca.transform(a, self.svd.transform(self.words.transform(X["text"])))


def pixels(images):
    return images.reshape(len(images), -1) / np.float32(255)


def take(emoji, rows):
    return {"image": emoji.images[rows], "text": list(emoji.captions[rows])}


def embed(model, X):
    if isinstance(model, Embedded):
        return model.embed(X)
    return [model.transform({name: X[name]}, modality=name) for name in ("image", "text")]


def best_cca(train, valid):
    """Choose the dimensions with the best recall on the validation part."""

    def found(size):
        images, words = Embedded(*size).fit(train).embed(valid)
        return recall_at_k(images, words, 10)[10] + recall_at_k(words, images, 10)[10]

    sizes = [
        (n_image, n_text, n)
        for n_image, n_text, n in itertools.product((20, 50, 100), (100, 200, 400), (10, 20, 40))
        if n <= min(n_image, n_text)
    ]
    return Embedded(*max(sizes, key=found)).fit(train)


def make(method, train, valid, epochs, seed):
    """Fit a model."""
    if method == "CCA":
        return best_cca(train, valid)
    if method == "CLIP":
        return CLIP(**settings(), max_epochs=epochs, random_state=seed).fit(train)
    model = MultimodalSimVAE(
        **settings(),
        style_variance=0.03,
        noise_variance={"image": 0.1, "text": 0.003},
        decoder="mlp",
        # Reconstruction takes longer to learn than contrast.
        max_epochs=2 * epochs,
        random_state=seed,
    )
    if method == "MultimodalSimVAE":
        return model.fit(train)
    missing = np.random.default_rng(seed).permutation(len(train["text"])) % 2 == 0
    if method == "MultimodalSimVAE, half":
        text = [None if m else t for m, t in zip(missing, train["text"], strict=True)]
        return model.fit({"image": train["image"], "text": text})
    text = [t for m, t in zip(missing, train["text"], strict=True) if not m]
    if method.endswith("as many steps"):
        model.set_params(max_epochs=4 * epochs)
    return model.fit({"image": train["image"][~missing], "text": text})


METHODS = [
    *("CCA", "CLIP", "MultimodalSimVAE"),
    *("MultimodalSimVAE, half", "MultimodalSimVAE, complete"),
    "MultimodalSimVAE, complete, as many steps",
]


def labels(captions):
    """Return which of the frequent words each name has; -1 for none or several."""
    has = np.array([[word in caption.lower().split() for word in WORDS] for caption in captions])
    return np.where(has.sum(1) == 1, has.argmax(1), -1)


def run(method, epochs, seed):
    torch.set_num_threads(1)
    warnings.simplefilter("ignore", ConvergenceWarning)
    emoji = fetch_emoji()
    parts = [take(emoji, rows) for rows in split(emoji, seed)]
    model = make(method, *parts[:2], epochs, seed)
    images, words = embed(model, parts[2])
    n = len(images)
    rows = {f"chance@{k}": k / n for k in K}
    rows |= {f"image to text@{k}": v for k, v in recall_at_k(images, words, K).items()}
    rows |= {f"text to image@{k}": v for k, v in recall_at_k(words, images, K).items()}
    learned = embed(model, parts[0])[0]
    y, y_test = labels(parts[0]["text"]), labels(parts[2]["text"])
    known = np.isin(y_test, np.unique(y[y >= 0]))
    rows["linear probe"] = probe(
        None,
        learned[y >= 0],
        y[y >= 0],
        X_test=images[known],
        y_test=y_test[known],
        probes=("linear",),
        n_repeats=1,
        random_state=0,
    ).mean(metric="accuracy")
    return [
        dict(zip(COLUMNS, (method, epochs, seed, metric, f"{value:.4f}"), strict=True))
        for metric, value in rows.items()
    ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--methods", nargs="+", default=METHODS, choices=METHODS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--n-jobs", type=int, default=2)
    parser.add_argument("--results", type=Path, default=Path(__file__).parent / "results")
    args = parser.parse_args()
    path = args.results / "emoji.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        path.write_text(",".join(COLUMNS) + "\n")
    with path.open() as file:
        of_these = [row for row in csv.DictReader(file) if int(row["epochs"]) == args.epochs]
    done = {(row["method"], int(row["seed"])) for row in of_these}
    runs = [(m, seed) for seed in range(args.seeds) for m in args.methods if (m, seed) not in done]
    with ProcessPoolExecutor(args.n_jobs, mp_context=get_context("spawn")) as pool:
        futures = [pool.submit(run, method, args.epochs, seed) for method, seed in runs]
        for future in as_completed(futures):
            rows = future.result()
            with path.open("a", newline="") as file:
                csv.DictWriter(file, COLUMNS).writerows(rows)
            print(rows[0]["method"], {row["metric"]: row["value"] for row in rows}, flush=True)


if __name__ == "__main__":
    main()
