"""The reader of modalities: what it takes, refuses, and takes for one modality alone."""

import warnings

import numpy as np
import pytest
from conftest import TINY, tiny
from made_modalities import NAMES, OF_FRAME, TEXT, N, X, make_frame, put
from numpy.testing import assert_array_equal
from scipy import sparse
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer

from sklearn_simvae.multimodal import CLIP
from sklearn_simvae.multimodal.reader import ModalityReader


def test_data_unlike_that_of_fit(make_multimodal):
    data = {"a": X, "b": X}
    of_dict, of_table = make_multimodal().fit(data), make_multimodal().fit(X)
    for estimator, wrong, match in (
        (of_dict, X, "fitted on a dict"),
        (of_table, data, "fitted on a table"),
        (of_table, X[:, :4], "X has 4 features.*expecting 5"),
        (of_table, sparse.csr_array(X)[:, :4], "X has 4 features.*expecting 5"),
        (of_table, X.reshape(N, 5, 1), "a dict of arrays.*or a table"),
        (of_table, put(X, (3, 1)), "'first' in part"),
        (of_table, put(X, 3), "lack any modality"),
        (of_dict, {**data, "c": X}, r"entries \['c'\]"),
        (of_dict, {"a": X[:, :4]}, "4 features.*modality 'a' is expecting 5"),
        (of_dict, {"a": X.reshape(N, 1, 5)}, "'a'.*views axis"),
        (of_dict, {"a": X, "b": X[:4]}, "differ in length"),
        (of_dict, {}, "no values"),
        (of_dict, {"a": TEXT}, "'a' holds text"),
    ):
        before = estimator.transform(data if estimator is of_dict else X)
        for method in ("transform", "score", "partial_fit"):
            with pytest.raises(ValueError, match=match):
                getattr(estimator, method)(wrong)
        after = estimator.transform(data if estimator is of_dict else X)
        assert_array_equal(after, before)


def test_modalities_that_are_not_there(make_multimodal):
    estimator = make_multimodal().fit(X)
    with pytest.raises(ValueError, match=r"no modality 'third'; there are \['first', 'second'\]"):
        estimator.transform(X, modality="third")
    with pytest.raises(ValueError, match=r"1 row.*lack the modality 'first'.*row 3"):
        estimator.transform(put(X, (3, slice(0, 3))), modality="first")
    with pytest.raises(ValueError, match="lack the modality"):
        make_multimodal().fit({"a": X, "b": X}).transform({"b": X}, modality="a")


@pytest.mark.parametrize("other", [np.nan, 1e30])
def test_one_modality_is_represented_whatever_the_others_are(make_multimodal, other):
    estimator = make_multimodal().fit(X)
    Z = estimator.transform(X, modality="first")
    changed = put(X, (slice(None), slice(3, 5)), other)
    assert_array_equal(estimator.transform(changed, modality="first"), Z)
    # Not even what would be an error.
    changed = put(X, (0, 3))
    assert_array_equal(estimator.transform(changed, modality="first"), Z)
    with pytest.raises(ValueError, match=r"NaN.*'second' in part"):
        estimator.transform(changed)


def test_texts_of_arrow_are_texts(make_multimodal):
    pa = pytest.importorskip("pyarrow")
    columns = {name: X[:, i] for i, name in enumerate(NAMES)}
    table = pa.table({**columns, "text": TEXT})
    of_table = make_multimodal(**OF_FRAME).fit(table)
    expected = of_table.transform(table, modality="text")
    for alone in (table.select(["text"]), table["text"], TEXT, [[text] for text in TEXT]):
        assert_array_equal(of_table.transform(alone, modality="text"), expected)
    of_dict = make_multimodal(preprocessing=[("text", TfidfVectorizer())])
    Z = of_dict.fit({"size": X, "text": pa.array(TEXT)}).transform({"size": X, "text": TEXT})
    assert np.isfinite(Z).all()


