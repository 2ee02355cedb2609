"""Reconstruction errors, and the distance of generated data, against closed forms."""

import warnings

import numpy as np
import pytest
from conftest import tiny
from scipy.linalg import sqrtm
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.decomposition import PCA, TruncatedSVD
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.feature_selection import VarianceThreshold
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler

from sklearn_simvae import VAE, SimCLR, SimVAE
from sklearn_simvae.evaluation.generation import frechet_distance, reconstruction_error

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
TINY = {"hidden_layer_sizes": (16,), "max_epochs": 1, "random_state": 0}


def itself(X):
    return X


@pytest.fixture(scope="module")
def pixels():
    """Gray images and their flattened rows, uint8."""
    images = RNG.integers(0, 256, (40, 1, 8, 8), dtype=np.uint8)
    return images, images.reshape(40, -1)


# ---------------------------------------------------------------- reconstruction


def test_error_of_principal_components_is_the_variance_left_out():
    X = RNG.standard_normal((200, 4)) * [4, 3, 2, 1] + 7
    left_out = PCA().fit(X).explained_variance_[2:].sum() * 199 / 200
    assert reconstruction_error(PCA(2).fit(X), X) == pytest.approx(left_out / 4)
    assert reconstruction_error(PCA().fit(X), X) == pytest.approx(0, abs=1e-20)


def test_error_by_feature_and_by_row():
    X = RNG.standard_normal((50, 4))
    pca = PCA(2).fit(X)
    squared = (X - pca.inverse_transform(pca.transform(X))) ** 2
    error = {
        of: reconstruction_error(pca, X, multioutput=of)
        for of in ("raw_values", "samples", "uniform_average")
    }
    np.testing.assert_allclose(error["raw_values"], squared.mean(0))
    np.testing.assert_allclose(error["samples"], squared.mean(1))
    assert type(error["uniform_average"]) is float
    assert error["uniform_average"] == pytest.approx(squared.mean())


def test_error_is_in_the_units_of_X():
    X = RNG.standard_normal((50, 3)) * [1, 10, 100]
    pipe = make_pipeline(StandardScaler(), PCA(1)).fit(X)
    expected = np.mean((X - pipe.inverse_transform(pipe.transform(X))) ** 2)
    assert reconstruction_error(pipe, X) == pytest.approx(expected)
    assert expected > 100


def test_small_integers_do_not_wrap_around():
    X = np.array([[0, 200], [255, 10], [30, 0]], dtype=np.uint8)
    white = FunctionTransformer(
        lambda X: X, lambda X: np.full(X.shape, 255, np.uint8), check_inverse=False
    ).fit(X)
    assert reconstruction_error(white, X) == pytest.approx(np.mean((X - 255.0) ** 2))


@pytest.mark.parametrize("method", [VAE, SimVAE])
def test_pixels_count_from_zero_to_one(method, pixels):
    images, _ = pixels
    estimator = method(3, **TINY).fit(images)
    decoded = estimator.inverse_transform(estimator.transform(images))
    expected = np.mean((images / 255 - decoded) ** 2)
    assert reconstruction_error(estimator, images) == pytest.approx(expected)
    assert reconstruction_error(estimator, images / 255) == pytest.approx(expected, rel=1e-5)
    assert reconstruction_error(estimator, images, multioutput="raw_values").shape == (64,)
    assert reconstruction_error(estimator, images, multioutput="samples").shape == (40,)


def test_pixels_in_pipelines_and_searches(pixels):
    _, rows = pixels
    vae = VAE(3, **TINY, input_shape=(8, 8))
    expected = reconstruction_error(vae.fit(rows), rows)
    pipe = make_pipeline(FunctionTransformer(), vae).fit(rows)
    assert reconstruction_error(pipe, rows) == pytest.approx(expected)
    search = GridSearchCV(vae, {"lr": [vae.lr]}, cv=2).fit(rows)
    assert reconstruction_error(search, rows) == pytest.approx(expected)
    for step in (vae, make_pipeline(vae)):
        pipe = make_pipeline(step, StandardScaler()).fit(rows)
        assert reconstruction_error(pipe, rows) == pytest.approx(expected)


