"""Kinds of data in one row: how they are read, found missing, and refused."""

import copy
import pickle

import hypothesis
import numpy as np
import pytest
from conftest import tiny
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from made_modalities import (
    IMAGES,
    NAMES,
    OF_DICT,
    OF_FRAME,
    PAIR,
    TEXT,
    N,
    X,
    dense,
    make_frame,
    put,
    read,
)
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.ensemble import RandomTreesEmbedding
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import GridSearchCV
from sklearn.preprocessing import StandardScaler

from sklearn_simvae.multimodal.modalities import read_modalities

RNG = np.random.default_rng(0)


# ---------------------------------------------------------------- tables and dicts


def test_a_frame_with_text_is_the_dict_of_what_its_preprocessors_give(make_multimodal, frame):
    estimator = make_multimodal(**OF_FRAME).fit(frame)
    by_hand = {"size": X, "text": TfidfVectorizer().fit_transform(TEXT)}
    other = make_multimodal().fit(by_hand)
    assert_array_equal(estimator.transform(frame), other.transform(by_hand))
    dense = {"size": X, "text": by_hand["text"].toarray()}
    assert_array_equal(make_multimodal().fit_transform(dense), other.transform(by_hand))
    assert estimator.score(frame) == other.score(by_hand)


def test_a_preprocessor_may_be_of_several_columns_and_kinds(make_multimodal):
    frame = make_frame("pandas")
    columns = ColumnTransformer(
        [("text", CountVectorizer(), "text"), ("age", StandardScaler(), ["age"])]
    )
    modalities = [("size", "auto", NAMES[:4]), ("rest", "auto", ["text", "age"])]
    estimator = make_multimodal(modalities=modalities, preprocessing=[("rest", columns)])
    by_hand = {"size": X[:, :4], "rest": clone(columns).fit_transform(frame)}
    assert_allclose(
        estimator.fit_transform(frame), make_multimodal().fit_transform(by_hand), atol=1e-6
    )


@pytest.mark.parametrize("form", ["csr", "csc", "coo", "lil", "dia", "bsr", "dok"])
@pytest.mark.parametrize("kind", ["array", "matrix"])
@pytest.mark.parametrize("preprocessing", [(), [("second", StandardScaler(with_mean=False))]])
def test_sparse_tables_are_the_same_as_dense_ones(make_multimodal, form, kind, preprocessing):
    # StandardScaler rounds dense and sparse float32 in other ways, and training makes much of it.
    dense = np.where(X > 0, X, 0).astype(np.float64)
    params = {"preprocessing": preprocessing, "max_epochs": 1}
    Z = make_multimodal(**params).fit_transform(dense)
    S = getattr(sparse, f"{form}_{kind}")(dense)
    assert_allclose(make_multimodal(**params).fit_transform(S), Z, atol=1e-6)


TEXTS = {
    "list": list,
    "tuple": tuple,
    "objects": lambda text: np.array(text, dtype=object),
    "strings": np.array,
    "pandas": lambda text: pytest.importorskip("pandas").Series(text, index=np.arange(N) + 7),
    "polars": lambda text: pytest.importorskip("polars").Series(text),
    "sparse": sparse.coo_array,
}


@pytest.mark.parametrize("kind", TEXTS)
def test_dict_of_images_and_text(make_multimodal, kind):
    by_hand = TfidfVectorizer().fit_transform(TEXT).toarray()
    expected = make_multimodal(input_shapes=OF_DICT["input_shapes"]).fit_transform(
        {"image": IMAGES, "text": by_hand}
    )
    text = TEXTS[kind](by_hand if kind == "sparse" else TEXT)
    params = OF_DICT if kind != "sparse" else {"input_shapes": OF_DICT["input_shapes"]}
    data = {"image": IMAGES, "text": text}
    estimator = make_multimodal(**params).fit(data)
    assert_allclose(estimator.transform(data), expected, atol=1e-6)
    assert_array_equal(
        estimator.transform(text, modality="text"), estimator.transform({"text": text})
    )
    assert_array_equal(
        estimator.transform(IMAGES, modality="image"), estimator.transform({"image": IMAGES})
    )
    image, text = (m.layout for m in estimator.layout_.modalities)
    assert (image.kind, image.network_shape, image.pixels) == ("image", (3, 8, 8), True)
    assert (text.kind, text.input_shape) == ("vector", (5,))


