"""Parameters of augmentations: defaults, ranges and their ends, and what is said of bad ones."""

import math

import numpy as np
import pytest
import torch
from documented import documented_defaults
from scipy import stats

from sklearn_simvae.views import augmentation as aug

INF, NAN = math.inf, math.nan
# A batch for each kind of augmentation, float64 so that few values are lost by rounding.
SHAPES = {2: (9,), 3: (2, 9), 4: (3, 8, 6)}


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def batch_for(augment, n=6):
    shape = (n, *SHAPES[augment._ndims[-1]])
    return torch.rand(shape, generator=seeded(1), dtype=torch.float64)


def share_of_rows(out, x):
    return (out != x).flatten(1).any(1).double().mean().item()


CLASSES = [
    *[aug.ColorJitter, aug.FeatureCorruption, aug.FeatureMasking, aug.GaussianBlur],
    *[aug.GaussianNoise, aug.Jitter, aug.RandomGrayscale, aug.RandomHorizontalFlip],
    *[aug.RandomResizedCrop, aug.RandomRotation, aug.RandomTranslation, aug.RandomVerticalFlip],
    *[aug.Scaling, aug.SeriesCrop],
]


@pytest.mark.parametrize("Augment", CLASSES)
def test_parameters_are_by_default_as_documented(Augment):
    assert Augment().get_params() == documented_defaults(Augment)


WITH_P = [
    *[aug.ColorJitter, aug.RandomGrayscale, aug.RandomHorizontalFlip, aug.RandomVerticalFlip],
    *[aug.GaussianBlur, aug.FeatureCorruption, aug.FeatureMasking],
]


@pytest.mark.parametrize("Augment", WITH_P)
def test_a_probability_of_zero_changes_nothing_even_where_zero_is_drawn(Augment, monkeypatch):
    blur = {"sigma": (1.0, 2.0)} if Augment is aug.GaussianBlur else {}
    augment = Augment(p=0.0, **blur)
    x = batch_for(augment)
    monkeypatch.setattr(
        torch, "rand", lambda shape, generator, **kwargs: torch.zeros(shape, **kwargs)
    )
    torch.testing.assert_close(augment(x), x, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "Augment",
    [aug.ColorJitter, aug.RandomHorizontalFlip, aug.RandomVerticalFlip, aug.GaussianBlur],
)
def test_a_share_p_of_the_rows_is_changed(Augment):
    augment = Augment(p=0.3)
    x = batch_for(augment, 3000)
    assert share_of_rows(augment(x, seeded()), x.clone()) == pytest.approx(0.3, abs=0.03)


def test_factors_of_rows_that_are_not_changed_are_those_of_the_identity():
    images = torch.rand(4, 3, 5, 5)
    _, factors = aug.ColorJitter(p=0.0).augment_with_factors(images, seeded())
    assert {name: set(drawn.tolist()) for name, drawn in factors.items()} == {
        "brightness": {1.0},
        "contrast": {1.0},
        "saturation": {1.0},
        "hue": {0.0},
    }
    _, factors = aug.GaussianBlur(p=0.0).augment_with_factors(images, seeded())
    assert set(factors["blur"].tolist()) == {0.0}


@pytest.mark.parametrize(
    ("augment", "name", "low", "high"),
    [
        (aug.RandomRotation(30), "angle", -30, 30),
        (aug.RandomRotation((10, 40)), "angle", 10, 40),
        (aug.RandomTranslation(0.2), "shift_x", -0.2, 0.2),
        (aug.RandomTranslation(0.2), "shift_y", -0.2, 0.2),
        (aug.ColorJitter(brightness=0.4), "brightness", 0.6, 1.4),
        (aug.ColorJitter(brightness=2.0), "brightness", 0.0, 3.0),
        (aug.ColorJitter(contrast=0.3), "contrast", 0.7, 1.3),
        (aug.ColorJitter(saturation=0.1), "saturation", 0.9, 1.1),
        (aug.ColorJitter(hue=0.1), "hue", -0.1, 0.1),
        (aug.GaussianBlur((0.5, 1.5), p=1.0), "blur", 0.5, 1.5),
        (aug.SeriesCrop((0.3, 0.6)), "length", 0.3, 0.6),
    ],
)
def test_factors_are_uniform_over_their_range(augment, name, low, high):
    _, factors = augment.augment_with_factors(batch_for(augment, 2000), seeded())
    drawn = factors[name].double()
    assert low - 1e-6 <= drawn.min() and drawn.max() <= high + 1e-6
    assert stats.kstest(drawn, "uniform", args=(low, high - low)).pvalue > 1e-3


