"""Mutual information of views, against Gaussians of which it is known."""

import numpy as np
import pytest
import torch
from sklearn import config_context
from sklearn.decomposition import PCA

from sklearn_simvae import SimVAE
from sklearn_simvae.evaluation.information import mutual_information


def gaussian_views(n, d, correlation, seed=0):
    """Two views whose dimensions are correlated one by one, (n, 2, d)."""
    rng = np.random.default_rng(seed)
    first, noise = rng.standard_normal((2, n, d))
    return np.stack([first, correlation * first + np.sqrt(1 - correlation**2) * noise], axis=1)


def known(d, correlation):
    return -d / 2 * np.log(1 - correlation**2)


def knn(Z, **params):
    return mutual_information(None, Z, methods=["knn"], **{"random_state": 0, **params}).knn


def infonce(Z, **params):
    return mutual_information(None, Z, methods=["infonce"], **{"random_state": 0, **params}).infonce


def by_hand(Z, k=3):
    """The estimate of Kraskov et al. from all distances, for rows without ties."""
    psi = np.concatenate([[np.nan], -np.euler_gamma + np.cumsum(1 / np.arange(1.0, len(Z)))])
    psi = np.concatenate([[np.nan, -np.euler_gamma], psi[1:]])
    Z = (Z - Z.mean(0)) / Z.std(0)
    apart = np.abs(Z[:, None] - Z[None]).max(-1)
    both = apart.max(-1)
    np.fill_diagonal(both, np.inf)
    radius = np.sort(both, axis=1)[:, k - 1]
    n_nearer = (apart < radius[:, None, None]).sum(1) - 1
    return psi[k] + psi[len(Z)] - psi[n_nearer + 1].sum(1).mean()


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9, -0.99])
@pytest.mark.parametrize("d, tolerance", [(1, 0.04), (2, 0.06)])
def test_neighbors_find_the_information_of_gaussians(d, tolerance, correlation):
    found = knn(gaussian_views(4000, d, correlation))
    assert found == pytest.approx(known(d, correlation), abs=tolerance + 0.02 * known(d, 0.9))


@pytest.mark.parametrize("correlation, bias", [(0.0, 0.05), (0.5, 0.3), (0.9, 0.3)])
def test_neighbors_find_too_little_in_many_dimensions(correlation, bias):
    found, truth = knn(gaussian_views(4000, 5, correlation)), known(5, correlation)
    assert (1 - bias) * truth - 0.05 < found < truth + 0.05


@pytest.mark.parametrize("n, d", [(40, 1), (150, 3)])
def test_neighbors_are_those_of_the_definition(n, d):
    Z = gaussian_views(n, d, 0.8)
    assert knn(Z) == pytest.approx(by_hand(Z), abs=1e-6)


@pytest.mark.parametrize(
    "d, correlation, low, high",
    [(1, 0.9, 0.75, 0.03), (2, 0.9, 0.85, 0.1), (5, 0.9, 0.75, 0.0), (2, 0.0, 1.0, 0.02)],
)
def test_bound_is_just_below_the_information_of_gaussians(d, correlation, low, high):
    found = infonce(gaussian_views(3000, d, correlation))
    assert low * known(d, correlation) - 0.05 < found < known(d, correlation) + high


def test_bound_sees_what_no_correlation_shows():
    rng = np.random.default_rng(0)
    first = rng.standard_normal((2000, 1))
    Z = np.stack([first, np.abs(first) + 0.1 * rng.standard_normal((2000, 1))], axis=1)
    assert abs(np.corrcoef(Z[:, :, 0].T)[0, 1]) < 0.1
    found = mutual_information(None, Z, random_state=0)
    assert found.infonce > 0.8
    assert found.knn == pytest.approx(found.infonce, abs=0.5)


@pytest.mark.parametrize("n, batch", [(1500, 512), (200, 100)])
def test_copies_reach_the_ceilings_and_nothing_goes_beyond(n, batch):
    Z = np.repeat(gaussian_views(n, 3, 0.0)[:, :1], 2, axis=1)
    found = mutual_information(None, Z, random_state=0)
    assert found.infonce_ceiling == pytest.approx(np.log(batch))
    assert 0.6 * found.infonce_ceiling < found.infonce <= found.infonce_ceiling
    assert found.knn_ceiling == pytest.approx(np.log(n) - 1.2561, abs=0.01)
    assert found.knn == pytest.approx(found.knn_ceiling)