@pytest.mark.parametrize("kind", ["list", "nested list", "series", "bool", "int8", "f2", ">f8"])
def test_entries_of_numbers_of_any_kind(kind):
    values = np.arange(N) % 3
    if kind == "nested list":
        given = values[:, None].tolist()
    elif kind == "series":
        given = pytest.importorskip("pandas").Series(values)
    elif kind == "list":
        given = values.tolist()
    else:
        values = values.astype(kind)
        given = values
    samples = read({"a": given, "b": X})
    assert samples.layout.n_features == 6
    assert_array_equal(dense(samples)[:, 0], values.astype(np.float32))
    # One column of a table is no different.
    table = np.column_stack([values, X])
    samples = read(table, [("a", "auto", 0), ("b", "auto", slice(1, None))])
    assert_array_equal(dense(samples), table.astype(np.float32))


def test_sparse_counts_are_vectors_whatever_their_number():
    counts = sparse.csr_array(IMAGES[..., 0].reshape(N, 64))
    samples = read({"a": counts, "b": X})
    assert samples.layout.modalities[0].layout.kind == "vector"
    assert_array_equal(dense(samples)[:, :64], counts.toarray())


def test_three_modalities_are_averaged(make_multimodal):
    data = {"image": IMAGES, "text": TEXT, "size": X}
    estimator = make_multimodal(**OF_DICT).fit(data)
    alone = [estimator.transform(data, modality=name) for name in data]
    assert_allclose(estimator.transform(data), np.mean(alone, 0), atol=1e-6)
    two = {"text": TEXT, "size": X}
    assert_allclose(estimator.transform(two), np.mean(alone[1:], 0), atol=1e-6)
    assert np.ptp(alone, axis=0).max() > 1e-2


def test_images_in_the_columns_of_a_table(make_multimodal):
    flat = IMAGES.reshape(N, -1)
    data = np.column_stack([X, flat / 255])
    params = {
        "modalities": [("size", "auto", slice(0, 5)), ("image", "mlp", slice(5, None))],
        "input_shapes": {"image": (8, 8, 3)},
    }
    estimator = make_multimodal(**params).fit(data)
    shaped = make_multimodal(**params | {"modalities": [("size", "auto"), ("image", "mlp")]})
    expected = shaped.fit_transform({"size": X, "image": IMAGES / np.float32(255)})
    assert_allclose(estimator.transform(data), expected, atol=1e-5)


def test_read_only_and_strided_input(make_multimodal):
    fortran = np.asfortranarray(X)
    backwards = {"a": X[::-1, ::-1], "b": IMAGES[::-1, :, ::-1]}
    straight = {name: np.ascontiguousarray(values) for name, values in backwards.items()}
    params = {"input_shapes": {"b": (8, 8, 3)}}
    assert_array_equal(
        make_multimodal(**params).fit_transform(backwards),
        make_multimodal(**params).fit_transform(straight),
    )
    assert_array_equal(make_multimodal().fit_transform(fortran), make_multimodal().fit_transform(X))
    readonly = sparse.csr_array(X)
    for part in (readonly.data, readonly.indices, readonly.indptr):
        part.flags.writeable = False
    assert_array_equal(
        make_multimodal().fit_transform({"a": readonly, "b": X}),
        make_multimodal().fit_transform({"a": X, "b": X}),
    )


# ---------------------------------------------------------------- memory


@hypothesis.given(
    there=hnp.arrays(bool, (9, 4)),
    rows=st.lists(st.integers(-9, 8), max_size=12),
)
@hypothesis.settings(max_examples=60, deadline=None)
def test_samples_give_the_rows_of_the_dense_table_and_a_mask(there, rows):
    there[:, 0] |= ~there.any(1)
    there[0] = True
    counts = CountVectorizer().fit_transform(TEXT[:9])

    def listed(values, present):
        return [v if here else None for v, here in zip(values, present, strict=True)]

    data = {
        "image": listed(IMAGES[:9], there[:, 0]),
        "text": listed(TEXT[:9], there[:, 1]),
        "size": np.where(there[:, 2:3], X[:9], np.nan),
        "age": listed(range(9), there[:, 3]),
    }
    tables = [IMAGES[:9].reshape(9, -1) / np.float32(255), counts.toarray(), X[:9]]
    tables.append(np.arange(9)[:, None])
    expected = np.column_stack(
        [np.where(there[:, [i]], values, np.nan) for i, values in enumerate(tables)]
    )
    vectorizer = CountVectorizer(vocabulary=sorted(set(" ".join(TEXT).split())))
    samples = read(data, None, [("text", vectorizer)], {"image": (8, 8, 3)})
    again = read_modalities(data, samples.layout)
    for some in (samples, again):
        assert some.shape == expected.shape and len(some) == 9
        assert_array_equal(some.mask, there)
        which = np.array(rows, dtype=int)
        values, mask = some.take(which)
        types = [np.uint8, *[np.float32] * 3]
        assert [x.dtype for x in values] == types or not there.all(0).any()
        assert all(np.isfinite(x).all() for x in values)
        assert_array_equal(mask, there[which])
        assert_array_equal(dense(some, which), expected[rows].astype(np.float32))