def test_windows_of_series_lie_anywhere_inside():
    augment = aug.SeriesCrop((0.5, 0.5))
    _, factors = augment.augment_with_factors(batch_for(augment, 2000), seeded())
    assert stats.kstest(factors["start"].double(), "uniform", args=(0, 0.5)).pvalue > 1e-3


def test_crops_lie_anywhere_inside():
    augment = aug.RandomResizedCrop((0.25, 0.25), (1.0, 1.0))
    x = torch.rand(2000, 1, 8, 8, dtype=torch.float64)
    _, factors = augment.augment_with_factors(x, seeded())
    for side, center in (("width", "x"), ("height", "y")):
        torch.testing.assert_close(factors[side], torch.full((2000,), 0.5))
        assert stats.kstest(factors[center].double(), "uniform", args=(-0.5, 1)).pvalue > 1e-3


ENDS = [
    *[aug.RandomResizedCrop(s, r) for s, r in [((1, 1), (1, 1)), ((1e-3, 1e-3), (1e-2, 1e-2))]],
    *[Augment(p=p) for Augment in WITH_P for p in (0, 1)],
    *[aug.RandomRotation(d) for d in (0, 400, (-10, -10), (-720, 720.0))],
    *[aug.RandomTranslation(f) for f in (0, 1)],
    *[aug.ColorJitter(brightness=v, contrast=v, saturation=v) for v in (0, 5)],
    *[aug.ColorJitter(hue=h) for h in (0, 0.5)],
    *[aug.GaussianBlur(sigma=s) for s in [(0, 0), (0, 1), (3, 3)]],
    *[aug.GaussianNoise(0), aug.GaussianNoise(1, clip=(0, 0)), aug.GaussianNoise(1, clip=(-2, -1))],
    *[aug.FeatureMasking(value=v) for v in (-3, 1e300)],
    *[aug.Jitter(0), aug.Scaling(0), aug.SeriesCrop((1, 1)), aug.SeriesCrop((1e-3, 1))],
]


@pytest.mark.parametrize("augment", ENDS, ids=str)
def test_ends_of_the_ranges_are_taken(augment):
    x = batch_for(augment)
    out = augment(x, seeded())
    assert out.shape == x.shape and out.isfinite().all()


@pytest.mark.parametrize(
    ("bad", "given", "expected"),
    [
        (aug.RandomResizedCrop(scale=(0.9, 0.2)), "scale=(0.9, 0.2)", "with 0 < a <= b <= 1;"),
        (aug.RandomResizedCrop(scale=0.5), "scale=0.5", "with 0 < a <= b <= 1;"),
        (aug.RandomResizedCrop(scale=(0, 1)), "scale=(0, 1)", "with 0 < a <= b <= 1;"),
        (aug.RandomResizedCrop(ratio=(2, 1)), "ratio=(2, 1)", "with 0 < a <= b;"),
        (aug.RandomResizedCrop(ratio=(1, True)), "ratio=(1, True)", "with 0 < a <= b;"),
        (aug.GaussianBlur(sigma=(2, 1)), "sigma=(2, 1)", "with 0 <= a <= b;"),
        (aug.GaussianBlur(sigma=(-1, 1)), "sigma=(-1, 1)", "with 0 <= a <= b;"),
        (aug.GaussianNoise(clip=(1, 0)), "clip=(1, 0)", "with a <= b;"),
        (aug.GaussianNoise(clip=(0, INF)), "clip=(0, inf)", "with a <= b;"),
        (aug.RandomRotation((30, 10)), "degrees=(30, 10)", "with a <= b;"),
        (aug.RandomRotation(-1), "degrees=-1", "a finite number >= 0;"),
        (aug.SeriesCrop((0.5, 2)), "scale=(0.5, 2)", "with 0 < a <= b <= 1;"),
        (aug.ColorJitter(hue=0.6), "hue=0.6", "a number in [0, 0.5];"),
        (aug.ColorJitter(contrast=-0.1), "contrast=-0.1", "a finite number >= 0;"),
        (aug.RandomTranslation(1.01), "fraction=1.01", "a number in [0, 1];"),
        *[(Augment(p=1.01), "p=1.01", "a number in [0, 1];") for Augment in WITH_P],
        *[(Augment(p=True), "p=True", "a number in [0, 1];") for Augment in WITH_P],
        (aug.Jitter(INF), "scale=inf", "a finite number >= 0;"),
        (aug.Scaling("1"), "scale='1'", "a finite number >= 0;"),
        (aug.GaussianNoise(-1), "scale=-1", "a finite number >= 0;"),
        (aug.FeatureMasking(value=NAN), "value=nan", "a finite number;"),
        (aug.PerView([]), "steps=[]", "at least one augmentation;"),
    ],
    ids=str,
)
def test_messages_say_what_was_given_and_what_is_expected(bad, given, expected):
    with pytest.raises(ValueError, match=type(bad).__name__) as error:
        bad.validate()
    message = str(error.value)
    assert f"was given {given} but expects " in message and f"{expected} " in message
    # What was expected, and then what to do.
    advice = message.rpartition("; ")[2]
    assert len(advice.split()) > 2 and advice.endswith(".")