@pytest.mark.parametrize("alone", [True, False])
@pytest.mark.parametrize("from_dict", [True, False])
def test_record_batches_are_held_to_the_names_of_fit(from_dict, alone):
    pa = pytest.importorskip("pyarrow")

    def batch(columns):
        return pa.RecordBatch.from_arrays([X[:, NAMES.index(c)] for c in columns], names=columns)

    parts = {"size": NAMES[:2], "rest": NAMES[2:]}
    modalities = [(name, "auto", columns) for name, columns in parts.items()]

    def rows(columns):
        if from_dict:
            given = {"rest": batch(columns)}
            return given if alone else {"size": batch(NAMES[:2]), **given}
        return batch(columns if alone else [*NAMES[:2], *columns])

    clip = tiny("CLIP", modalities=None if from_dict else modalities)
    clip.fit({name: batch(c) for name, c in parts.items()} if from_dict else batch(NAMES))
    assert clip.transform(rows(NAMES[2:]), modality="rest").shape == (N, clip.n_components)
    with pytest.raises(ValueError, match="feature names"):
        clip.transform(rows(NAMES[:1:-1]), modality="rest")


def test_text_alone_may_come_as_a_record_batch():
    pa = pytest.importorskip("pyarrow")
    clip = tiny("CLIP", **OF_FRAME).fit(make_frame("pandas"))
    given = pa.RecordBatch.from_arrays([pa.array(TEXT)], names=["text"])
    expected = clip.transform(TEXT, modality="text")
    assert_array_equal(clip.transform(given, modality="text"), expected)


@pytest.mark.parametrize("n_tokens", [None, 2])
def test_lists_of_tokens_may_come_alone(n_tokens):
    pd = pytest.importorskip("pandas")
    tokens = [text.split()[:n_tokens] for text in TEXT]
    frame = make_frame("pandas")
    frame["text"] = pd.Series(tokens)
    counts = CountVectorizer(analyzer=lambda words: words)
    params = OF_FRAME | {"preprocessing": [("text", counts)]}
    clip = tiny("CLIP", **params).fit(frame)
    expected = clip.transform(frame, modality="text")
    assert_array_equal(clip.transform(tokens, modality="text"), expected)


@pytest.mark.parametrize("module", ["pandas", "polars", "pyarrow"])
def test_descriptions_alone_will_do_for_an_estimator_of_tables(module):
    frames = pytest.importorskip(module)
    rng = np.random.default_rng(0)
    columns = {name: rng.random(40) for name in "abcd"}
    columns["note"] = ["warm and dry", "cold"] * 20
    table = (frames.table if module == "pyarrow" else frames.DataFrame)(columns)
    modalities = [("measured", "mlp", list("abcd")), ("note", "mlp", "note")]
    preprocessing = [("note", TfidfVectorizer())]
    clip = CLIP(modalities=modalities, preprocessing=preprocessing, **TINY).fit(table)
    expected = clip.transform(table, modality="note")
    assert_array_equal(clip.transform(columns["note"], modality="note"), expected)
    numbers = np.column_stack([columns[name] for name in "abcd"])
    measured = clip.transform(table, modality="measured")
    assert_array_equal(clip.transform(numbers, modality="measured"), measured)
    if module == "pandas":
        assert_array_equal(clip.transform(table[list("abcd")], modality="measured"), measured)
        assert_array_equal(clip.transform(table["note"], modality="note"), expected)
        with pytest.raises(ValueError, match="feature names of the modality 'measured'"):
            clip.transform(table[list("dcba")], modality="measured")
    classifier = clip.zero_shot_classifier(["warm and dry", "cold"])
    assert set(classifier.predict(numbers)) <= {"warm and dry", "cold"}
    assert (clip.zero_shot_classifier(["cold"]).predict(table) == "cold").all()