def test_a_pipeline_that_scales_pixels_itself_is_in_units_of_pixels(pixels):
    _, rows = pixels
    pipe = make_pipeline(MinMaxScaler(), VAE(3, **TINY)).fit(rows)
    error = reconstruction_error(pipe, rows)
    assert 0.5 < error / rows.astype(float).var() < 2


def test_error_of_frames_and_of_sparse_rows():
    sparse = pytest.importorskip("scipy.sparse")
    pd = pytest.importorskip("pandas")
    X = RNG.standard_normal((30, 4))
    pca = PCA(2).set_output(transform="pandas").fit(pd.DataFrame(X, columns=list("abcd")))
    frame = pd.DataFrame(X, columns=list("abcd"))
    assert reconstruction_error(pca, frame) == pytest.approx(reconstruction_error(PCA(2).fit(X), X))
    svd = TruncatedSVD(2, algorithm="arpack", random_state=0).fit(X)
    expected = reconstruction_error(svd, X)
    assert reconstruction_error(svd, sparse.csr_matrix(X)) == pytest.approx(expected)


def test_views_are_refused(sprites):
    estimator = VAE(3, **TINY).fit(sprites)
    assert reconstruction_error(estimator, sprites[:, 0]) > 0
    with pytest.raises(ValueError, match=r"\(40, 2, 3, 8, 8\).*without a views axis"):
        reconstruction_error(estimator, sprites)


def test_estimators_that_do_not_decode_are_told():
    X = RNG.standard_normal((40, 6))
    with pytest.raises(ValueError, match="SimCLR without inverse_transform"):
        reconstruction_error(SimCLR(3, **TINY).fit(X), X)
    with pytest.raises(ValueError, match="Pipeline without inverse_transform"):
        reconstruction_error(make_pipeline(PCA(3), SimCLR(3, **TINY)).fit(X), X)
    with pytest.raises(ValueError, match="LogisticRegression without transform"):
        reconstruction_error(LogisticRegression(), X)
    with pytest.raises(ValueError, match="representation='latent'"):
        reconstruction_error(VAE(3, representation="hidden", **TINY).fit(X), X)
    with pytest.raises(ValueError, match="multioutput"):
        reconstruction_error(PCA(2).fit(X), X, multioutput="rows")


# ---------------------------------------------------------------- Fréchet distance


def with_moments(mean, covariance, n=300):
    """Rows that have exactly this mean and covariance."""
    rows = RNG.standard_normal((n, len(mean)))
    rows = np.linalg.qr(rows - rows.mean(0))[0] * np.sqrt(n - 1)
    values, vectors = np.linalg.eigh(covariance)
    return rows * np.sqrt(np.clip(values, 0, None)) @ vectors.T + mean


def random_covariance(d, rank=None):
    root = RNG.standard_normal((rank or d, d))
    return root.T @ root


def test_distance_along_common_axes_is_that_of_the_deviations():
    first = with_moments([0, 0, 0], np.diag([1.0, 4.0, 0.0]))
    second = with_moments([1, 2, 0], np.diag([9.0, 4.0, 25.0]), n=100)
    assert frechet_distance(first, second, itself) == pytest.approx(1 + 4 + (1 - 3) ** 2 + 25)


def test_distance_of_one_dimension():
    first, second = with_moments([1.0], [[4.0]]), with_moments([-2.0], [[9.0]])
    assert frechet_distance(first, second, itself) == pytest.approx(3**2 + (2 - 3) ** 2)


@pytest.mark.parametrize("d", [2, 5, 20])
def test_distance_of_any_covariances_is_that_of_the_matrix_root(d):
    covariances = random_covariance(d), random_covariance(d)
    means = RNG.standard_normal((2, d))
    first, second = (with_moments(*moments) for moments in zip(means, covariances, strict=True))
    expected = np.sum((means[0] - means[1]) ** 2) + np.trace(
        sum(covariances) - 2 * sqrtm(covariances[0] @ covariances[1]).real
    )
    assert frechet_distance(first, second, itself) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("n, d", [(50, 3), (5, 40), (2, 1), (200, 100)])