def test_sparse_and_uint8_stay_what_they_are():
    counts = CountVectorizer(dtype=np.int32).fit_transform(TEXT)
    samples = read({"image": IMAGES, "text": counts}, input_shapes={"image": (8, 8, 3)})
    image, text = (part.X for part in samples.parts)
    assert np.shares_memory(image, IMAGES)
    assert sparse.issparse(text) and np.shares_memory(text.data, counts.data)
    samples = read(
        {"image": IMAGES, "text": TEXT}, None, OF_DICT["preprocessing"], OF_DICT["input_shapes"]
    )
    assert sparse.issparse(samples.parts[1].X)


def test_only_the_rows_of_a_batch_become_dense(make_multimodal, monkeypatch):
    # Many enough for what is looked at beside batches.
    n, made = 3000, []
    S = sparse.random_array((n, 12), density=0.2, format="csr", random_state=0)
    toarray = type(S).toarray

    def spy(self, *args, **kwargs):
        made.append(self.shape[0])
        return toarray(self, *args, **kwargs)

    monkeypatch.setattr(type(S), "toarray", spy)
    estimator = make_multimodal(max_epochs=1, batch_size=500).fit(S)
    fitted = len(made)
    assert made.count(500) >= 2 * 6 and max(made) < n
    estimator.transform(S)
    assert max(made[fitted:]) <= 1024 and sum(made[fitted:]) == 2 * n


def test_pixels_are_scaled_to_the_unit_interval(make_multimodal):
    params = {"input_shapes": {"image": (8, 8, 3)}}
    pixels, floats = {"image": IMAGES, "size": X}, {"image": IMAGES / np.float32(255), "size": X}
    first, second = make_multimodal(**params).fit(pixels), make_multimodal(**params).fit(floats)
    Z = first.transform(pixels)
    assert_array_equal(first.transform(floats), Z)
    assert_array_equal(second.transform(floats), Z)
    with pytest.raises(ValueError, match=r"outside \[0, 1\].*255"):
        first.transform({"image": IMAGES.astype(float)})
    with pytest.raises(ValueError, match="uint8"):
        second.transform(pixels)


# ---------------------------------------------------------------- missing

MISSING = np.arange(N) % 4 == 1


def without_size():
    """Numbers that are wholly missing in some rows."""
    return put(X, MISSING)


def test_a_row_is_known_by_the_modalities_that_it_has(make_multimodal, frame):
    module = type(frame).__module__.split(".")[0]
    text = [None if i % 4 == 2 else t for i, t in enumerate(TEXT)]
    holes = make_frame(module, without_size(), text)
    estimator = make_multimodal(**OF_FRAME).fit(holes)
    Z = estimator.transform(holes)
    size, words = (estimator.transform(frame, modality=name) for name in ("size", "text"))
    kind = np.arange(N) % 4
    expected = np.where((kind == 1)[:, None], words, (size + words) / 2)
    assert_allclose(Z, np.where((kind == 2)[:, None], size, expected), atol=1e-6)
    assert np.isfinite(Z).all() and np.isfinite(estimator.score(holes))
    assert np.isfinite(estimator.history_[-1]["loss"])


HOLES = {
    "None in a list": lambda: [None if m else x for m, x in zip(MISSING, X, strict=True)],
    "NaN in an array": without_size,
    "NaN in float32": lambda: without_size().astype(np.float32),
    "NaN in nested lists": lambda: without_size().tolist(),
    "None among objects": lambda: np.where(MISSING[:, None], None, X.astype(object)),
    "NA in a frame": lambda: (
        pytest.importorskip("pandas").DataFrame(without_size()).astype("Float32")
    ),
    "null in polars": lambda: (
        pytest.importorskip("polars").DataFrame(without_size()).fill_nan(None)
    ),
}


