"""What every augmentation keeps to: draws, types, factors, parameters, and what it refuses."""

import pickle

import numpy as np
import pytest
import torch
from augmentations import (
    EVERY,
    IMAGE,
    INF,
    NAMES,
    NAN,
    SERIES,
    SHAPES,
    VECTOR,
    WITH_P,
    YES_OR_NO,
    batch,
    batch_of,
    every,
    every_with_factors,
    seeded,
    share_of_rows,
    small_batch,
)
from conftest import NoSynchronization
from documented import documented_defaults
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from scipy import stats
from sklearn.base import clone

from sklearn_simvae.views import augmentation as aug


@every
def test_rows_get_draws_of_their_own(name):
    x = batch(1, *SHAPES[name]).expand(30, *SHAPES[name])
    if name == "corruption":
        x = x + torch.arange(30.0)[:, None]
        out = EVERY[name](x, seeded()) - x
    else:
        out = EVERY[name](x, seeded())
    assert len(out.flatten(1).unique(dim=0)) > (1 if "flip" in name else 10)


@every
def test_a_generator_reproduces_bit_for_bit_and_global_randomness_is_left(name):
    x = batch(8, *SHAPES[name])
    before = torch.get_rng_state()
    first = EVERY[name](x, seeded(3))
    assert torch.equal(first, EVERY[name](x, seeded(3)))
    assert torch.equal(torch.get_rng_state(), before)
    assert not torch.equal(first, EVERY[name](x, seeded(4)))


@every
def test_without_a_generator_the_global_one_draws(name):
    x = batch(8, *SHAPES[name])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        assert torch.equal(EVERY[name](x), EVERY[name](x, seeded(3)))


@every
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
def test_a_new_batch_of_the_same_shape_and_dtype_is_returned(name, dtype):
    x = batch(5, *SHAPES[name]).to(dtype)
    for given_ in (x, x[:1], x[:0]):
        kept = given_.clone()
        out = EVERY[name](given_, seeded())
        assert out.shape == given_.shape and out.dtype == dtype
        assert torch.equal(given_, kept)
        if len(given_):
            assert out.data_ptr() != given_.data_ptr()
        if dtype.itemsize == 2:
            # Coordinates in half precision would miss by whole pixels.
            assert torch.equal(out, EVERY[name](given_.float(), seeded()).to(dtype))


@every
def test_autocast_does_not_round_to_half_precision(name):
    x = batch(5, *SHAPES[name])
    expected = EVERY[name](x, seeded())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(EVERY[name](x, seeded()), expected)


@every
def test_no_value_is_read_back_from_the_device(name):
    x = batch(5, *SHAPES[name])
    with NoSynchronization():
        EVERY[name](x, seeded())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@every
def test_a_cuda_batch_is_changed_without_synchronization(name):
    x = batch(5, *SHAPES[name]).cuda()
    generator = torch.Generator("cuda").manual_seed(0)
    EVERY[name](x, generator)
    torch.cuda.set_sync_debug_mode("error")
    try:
        out = EVERY[name](x, generator)
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert out.is_cuda and out.isfinite().all()


@pytest.mark.parametrize("name", IMAGE)
@settings(max_examples=15, deadline=None)
@given(
    n=st.integers(1, 4),
    channels=st.sampled_from([1, 3, 4]),
    height=st.integers(1, 14),
    width=st.integers(1, 14),
)
def test_images_of_any_size_stay_images(name, n, channels, height, width):
    x = batch(n, channels, height, width)
    out = IMAGE[name](x.to(memory_format=torch.channels_last), seeded())
    assert out.shape == x.shape and out.dtype == x.dtype
    assert out.min() >= -1e-5 and out.max() <= 1 + 1e-5
    torch.testing.assert_close(out, IMAGE[name](x, seeded()))


@pytest.mark.parametrize("name", [*VECTOR, *SERIES])
@settings(max_examples=15, deadline=None)
@given(n=st.integers(1, 4), channels=st.integers(1, 3), length=st.integers(1, 20))
def test_vectors_and_series_of_any_size_keep_it(name, n, channels, length):
    x = batch(n, channels, length) if name in SERIES else batch(n, length)
    out = EVERY[name](x, seeded())
    assert out.shape == x.shape and out.isfinite().all()