def test_distance_to_itself_is_zero(n, d):
    X = 10 * RNG.standard_normal((n, d)) + 100
    for same in (X, X[::-1]):
        assert 0 <= frechet_distance(X, same, itself) < 1e-9


def test_covariances_that_lack_rank_are_no_obstacle():
    # Rows on two orthogonal planes: nothing overlaps, and the traces remain.
    first = with_moments(np.zeros(4), np.diag([2.0, 3.0, 0, 0]))
    second = with_moments(np.zeros(4), np.diag([0, 0, 5.0, 7.0]))
    assert frechet_distance(first, second, itself) == pytest.approx(17)
    # On one plane, the empty dimensions count for nothing.
    plane = np.linalg.qr(RNG.standard_normal((30, 2)))[0].T
    first, second = (with_moments(RNG.standard_normal(2), random_covariance(2)) for _ in range(2))
    expected = frechet_distance(first, second, itself)
    assert frechet_distance(first @ plane, second @ plane, itself) == pytest.approx(expected)
    # Fewer rows than dimensions.
    assert frechet_distance(first[:2] @ plane, second[:3] @ plane, itself) > 0


def test_constant_features_are_as_far_as_their_means():
    first, second = np.zeros((5, 2)), np.tile([3.0, 4.0], (7, 1))
    assert frechet_distance(first, second, itself) == pytest.approx(25)


def test_distance_is_symmetric_and_does_not_depend_on_place_direction_or_order():
    first, second = (with_moments(RNG.standard_normal(6), random_covariance(6)) for _ in range(2))
    expected = frechet_distance(first, second, itself)
    rotation = np.linalg.qr(RNG.standard_normal((6, 6)))[0]
    assert frechet_distance(second, first, itself) == pytest.approx(expected)
    moved = first @ rotation + 50, second @ rotation + 50
    assert frechet_distance(*moved, itself) == pytest.approx(expected)
    assert frechet_distance(RNG.permutation(first), second, itself) == pytest.approx(expected)
    assert frechet_distance(3 * first, 3 * second, itself) == pytest.approx(9 * expected)


def test_distance_grows_with_shift_and_with_noise():
    X = RNG.standard_normal((500, 4))
    shifted = [frechet_distance(X, X + shift, itself) for shift in (0, 0.1, 1, 3)]
    np.testing.assert_allclose(shifted, [0, 0.04, 4, 36], atol=1e-9)
    noise = RNG.standard_normal((500, 4))
    assert np.all(np.diff([frechet_distance(X, X + s * noise, itself) for s in (0, 1, 2)]) > 0)


# ---------------------------------------------------------------- features


def gap(features):
    return frechet_distance(*features, itself)


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
def test_features_of_a_network_are_its_last_hidden_layer(digits, activation):
    X, y = digits
    parts = X[:80], X[80:]
    mlp = MLPClassifier((12, 7), activation=activation, max_iter=5, random_state=0)
    pipe = make_pipeline(StandardScaler(), clone(mlp)).fit(X, y)
    mlp.fit(X, y)
    forward = {
        "relu": lambda a: a * (a > 0),
        "tanh": lambda a: 1 - 2 / (np.exp(2 * a) + 1),
        "logistic": lambda a: 1 / (1 + np.exp(-a)),
        "identity": lambda a: a,
    }[activation]

    def last_hidden(X, mlp):
        first = forward(X @ mlp.coefs_[0] + mlp.intercepts_[0])
        return forward(first @ mlp.coefs_[1] + mlp.intercepts_[1])

    for model, scale in ((mlp, itself), (pipe, pipe[0].transform)):
        network = model if model is mlp else pipe[-1]
        hidden = [last_hidden(scale(part), network) for part in parts]
        assert frechet_distance(*parts, model) == pytest.approx(gap(hidden), rel=1e-4)
        # What the features feed is what the classifier says.
        scores = np.concatenate(hidden) @ network.coefs_[2] + network.intercepts_[2]
        np.testing.assert_array_equal(network.classes_[scores.argmax(1)], model.predict(X))