def test_messages_about_batches_say_their_shape_and_the_shapes_that_are_taken():
    for augment, shape, expected in [
        (aug.RandomRotation(), (3, 8, 8), "images of shape (N, C, H, W)"),
        (aug.Jitter(), (3, 8), "series of shape (N, channels, length)"),
        (aug.FeatureMasking(), (3, 8, 8), "vectors of shape (N, d)"),
        (aug.GaussianNoise(), (8,), "vectors of shape (N, d) or series of shape"),
    ]:
        with pytest.raises(ValueError, match=type(augment).__name__) as error:
            augment(torch.zeros(shape))
        assert expected in str(error.value) and f"given shape {shape}" in str(error.value)
        assert f"for {len(shape)}-dimensional batches" in str(error.value)
    with pytest.raises(ValueError, match="Jitter takes a batch but was given a single number"):
        aug.Jitter()(torch.tensor(1.0))
    with pytest.raises(ValueError, match=r"ColorJitter takes .* given shape \(2, 5, 4, 4\)"):
        aug.ColorJitter()(torch.zeros(2, 5, 4, 4))
    with pytest.raises(ValueError, match=r"RandomRotation was given 5 views.* of 2 views each"):
        aug.RandomRotation().augment_views(torch.zeros(5, 1, 4, 4), 2)
    with pytest.raises(TypeError, match="Jitter takes a torch tensor but was given list"):
        aug.Jitter()([[1.0]])


def test_messages_about_steps_say_which_and_what_they_returned():
    def halve(x):
        return x[:2]

    def to_numpy(x):
        return x.numpy()

    x = torch.zeros(4, 1, 5, 5)
    with pytest.raises(ValueError, match=r"halve.* returned \(2, 1, 5, 5\) .*shape \(4, 1, 5, 5\)"):
        aug.Compose([halve])(x)
    with pytest.raises(ValueError, match=r"to_numpy.* returned ndarray for"):
        aug.Compose([to_numpy])(x)
    with pytest.raises(ValueError, match=r"PerView was given 3 as step 'mine'"):
        aug.PerView([("mine", 3)]).validate()


def test_default_augmentations_have_the_documented_parameters():
    jitter, crop = aug.default_augmentation("image", 4).steps
    widths = dict.fromkeys(("brightness", "contrast", "saturation"), 0.8)
    assert jitter.get_params() == {**widths, "hue": 0.2, "p": 1.0}
    assert crop.scale == (0.6, 1.0)
    assert aug.default_augmentation("image").scale == (0.4, 1.0)
    assert aug.default_augmentation("image", 2).scale == (0.4, 1.0)
    series = aug.default_augmentation("series").steps
    assert str(series) == str([aug.Jitter(), aug.Scaling(), aug.SeriesCrop()])


