"""Uses of the public API, for a type checker to read: what it has to take, and to refuse.

Each `type: ignore` says what is wrong with its line; one that has nothing to ignore is an error.
"""

import numpy as np
import torch

from sklearn_simvae import (
    BYOL,
    CLIP,
    CRVAE,
    ContentStyleVAE,
    MultimodalSimVAE,
    SimCLR,
    SimVAE,
    SwAV,
    make_table_transformer,
)
from sklearn_simvae.datasets import make_sprites
from sklearn_simvae.evaluation import collapse_report, effective_rank
from sklearn_simvae.losses import nt_xent


def taken() -> None:
    SimVAE()
    SimVAE(3, lr=1e-3, hidden_layer_sizes=[64, 32], random_state=np.random.RandomState(0))
    SimVAE(prior_variance=None, noise_variance="learned", optimizer=torch.optim.AdamW, device="cpu")
    SimVAE(encoder=torch.nn.Linear(4, 20), augmentation=lambda x: x + 1, input_shape=(2, 2))
    ContentStyleVAE(n_content_components=2, representation="content", projection_layer_sizes=())
    CRVAE(beta=2.0, consistency_weight=0.5)
    SimCLR(temperature=0.2, projection_layer_sizes=64, chunk_size="auto", batch_size="auto")
    BYOL(predictor_lr_multiplier=2.0, lr_schedule="constant", callbacks=[("named", object())])
    SwAV(queue_size="auto", kind="image", channels="first")
    halves = [("a", "auto", [0, 1]), ("b", torch.nn.Identity(), slice(2, 4))]
    CLIP(modalities=halves, projection_layer_sizes=(8,), precision="bf16")
    MultimodalSimVAE(modalities=halves, noise_variance={"a": 1.0}, preprocessing=[("a", object())])
    print(SimVAE().lr + 1, SimCLR().chunk_size, CLIP().modalities)
    make_sprites(10, n_views=2, shapes=["star"])
    collapse_report(SimVAE(), [[0.0]], input_shape=(1,))
    make_table_transformer(SimVAE(), vectorizer="sklearn").fit([[0.0]])
    print(effective_rank([[0.0]]) + 1)
    nt_xent(torch.zeros(2, 2, 2), temperature=0.1)


def refused() -> None:
    SimVAE(lerning_rate=1)  # type: ignore[call-arg]
    SimVAE(lr="a")  # type: ignore[arg-type]
    SimVAE(style_variance=None)  # type: ignore[arg-type]
    SimVAE(kind="picture")  # type: ignore[arg-type]
    SimVAE(projection_layer_sizes=(8,))  # type: ignore[call-arg]
    CRVAE(beta="a")  # type: ignore[arg-type]
    SimCLR(decoder="mlp")  # type: ignore[call-arg]
    SimCLR(optimizer="adm")  # type: ignore[arg-type]
    BYOL(predictor_layer_sizes="a")  # type: ignore[arg-type]
    CLIP(chunk_size=8)  # type: ignore[call-arg]
    CLIP(n_views=2)  # type: ignore[call-arg]
    MultimodalSimVAE(input_shape=(8,))  # type: ignore[call-arg]
    make_table_transformer(SimVAE(), missing="mean")  # type: ignore[arg-type]
    make_sprites("a")  # type: ignore[arg-type]
    nt_xent(torch.zeros(2, 2, 2), tau=0.1)  # type: ignore[call-arg]