@pytest.mark.parametrize("name", ["default", "geometry", "blur", "noise", "series crop"])
def test_gradients_reach_the_batch(name):
    x = batch(3, *SHAPES[name]).requires_grad_()
    EVERY[name](x, seeded()).sum().backward()
    assert x.grad.isfinite().all() and (x.grad != 0).any()


@every
def test_a_wrong_number_of_dimensions_is_refused(name):
    x = batch(*SHAPES[name])
    if name == "noise":
        x = x[0, 0]
    with pytest.raises(ValueError, match=r"of shape \(N.*given shape"):
        EVERY[name](x, seeded())


def test_batches_that_are_not_float_tensors_are_refused():
    crop = aug.RandomResizedCrop()
    with pytest.raises(ValueError, match="uint8"):
        crop(torch.zeros(2, 1, 4, 4, dtype=torch.uint8))
    with pytest.raises(TypeError, match="ndarray"):
        crop(np.zeros((2, 1, 4, 4)))
    with pytest.raises(ValueError, match="1, 3 or 4 channels"):
        aug.ColorJitter()(batch(2, 5, 4, 4))


BAD = [
    *[aug.RandomResizedCrop(scale=s) for s in [(1, 0.4), (0, 1), (0.5, 1.5), (NAN, 1), 0.5, "ab"]],
    *[aug.RandomResizedCrop(ratio=r) for r in [(2, 1), (0, 1), (1, NAN), (1, float("inf")), None]],
    *[f(p=p) for f in (aug.RandomHorizontalFlip, aug.RandomVerticalFlip) for p in (-0.1, 1.1, NAN)],
    *[f(p=p) for f in (aug.RandomGrayscale, aug.FeatureCorruption) for p in (-0.1, 2, NAN, None)],
    *[aug.RandomRotation(d) for d in (-1, NAN, (30, 10), (0, NAN), "90")],
    *[aug.RandomTranslation(f) for f in (-0.1, 1.1, NAN)],
    *[aug.ColorJitter(**{k: -1}) for k in ("brightness", "contrast", "saturation", "hue", "p")],
    *[aug.ColorJitter(hue=0.6), aug.ColorJitter(p=1.5), aug.ColorJitter(contrast=NAN)],
    *[aug.GaussianBlur(sigma=s) for s in [(-1, 1), (2, 1), (0, NAN), 1.0]],
    *[aug.GaussianBlur(p=2), aug.GaussianNoise(-1), aug.GaussianNoise(clip=(1, 0))],
    *[aug.FeatureMasking(p=-1), aug.FeatureMasking(value=NAN), aug.FeatureMasking(value="0")],
    *[
        aug.RandomJitter(-1),
        aug.RandomJitter(NAN),
        aug.RandomScaling(-1),
        aug.RandomSeriesCrop((1, 0.5)),
    ],
    *[aug.RandomSeriesCrop((0, 1)), aug.RandomSeriesCrop((0.5, 2))],
]


@pytest.mark.parametrize("bad", BAD, ids=str)
def test_bad_parameters_are_refused_before_and_at_the_call_and_inside_compose(bad):
    shapes = {aug.FeatureCorruption: (4, 5), aug.FeatureMasking: (4, 5)}
    shapes |= dict.fromkeys((aug.RandomJitter, aug.RandomScaling, aug.RandomSeriesCrop), (4, 2, 9))
    x = batch(*shapes.get(type(bad), (4, 3, 6, 6)))
    name = type(bad).__name__
    for call in (
        bad.validate,
        lambda: bad(x),
        aug.Compose([("fine", aug.Compose([bad]))]).validate,
        lambda: aug.Compose([bad, bad])(x),
    ):
        with pytest.raises(ValueError, match=f"{name} was given .* but expects .*; "):
            call()


@every
def test_clones_are_independent_and_equal(name):
    copy = clone(EVERY[name])
    x = batch(4, *SHAPES[name])
    assert str(copy.get_params()) == str(EVERY[name].get_params())
    assert torch.equal(copy(x, seeded()), EVERY[name](x, seeded()))
    if isinstance(copy, aug.Compose):
        assert copy.steps[0] is not EVERY[name].steps[0]


