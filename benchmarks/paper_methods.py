"""The methods of paper.py, and the settings that each may choose from."""

from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import sklearn_simvae

# As many candidates for every method; the first are the defaults. A likelihood's noise and the
# weights of the VAEs are searched as much as SimVAE's style.
CANDIDATES = {
    "PCA": [{}],
    "VAE": [
        {},
        {"noise_variance": 0.003},
        {"noise_variance": 0.03},
        {"noise_variance": "learned"},
        {"beta": 0.3},
        {"likelihood": "bernoulli"},
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
        {"style_variance": 0.03},
        {"style_variance": 0.5},
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
# Without the projection head, the loss is on the representation itself.
NO_HEAD = " (no head)"
CANDIDATES["SimCLR" + NO_HEAD] = [
    {**settings, "projection_sizes": ()}
    for settings in [*CANDIDATES["SimCLR"][:4], CANDIDATES["SimCLR"][5], {"temperature": 1.0}]
]
METHODS = tuple(CANDIDATES)


def make_method(method, data, settings, epochs, seed):
    """An estimator that is not fitted."""
    if method == "PCA":
        # It knows no views: each row is a sample.
        rows = FunctionTransformer(lambda X: X.reshape(-1, data.train.X.shape[1]))
        return make_pipeline(rows, PCA(data.n_components, random_state=seed))
    settings = dict(settings)
    n_components = settings.pop("n_components", data.n_components)
    augmentation = data.augmentation
    if "crop" in settings:
        augmentation = clone(augmentation)
        augmentation.set_params(randomresizedcrop__scale=(settings.pop("crop"), 1.0))
    return getattr(sklearn_simvae, method.removesuffix(NO_HEAD))(
        n_components,
        encoder=data.encoder,
        input_shape=data.input_shape,
        augmentation=augmentation,
        max_epochs=epochs,
        random_state=seed,
        **settings,
    )