def test_features_of_a_network_alone_in_a_pipeline_or_from_a_search(digits):
    X, y = digits
    mlp = MLPClassifier((5,), max_iter=5, random_state=0).fit(X, y)
    pipe = make_pipeline(mlp).fit(X, y)
    search = GridSearchCV(mlp, {"alpha": [1e-4]}, cv=2).fit(X, y)
    expected = frechet_distance(X[:80], X[80:], mlp)
    assert frechet_distance(X[:80], X[80:], pipe) == pytest.approx(expected)
    assert frechet_distance(X[:80], X[80:], search) == pytest.approx(expected)


def test_features_of_other_estimators(digits):
    X, y = digits
    parts = X[:80], X[80:]
    pca = PCA(3).fit(X)
    assert frechet_distance(*parts, pca) == pytest.approx(gap(map(pca.transform, parts)))
    lda = LinearDiscriminantAnalysis(n_components=2).fit(X, y)
    assert frechet_distance(*parts, lda) == pytest.approx(gap(map(lda.transform, parts)))
    linear = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
    scores = [linear.decision_function(part) for part in parts]
    assert frechet_distance(*parts, linear) == pytest.approx(gap(scores))
    two = LogisticRegression().fit(X, y > 4)
    scores = [two.decision_function(part)[:, None] for part in parts]
    assert frechet_distance(*parts, two) == pytest.approx(gap(scores))


def test_features_of_probabilities_are_logarithms_and_finite(digits):
    X, y = digits
    bayes = GaussianNB().fit(X, y)
    parts = X[:80], X[80:]
    assert bayes.predict_proba(X).min() < 1e-30
    logs = [np.log(np.maximum(bayes.predict_proba(part), 1e-7)) for part in parts]
    assert frechet_distance(*parts, bayes) == pytest.approx(gap(logs))


def test_images_are_flattened_for_estimators_of_tables(digits):
    X = digits[0]
    images = X.reshape(-1, 8, 8)
    pca = PCA(3).fit(X)
    expected = frechet_distance(X[:80], X[80:], pca)
    assert frechet_distance(images[:80], images[80:], pca) == pytest.approx(expected)
    assert frechet_distance(images[:80].tolist(), X[80:], pca) == pytest.approx(expected)
    # A callable gets what was given.
    shapes = []
    frechet_distance(images[:80], images[80:], lambda X: shapes.append(X.shape) or X[:, 0])
    assert shapes == [(80, 8, 8)] * 2


def test_samples_of_a_model_in_the_space_of_another(pixels):
    images, _ = pixels
    model = SimVAE(3, **TINY).fit(images)
    generated = model.sample(50, random_state=0)
    # Fitted on pixels, it reads bytes and what decoders give alike.
    encoder = SimCLR(4, **TINY).fit(images)
    expected = gap([encoder.transform(images), encoder.transform(generated)])
    assert frechet_distance(images, generated, encoder) == pytest.approx(expected)
    classifier = make_pipeline(encoder, LogisticRegression()).fit(images, np.arange(40) % 3)
    scores = [classifier.decision_function(data) for data in (images, generated)]
    assert frechet_distance(images, generated, classifier) == pytest.approx(gap(scores))
    search = GridSearchCV(classifier, {"logisticregression__C": [1.0]}, cv=2)
    assert frechet_distance(images, generated, search.fit(images, np.arange(40) % 3)) >= 0


def test_bytes_and_unit_interval_do_not_meet(pixels):
    _, rows = pixels
    linear = LogisticRegression().fit(rows / 255, np.arange(40) % 2)
    with pytest.raises(ValueError, match=r"X is uint8 up to 255.*Divide X by 255"):
        frechet_distance(rows, rows / 255, linear)
    with pytest.raises(ValueError, match="Divide X_generated by 255"):
        frechet_distance(rows / 255, rows, linear)
    assert frechet_distance(rows / 255, rows / 255, linear) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(rows, rows.astype(float), linear) == pytest.approx(0, abs=1e-6)


