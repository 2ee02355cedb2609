"""CLIP: its objective, its scale, and missing modalities."""

import itertools
import pickle

import numpy as np
import pytest
import torch
from conftest import TINY
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError
from skorch.callbacks import Callback

from sklearn_simvae.losses import clip as clip_loss
from sklearn_simvae.multimodal import CLIP, recall_at_k

NAMES = ["image", "sound", "touch"]
WIDTHS = [6, 5, 4]


def make_clip(**params):
    return CLIP(**{**TINY, **params})


def make_data(n, n_modalities=2, seed=0):
    """Linear pictures of one factor of three dimensions, with a little noise, by name."""
    rng = np.random.default_rng(seed)
    weights = np.random.default_rng(99)
    factor = rng.standard_normal((n, 3))
    return {
        name: (factor @ weights.standard_normal((3, d)) + 0.1 * rng.standard_normal((n, d))).astype(
            np.float32
        )
        for name, d in zip(NAMES[:n_modalities], WIDTHS, strict=False)
    }


def without(X, **rows):
    """Some rows of some modalities missing."""
    X = {name: values.copy() for name, values in X.items()}
    for name, which in rows.items():
        X[name][which] = np.nan
    return X


LONGER = {
    "n_components": 6,
    "max_epochs": 40,
    "lr": 2e-2,
    "batch_size": 64,
    "hidden_layer_sizes": (32,),
}


@pytest.fixture(scope="module")
def trained():
    return make_clip(**LONGER).fit(make_data(400))


@pytest.fixture(scope="module")
def of_three():
    X = without(make_data(90, 3), image=slice(0, 20), sound=slice(10, 40), touch=slice(35, 50))
    X["sound"][5] = X["touch"][15] = 1.0
    return make_clip(projection_layer_sizes=(8, 4), batch_size=90).fit(X), X


def loss_by_hand(clip, X):
    """The mean over pairs of modalities by their rows, from what `project` gives."""
    scale, losses, n_rows = clip.module_.scale.log_scale.detach().exp(), [], []
    for a, b in itertools.combinations(X, 2):
        both = ~np.isnan(X[a]).any(1) & ~np.isnan(X[b]).any(1)
        pair = {name: values[both] if name in (a, b) else None for name, values in X.items()}
        za, zb = (torch.from_numpy(clip.project(pair, name)) for name in (a, b))
        losses.append(float(clip_loss(za, zb, scale)))
        n_rows.append(both.sum())
    return np.average(losses, weights=n_rows)


# ---------------------------------------------------------------- the objective


def test_score_is_the_loss_of_the_projections_averaged_over_the_pairs_that_rows_have(of_three):
    clip, X = of_three
    assert_allclose(clip.score(X), -loss_by_hand(clip, X), rtol=1e-4)


def test_score_of_two_modalities_is_their_loss(trained):
    X = make_data(trained._fitted_batch_size, seed=5)
    assert_allclose(trained.score(X), -loss_by_hand(trained, X), rtol=1e-4)
    assert trained.score(X) == trained.score(X)


def test_history_has_the_terms_and_the_scale(trained):
    for row in trained.history_:
        assert row["loss"] == pytest.approx(row["alignment"] + row["log_partition"], rel=1e-4)
        assert row["logit_scale"] > 0
    assert trained.history_[-1]["loss"] < 0.5 * trained.history_[0]["loss"]


def test_pairs_are_found_among_rows_that_training_did_not_see(trained):
    X = make_data(100, seed=1)
    a, b = (trained.project(X, name) for name in X)
    assert recall_at_k(a, b, 1)[1] > 0.5
    assert recall_at_k(b, a, 5)[5] > 0.9
    mismatched = {**X, "sound": np.roll(X["sound"], 1, axis=0)}
    assert trained.score(X) > trained.score(mismatched) + 1


def test_three_modalities_are_all_drawn_together():
    clip = make_clip(**LONGER).fit(make_data(400, 3))
    X = make_data(100, 3, seed=1)
    for pair in itertools.permutations(NAMES, 2):
        similarity = clip.similarity(X, X, pair)
        assert (similarity.argmax(1) == np.arange(100)).mean() > 0.25
    assert list(clip.encoders_) == NAMES


# ---------------------------------------------------------------- the scale


def test_the_scale_begins_at_the_inverse_temperature():
    clip = make_clip(lr=1e-12, temperature=0.2).fit(make_data(40))
    assert_allclose([row["logit_scale"] for row in clip.history_], 5, rtol=1e-4)