def test_scale_and_place_of_dimensions_do_not_count():
    Z = gaussian_views(400, 3, 0.8)
    moved = Z * [[1e-3, 1.0, 50.0], [-2.0, 7.0, 1e4]] + [[5.0, -100.0, 0.0], [1.0, 2.0, 3.0]]
    assert knn(moved) == pytest.approx(knn(Z), abs=1e-4)
    # Signs change what the critic starts from.
    moved = Z * [[1e-3, 1.0, 50.0], [2.0, 7.0, 1e4]] + [[5.0, -100.0, 0.0], [1.0, 2.0, 3.0]]
    assert infonce(moved) == pytest.approx(infonce(Z), abs=0.05)


def test_neighbors_do_not_ask_which_view_is_the_first():
    Z = gaussian_views(300, 2, 0.8)
    assert knn(Z[:, ::-1]) == pytest.approx(knn(Z), abs=1e-6)


def test_estimates_grow_with_dependence():
    found = [knn(gaussian_views(1000, 3, c)) for c in (0.0, 0.3, 0.6, 0.9, 0.99)]
    assert np.all(np.diff(found) > 0)


@pytest.mark.parametrize("value", [0.0, 0.1])
def test_constant_representations_hold_nothing(value):
    found = mutual_information(None, np.full((300, 2, 2), value), random_state=0)
    assert abs(found.knn) < 0.15
    assert abs(found.infonce) < 0.01


def test_ties_are_no_obstacle():
    labels = np.random.default_rng(0).integers(0, 4, (2000, 1, 1))
    found = knn(np.repeat(labels, 2, axis=1).astype(float))
    assert found > 0.8 * np.log(4)


def test_critic_is_judged_by_pairs_that_it_has_not_seen():
    # By those that it has seen, it would be as good as the truth: it knows some by heart.
    found = infonce(gaussian_views(400, 8, 0.6))
    assert 0.3 * known(8, 0.6) < found < 0.75 * known(8, 0.6)


def test_only_the_first_two_views_count():
    Z = gaussian_views(200, 2, 0.8)
    more = np.concatenate([Z, np.full((200, 1, 2), 7.0)], axis=1)
    assert knn(more) == knn(Z)


def test_random_state_fixes_all_and_global_states_stay():
    Z = gaussian_views(200, 2, 0.8)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    found = mutual_information(None, Z, random_state=0)
    assert torch.equal(before[0], torch.get_rng_state())
    np.testing.assert_array_equal(before[1], np.random.get_state()[1])  # noqa: NPY002
    torch.rand(3)
    assert mutual_information(None, Z, random_state=0) == found
    assert mutual_information(None, Z, random_state=1).infonce != found.infonce
    states = np.random.RandomState(0), np.random.RandomState(0)
    assert infonce(Z, random_state=states[0]) == infonce(Z, random_state=states[1])
    assert infonce(Z, random_state=None) != infonce(Z, random_state=None)


def test_works_where_gradients_are_off():
    Z = gaussian_views(100, 2, 0.9)
    expected = infonce(Z)
    with torch.inference_mode():
        assert infonce(Z) == expected


def test_n_samples_are_drawn_at_most():
    Z = gaussian_views(500, 1, 0.8)
    # In order, the first rows would be the dependent ones only.
    Z[100:, 1] = gaussian_views(400, 1, 0.0, seed=1)[:, 1]
    found = mutual_information(None, Z, n_samples=100, methods=["knn"], random_state=0)
    few = mutual_information(None, Z[:100], methods=["knn"], random_state=0)
    assert found.knn_ceiling == few.knn_ceiling
    assert found.knn < few.knn - 0.2
    assert knn(Z, n_samples=500) == knn(Z)


def test_only_the_methods_asked_for_are_there():
    Z = gaussian_views(64, 1, 0.8)
    assert set(mutual_information(None, Z, methods="knn")) == {"knn", "knn_ceiling"}
    assert set(mutual_information(None, Z)) == {"infonce", "infonce_ceiling", "knn", "knn_ceiling"}