@pytest.mark.parametrize("holes", HOLES.values(), ids=HOLES)
def test_a_block_may_be_missing_in_many_ways(holes):
    samples = read({"a": holes(), "b": X})
    assert_array_equal(samples.mask, np.column_stack([~MISSING, np.ones(N, bool)]))
    assert_array_equal(dense(samples), np.column_stack([without_size(), X]).astype(np.float32))


@pytest.mark.parametrize("nothing", ["None", "nan", "NA"])
@pytest.mark.parametrize("kind", ["list", "objects", "pandas"])
def test_text_may_be_missing_in_many_ways(nothing, kind):
    absent = {"None": lambda: None, "nan": lambda: np.nan}
    absent["NA"] = lambda: pytest.importorskip("pandas").NA
    text = [absent[nothing]() if m else t for m, t in zip(MISSING, TEXT, strict=True)]
    samples = read({"text": TEXTS[kind](text), "b": X}, None, OF_DICT["preprocessing"])
    assert_array_equal(samples.mask[:, 0], ~MISSING)
    by_hand = TfidfVectorizer().fit_transform([t for t in text if isinstance(t, str)])
    assert_allclose(dense(samples)[~MISSING, :5], by_hand.toarray(), rtol=1e-6)


def test_entries_left_out_are_missing(make_multimodal):
    data = {"image": IMAGES, "text": TEXT}
    estimator = make_multimodal(**OF_DICT).fit(data)
    Z = estimator.transform(data, modality="text")
    for given in (
        {"text": TEXT},
        {"text": TEXT, "image": None},
        {"image": [None] * N, "text": TEXT},
    ):
        assert_array_equal(estimator.transform(given), Z)
    assert np.abs(estimator.transform(data) - Z).max() > 1e-3
    assert estimator.partial_fit({"text": TEXT}).n_iter_ == 3


def test_preprocessors_see_only_the_rows_that_have_their_modality():
    scaler = StandardScaler()
    samples = read({"a": without_size(), "b": X}, None, [("a", scaler)])
    expected = StandardScaler().fit_transform(X[~MISSING])
    assert_allclose(dense(samples)[~MISSING, :5], expected, atol=1e-6)
    assert not hasattr(scaler, "mean_")
    assert samples.layout.modalities[0].preprocessor is not scaler


def test_a_preprocessor_may_impute_what_is_missing_in_part(make_multimodal):
    holes = put(X, (3, 0))
    holes[5, :3] = np.nan
    estimator = make_multimodal(preprocessing=[("first", SimpleImputer())]).fit(holes)
    assert_array_equal(estimator.transform(holes)[5], estimator.transform(holes, "second")[5])
    with pytest.raises(ValueError, match="modality 'first' contains NaN"):
        make_multimodal(preprocessing=[("first", StandardScaler())]).fit(holes)


# ---------------------------------------------------------------- bad input


