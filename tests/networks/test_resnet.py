"""ResNet-18, its published weights, and the decoder that mirrors it."""

import pickle
from functools import partial

import numpy as np
import pytest
import torch
from made_networks import decoder_of, encoder_of, n_parameters
from torch import nn
from torch.nn import functional

from sklearn_simvae import SimCLR
from sklearn_simvae.networks import resnet18_encoder

WIDTHS = (64, 128, 256, 512)


def convolution(name, n_in, n_out, size, generator):
    scale = (n_out * size**2 / 2) ** -0.5
    return {f"{name}.weight": scale * torch.randn(n_out, n_in, size, size, generator=generator)}


def normalization(name, n, generator):
    return {
        f"{name}.weight": 0.5 + torch.rand(n, generator=generator),
        f"{name}.bias": 0.1 * torch.randn(n, generator=generator),
        f"{name}.running_mean": 0.1 * torch.randn(n, generator=generator),
        f"{name}.running_var": 0.5 + torch.rand(n, generator=generator),
        f"{name}.num_batches_tracked": torch.tensor(7),
    }


def published():
    """Return random tensors with the names and shapes of torchvision's resnet18."""
    rng = torch.Generator().manual_seed(0)
    weights = convolution("conv1", 3, 64, 7, rng) | normalization("bn1", 64, rng)
    n_in = 64
    for i, width in enumerate(WIDTHS, 1):
        for j in range(2):
            block = f"layer{i}.{j}"
            weights |= convolution(f"{block}.conv1", n_in, width, 3, rng)
            weights |= normalization(f"{block}.bn1", width, rng)
            weights |= convolution(f"{block}.conv2", width, width, 3, rng)
            weights |= normalization(f"{block}.bn2", width, rng)
            if n_in != width:
                weights |= convolution(f"{block}.downsample.0", n_in, width, 1, rng)
                weights |= normalization(f"{block}.downsample.1", width, rng)
            n_in = width
    weights |= {"fc.weight": torch.randn(1000, 512), "fc.bias": torch.randn(1000)}
    return weights


def published_features(x, weights):
    """Return the 512 features that torchvision's resnet18 computes in evaluation mode."""

    def normalized(x, name):
        parts = ("running_mean", "running_var", "weight", "bias")
        return functional.batch_norm(x, *(weights[f"{name}.{part}"] for part in parts))

    x = functional.conv2d(x, weights["conv1.weight"], stride=2, padding=3)
    x = functional.max_pool2d(normalized(x, "bn1").relu(), 3, stride=2, padding=1)
    for block in (f"layer{i}.{j}" for i in range(1, 5) for j in range(2)):
        down = f"{block}.downsample.0.weight" in weights
        y = functional.conv2d(x, weights[f"{block}.conv1.weight"], stride=1 + down, padding=1)
        y = normalized(y, f"{block}.bn1").relu()
        y = normalized(
            functional.conv2d(y, weights[f"{block}.conv2.weight"], padding=1), f"{block}.bn2"
        )
        if down:
            x = functional.conv2d(x, weights[f"{block}.downsample.0.weight"], stride=2)
            x = normalized(x, f"{block}.downsample.1")
        x = (x + y).relu()
    return x.mean((2, 3))


def standardized(x):
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return (x - mean[:, None, None]) / std[:, None, None]


def test_resnet18_takes_a_batch_of_one_in_eval_mode():
    assert encoder_of("resnet18", "image", (3, 8, 8)).eval()(torch.rand(1, 3, 8, 8)).shape == (1, 5)