def test_views_are_represented_by_the_estimator():
    X = np.random.default_rng(0).standard_normal((300, 2, 6))
    X[:, 1, 2] = X[:, 0, 2] = 10 * X[:, 0, 2]
    pca = PCA(1).fit(X[:, 0])
    expected = np.stack([pca.transform(X[:, view]) for view in range(2)], axis=1)
    found = mutual_information(pca, X, methods=["knn"], random_state=0).knn
    assert found == knn(expected)
    assert found > 2


def test_views_may_be_made_of_rows(digits):
    X = digits[0]

    def noisy(scale):
        def add(x):
            return x + scale * torch.randn(x.shape, generator=generator)

        generator = torch.Generator().manual_seed(0)

        pca = PCA(2).fit(X)
        return mutual_information(
            pca, X, augmentation=add, methods=["knn"], input_shape=(64,), random_state=0
        ).knn

    assert noisy(0.01) > noisy(0.3) > 0.05
    assert noisy(0.1) == noisy(0.1)


def test_images_of_the_packages_own_estimators(sprites):
    estimator = SimVAE(3, hidden_layer_sizes=(16,), max_epochs=1, random_state=0).fit(sprites)
    for X, augmentation in ((sprites, None), (sprites[:, 0], "auto")):
        found = mutual_information(estimator, X, augmentation=augmentation, random_state=0)
        assert np.isfinite(list(found.values())).all()


@pytest.mark.parametrize(
    "params, message",
    [
        ({"methods": ["knn", "mine"]}, "methods must be some of"),
        ({"methods": []}, "methods must be some of"),
        ({"methods": None}, "methods must be some of"),
        ({"n_samples": 5}, "n_samples"),
        ({"X": np.zeros((100, 3))}, "no axis of at least two views"),
        ({"X": np.zeros((100, 1, 3))}, "no axis of at least two views"),
        ({"X": np.zeros((31, 2, 3))}, "31 samples.*at least 32"),
        ({"X": np.full((100, 2, 3), np.nan)}, "NaN"),
        ({"estimator": object()}, "no transform"),
    ],
)
def test_bad_input_is_told(params, message):
    params = {"estimator": None, "X": np.zeros((100, 2, 3)), **params}
    with pytest.raises(ValueError, match=message):
        mutual_information(params.pop("estimator"), params.pop("X"), **params)


@pytest.mark.parametrize("n", [32, 100])
def test_bound_of_few_samples_is_no_worse_than_that_of_chance(n):
    found = [infonce(gaussian_views(n, 2, 0, seed), random_state=seed) for seed in range(10)]
    assert min(found) >= 0
    assert np.mean(found) < 0.2


def test_modes_of_the_caller_change_nothing():
    Z = gaussian_views(200, 1, 0.9)
    expected = mutual_information(None, Z, random_state=0)
    with torch.autocast("cpu", torch.bfloat16), torch.device("meta"):
        assert mutual_information(None, Z, random_state=0) == expected


@pytest.mark.parametrize("kind", ["h5py", "zarr"])
def test_arrays_on_disk_are_read_by_row(kind, tmp_path):
    module = pytest.importorskip(kind)
    Z = gaussian_views(200, 2, 0.9).astype(np.float32)
    if kind == "h5py":
        stored = module.File(tmp_path / "views.h5", "w").create_dataset("views", data=Z)
    else:
        stored = module.array(Z)
    assert knn(stored, n_samples=100) == knn(Z, n_samples=100)


@pytest.mark.parametrize("container", ["pandas", "polars"])
def test_containers_that_transformers_give_change_nothing(container):
    pytest.importorskip(container)
    Z = np.random.default_rng(0).normal(size=(100, 2, 3))
    expected = mutual_information(None, Z, random_state=0)
    with config_context(transform_output=container):
        assert mutual_information(None, Z, random_state=0) == expected


def test_methods_come_in_any_sequence():
    Z = np.random.default_rng(0).normal(size=(100, 2, 3))
    expected = mutual_information(None, Z, methods="knn", random_state=0)
    for methods in (np.array(["knn"]), ("knn",), {"knn": 0}):
        assert mutual_information(None, Z, methods=methods, random_state=0) == expected
