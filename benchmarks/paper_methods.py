"""The methods of paper.py, and the settings that each may choose from."""

import itertools
import math

from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from torch import nn

import sklearn_simvae

# As many candidates for every method; the first are the defaults. A likelihood's noise and the
# weights of the VAEs are searched as much as SimVAE's style.
CANDIDATES = {
    "PCA": [{}],
    "VAE": [
        {},
        {"noise_variance": 0.003},
        {"noise_variance": 0.03},
        {"lr": 1e-3},
        {"likelihood": "bernoulli"},
        {"likelihood": "bernoulli", "beta": 0.3},
    ],
    "CRVAE": [
        {},
        {"noise_variance": 0.003},
        {"noise_variance": 0.03},
        {"consistency_weight": 0.1},
        {"consistency_weight": 10.0},
        {"likelihood": "bernoulli"},
    ],
    "SimVAE": [
        {},
        {"noise_variance": 0.003},
        {"noise_variance": 0.03},
        {"style_variance": 0.5},
        {"n_views": 4, "batch_size": 128},
        {"likelihood": "bernoulli", "style_variance": 0.03},
    ],
    "InstanceDiscrimination": [
        {},
        {"temperature": 0.2},
        {"temperature": 0.1},
        {"lr": 1e-3},
        {"projection_sizes": (256, 128)},
        {"batch_size": 512},
    ],
    "DeepCluster": [
        {},
        {"n_clusters": 30},
        {"n_clusters": 300},
        {"temperature": 0.3},
        {"lr": 1e-3},
        {"projection_sizes": (256, 128)},
    ],
    "SwAV": [
        {},
        {"n_prototypes": 100},
        {"n_prototypes": 10},
        {"temperature": 0.2},
        {"lr": 3e-3},
        {"projection_sizes": (256, 128)},
    ],
    "SimCLR": [
        {},
        {"temperature": 0.2},
        {"temperature": 0.5},
        {"lr": 1e-3},
        {"projection_sizes": (256, 128)},
        {"batch_size": 256},
    ],
    "VICReg": [
        {},
        {"covariance_weight": 5.0},
        {"covariance_weight": 25.0},
        {"lr": 3e-3},
        {"projection_sizes": (1024, 256)},
        {"batch_size": 512},
    ],
    "BarlowTwins": [
        {},
        {"redundancy_weight": 0.02},
        {"redundancy_weight": 0.1},
        {"lr": 3e-3},
        {"projection_sizes": (256, 128)},
        {"batch_size": 512},
    ],
    "SimSiam": [
        {},
        {"prediction_sizes": (256,)},
        {"prediction_lr_multiple": 30.0},
        {"lr": 3e-3},
        {"projection_sizes": (256, 128)},
        {"batch_size": 512},
    ],
    "BYOL": [
        {},
        {"target_decay": 0.97},
        {"target_decay": 0.996},
        {"lr": 1e-3},
        {"projection_sizes": (256, 128)},
        {"batch_size": 512},
    ],
}
# Variants: a class under settings that it always has. Without the projection head, the loss is on
# the representation itself. Under the Bernoulli likelihood the tie between views weighs more
# against the pixels; beta and the style variance are what simvae_map.py found at twelve epochs.
CANDIDATES["SimCLR (no head)"] = [
    {**settings, "projection_sizes": ()}
    for settings in [*CANDIDATES["SimCLR"][:4], CANDIDATES["SimCLR"][5], {"temperature": 1.0}]
]
CANDIDATES["VAE (Bernoulli)"] = [{"likelihood": "bernoulli", "beta": 0.3}]
CANDIDATES["SimVAE (Bernoulli)"] = [{"likelihood": "bernoulli", "style_variance": 0.03}]
METHODS = tuple(CANDIDATES)


def candidates(method, data):
    """Settings to choose from; where the data hold the views, their number is no choice."""
    for settings in CANDIDATES[method]:
        fixed_views = data == "sprites" and "n_views" in settings
        yield {"style_variance": 0.03} if fixed_views else settings


def plain_encoder(input_shape, n_outputs):
    """The paper's encoder as torch initialises it; a factory's first weights are left alone."""
    return nn.Sequential(nn.Flatten(), plain_mlp(math.prod(input_shape), 2000, 500, 500, n_outputs))


def plain_decoder(n_components, output_shape):
    """Its mirror image."""
    mlp = plain_mlp(n_components, 500, 500, 2000, math.prod(output_shape))
    return nn.Sequential(mlp, nn.Unflatten(1, tuple(output_shape)))


def plain_mlp(*sizes):
    layers = [nn.Linear(a, b) for a, b in itertools.pairwise(sizes)]
    between = [module for layer in layers[:-1] for module in (layer, nn.ReLU())]
    return nn.Sequential(*between, layers[-1])


def make_method(method, data, settings, epochs, seed):
    """An estimator that is not fitted; an epoch is one of two views of each row."""
    if method == "PCA":
        # It knows no views: each row is a sample.
        rows = FunctionTransformer(lambda X: X.reshape(-1, data.train.X.shape[1]))
        return make_pipeline(rows, PCA(data.n_components, random_state=seed))
    settings = dict(settings)
    n_components = settings.pop("n_components", data.n_components)
    augmentation = data.augmentation
    if settings.pop("start", "fitted") == "plain":
        settings |= {"encoder": plain_encoder, "decoder": plain_decoder}
    # Where the data hold the views, their number is no setting.
    n_views = settings.get("n_views", 2) if augmentation is not None else 2
    if "crop" in settings:
        augmentation = clone(augmentation)
        augmentation.set_params(randomresizedcrop__scale=(settings.pop("crop"), 1.0))
    return getattr(sklearn_simvae, method.split(" (")[0])(
        n_components,
        input_shape=data.input_shape,
        augmentation=augmentation,
        max_epochs=max(1, round(epochs * 2 / n_views)),
        random_state=seed,
        **{"encoder": data.encoder, **settings},
    )
