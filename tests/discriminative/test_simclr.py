"""SimCLR: its score, by hand, and what the temperature divides."""

import numpy as np
import pytest
from conftest import tiny
from numpy.testing import assert_allclose


def nt_xent_by_hand(P, temperature):
    """The mean over views of -log of the positive's share among all others of the batch."""
    n, n_views, _ = P.shape
    P = (P / np.linalg.norm(P, axis=2, keepdims=True)).reshape(n * n_views, -1).astype(float)
    similarity = np.exp(P @ P.T / temperature)
    sample, losses = np.repeat(np.arange(n), n_views), []
    for i in range(len(P)):
        others = np.arange(len(P)) != i
        positives = others & (sample == sample[i])
        total = similarity[i, others].sum()
        losses.append(-np.mean(np.log(similarity[i, positives] / total)))
    return np.mean(losses)


@pytest.mark.parametrize("temperature", [0.1, 0.5])
@pytest.mark.parametrize("n_views", [2, 4])
def test_score_of_given_views_is_the_negative_loss_of_their_projections(
    digits, n_views, temperature
):
    views = digits[0].reshape(-1, n_views, 64)
    fitted = tiny("SimCLR", temperature=temperature, batch_size=len(views)).fit(views)
    P = np.stack([fitted.project(views[:, j]) for j in range(n_views)], axis=1)
    assert_allclose(fitted.score(views), -nt_xent_by_hand(P, temperature), rtol=1e-4)


def test_negatives_are_those_of_the_own_batch(digits):
    views = digits[0].reshape(-1, 2, 64)
    fitted = tiny("SimCLR", batch_size=20).fit(views)
    batches = views.reshape(4, 20, 2, 64)
    assert_allclose(fitted.score(views), np.mean([fitted.score(batch) for batch in batches]))
    # More negatives are harder to tell from.
    assert fitted.set_params(batch_size=80).fit(views).score(views) < fitted.score(views[:20])


def test_loss_of_an_epoch_is_alignment_and_partition(digits):
    for row in tiny("SimCLR").fit(digits[0]).history_:
        assert_allclose(row["loss"], row["alignment"] + row["log_partition"], rtol=1e-5)