BAD_DICTS = {
    "unknown name": ({"a": X, "c": X}, PAIR, r"entries of X are \['a', 'c'\].*\['a', 'b'\]"),
    "one too many": ({"a": X, "b": X, "c": X}, PAIR, "Name all of them"),
    "one too few": ({"a": X}, PAIR, "Name all of them"),
    "one": ({"a": X}, None, "At least two modalities"),
    "nothing": ({}, None, "At least two modalities"),
    "lengths": ({"a": X, "b": X[:5]}, None, "differ in length: {'a': 24, 'b': 5}"),
    "all None": ({"a": None, "b": None}, None, "no values"),
    "None": ({"a": X, "b": None}, None, "'b' is missing in all rows"),
    "a list of None": ({"a": X, "b": [None] * N}, None, "'b' is missing in all rows"),
    "all NaN": ({"a": X, "b": X * np.nan}, None, "'b' is missing in all rows"),
    "number": ({"a": X, "b": 3}, None, "'b' of X must hold a value for each row"),
    "one text": ({"a": X, "b": TEXT[0] * 2}, None, "'b' of X is of type str, which holds no rows"),
    "no rows": ({"a": X[:0], "b": X[:0]}, None, "0 samples"),
    "one row": ({"a": X[:1], "b": X[:1]}, None, "at least 2 samples"),
    "text": ({"a": X, "b": TEXT}, None, "'b' holds text.*TfidfVectorizer"),
    "text of an array": ({"a": X, "b": np.array(TEXT)}, None, "'b' holds text"),
    "ragged": ({"a": X, "b": [[1.0]] * 23 + [[1.0, 2.0]]}, None, "'b' differ in shape"),
    "images of another size": (
        {"a": X, "b": [*IMAGES[:23], IMAGES[0, :4]]},
        None,
        "'b' differ in shape",
    ),
    "channels last": ({"a": X, "b": IMAGES / 255.0}, None, "'b'.*input_shapes={'b'"),
    "flat pixels": ({"a": X, "b": IMAGES.reshape(N, -1)}, None, "'b'.*input_shapes={'b'"),
    "views": ({"a": X, "b": X.reshape(N, 1, 5)}, None, "'b'.*images.*input_shapes={'b'"),
    "NaN in part": ({"a": X, "b": put(X, (3, 1))}, None, "NaN.*1 row.*'b' in part.*row 3"),
    "NaN in a sparse row": ({"a": X, "b": sparse.csr_array(put(X, 3))}, None, "'b' contains NaN"),
    "infinity": ({"a": X, "b": put(X, 3, np.inf)}, None, "'b' contains infinity"),
    "too large": ({"a": X, "b": put(X, 3, 1e39)}, None, "'b'.*float32"),
    "complex": ({"a": X, "b": X * 1j}, None, "[Cc]omplex"),
    "a row of nothing": (
        {"a": put(X, [3, 4]), "b": put(X, [4, 5])},
        None,
        "1 row.*lack any modality.*row 4",
    ),
}


@pytest.mark.parametrize("data, modalities, match", BAD_DICTS.values(), ids=BAD_DICTS)
def test_dicts_that_cannot_be_learned_from(make_multimodal, data, modalities, match):
    with pytest.raises(ValueError, match=match):
        make_multimodal(modalities=modalities).fit(data)


BAD_FRAMES = {
    "text without preprocessor": ({"preprocessing": ()}, None, "'text' holds text"),
    "unknown name": (
        {"modalities": [("size", "auto", ["length"]), ("text", "auto", "text")]},
        None,
        "'size' has columns.*length",
    ),
    "unknown end of a slice": (
        {"modalities": [("size", "auto", slice("height", "length")), ("text", "auto", "text")]},
        None,
        "'size' has columns.*length",
    ),
    "partly": ({}, put(X, (3, 1)), "NaN.*'size' in part.*row 3.*SimpleImputer"),
    "wrong shape for a scaler": (
        {
            "modalities": [("size", "auto", "age"), ("text", "auto", "text")],
            "preprocessing": [*OF_FRAME["preprocessing"], ("size", StandardScaler())],
        },
        None,
        "Expected a? ?2",
    ),
}


@pytest.mark.parametrize("params, numbers, match", BAD_FRAMES.values(), ids=BAD_FRAMES)
@pytest.mark.parametrize("module", ["pandas", "polars"])
def test_frames_that_cannot_be_learned_from(make_multimodal, module, params, numbers, match):
    frame = make_frame(module, X if numbers is None else numbers)
    with pytest.raises(ValueError, match=match):
        make_multimodal(**OF_FRAME | params).fit(frame)


# ---------------------------------------------------------------- names and parameters


def test_names_of_features(make_multimodal, frame):
    estimator = make_multimodal(**OF_FRAME).fit(frame)
    assert estimator.n_features_in_ == 6
    assert list(estimator.feature_names_in_) == [*NAMES, "text"]
    name = type(estimator).__name__.lower()
    assert list(estimator.get_feature_names_out()) == [f"{name}{i}" for i in range(3)]
    for modality in (None, "size"):
        with pytest.raises(ValueError, match="feature names"):
            estimator.transform(frame[["text", *NAMES]], modality=modality)
    estimator.set_params(preprocessing=OF_DICT["preprocessing"], modalities=None)
    estimator.set_params(input_shapes=OF_DICT["input_shapes"])
    estimator.fit({"image": IMAGES, "text": TEXT})
    assert estimator.n_features_in_ == 8 * 8 * 3 + 5
    assert not hasattr(estimator, "feature_names_in_")


