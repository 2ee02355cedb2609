"""ContentStyleVAE compared with SimVAE on small sets of four kinds, both at their defaults.

    python benchmarks/small_content_style.py [--seeds 3] [--data wine digits series glyphs]

It prints the accuracy of logistic regression and of 15 nearest neighbors on standardized
representations, in cross-validation of five folds (glyphs: 15 fonts to learn from, others to test),
and the effective rank. The data are wine with feature corruption, digits with crops, artificial
series of which three recordings are one sample, and 62 characters whose views are in 15 fonts. The
glyphs come from the folder in SKLEARN_SIMVAE_DATA. Fits use one thread.
"""

import argparse

import numpy as np
import torch
from sklearn.datasets import load_digits, load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler, scale

from sklearn_simvae import ContentStyleVAE, SimVAE
from sklearn_simvae.datasets import fetch_glyphs


def wine():
    X, y = load_wine(return_X_y=True)
    return scale(X), y, None, {}, None


def digits():
    X, y = load_digits(return_X_y=True)
    return X / 16, y, None, {"input_shape": (8, 8)}, None


def series():
    """Make series of four waveforms: periods differ by sample, noise and phase by recording."""
    rng = np.random.default_rng(0)
    waveforms = [
        np.sin,
        lambda t: np.sign(np.sin(t)),
        lambda t: 2 * np.abs((t / np.pi) % 2 - 1) - 1,
        lambda t: (t / np.pi) % 2 - 1,
    ]
    n_samples, n_views, time = 400, 3, np.arange(64)
    y = rng.integers(len(waveforms), size=n_samples).repeat(n_views)
    groups = np.arange(n_samples).repeat(n_views)
    period = rng.uniform(12, 40, n_samples).repeat(n_views)
    phase, height = rng.uniform(0, 2 * np.pi, len(y)), rng.uniform(0.5, 1.5, len(y))
    angle = 2 * np.pi * time / period[:, None] + phase[:, None]
    X = np.stack([waveforms[k](row) for k, row in zip(y, angle, strict=True)])
    X = height[:, None] * X + 0.1 * rng.standard_normal(X.shape)
    return X, y, groups, {"input_shape": (64, 1), "n_views": 3}, None


def glyphs():
    data = fetch_glyphs()
    fonts = [np.flatnonzero(data.family == family)[0] for family in np.unique(data.family)]
    fonts = data.font[np.random.default_rng(0).permutation(fonts)]
    rows, others = (np.isin(data.font, some) for some in (fonts[:15], fonts[15:45]))
    X, y = data.data[rows], data.target[rows]
    params = {"input_shape": (32, 32), "n_views": 4}
    return X, y, y, params, (data.data[others], data.target[others])


def accuracies(Z, y, test):
    for classifier in (LogisticRegression(max_iter=2000), KNeighborsClassifier(15)):
        model = make_pipeline(StandardScaler(), classifier)
        if test is not None:
            yield model.fit(Z, y).score(*test)
        else:
            folds = StratifiedKFold(5, shuffle=True, random_state=0)
            yield cross_val_score(model, Z, y, cv=folds).mean()


SETS = {f.__name__: f for f in (wine, digits, series, glyphs)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--data", nargs="+", default=list(SETS), choices=SETS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    print(f"{'data':<8}{'method':<17}seed  logistic  kNN    effective rank")
    for name in args.data:
        X, y, groups, params, test = SETS[name]()
        for method in (SimVAE, ContentStyleVAE):
            for seed in range(args.seeds):
                fitted = method(random_state=seed, **params).fit(X, groups=groups)
                seen = None if test is None else (fitted.transform(test[0]), test[1])
                linear, knn = accuracies(fitted.transform(X), y, seen)
                rank = fitted.history_[-1]["effective_rank"]
                print(
                    f"{name:<8}{method.__name__:<17}{seed:<6}{linear:<10.3f}{knn:<7.3f}{rank:.1f}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
