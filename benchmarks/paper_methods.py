"""Methods of paper.py with the values of all parameters, and the settings to choose from."""

import hashlib
import itertools
import json
import math

from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from torch import nn

import sklearn_simvae
from sklearn_simvae.training import ResumeCheckpoint

# The value of every parameter that no candidate sets, so that a later change of a default of the
# package changes no fit.
SHARED = {
    "hidden_layer_sizes": (2000, 500, 500),
    "representation": "latent",
    "n_views": 2,
    "lr": 1e-3,
    "weight_decay": 0.0,
    "optimizer": "adam",
    "lr_schedule": "one_cycle",
    "early_stopping": False,
    "validation_fraction": 0.1,
    "n_iter_no_change": 10,
    "precision": "auto",
    "compile": False,
}
GENERATIVE = {
    **SHARED,
    "decoder": "auto",
    "noise_variance": 0.01,
    "likelihood": "auto",
    "lr": 2e-3,
}
DISCRIMINATIVE = {**SHARED, "chunk_size": "auto"}
WIDE_HEAD = {"projection_layer_sizes": (1024, 256)}
DEFAULTS = {
    "VAE": {**GENERATIVE, "beta": 1.0},
    "CRVAE": {**GENERATIVE, "beta": 1.0, "consistency_weight": 1.0},
    "SimVAE": {**GENERATIVE, "style_variance": 0.15, "prior_variance": 1.0},
    "ContentStyleVAE": {
        **GENERATIVE,
        "n_content_components": "auto",
        "content_correlation": 0.99,
        "style_correlation": 0.01,
        "contrast_weight": "auto",
        "temperature": 0.2,
        "projection_layer_sizes": (256, 128),
    },
    "InstanceDiscrimination": {
        **DISCRIMINATIVE,
        **WIDE_HEAD,
        "lr": 3e-3,
        "temperature": 0.5,
        "memory_bank": "auto",
        "memory_momentum": 0.5,
        "n_negatives": 4096,
    },
    "DeepCluster": {
        **DISCRIMINATIVE,
        **WIDE_HEAD,
        "lr": 3e-3,
        "n_clusters": 100,
        "temperature": 0.1,
    },
    "SwAV": {
        **DISCRIMINATIVE,
        "projection_layer_sizes": (64, 64),
        "n_prototypes": 30,
        "temperature": 0.1,
        "epsilon": 0.05,
        "n_sinkhorn_iterations": 3,
        "n_global_views": 2,
        "queue_size": "auto",
    },
    "SimCLR": {
        **DISCRIMINATIVE,
        **WIDE_HEAD,
        "lr": 3e-3,
        "temperature": 0.1,
    },
    "VICReg": {
        **DISCRIMINATIVE,
        "projection_layer_sizes": (256, 128),
        "invariance_weight": 25.0,
        "variance_weight": 25.0,
        "covariance_weight": 1.0,
    },
    "BarlowTwins": {**DISCRIMINATIVE, **WIDE_HEAD, "redundancy_weight": 0.005},
    "SimSiam": {
        **DISCRIMINATIVE,
        **WIDE_HEAD,
        "predictor_layer_sizes": (32,),
        "predictor_lr_multiplier": 10.0,
    },
    "BYOL": {
        **DISCRIMINATIVE,
        **WIDE_HEAD,
        "lr": 3e-3,
        "predictor_layer_sizes": (256,),
        "predictor_lr_multiplier": 10.0,
        "target_momentum": 0.99,
    },
}
# Samples of a batch (fewer on small sets, for 20 steps an epoch), whose negatives are in the batch.
LARGEST_BATCH = {"SimCLR": 512}
STEPS_PER_EPOCH = 20
# Parameters that no result depends on, those that a run has by itself, and those that say how a
# table is read, which none of the data is.
# Names of before in the digests of recorded rows, which a new name of a parameter is not to change.
RECORDED_NAMES = {
    "projection_layer_sizes": "projection_sizes",
    "predictor_layer_sizes": "prediction_sizes",
    "predictor_lr_multiplier": "prediction_lr_multiple",
    "target_momentum": "target_decay",
}
NO_SETTING = (
    "callbacks",
    "channels",
    "device",
    "group_column",
    "kind",
    "random_state",
    "verbose",
    "warm_start",
)

