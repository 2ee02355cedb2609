"""Networks that stand in for pretrained ones, and for the libraries that have them."""

import types

import torch
from torch import nn


class Convolutions(nn.Module):
    """A network like those of timm: convolutions with batch normalization, pooling and dropout."""

    def __init__(self, n_channels=3, n_features=6, seed=0):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.stem = nn.Conv2d(n_channels, 4, 3, padding=1)
            self.norm = nn.BatchNorm2d(4)
            self.body = nn.Sequential(nn.ReLU(), nn.Conv2d(4, n_features, 3, stride=2))
            self.dropout = nn.Dropout(0.5)
            nn.init.normal_(self.norm.running_mean)

    def forward(self, x):
        return self.dropout(self.body(self.norm(self.stem(x))).mean((2, 3)))


class Tokens(nn.Module):
    """A network that gives tokens, the first of which is of all of the image."""

    def __init__(self, image_size=8, width=5):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.patches = nn.Conv2d(3, width, 4, stride=4)
            self.position = nn.Parameter(torch.randn(1, (image_size // 4) ** 2, width))
            self.norm = nn.LayerNorm(width)

    def forward(self, x):
        x = self.patches(x).flatten(2).mT + self.position
        return self.norm(torch.cat([x.mean(1, keepdim=True), x], 1))


def fake_timm(**models):
    """A library with the functions of timm that are called, and these models."""

    def create_model(name, pretrained=False, num_classes=1000):
        assert num_classes == 0
        return models[name.partition(".")[0]]()

    def load_checkpoint(module, path, strict=True):
        return module.load_state_dict(torch.load(path, weights_only=True), strict=strict)

    return types.SimpleNamespace(
        create_model=create_model,
        is_model=lambda name: name in models,
        list_models=lambda: list(models),
        get_pretrained_cfg=lambda name: types.SimpleNamespace(hf_hub_id=f"timm/{name}.a_tag"),
        models=types.SimpleNamespace(load_checkpoint=load_checkpoint),
    )


def with_config(module, **config):
    module.pretrained_cfg = config
    return module