@pytest.mark.parametrize("sigma", [0.4, 1.3])
def test_a_blur_weighs_pixels_by_a_gaussian_up_to_three_sigma(sigma):
    dot = torch.zeros(1, 1, 17, 17, dtype=torch.float64)
    dot[0, 0, 8, 8] = 1.0
    radius = math.ceil(3 * sigma)
    weights = np.exp(-((np.arange(17) - 8.0) ** 2) / (2 * sigma**2))
    weights[np.abs(np.arange(17) - 8) > radius] = 0
    weights /= weights.sum()
    out = aug.GaussianBlur((sigma, sigma), p=1.0)(dot)
    np.testing.assert_allclose(out[0, 0], np.outer(weights, weights), atol=1e-12)


def test_noise_is_as_wide_as_asked_and_of_mean_zero():
    for augment in (aug.GaussianNoise(0.3), aug.Jitter(0.3)):
        x = torch.rand(50, 2, 500, generator=seeded(1), dtype=torch.float64)
        noise = augment(x, seeded()) - x
        assert stats.kstest(noise.ravel() / 0.3, "norm").pvalue > 1e-3


def test_scaling_multiplies_by_normal_draws_around_one():
    x = torch.ones(2000, 2, 3, dtype=torch.float64)
    factors = aug.Scaling(0.2)(x, seeded())[:, :, 0]
    assert stats.kstest((factors.ravel() - 1) / 0.2, "norm").pvalue > 1e-3


def test_steps_and_their_parameters_may_be_set_in_one_call():
    compose = aug.Compose([aug.ColorJitter()])
    compose.set_params(steps=[aug.RandomRotation(), aug.GaussianBlur()], randomrotation__degrees=5)
    assert [type(step) for step in compose.steps] == [aug.RandomRotation, aug.GaussianBlur]
    assert compose.steps[0].degrees == 5
    compose.set_params(steps=[("turn", aug.RandomRotation())], turn="passthrough")
    assert compose.steps == [("turn", "passthrough")]


def test_what_a_foreign_step_returns_gets_the_type_of_the_batch_before_the_next_step():
    seen = []

    def spy(x):
        seen.append(x.dtype)
        return x

    for step in (torch.Tensor.double, torch.Tensor.half):
        assert aug.Compose([step, spy])(torch.rand(4, 1, 5, 5)).dtype == torch.float32
    assert seen == [torch.float32] * 2


def test_an_augmentation_of_ones_own_that_returns_no_batch_is_told():
    class Halved(aug.Augmentation):
        def _transform(self, x, generator):
            return x[:2]

    class AsArray(aug.Augmentation):
        def _transform(self, x, generator):
            return x.numpy()

    x = torch.zeros(4, 3)
    for augment in (Halved(), aug.Compose([Halved()])):
        with pytest.raises(ValueError, match=r"Halved returned \(2, 3\) .*the same shape"):
            augment(x)
    with pytest.raises(ValueError, match=r"AsArray returned ndarray for a batch of shape \(4, 3\)"):
        AsArray()(x)


def test_images_are_pixels_where_nothing_is_known_of_the_data():
    x = torch.rand(4, 1, 5, 5, generator=seeded()).mul(255).round().div(255)
    out = aug.Compose([lambda x: (x * 255).round().to(torch.uint8)])(x)
    torch.testing.assert_close(out, x)
    with pytest.raises(ValueError, match=r"returned torch.uint8.* scale of the data"):
        aug.Compose([torch.Tensor.byte])(x.flatten(1))


@pytest.mark.parametrize("kind", [aug.Compose, aug.PerView])
def test_steps_of_one_kind_keep_their_names_when_one_is_replaced(kind):
    steps = kind([aug.RandomRotation(degrees) for degrees in (1.0, 2.0, 3.0)])
    names = [name for name, _ in steps._named_steps()]
    steps.set_params(**{names[0]: None, f"{names[2]}__degrees": 9.0})
    steps.set_params(**{f"{names[1]}__degrees": 5.0, names[0]: aug.RandomHorizontalFlip()})
    steps.validate()
    assert [name for name, _ in steps._named_steps()] == names
    assert [steps.get_params()[f"{name}__degrees"] for name in names[1:]] == [5.0, 9.0]