@pytest.mark.parametrize("container", [list, tuple])
def test_parameters_of_preprocessors_are_reached(make_multimodal, container):
    frame = make_frame("pandas")
    estimator = make_multimodal(**OF_FRAME, max_epochs=1)
    estimator.set_params(preprocessing=container(OF_FRAME["preprocessing"]))
    params = estimator.get_params()
    assert params["text__max_features"] is None and params["text"] is estimator.preprocessing[0][1]
    assert "text" not in estimator.get_params(deep=False)
    estimator = clone(estimator).set_params(text__max_features=2).fit(frame)
    assert estimator.layout_.modalities[1].layout.n_features == 2
    estimator.set_params(text=CountVectorizer(max_features=3)).fit(frame)
    assert estimator.layout_.modalities[1].layout.n_features == 3
    assert isinstance(estimator.get_params()["text"], CountVectorizer)
    assert OF_FRAME["preprocessing"][0][1].max_features is None
    with pytest.raises(ValueError, match="nothing"):
        estimator.set_params(text__nothing=3)


def test_parameters_of_preprocessors_are_searched(make_multimodal):
    frame = make_frame("pandas")
    grid = {"text__max_features": [1, 4], "modalities": [OF_FRAME["modalities"]]}
    search = GridSearchCV(make_multimodal(**OF_FRAME), grid, cv=2).fit(frame)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    best = search.best_estimator_
    n_words = best.layout_.modalities[1].layout.n_features
    assert n_words == search.best_params_["text__max_features"]


def test_given_preprocessors_are_never_fitted_nor_shared(make_multimodal):
    frame = make_frame("pandas")
    vectorizer = TfidfVectorizer()
    params = {**OF_FRAME, "preprocessing": [("text", vectorizer)]}
    first = make_multimodal(**params).fit(frame)
    words = make_frame("pandas", text=["other words"] * N)
    make_multimodal(**params).fit(words)
    assert not hasattr(vectorizer, "vocabulary_")
    assert "red" in first.layout_.modalities[1].preprocessor.vocabulary_
    other = clone(first)
    assert other.preprocessing[0][1] is not vectorizer and repr(other) == repr(first)


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))])
def test_copies_go_on_with_selectors_and_preprocessors(make_multimodal, duplicate):
    frame = make_frame("pandas")
    selector = make_column_selector(dtype_include="number")
    modalities = [("size", "auto", selector), ("text", "auto", "text")]
    estimator = make_multimodal(**OF_FRAME | {"modalities": modalities}).fit(frame)
    other = duplicate(estimator)
    assert_array_equal(other.transform(frame), estimator.transform(frame))
    other.partial_fit(frame)
    assert_array_equal(other.transform(frame), estimator.partial_fit(frame).transform(frame))


@pytest.mark.parametrize("module", ["pandas", "polars"])
def test_columns_of_an_entry_must_be_those_of_fit(make_multimodal, module, tmp_path):
    DataFrame = pytest.importorskip(module).DataFrame
    numbers = DataFrame({name: X[:, i] for i, name in enumerate(NAMES)})
    data = {"numbers": numbers, "rest": X}
    estimator = make_multimodal().fit(data)
    Z = estimator.transform(data)
    estimator.save_weights(tmp_path / "weights")
    loaded = make_multimodal().load_weights(tmp_path / "weights")
    other_order = numbers[NAMES[::-1]]
    for model in (estimator, loaded, pickle.loads(pickle.dumps(estimator))):
        assert_array_equal(model.transform(data), Z)
        # Without names there is nothing to check.
        assert_array_equal(model.transform({"numbers": X, "rest": X}), Z)
        with pytest.raises(
            ValueError, match="feature names of the modality 'numbers' should match"
        ):
            model.transform({"numbers": other_order, "rest": X})
        with pytest.raises(
            ValueError, match="feature names of the modality 'numbers' should match"
        ):
            model.transform(other_order, modality="numbers")