@every_with_factors
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64])
def test_views_are_bit_for_bit_those_of_an_ordinary_call(name, dtype):
    augment, _ = NAMES[name]
    x = batch_of(augment, dtype=dtype)
    kept, ordinary, recording = x.clone(), seeded(), seeded()
    views, _ = augment.augment_with_factors(x, recording)
    assert torch.equal(views, augment.augment_views(x, 1, ordinary))
    assert torch.equal(ordinary.get_state(), recording.get_state())
    assert views.dtype == dtype
    assert torch.equal(x, kept)


@every_with_factors
def test_factors_have_the_names_listed_and_one_value_for_each_row(name):
    augment, names = NAMES[name]
    _, factors = augment.augment_with_factors(batch_of(augment, dtype=torch.float64), seeded())
    assert list(factors) == names
    for factor, drawn in factors.items():
        assert drawn.shape == (50,)
        assert drawn.dtype == (torch.bool if factor in YES_OR_NO else torch.float32)
        # Every row has a draw of its own.
        assert len(drawn.unique()) > 1


@every_with_factors
def test_factors_come_from_the_generator_alone(name):
    augment, _ = NAMES[name]
    x = batch_of(augment)
    state = torch.get_rng_state()
    _, first = augment.augment_with_factors(x, seeded())
    _, again = augment.augment_with_factors(x, seeded())
    _, other = augment.augment_with_factors(x, seeded(5))
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(first[factor], again[factor]) for factor in first)
    assert not any(torch.equal(first[factor], other[factor]) for factor in first)


@every_with_factors
def test_the_augmentation_is_left_as_it_was(name):
    augment = clone(NAMES[name][0])
    state = pickle.dumps(augment)
    params = augment.get_params()
    augment.augment_with_factors(batch_of(augment), seeded())
    assert pickle.dumps(augment) == state
    assert augment.get_params() == params
    if isinstance(augment, aug.Compose):
        assert not any("_factors" in vars(step) for step in augment.steps)


@every_with_factors
def test_factors_of_one_call_do_not_change_with_the_next(name):
    augment, _ = NAMES[name]
    x = batch_of(augment)
    _, factors = augment.augment_with_factors(x, seeded())
    kept = {factor: drawn.clone() for factor, drawn in factors.items()}
    augment.augment_with_factors(x, seeded(3))
    augment(x, seeded(4))
    assert factors.keys() == kept.keys()
    assert all(torch.equal(factors[factor], kept[factor]) for factor in kept)


@every_with_factors
def test_an_empty_batch_has_no_factors(name):
    augment, _ = NAMES[name]
    x = batch_of(augment, n=0)
    views, factors = augment.augment_with_factors(x, seeded())
    assert views.shape == x.shape
    assert factors == {}


def test_an_augmentation_of_the_user_may_note_what_it_draws():
    class Shift(aug.Augmentation):
        def _transform(self, x, generator):
            shift = torch.rand((len(x), 1), generator=generator)
            self._note(shift=shift)
            return x + shift

    views, factors = aug.Compose([Shift()]).augment_with_factors(torch.zeros(5, 3), seeded())
    assert_allclose(factors["shift"], views[:, 0])


@pytest.mark.parametrize(
    "augment, x, error, match",
    [
        (aug.RandomRotation(-1.0), torch.rand(2, 1, 4, 4), ValueError, "degrees=-1.0"),
        (aug.Compose("rotation"), torch.rand(2, 1, 4, 4), ValueError, "a list of augmentations"),
        (aug.Compose([3]), torch.rand(2, 1, 4, 4), ValueError, "a callable"),
        (aug.RandomRotation(), torch.rand(2, 4), ValueError, r"given shape \(2, 4\)"),
        (aug.RandomRotation(), np.ones((2, 1, 4, 4)), TypeError, "ndarray"),
    ],
)
def test_what_a_call_refuses_is_refused(augment, x, error, match):
    with pytest.raises(error, match=match):
        augment.augment_with_factors(x)


CLASSES = [
    *[aug.ColorJitter, aug.FeatureCorruption, aug.FeatureMasking, aug.GaussianBlur],
    *[aug.GaussianNoise, aug.RandomJitter, aug.RandomGrayscale, aug.RandomHorizontalFlip],
    *[aug.RandomResizedCrop, aug.RandomRotation, aug.RandomTranslation, aug.RandomVerticalFlip],
    *[aug.RandomScaling, aug.RandomSeriesCrop],
]


