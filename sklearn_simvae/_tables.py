"""Tables of mixed columns in front of an estimator."""

from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Literal

from sklearn.utils import get_tags

if TYPE_CHECKING:
    from sklearn.pipeline import Pipeline

# Words of a column beyond this number share one category, or are embedded as text by skrub.
MAX_CATEGORIES = 40
_CHOICES = {"vectorizer": ("auto", "skrub", "sklearn"), "missing": ("auto", "fill", "keep")}


def make_table_transformer(
    estimator: Any,
    *,
    vectorizer: Literal["auto", "skrub", "sklearn"] = "auto",
    missing: Literal["auto", "fill", "keep"] = "auto",
) -> "Pipeline":
    """Make a pipeline that prepares a table of mixed columns and passes it to an estimator.

    Numbers are scaled to mean 0 and variance 1, except for those that are 0 or 1, such as bools.
    Words become a column for each word; words that are seen once, or rarer than the 40 most
    frequent, share one. Dates become year, month, weekday, hour and seconds. A column that holds
    one value at most, or words that are all different, is left out with a warning. A word that
    `fit` did not see counts as a rare one, or is 0 in all columns; a missing word is a category of
    its own.

    Parameters
    ----------
    estimator : estimator
        Estimator of rows of numbers, such as :class:`SimVAE`. If it has a `group_column`, this is
        a column of the table, which reaches the estimator as it is.
    vectorizer : {"auto", "skrub", "sklearn"}, default="auto"
        Preparation by skrub's TableVectorizer, which also reads numbers and dates that are written
        as words, and embeds columns of many different words as text; or by scikit-learn's
        ColumnTransformer, with which `inverse_transform` gives a table back. With "auto", it is
        skrub if that is installed (the extra `tables`).
    missing : {"auto", "fill", "keep"}, default="auto"
        Missing numbers and dates become the mean of their column ("fill"), or stay NaN ("keep")
        in the columns in which `fit` saw some. With "auto", they stay if the estimator takes NaN.

    Returns
    -------
    pipeline : Pipeline
        Pipeline of the steps "table", which prepares, and the estimator under its name in lower
        case.

    Raises
    ------
    ImportError
        If skrub is asked for and not installed.
    ValueError
        If a parameter is not valid. Fitting raises one if X is no DataFrame, has no rows, or has
        no column with two values.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_simvae import SimVAE, make_table_transformer
    >>> table = pd.DataFrame({"age": [31, 45, None, 28], "color": ["red", "blue", None, "red"]})
    >>> model = make_table_transformer(SimVAE(2, max_epochs=1), vectorizer="sklearn")
    >>> model.fit_transform(table).shape
    (4, 2)
    >>> list(model.inverse_transform([[0.0, 0.0]]).columns)
    ['age', 'color']
    """
    # Imported here and below, as it takes a while and few need it.
    from sklearn.pipeline import Pipeline

    for name, value in (("vectorizer", vectorizer), ("missing", missing)):
        if value not in _CHOICES[name]:
            raise ValueError(f"{name} must be one of {_CHOICES[name]}; got {value!r}.")
    if isinstance(estimator, type) or not hasattr(estimator, "fit"):
        raise ValueError(f"estimator must be an estimator, such as SimVAE(); got {estimator!r}.")
    groups = getattr(estimator, "group_column", None)
    if groups is not None and not isinstance(groups, str):
        raise ValueError(
            f"group_column={groups!r} of the estimator must be the name of a column of the table, "
            "since its place is not the same after preparation."
        )
    if missing == "auto":
        missing = "keep" if get_tags(estimator).input_tags.allow_nan else "fill"
    if vectorizer == "auto":
        vectorizer = "skrub" if find_spec("skrub") else "sklearn"
    table = (_of_skrub if vectorizer == "skrub" else _of_sklearn)(missing, groups)
    return Pipeline([("table", table), (type(estimator).__name__.lower(), estimator)])


def _of_sklearn(missing, groups):
    from sklearn.pipeline import make_pipeline

    from sklearn_simvae import _table_columns as parts

    words = parts.WordEncoder(
        handle_unknown="infrequent_if_exist",
        min_frequency=2,
        max_categories=MAX_CATEGORIES,
        sparse_output=False,
    )
    numbers = parts.NumberScaler(missing)
    branches = [
        ("useless", "drop", parts.Select("useless", groups)),
        ("numbers", numbers, parts.Select("number", groups)),
        ("dates", make_pipeline(parts.DateParts(), numbers), parts.Select("date", groups)),
        ("words", words, parts.Select("word", groups)),
    ]
    if groups is None:
        return parts.TableColumns(branches, verbose_feature_names_out=False)
    branches.append(("groups", "passthrough", [groups]))
    table = parts.TableColumns(branches, verbose_feature_names_out=False)
    # Only a table can hold numbers beside groups of any kind, under their name.
    return table.set_output(transform="pandas" if find_spec("pandas") else "polars")


def _of_skrub(missing, groups):
    try:
        import skrub
    except ImportError as error:
        raise ImportError(
            "vectorizer='skrub' needs skrub, which is not installed: "
            "pip install 'sklearn-simvae[tables]'."
        ) from error
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder

    from sklearn_simvae._table_columns import NumberScaler

    numbers = NumberScaler(missing)
    return skrub.TableVectorizer(
        cardinality_threshold=MAX_CATEGORIES,
        low_cardinality=OneHotEncoder(
            handle_unknown="infrequent_if_exist",
            min_frequency=2,
            sparse_output=False,
            dtype="float32",
        ),
        high_cardinality=skrub.StringEncoder(random_state=0),
        numeric=numbers,
        datetime=make_pipeline(skrub.ApplyToCols(skrub.DatetimeEncoder(add_weekday=True)), numbers),
        specific_transformers=[] if groups is None else [("passthrough", [groups])],
        drop_if_constant=True,
    )