@pytest.mark.parametrize(
    ("size", "n_trunk", "grid"),
    [((32, 32), 11_168_832, 4), ((63, 90), 11_168_832, 8), ((64, 64), 11_176_512, 2)],
)
def test_resnet18_is_the_standard_network(size, n_trunk, grid):
    encoder = encoder_of("resnet18", "image", (3, *size), n_outputs=10)
    # With the classifier of 513,000 weights, published networks have 11,689,512.
    assert n_parameters(encoder[:-1]) == n_trunk
    assert sum(isinstance(module, nn.Conv2d) for module in encoder.modules()) == 17 + 3
    assert encoder[:-3].eval()(torch.rand(1, 3, *size)).shape[:3] == (1, 512, grid)


@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 15, 18), (3, 64, 64), (12, 65, 90), (1, 40, 70)])
def test_resnet18_restores_the_exact_size_of_images(shape):
    assert decoder_of("resnet18", "image", shape)(torch.randn(2, 4)).shape == (2, *shape)


def test_the_decoder_of_large_images_has_few_channels_at_full_size():
    decoder = decoder_of("resnet18", "image", (3, 64, 64))
    widths = {}
    for module in decoder.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(
                lambda m, x, y: widths.setdefault(y.shape[-1], []).append(m.in_channels)
            )
    decoder(torch.randn(1, 4))
    assert max(widths) == 64 and widths[64] == [16]


@pytest.mark.parametrize("shape", [(3, 64, 64), (3, 65, 97)])
def test_published_weights_give_the_published_features(shape):
    weights, x = published(), torch.rand(2, *shape)
    encoder = resnet18_encoder(shape, 5, weights).eval()
    features = encoder[:-1](x)
    torch.testing.assert_close(features, published_features(standardized(x), weights))
    assert encoder(x).shape == (2, 5)
    assert set(weights) - {"fc.weight", "fc.bias"} == {
        name for name in published() if not name.startswith("fc.")
    }


def test_published_weights_are_read_from_a_file_by_an_estimator(tmp_path):
    weights = published()
    torch.save(weights, tmp_path / "resnet18.pth")
    encoder = partial(resnet18_encoder, weights=tmp_path / "resnet18.pth")
    X = np.random.default_rng(0).integers(256, size=(4, 3, 64, 64)).astype(np.uint8)
    model = SimCLR(encoder=encoder, lr=1e-12, max_epochs=1, batch_size=4, random_state=0).fit(X)
    # So small a learning rate leaves the weights of the file as they are.
    stem = model.encoder_[1].weight.detach().cpu()
    torch.testing.assert_close(stem, weights["conv1.weight"])
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.transform(X), model.transform(X))


def test_older_files_of_weights_do_not_count_batches():
    weights = {k: v for k, v in published().items() if not k.endswith("num_batches_tracked")}
    x = torch.rand(1, 3, 64, 64)
    found = resnet18_encoder((3, 64, 64), 5, weights).eval()[:-1](x)
    torch.testing.assert_close(found, published_features(standardized(x), weights))


BAD_WEIGHTS = {
    "gray images": ((1, 64, 64), published, "for images of 3 channels.*got .1, 64, 64."),
    "small images": ((3, 64, 63), published, "at least 64 pixels on both sides.*Resize"),
    "another network": (
        (3, 64, 64),
        lambda: {"features.0.weight": torch.zeros(1)},
        "lack .* such as 'bn1.bias'.*are 1 tensors such as 'features.0.weight'",
    ),
    "a deeper network": (
        (3, 64, 64),
        lambda: published() | {"layer1.2.conv1.weight": torch.zeros(64, 64, 3, 3)},
        "are 1 tensors such as 'layer1.2.conv1.weight'",
    ),
    "other shapes": (
        (3, 64, 64),
        lambda: published() | {"conv1.weight": torch.zeros(64, 1, 7, 7)},
        "not those of a ResNet-18.*size mismatch",
    ),
}


@pytest.mark.parametrize("case", BAD_WEIGHTS.values(), ids=BAD_WEIGHTS)
def test_weights_that_do_not_fit_are_refused(case):
    shape, weights, message = case
    with pytest.raises(ValueError, match=f"(?s){message}"):
        resnet18_encoder(shape, 5, weights())
