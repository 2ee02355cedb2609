"""Scale and type of what augmentations of others return."""

import numpy as np
import pytest
import torch
from augmentations import seeded
from made_samples import WHICH, samples_of, values, views_of

from sklearn_simvae.views import Compose, MultiView
from sklearn_simvae.views import augmentation as aug
from sklearn_simvae.views.augmentation import Augmentation


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


class AsPixels(Augmentation):
    """Return uint8, as steps of other packages do."""

    def _transform(self, x, generator):
        return as_pixels(x)


def as_pixels(x):
    return (x * 255).round().to(torch.uint8)


RETURNED = {
    "callable": lambda give: give,
    "step": lambda give: Compose([give, torch.Tensor.double]),
    "view": lambda give: MultiView([None, give]),
    "nested": lambda give: MultiView([Compose([("own", give)])]),
    "in a callable": lambda give: lambda x: Compose([give])(x),
}
every_way = pytest.mark.parametrize("wrap", RETURNED.values(), ids=RETURNED)


@every_way
@pytest.mark.parametrize("give", [as_pixels, AsPixels()], ids=["foreign", "own"])
def test_pixels_that_an_augmentation_returns_are_scaled_as_those_it_was_given(wrap, give):
    samples = samples_of(values(6, 9, 9).astype(np.uint8), (9, 9))
    views = views_of(samples, WHICH, 2, wrap(give))
    assert views.dtype == torch.float32
    torch.testing.assert_close(views, views_of(samples, WHICH, 2), rtol=0, atol=1e-7)


@every_way
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.bool])
@pytest.mark.parametrize("pixels", [True, False])
def test_numbers_of_any_width_that_an_augmentation_returns_become_float32(wrap, dtype, pixels):
    X = 255 * (values(6, 9, 9) % 2).astype(np.uint8)
    samples = samples_of(X if pixels else X / 255.0, (9, 9))
    views = views_of(samples, WHICH, 2, wrap(lambda x: x.to(dtype)))
    assert views.dtype == torch.float32
    assert torch.equal(views, views_of(samples, WHICH, 2))


@every_way
def test_whole_numbers_that_an_augmentation_returns_are_taken_as_they_are(wrap):
    samples = samples_of(values(6, 5).astype(np.float32))
    views = views_of(samples, WHICH, 2, wrap(torch.Tensor.long))
    assert torch.equal(views, views_of(samples, WHICH, 2))


@every_way
@pytest.mark.parametrize(
    ("shape", "dtype", "returned"),
    [
        ((6, 5), "f4", torch.uint8),
        ((6, 9, 9), "f4", torch.uint8),
        ((6, 20, 2), "f4", torch.uint8),
        ((6, 9, 9), "u1", torch.int64),
        ((6, 5), "f4", torch.complex64),
        ((6, 9, 9), "u1", torch.complex64),
    ],
)
def test_numbers_whose_scale_is_not_clear_are_refused(wrap, shape, dtype, returned):
    samples = samples_of(values(*shape).astype(dtype), shape[1:])
    match = f"returned {returned}.* expected floats on .*Convert what it returns"
    with pytest.raises(ValueError, match=match):
        views_of(samples, WHICH, 2, wrap(lambda x: x.to(returned)))