def test_the_scale_is_learned():
    clip = make_clip(**LONGER, temperature=0.5).fit(make_data(200))
    assert clip.history_[-1]["logit_scale"] > 3


@pytest.mark.parametrize("temperature", [0.01, 0.3])
def test_the_scale_stays_below_its_limit_and_is_not_stuck_there(temperature):
    X = make_data(200)
    clip = make_clip(
        temperature=temperature,
        max_logit_scale=4.0,
        max_epochs=15,
        lr=2e-2,
        lr_schedule="constant",
        warm_start=True,
    ).fit(X)
    scales = [row["logit_scale"] for row in clip.history_]
    assert max(scales) <= 4 * (1 + 1e-5) and scales[-1] == pytest.approx(4, rel=1e-3)
    assert clip.module_.scale.log_scale.detach().exp() <= 4 * (1 + 1e-5)
    # Of strangers nothing can be told, and the scale should fall.
    clip.fit({**X, "sound": np.random.default_rng(0).permutation(X["sound"])})
    assert clip.history_[-1]["logit_scale"] < 3.5


# ---------------------------------------------------------------- representations


@pytest.mark.parametrize("sizes", [(), (8, 5)])
def test_project_is_transform_where_there_is_no_head(sizes):
    X = make_data(60)
    clip = make_clip(projection_layer_sizes=sizes).fit(X)
    for modality in (None, "image", "sound"):
        P, Z = clip.project(X, modality), clip.transform(X, modality)
        assert P.dtype == Z.dtype == np.float32
        assert Z.shape == (60, 3) and P.shape == (60, 5 if sizes else 3)
        assert np.allclose(P[:, :3], Z, atol=1e-3) == (sizes == ())
        if modality is not None:
            assert_allclose(np.linalg.norm(P, axis=1), 1, rtol=1e-5)
            assert_allclose(np.linalg.norm(Z, axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("method", ["transform", "project"])
def test_rows_are_represented_by_the_mean_of_the_modalities_that_they_have(of_three, method):
    clip, X = of_three
    found = getattr(clip, method)(X)
    total, count = np.zeros_like(found), np.zeros((len(found), 1))
    for name, values in X.items():
        there = ~np.isnan(values).any(1)
        own = {n: v[there] if n == name else None for n, v in X.items()}
        total[there] += getattr(clip, method)(own, name)
        count[there] += 1
    assert set(count.ravel()) == {1, 2, 3}
    assert_allclose(found, total / count, atol=1e-5)


def test_a_modality_that_is_nan_or_none_or_no_entry_is_the_same(trained):
    X = make_data(20, seed=3)
    expected = trained.transform(X["image"], "image")
    absent = np.full_like(X["sound"], np.nan)
    for sound in ({"sound": absent}, {"sound": None}, {}):
        assert_allclose(trained.transform({"image": X["image"], **sound}), expected, atol=1e-6)


def test_similarity_is_the_cosine_of_projections(of_three):
    clip, X = of_three
    a = {**dict.fromkeys(X), "sound": X["sound"][40:60]}
    b = X["touch"][50:57]
    P, Q = clip.project(a, "sound"), clip.project(b, "touch")
    found = clip.similarity(a, b, ("sound", "touch"))
    assert found.shape == (20, 7) and found.dtype == np.float32
    assert_allclose(found, P @ Q.T, atol=1e-5)
    assert_allclose(clip.similarity(b, a, ("touch", "sound")), found.T, atol=1e-5)
    # The first two, where none are named.
    first = clip.similarity(X["image"][50:], X["sound"][60:])
    named = clip.similarity(X["image"][50:], X["sound"][60:], ("image", "sound"))
    assert_array_equal(first, named)


def test_columns_of_a_table_are_as_entries_of_a_dict():
    X = make_data(60)
    # Interleaved, in no order.
    order = np.random.default_rng(0).permutation(11)
    table = np.hstack(list(X.values()))[:, order]
    place = np.argsort(order)
    columns = [("image", "auto", list(place[:6])), ("sound", "auto", list(place[6:]))]
    by_table = make_clip(modalities=columns).fit(table)
    by_dict = make_clip().fit(X)
    for modality in (None, *X):
        Z = by_dict.transform(X, modality)
        assert_allclose(by_table.transform(table, modality), Z, atol=1e-6)


# ---------------------------------------------------------------- missing modalities


def test_a_row_that_lacks_one_of_two_modalities_does_not_change_the_fit():
    X = without(make_data(80), sound=slice(0, 20))
    other = {**X, "image": X["image"].copy()}
    other["image"][:20] = 100 * np.random.default_rng(0).standard_normal((20, 6))
    first, second = (make_clip(max_epochs=3, batch_size=20).fit(data) for data in (X, other))
    test = make_data(10, seed=1)
    assert_allclose(first.transform(test), second.transform(test), atol=1e-6)
    # That is not for want of learning.
    other["image"][20:] += 1
    third = make_clip(max_epochs=3, batch_size=20).fit(other)
    assert np.abs(third.transform(test) - first.transform(test)).max() > 1e-3


@pytest.mark.parametrize("train", [False, True])
def test_rows_that_lack_a_modality_stay_out_of_the_statistics_of_a_batch(of_three, train):
    clip, X = of_three
    module = pickle.loads(pickle.dumps(clip.module_)).train(train)
    batch = clip._read(X).some(10**6)
    z = module(batch.views, batch.mask)
    for j, name in enumerate(X):
        there = ~np.isnan(X[name]).any(1)
        assert_array_equal(batch.mask[:, j], there)
        alone = module(tuple(x[there] for x in batch.views), batch.mask[there])
        torch.testing.assert_close(z[there, j], alone[:, j])
        assert not z[~there, j].any()


@pytest.mark.parametrize("n_there", [0, 1, 2])
def test_batches_where_hardly_a_row_has_a_modality_are_trained_on(of_three, n_there):
    module = pickle.loads(pickle.dumps(of_three[0].module_)).train()
    views = tuple(map(torch.from_numpy, make_data(8, 3).values()))
    mask = torch.ones(8, 3, dtype=torch.bool)
    mask[n_there:, 1] = False
    z = module(views, mask)
    assert z.isfinite().all()
    z.square().sum().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in module.parameters())


@pytest.mark.parametrize("sizes", [(), (8, 4)])
def test_training_on_rows_that_lack_modalities_finds_pairs(sizes):
    X = make_data(600)
    gone = np.random.default_rng(0).integers(4, size=600)
    X = without(X, image=gone == 0, sound=gone == 1)
    clip = make_clip(**LONGER, projection_layer_sizes=sizes)
    test = make_data(100, seed=1)
    similarity = clip.fit(X).similarity(test, test)
    # One in a hundred is right by chance.
    assert (similarity.argmax(1) == np.arange(100)).mean() > 0.25


# ---------------------------------------------------------------- bad input

X = make_data(40)


@pytest.mark.parametrize(
    "params, X, message",
    [
        ({"temperature": 0.0}, X, "temperature"),
        ({"temperature": -1}, X, "temperature"),
        ({"max_logit_scale": 0.5}, X, "max_logit_scale"),
        ({"projection_layer_sizes": (4, 0)}, X, "projection_layer_sizes|sizes"),
        ({}, {"image": X["image"]}, "At least two modalities"),
        ({}, {**X, "sound": X["sound"][:30]}, "differ in length"),
        (
            {},
            without(X, image=slice(0, 20), sound=slice(20, 40)),
            r"No row of X has the same two of the modalities \['image', 'sound'\]",
        ),
    ],
)
def test_what_cannot_be_fitted_is_refused(params, X, message):
    clip = make_clip(**params)
    with pytest.raises(ValueError, match=message):
        clip.fit(X)
    assert not hasattr(clip, "net_")


def test_names_that_are_not_there_are_told(trained):
    X = make_data(5)
    for call in (
        lambda: trained.transform(X, "smell"),
        lambda: trained.project(X, "smell"),
        lambda: trained.similarity(X, X, ("image", "smell")),
    ):
        with pytest.raises(ValueError, match=r"no modality 'smell'; there are .*image.*sound"):
            call()


def test_a_row_that_lacks_the_modality_that_is_asked_for_is_told(trained):
    X = without(make_data(5), sound=[3])
    with pytest.raises(ValueError, match="lack the modality 'sound'; the first is row 3"):
        trained.project(X, "sound")


@pytest.mark.parametrize("method", ["transform", "project", "score"])
def test_nothing_is_represented_before_fit(method):
    with pytest.raises(NotFittedError):
        getattr(make_clip(), method)(make_data(5))


def test_nothing_is_compared_before_fit():
    with pytest.raises(NotFittedError):
        make_clip().similarity(make_data(5), make_data(5))
    with pytest.raises(NotFittedError):
        make_clip().zero_shot_classifier(["one cat"])


@pytest.mark.parametrize("seed", range(3))
def test_a_validation_part_holds_pairs_where_few_rows_are_complete(seed):
    rng = np.random.default_rng(0)
    Z = rng.standard_normal((200, 3))
    X = np.hstack([Z + 0.1 * rng.standard_normal((200, 3)) for _ in range(2)])
    X[20:110, :3] = np.nan
    X[110:, 3:] = np.nan
    params = TINY | {"max_epochs": 4, "random_state": seed}
    estimator = CLIP(early_stopping=True, **params).fit(X)
    assert all(row["valid_loss"] > 0 for row in estimator.history_)
    with pytest.raises(ValueError, match="leaves 1 of 3 samples that have a pair"):
        CLIP(early_stopping=True, **params).fit(X[17:])


def test_a_single_pair_is_none():
    A = np.random.default_rng(0).standard_normal((20, 4))
    B = np.where(np.arange(20)[:, None] < 1, A, np.nan)
    with pytest.raises(ValueError, match=r"1 row of X has the same two.*2 are needed"):
        CLIP(**TINY).fit({"a": A, "b": B})


def test_augmentations_never_see_a_batch_without_rows():
    A = np.random.default_rng(0).random((120, 4))
    B = np.where(np.arange(120)[:, None] < 2, A, np.nan)

    def scaled(x):
        return x / x.abs().max()

    CLIP(augmentations={"b": scaled}, batch_size=8, **TINY).fit({"a": A, "b": B})


@pytest.mark.parametrize("n_alone", [0, 64, 192])
def test_rows_without_a_pair_do_not_count_in_the_score(trained, n_alone):
    X = make_data(64 + n_alone, seed=1)
    expected = trained.score({name: values[:64] for name, values in X.items()})
    assert trained.score(without(X, sound=slice(64, None))) == pytest.approx(expected, rel=1e-5)


class PairsOfBatches(Callback):
    """Keeps the loss and the number of pairs of each batch."""

    def on_train_begin(self, net, **kwargs):
        self.seen = []

    def on_batch_end(self, net, batch, loss, **kwargs):
        # One alone has nothing to be told from.
        n_pairs = batch[0].mask.all(1).sum().item()
        self.seen.append((loss.item(), n_pairs if n_pairs > 1 else 0))


def test_batches_count_in_the_history_by_their_pairs():
    spy = PairsOfBatches()
    X = without(make_data(100), sound=slice(20, None))
    clip = make_clip(batch_size=5, max_epochs=1, callbacks=spy).fit(X)
    losses, n_pairs = np.transpose(clip.net_.callbacks_[-1][1].seen)
    assert 0 in n_pairs
    expected = np.average(losses, weights=n_pairs)
    assert clip.history_[-1]["loss"] == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("n_shuffles", range(3))
def test_score_does_not_gain_by_pairs_of_modalities_that_a_batch_lacks(n_shuffles):
    X = make_data(400, 3)
    estimator = make_clip(**LONGER | {"batch_size": 200}).fit(X)
    _, second, third = X
    half = without(X, **{second: slice(200, None), third: slice(0, 200)})
    rng = np.random.default_rng(n_shuffles)
    # Batches of one pair alone, beside a score of its halves by themselves.
    parts = [
        {name: values[rows] for name, values in half.items()}
        for rows in (slice(200), slice(200, 400))
    ]
    expected = np.mean([estimator.score(part) for part in parts])
    assert estimator.score(half) == pytest.approx(expected, rel=1e-4)
    order = rng.permutation(400)
    shuffled = estimator.score({name: values[order] for name, values in half.items()})
    # Half as many to be told from make it better, by log 2 at most.
    assert estimator.score(half) <= shuffled <= estimator.score(half) + np.log(2) + 0.3


def test_pairs_that_no_batch_holds_two_of_are_not_scored(trained):
    size = trained._fitted_batch_size
    X = make_data(2 * size, seed=1)
    lonely = np.ones(2 * size, dtype=bool)
    lonely[[0, -1]] = False
    with pytest.raises(ValueError, match=r"No batch of .* has two"):
        trained.score(without(X, sound=lonely))
    with pytest.raises(ValueError, match="the same two of the modalities"):
        trained.score(without(X, sound=slice(1, None)))