def test_bad_data_are_told(digits):
    X, y = digits
    with pytest.raises(ValueError, match="3 features of X, and 2 of X_generated"):
        frechet_distance(X[:, :3], X[:, :2], itself)
    with pytest.raises(ValueError, match="minimum of 2"):
        frechet_distance(X, X[:1], itself)
    with pytest.raises(ValueError, match="Features of X_generated contains NaN"):
        frechet_distance(X, np.full_like(X, np.nan), itself)
    with pytest.raises(ValueError, match="2D array"):
        frechet_distance(X, X, lambda X: X[:, 0])
    mlp = MLPClassifier((5,), max_iter=2).fit(X, y)
    with pytest.raises(ValueError, match="expecting 64 features"):
        frechet_distance(X[:, :3], X[:, :3], mlp)
    with pytest.raises(ValueError, match=r"classifier must be.*got str"):
        frechet_distance(X, X, "inception")
    with pytest.raises(NotFittedError):
        frechet_distance(X, X, MLPClassifier())


def test_sparse_rows_in_the_hidden_layer_of_a_network(digits):
    X, y = digits
    network = MLPClassifier((8,), max_iter=5, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        network.fit(csr_array(X), y)
    expected = frechet_distance(X[:80], X[80:160], network)
    found = frechet_distance(csr_array(X[:80]), csr_array(X[80:160]), network)
    assert found == pytest.approx(expected)


def test_shares_are_held_against_the_counts_of_a_row():
    counts = np.random.default_rng(0).multinomial(100, np.ones(20) / 20, size=200)
    counts = counts.astype(np.float32)
    vae = tiny("VAE", likelihood="multinomial").fit(counts)
    shares = vae.inverse_transform(vae.transform(counts))
    expected = np.mean((counts - shares * 100) ** 2)
    assert reconstruction_error(vae, counts) == pytest.approx(expected, rel=1e-5)


def test_hidden_activations_are_no_latents_to_decode():
    X = np.random.default_rng(0).standard_normal((60, 10))
    vae = tiny("VAE", n_components=16, hidden_layer_sizes=(16,), representation="hidden").fit(X)
    with pytest.raises(ValueError, match="representation='hidden'"):
        reconstruction_error(make_pipeline(StandardScaler(), vae).fit(X), X)


@pytest.mark.parametrize("before", [VarianceThreshold(), FunctionTransformer()])
def test_shares_are_held_against_the_counts_wherever_in_a_pipeline(before):
    counts = np.random.default_rng(0).poisson(3, size=(200, 12)).astype(np.float32)
    if isinstance(before, FunctionTransformer):
        before.set_params(func=np.sqrt, inverse_func=np.square)
    pipeline = make_pipeline(before, tiny("VAE", likelihood="multinomial")).fit(counts)
    seen, vae = before.fit_transform(counts), pipeline[-1]
    shares = vae.inverse_transform(vae.transform(seen))
    decoded = before.inverse_transform(shares * seen.sum(1, keepdims=True))
    expected = np.mean((counts - decoded) ** 2)
    assert reconstruction_error(pipeline, counts) == pytest.approx(expected, rel=1e-5)


def test_network_is_found_however_deep_in_pipelines(digits):
    X, y = digits
    network = MLPClassifier((8,), max_iter=5, random_state=0)
    search = GridSearchCV(network, {"alpha": [1e-4]}, cv=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        flat, nested, searched = (
            frechet_distance(X[:80], X[80:160], make_pipeline(*steps).fit(X, y))
            for steps in (
                [StandardScaler(), network],
                [make_pipeline(StandardScaler(), network)],
                [StandardScaler(), search],
            )
        )
    assert nested == flat
    assert searched == pytest.approx(flat)
