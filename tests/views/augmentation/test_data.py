"""Scale and type of what augmentations of others return."""

import pytest
import torch
from augmentations import seeded

from sklearn_simvae.views import augmentation as aug


def test_what_a_foreign_step_returns_gets_the_type_of_the_batch_before_the_next_step():
    seen = []

    def spy(x):
        seen.append(x.dtype)
        return x

    for step in (torch.Tensor.double, torch.Tensor.half):
        assert aug.Compose([step, spy])(torch.rand(4, 1, 5, 5)).dtype == torch.float32
    assert seen == [torch.float32] * 2


def test_images_are_pixels_where_nothing_is_known_of_the_data():
    x = torch.rand(4, 1, 5, 5, generator=seeded()).mul(255).round().div(255)
    out = aug.Compose([lambda x: (x * 255).round().to(torch.uint8)])(x)
    torch.testing.assert_close(out, x)
    with pytest.raises(ValueError, match=r"returned torch.uint8.* scale of the data"):
        aug.Compose([torch.Tensor.byte])(x.flatten(1))