@pytest.mark.parametrize("method", ["fit", "partial_fit", "fit_transform"])
def test_groups_are_refused_where_it_learns(make_multimodal, digits, method):
    estimator = make_multimodal()
    with pytest.raises(ValueError, match="takes no groups: the views of a row are its modalities"):
        getattr(estimator, method)(digits[0], groups=np.arange(160) // 2)
    assert not hasattr(estimator, "net_")


@pytest.mark.parametrize("method", ["score", "score_samples"])
def test_groups_are_refused_where_it_scores(make_multimodal, digits, method):
    estimator = make_multimodal().fit(digits[0])
    if hasattr(estimator, method):
        with pytest.raises(ValueError, match="takes no groups"):
            getattr(estimator, method)(digits[0], groups=np.arange(160) // 2)


@pytest.mark.parametrize(
    ("augmentations", "match"),
    [({"third": "auto"}, "no modality 'third'"), ({"first": 3}, r"augmentations\['first'\]")],
)
def test_augmentations_of_nothing_are_refused(make_multimodal, digits, augmentations, match):
    with pytest.raises(ValueError, match=match):
        make_multimodal(augmentations=augmentations).fit(digits[0])


@pytest.mark.parametrize("of", [list, np.stack])
def test_arrays_of_more_axes_are_told_from_tables(make_multimodal, of):
    # What searches make of a dict whose keys are numbers is a list of whole arrays.
    X = of([np.zeros((24, 8, 8))])
    with pytest.raises(ValueError, match=r"dict of arrays.*searches.*pandas\.DataFrame"):
        make_multimodal().fit(X)


TWO = [("size", "auto", [2, 0]), ("rest", "auto", [1, 3, 4])]


def test_a_reader_of_a_layout_reads_columns_where_they_were_in_fit():
    fitted = ModalityReader("CLIP", modalities=TWO)
    fitted.fit(X)
    samples = ModalityReader("CLIP", fitted.layout).read(put(X, (3, [1, 3, 4])))
    size, rest = samples.read(np.arange(N))
    assert_array_equal(size, X[:, [2, 0]])
    others = np.arange(N) != 3
    assert_array_equal(rest[others], X[others][:, [1, 3, 4]])
    assert_array_equal(samples.mask, np.column_stack([np.ones(N, bool), others]))


def test_only_one_modality_is_there_where_one_is_asked_for():
    reader = ModalityReader("CLIP", modalities=TWO)
    reader.fit(X)
    for given in (X, X[:, [2, 0]]):
        samples = reader.read(given, only="size")
        assert_array_equal(samples.mask, np.tile([True, False], (N, 1)))
        assert_array_equal(samples.read(np.arange(N))[0], X[:, [2, 0]])


@pytest.mark.parametrize(
    ("given", "modality", "alone"),
    [
        (X, "size", False),
        (X[:, :2], "size", True),
        (X[:, :2], "rest", False),
        (X[:, :3], "rest", True),
        ({"size": X[:, :2]}, "size", False),
        (X[:, 0], "size", False),
    ],
)
def test_columns_are_alone_where_they_are_as_many_as_those_of_the_modality(given, modality, alone):
    reader = ModalityReader("CLIP", modalities=TWO)
    reader.fit(X)
    assert reader.is_alone(given, modality) is alone


def test_a_required_check_sees_the_samples_of_fit_and_of_each_read():
    seen = []
    reader = ModalityReader("CLIP", modalities=TWO)
    reader.require(lambda samples: seen.append((len(samples), samples.mask.sum())))
    reader.fit(X)
    reader.read(X[:7])
    reader.read(X[:5], only="rest")
    assert seen == [(N, 2 * N), (7, 14), (5, 5)]


@pytest.mark.parametrize("hints", [True, False])
def test_columns_of_another_scale_are_hinted_at_by_modality_where_hints_are_wanted(hints):
    scaled = X * np.array([1, 1, 1, 1e5, 1])
    reader = ModalityReader("CLIP", modalities=TWO)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        reader.fit(scaled, hints=hints)
    messages = [str(w.message) for w in caught]
    assert ["modality 'rest'" in message for message in messages] == [True] * hints
