"""Samples of modalities: a tensor for each of them, and a mask, from the reader on."""

import ast
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import tiny
from numpy.testing import assert_array_equal

import sklearn_simvae.multimodal
from sklearn_simvae.training import BatchLoader

FILES = sorted(Path(sklearn_simvae.multimodal.__file__).parent.glob("*.py"))
IMAGES = np.random.default_rng(0).integers(0, 256, (12, 1, 6, 6), dtype=np.uint8)
NUMBERS = np.where(np.arange(12)[:, None] % 3, np.arange(36).reshape(12, 3), np.nan)


@pytest.fixture(params=["CLIP", "MultimodalSimVAE"])
def estimator(request):
    return tiny(request.param, max_epochs=1)


@pytest.fixture
def samples(estimator):
    return estimator._reader(anew=True).fit({"image": IMAGES, "numbers": NUMBERS})


def test_only_what_reads_x_looks_for_nan():
    looking = {
        path.name
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in ("isnan", "nansum", "nanmean")
    }
    assert looking == {"modalities.py"}


def test_a_batch_has_a_tensor_for_each_modality_and_a_mask(samples):
    (batch,) = BatchLoader(samples, 12)
    image, numbers = batch.views
    assert image.dtype == torch.uint8 and image.shape == (12, 1, 6, 6)
    assert numbers.dtype == torch.float32
    assert_array_equal(batch.mask, np.column_stack([np.ones(12, bool), np.arange(12) % 3 > 0]))
    assert_array_equal(numbers, np.nan_to_num(NUMBERS))
    assert len(batch) == 12 and len(batch[3:5]) == 2
    assert_array_equal(batch[3:5].mask, batch.mask[3:5])


def test_views_are_as_the_networks_take_them(estimator, samples):
    (batch,) = BatchLoader(samples, 12)
    made = estimator._reader(anew=True).view_maker(samples)(batch)
    assert_array_equal(made.views[0], IMAGES / np.float32(255))
    assert made.mask is batch.mask and made.indices is batch.indices


def test_some_views_are_those_of_rows_that_have_the_modality(samples):
    image, numbers = samples.some_views(12)
    assert len(image) == 12
    assert_array_equal(numbers, NUMBERS[np.arange(12) % 3 > 0])


def test_subsets_share_the_rows(samples):
    part = samples.subset(np.array([2, 3, 4]))
    assert len(part) == 3
    assert all(a is b for a, b in zip(part.parts, samples.parts, strict=True))
    assert_array_equal(part.mask[:, 1], [True, False, True])
    assert_array_equal(part.has_pairs(), [True, False, True])


def test_values_of_a_missing_modality_have_no_effect(estimator):
    X = {"image": IMAGES, "numbers": NUMBERS}
    estimator.fit(X)
    samples = estimator._read(X)
    batch = samples.some(12)
    other = torch.where(batch.mask[:, 1:], batch.views[1], torch.tensor(7.0))
    changed = type(batch)((batch.views[0], other), batch.mask)
    with torch.no_grad():
        made, again = (estimator._represent(b) for b in (batch, changed))
    torch.testing.assert_close(made, again)
