"""Measures of paper.py for a fitted transformer."""

import copy
import warnings

import numpy as np
from paper_data import N_SOME
from sklearn.neural_network import MLPClassifier

from sklearn_simvae.evaluation import (
    collapse_report,
    frechet_distance,
    mutual_information,
    probe,
    reconstruction_error,
    style_probe,
)
from sklearn_simvae.evaluation.augmented import view_representations


class After:
    """Transformer that calls another method of an estimator."""

    def __init__(self, method):
        self.transform = method


# The latents, with as many rows as the layers that they are compared with.
SOME_LATENTS = "latent, some rows"


def other_readings(fitted):
    """Return other representations, which probes take for fewer rows, by name."""
    yield SOME_LATENTS, fitted
    if hasattr(fitted, "encoder_"):
        yield "hidden", copy.copy(fitted).set_params(representation="hidden")
    if hasattr(fitted, "project"):
        yield "head", After(fitted.project)


def content(transformer, data, probes, n_train=None):
    train, test = data.train, data.test
    if n_train is not None:
        train = train.take(np.random.default_rng(0).permutation(len(train.X))[:n_train])
    return probe(
        transformer,
        train.X,
        train.y,
        X_test=test.X,
        y_test=test.y,
        groups=train.groups,
        probes=probes,
        n_repeats=1,
        random_state=0,
    )


def style(transformer, data, probes):
    train, test = data.style_train or data.train, data.style_test or data.test
    given = {}
    if train.factors is None:
        given = {"augmentation": data.augmentation, "input_shape": data.input_shape}
    # Drawn at random, since glyphs come in order of fonts.
    which = np.random.default_rng(0).permutation(len(train.X))[:N_SOME]
    train = train.take(which)
    return style_probe(
        transformer,
        train.X,
        train.factors,
        X_test=test.X,
        factors_test=test.factors,
        groups=train.groups,
        probes=probes,
        n_repeats=1,
        random_state=0,
        **given,
    )


def rows_of(table, representation, **more):
    """Turn a table of the package into rows of the CSV file."""
    names = ("factor", "probe", "metric", "value")
    return [
        {"representation": representation, "factor": "content", **more}
        | {name: row[name] for name in names if name in row}
        for row in table
    ]


def validate(fitted, data):
    """Measure the accuracies by which settings are chosen."""
    return rows_of(content(fitted, data, ("linear", "knn")), "latent")


def few_labels(fitted, data, n_labels=10, n_draws=5):
    """Score a linear probe that learns from few rows of each class, over several draws."""
    Z, Z_test = fitted.transform(data.train.X), fitted.transform(data.test.X)
    rng = np.random.default_rng(0)
    table = []
    for _ in range(n_draws):
        order = rng.permutation(len(Z))
        labels = data.train.y[order]
        some = np.concatenate([order[labels == c][:n_labels] for c in np.unique(labels)])
        table += probe(
            None,
            Z[some],
            data.train.y[some],
            X_test=Z_test,
            y_test=data.test.y,
            probes=("linear",),
            n_repeats=1,
            random_state=0,
        ).select(metric="accuracy")
    value = float(np.mean([row["value"] for row in table]))
    return [{**table[0], "factor": "few labels", "value": value}]


def content_and_style(fitted, data, n_train=None):
    """Score all probes of the latents, and of their content and style if they have parts."""
    rows = rows_of(content(fitted, data, ("linear", "mlp", "knn", "gmm"), n_train), "latent")
    rows += rows_of(few_labels(fitted, data), "latent")
    rows += rows_of(style(fitted, data, ("linear", "mlp")), "latent")
    if hasattr(fitted, "n_content_components_"):
        for part in ("content", "style"):
            columns = copy.copy(fitted).set_params(representation=part)
            probes = "linear", "mlp", "knn"
            rows += rows_of(content(columns, data, probes, n_train), f"{part} columns")
            rows += rows_of(style(columns, data, ("mlp",)), f"{part} columns")
    return rows


def latents_of_some(fitted, data):
    """Score the same probes, with fewer rows for content."""
    return content_and_style(fitted, data, N_SOME)


def measure(fitted, data):
    """Take all measures of a fit."""
    rows = content_and_style(fitted, data)
    # For wide layers only probes that stay fast are used, with fewer rows.
    for name, transformer in other_readings(fitted):
        rows += rows_of(content(transformer, data, ("linear", "knn"), N_SOME), name)
        # The probes of style take this number of rows for the latents as well.
        if name != SOME_LATENTS:
            rows += rows_of(style(transformer, data, ("linear",)), name)
    return rows + around_center(fitted, data) + other(fitted, data)


def around_center(fitted, data):
    """Score content and style in the mean of a sample's views, and in the rest of a view."""
    views = data.some_views()
    z = view_representations(fitted, views.X)
    center = z.mean(1)
    rows = []
    for name, part in (("centre", center), ("around", z[:, 0] - center)):
        split = {"test_size": 0.5, "n_repeats": 1, "random_state": 0}
        rows += rows_of(probe(None, part, views.y, probes=("linear", "mlp"), **split), name)
        rows += rows_of(
            style_probe(None, part, views.factors, probes=("linear", "mlp"), **split), name
        )
    return rows


def other(fitted, data):
    """Measure information of views, signs of collapse, reconstructions and samples."""
    views = data.some_views(n_views=2).X
    report = collapse_report(fitted, views)
    numbers = {
        "effective_rank": report.effective_rank,
        "alignment": report.alignment,
        "uniformity": report.uniformity,
    }
    if hasattr(fitted, "inverse_transform"):
        error = reconstruction_error(fitted, data.test.X[:N_SOME])
        # PCA is fitted to pixels from 0 to 255.
        numbers["reconstruction_error"] = error if hasattr(fitted, "layout_") else error / 255**2
    if hasattr(fitted, "sample"):
        some = np.random.default_rng(0).permutation(len(data.train.X))[:N_SOME]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            classifier = MLPClassifier((128,), batch_size=500, max_iter=10, random_state=0)
            classifier.fit(data.train.X[some] / np.float32(255), data.train.y[some])
        samples = fitted.sample(5_000, random_state=0).reshape(5_000, -1)
        test = data.test.X[:5_000] / np.float32(255)
        numbers["frechet_distance"] = frechet_distance(test, samples, classifier)
    return information(fitted, views) + numbers_of(numbers)


def content_and_information(fitted, data):
    """Measure content on the validation part, and mutual information of views."""
    return validate(fitted, data) + information(fitted, data.some_views(n_views=2).X)


def information(fitted, views):
    found = mutual_information(fitted, views, random_state=0)
    return numbers_of({f"mutual_information_{name}": found[name] for name in ("infonce", "knn")})


def numbers_of(numbers):
    return [{"representation": "latent", "metric": k, "value": v} for k, v in numbers.items()]