@pytest.mark.parametrize("Augment", CLASSES)
def test_parameters_are_by_default_as_documented(Augment):
    assert Augment().get_params() == documented_defaults(Augment)


@pytest.mark.parametrize("Augment", WITH_P)
def test_a_probability_of_zero_changes_nothing_even_where_zero_is_drawn(Augment, monkeypatch):
    blur = {"sigma": (1.0, 2.0)} if Augment is aug.GaussianBlur else {}
    augment = Augment(p=0.0, **blur)
    x = small_batch(augment)
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
    x = small_batch(augment, 3000)
    assert share_of_rows(augment(x, seeded()), x.clone()) == pytest.approx(0.3, abs=0.03)


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
        (aug.RandomSeriesCrop((0.3, 0.6)), "length", 0.3, 0.6),
    ],
)
def test_factors_are_uniform_over_their_range(augment, name, low, high):
    _, factors = augment.augment_with_factors(small_batch(augment, 2000), seeded())
    drawn = factors[name].double()
    assert low - 1e-6 <= drawn.min() and drawn.max() <= high + 1e-6
    assert stats.kstest(drawn, "uniform", args=(low, high - low)).pvalue > 1e-3


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
    *[
        aug.RandomJitter(0),
        aug.RandomScaling(0),
        aug.RandomSeriesCrop((1, 1)),
        aug.RandomSeriesCrop((1e-3, 1)),
    ],
]


@pytest.mark.parametrize("augment", ENDS, ids=str)
def test_ends_of_the_ranges_are_taken(augment):
    x = small_batch(augment)
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
        (aug.RandomSeriesCrop((0.5, 2)), "scale=(0.5, 2)", "with 0 < a <= b <= 1;"),
        (aug.ColorJitter(hue=0.6), "hue=0.6", "a number in [0, 0.5];"),
        (aug.ColorJitter(contrast=-0.1), "contrast=-0.1", "a finite number >= 0;"),
        (aug.RandomTranslation(1.01), "fraction=1.01", "a number in [0, 1];"),
        *[(Augment(p=1.01), "p=1.01", "a number in [0, 1];") for Augment in WITH_P],
        *[(Augment(p=True), "p=True", "a number in [0, 1];") for Augment in WITH_P],
        (aug.RandomJitter(INF), "scale=inf", "a finite number >= 0;"),
        (aug.RandomScaling("1"), "scale='1'", "a finite number >= 0;"),
        (aug.GaussianNoise(-1), "scale=-1", "a finite number >= 0;"),
        (aug.FeatureMasking(value=NAN), "value=nan", "a finite number;"),
        (aug.MultiView([]), "steps=[]", "at least one augmentation;"),
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
        (aug.RandomJitter(), (3, 8), "series of shape (N, channels, length)"),
        (aug.FeatureMasking(), (3, 8, 8), "vectors of shape (N, d)"),
        (aug.GaussianNoise(), (8,), "vectors of shape (N, d) or series of shape"),
    ]:
        with pytest.raises(ValueError, match=type(augment).__name__) as error:
            augment(torch.zeros(shape))
        assert expected in str(error.value) and f"given shape {shape}" in str(error.value)
        assert f"for {len(shape)}-dimensional batches" in str(error.value)
    with pytest.raises(ValueError, match="RandomJitter takes a batch but was given a single"):
        aug.RandomJitter()(torch.tensor(1.0))
    with pytest.raises(ValueError, match=r"ColorJitter takes .* given shape \(2, 5, 4, 4\)"):
        aug.ColorJitter()(torch.zeros(2, 5, 4, 4))
    with pytest.raises(ValueError, match=r"RandomRotation was given 5 views.* of 2 views each"):
        aug.RandomRotation().augment_views(torch.zeros(5, 1, 4, 4), 2)
    with pytest.raises(TypeError, match="RandomJitter takes a torch tensor but was given list"):
        aug.RandomJitter()([[1.0]])


def test_noise_is_as_wide_as_asked_and_of_mean_zero():
    for augment in (aug.GaussianNoise(0.3), aug.RandomJitter(0.3)):
        x = torch.rand(50, 2, 500, generator=seeded(1), dtype=torch.float64)
        noise = augment(x, seeded()) - x
        assert stats.kstest(noise.ravel() / 0.3, "norm").pvalue > 1e-3


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