def test_a_fit_that_fails_leaves_the_one_before(make_multimodal):
    frame = make_frame("pandas")
    estimator = make_multimodal(**OF_FRAME).fit(frame)
    Z, before = estimator.transform(frame), dict(vars(estimator))
    # The text is read when the numbers fail: they come last.
    estimator.set_params(modalities=OF_FRAME["modalities"][::-1])
    for bad in (
        make_frame("pandas", put(X, (3, 1)), ["new words"] * N),
        make_frame("pandas", put(X, 3, np.inf), ["new words"] * N),
        frame[NAMES],
        X,
    ):
        with pytest.raises(ValueError):
            estimator.fit(bad)
    estimator.set_params(modalities=OF_FRAME["modalities"])
    assert vars(estimator) == before
    assert_array_equal(estimator.transform(frame), Z)


@pytest.mark.parametrize("how", ["partial_fit", "fit"])
@pytest.mark.parametrize(
    "params",
    [
        {"text__max_features": 2},
        {"modalities": OF_FRAME["modalities"][::-1]},
        {"input_shapes": {"size": (5, 1)}},
    ],
)
def test_training_does_not_go_on_with_other_modalities(make_multimodal, params, how):
    frame = make_frame("pandas")
    estimator = clone(make_multimodal(**OF_FRAME, warm_start=True)).fit(frame)
    estimator.set_params(**params)
    with pytest.raises(ValueError, match=r"(preprocessing|modalities|input_shapes) changed since"):
        getattr(estimator, how)(frame)


def test_series_of_many_channels_are_declared_by_their_encoder(make_multimodal):
    series = RNG.standard_normal((N, 20, 10)).astype(np.float32)
    estimator = make_multimodal(
        modalities=[("s", "conv1d"), ("x", "mlp")], input_shapes={"s": (20, 10)}
    ).fit({"s": series, "x": X})
    assert estimator.layout_.modalities[0].layout.kind == "series"


@pytest.mark.parametrize("form", ["array", "Series", "frame", "with a None"])
def test_a_column_of_arrays_is_an_array(make_multimodal, form):
    pd = pytest.importorskip("pandas")
    rows = list(RNG.standard_normal((N, 4)).astype(np.float32))
    column = pd.Series(rows, dtype=object)
    if form == "with a None":
        column[3] = None
    expected = make_multimodal().fit(
        {"x": X, "e": [None if row is None else row for row in column]}
    )
    if form == "frame":
        table = pd.DataFrame(X, columns=NAMES).assign(e=column)
        found = make_multimodal(modalities=[("x", "auto", NAMES), ("e", "auto", "e")]).fit(table)
        found = found.transform(table[["e"]], modality="e")
    else:
        column = column.to_numpy() if form == "array" else column
        found = make_multimodal().fit({"x": X, "e": column})
        found = found.transform({"x": X, "e": np.stack(rows)}, modality="e")
    e = {"x": X, "e": np.stack(rows)}
    assert_array_equal(found, expected.transform(e, modality="e"))


def test_a_column_of_arrays_that_differ_in_shape_is_told_by_name(make_multimodal):
    column = np.empty(N, dtype=object)
    column[:] = [np.zeros(2 + (i == 3)) for i in range(N)]
    with pytest.raises(ValueError, match="rows of the modality 'e' differ in shape"):
        make_multimodal().fit({"x": X, "e": column})


def test_whole_numbers_of_arrow_may_be_missing(make_multimodal):
    pa = pytest.importorskip("pyarrow")
    values = [[None if row < 3 else row + column for row in range(N)] for column in range(4)]
    table = pa.table({f"x{i}": pa.array(column, pa.int64()) for i, column in enumerate(values)})
    found, expected = (
        make_multimodal().fit({"a": X, "b": b}).transform({"a": X, "b": b})
        for b in (table, table.to_pandas())
    )
    assert_array_equal(found, expected)


def test_texts_of_dask_are_represented_by_chunk():
    da = pytest.importorskip("dask.array")
    clip = tiny("CLIP", **OF_FRAME).fit(make_frame("pandas"))
    texts = da.from_array(np.array(TEXT, dtype=object), chunks=3)
    expected = clip.transform(TEXT, modality="text")
    assert_allclose(clip.transform(texts, modality="text").compute(), expected, atol=1e-6)


def test_preprocessor_may_have_a_length():
    trees = RandomTreesEmbedding(3, max_depth=2, random_state=0)
    halves = [("a", "auto", [0, 1, 2]), ("b", "auto", [3, 4])]
    clip = tiny("CLIP", modalities=halves, preprocessing=[("a", trees)]).fit(X)
    assert len(clip.layout_.modalities[0].preprocessor) == 3