# Every method has the same number of candidates; the first is its default. Likelihoods, noise and
# weights of the VAEs are searched as much as the style variance of SimVAE.
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
    # One set of settings for all data.
    "ContentStyleVAE": [{}],
    "InstanceDiscrimination": [
        {},
        {"temperature": 0.2},
        {"temperature": 0.1},
        {"lr": 1e-3},
        {"projection_layer_sizes": (256, 128)},
        {"batch_size": 512},
    ],
    "DeepCluster": [
        {},
        {"n_clusters": 30},
        {"n_clusters": 300},
        {"temperature": 0.3},
        {"lr": 1e-3},
        {"projection_layer_sizes": (256, 128)},
    ],
    "SwAV": [
        {},
        {"n_prototypes": 100},
        {"n_prototypes": 10},
        {"temperature": 0.2},
        {"lr": 3e-3},
        {"projection_layer_sizes": (256, 128)},
    ],
    "SimCLR": [
        {},
        {"temperature": 0.2},
        {"temperature": 0.5},
        {"lr": 1e-3},
        {"projection_layer_sizes": (256, 128)},
        {"batch_size": 256},
    ],
    "VICReg": [
        {},
        {"covariance_weight": 5.0},
        {"covariance_weight": 25.0},
        {"lr": 3e-3},
        {"projection_layer_sizes": (1024, 256)},
        {"batch_size": 512},
    ],
    "BarlowTwins": [
        {},
        {"redundancy_weight": 0.02},
        {"redundancy_weight": 0.1},
        {"lr": 3e-3},
        {"projection_layer_sizes": (256, 128)},
        {"batch_size": 512},
    ],
    "SimSiam": [
        {},
        {"predictor_layer_sizes": (256,)},
        {"predictor_lr_multiplier": 30.0},
        {"lr": 3e-3},
        {"projection_layer_sizes": (256, 128)},
        {"batch_size": 512},
    ],
    "BYOL": [
        {},
        {"target_momentum": 0.97},
        {"target_momentum": 0.996},
        {"lr": 1e-3},
        {"projection_layer_sizes": (256, 128)},
        {"batch_size": 512},
    ],
}
# Variants: a class under settings that it always has. Without the projection head, the loss is on
# the representation itself. Under the Bernoulli likelihood the tie between views weighs more
# against the pixels; beta and the style variance are what simvae_map.py found at twelve epochs.
CANDIDATES["SimCLR (no head)"] = [
    {**settings, "projection_layer_sizes": ()}
    for settings in [*CANDIDATES["SimCLR"][:4], CANDIDATES["SimCLR"][5], {"temperature": 1.0}]
]
CANDIDATES["VAE (Bernoulli)"] = [{"likelihood": "bernoulli", "beta": 0.3}]
CANDIDATES["SimVAE (Bernoulli)"] = [{"likelihood": "bernoulli", "style_variance": 0.03}]
# The union that a user could make without ContentStyleVAE, with as many numbers in all. Each half
# has the settings that were chosen for it by itself.
UNION = "SimCLR + VAE"
CANDIDATES[UNION] = [{}]
METHODS = tuple(CANDIDATES)


def candidates(method, data):
    """Return the settings to choose from; without n_views if the data hold the views."""
    for settings in CANDIDATES[method]:
        fixed_views = data == "sprites" and "n_views" in settings
        yield {"style_variance": 0.03} if fixed_views else settings


def plain_encoder(input_shape, n_outputs):
    """Make the paper's encoder with torch's first weights, which a factory keeps."""
    return nn.Sequential(nn.Flatten(), plain_mlp(math.prod(input_shape), 2000, 500, 500, n_outputs))


def plain_decoder(n_components, output_shape):
    """Make the mirror image of the encoder."""
    mlp = plain_mlp(n_components, 500, 500, 2000, math.prod(output_shape))
    return nn.Sequential(mlp, nn.Unflatten(1, tuple(output_shape)))


def plain_mlp(*sizes):
    layers = [nn.Linear(a, b) for a, b in itertools.pairwise(sizes)]
    between = [module for layer in layers[:-1] for module in (layer, nn.ReLU())]
    return nn.Sequential(*between, layers[-1])


def make_method(method, data, settings, epochs, seed, checkpoint=None):
    """Make an estimator that is not fitted; an epoch has two views of each row.

    A fit that is interrupted continues from the file `checkpoint`.
    """
    if method == "PCA":
        # PCA does not know views: each row is a sample.
        rows = FunctionTransformer(lambda X: X.reshape(-1, data.train.X.shape[1]))
        return make_pipeline(rows, PCA(data.n_components, random_state=seed))
    if method == UNION:
        halves = []
        for name in method.split(" + "):
            own = {"n_components": data.n_components // 2, **settings.get(name, {})}
            file = checkpoint and checkpoint.with_suffix(f".{name}")
            halves.append((name, make_method(name, data, own, epochs, seed, file)))
        return FeatureUnion(halves)
    name = method.split(" (")[0]
    settings = {**DEFAULTS[name], "n_components": data.n_components, **settings}
    augmentation = data.augmentation
    if settings.pop("start", "fitted") == "plain":
        settings |= {"encoder": plain_encoder, "decoder": plain_decoder}
    # If the data hold the views, their number is no setting.
    n_views = settings["n_views"] if augmentation is not None else 2
    if "crop" in settings:
        augmentation = clone(augmentation)
        augmentation.set_params(randomresizedcrop__scale=(settings.pop("crop"), 1.0))
    batch_size = min(LARGEST_BATCH.get(name, 256), len(data.fit_on) // STEPS_PER_EPOCH)
    return getattr(sklearn_simvae, name)(
        input_shape=data.input_shape,
        augmentation=augmentation,
        max_epochs=max(1, round(epochs * 2 / n_views)),
        random_state=seed,
        callbacks=checkpoint and [ResumeCheckpoint(checkpoint)],
        **{"encoder": data.encoder, "batch_size": batch_size, **settings},
    )


def parameters_digest(estimator):
    """Compute a digest of all parameters of an estimator, also of defaults."""
    text = json.dumps(_plain(estimator), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _plain(value):
    if hasattr(value, "get_params"):
        parameters = value.get_params(deep=False)
        counting = {
            RECORDED_NAMES.get(k, k): _plain(v)
            for k, v in parameters.items()
            if k not in NO_SETTING
        }
        return {"class": type(value).__name__, **counting}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value.__name__ if callable(value) else value
