"""The parameters that all estimators share: their documentation and their valid values."""

import ast
import difflib
import inspect
import re
from numbers import Integral, Real

import torch
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from sklearn_simvae.training import SCHEDULES
from sklearn_simvae.views.layout import KINDS

POSITIVE = Interval(Real, 0, None, closed="neither")
NOT_NEGATIVE = Interval(Real, 0, None, closed="left")
COUNT = Interval(Integral, 1, None, closed="left")

SHARED_CONSTRAINTS = {
    "n_components": [COUNT],
    "hidden_layer_sizes": ["array-like", COUNT],
    "kind": [StrOptions({"auto", *KINDS})],
    "channels": [StrOptions({"auto", "first", "last"})],
    "group_column": [str, Integral, None],
    # Names are checked where the networks are made, which knows what goes with what data.
    "encoder": [str, callable],
    "representation": [StrOptions({"latent", "hidden"})],
    "n_views": [COUNT],
    "augmentation": [StrOptions({"auto"}), callable, None],
    "input_shape": [tuple, list, None],
    "max_epochs": [COUNT],
    "batch_size": [StrOptions({"auto"}), COUNT],
    "lr": [POSITIVE],
    "weight_decay": [NOT_NEGATIVE],
    "optimizer": [StrOptions({"adam", "adamw", "sgd"}), callable],
    "lr_schedule": [StrOptions(set(SCHEDULES))],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "n_iter_no_change": [COUNT],
    "warm_start": ["boolean"],
    "device": [str, torch.device],
    "precision": [StrOptions({"auto", "float32", "bf16"})],
    "compile": ["boolean"],
    "callbacks": [list, tuple, HasMethods("on_train_begin"), None],
    "verbose": ["verbose"],
    "random_state": ["random_state"],
}

# What is built into every net once, and cannot change while training goes on.
SHARED_STRUCTURE = (
    "n_components",
    "hidden_layer_sizes",
    "encoder",
    "kind",
    "channels",
    "input_shape",
    "optimizer",
    "weight_decay",
    "compile",
)

GENERATIVE_DOC = """decoder : str, callable or torch.nn.Module, default="auto"
        "auto" mirrors the encoder; or "mlp", "conv", "conv1d", a factory
        `(n_components, output_shape) -> Module`, or a module, of which `fit` trains a copy, in
        float32.
    noise_variance : float or "learned", default=0.01
        Of the Gaussian likelihood p(x | z), in squared units of X. Smaller favours reconstruction.
        "learned" is that of maximum likelihood: what reconstructions leave of the data.
    likelihood : {"auto", "gaussian", "bernoulli", "multinomial"}, default="auto"
        "auto" is Gaussian, with means that pass a sigmoid where the data lie in [0, 1].
        "multinomial" is of counts, e.g. of words."""

MODALITIES_DOC = """modalities : list of (str, encoder, columns), default=None
        The kinds of data in a row, at least two: a name, an encoder ("auto", "mlp", "conv",
        "resnet18", "conv1d", a factory or a module) and columns of X as in
        :class:`~sklearn.compose.ColumnTransformer`, by name, place, slice, mask or selector; a
        single name gives its preprocessor a one-dimensional column. Where X is a dict of arrays,
        its keys are the names, and `(name, encoder)` will do. None is each entry of a dict, or
        either half of the columns. Searches and cross-validation take rows by index, which a dict
        does not have: give them a DataFrame, whose columns may hold an array in each cell.
    preprocessing : list of (str, transformer), default=()
        What makes numbers of a modality, e.g. `("text", TfidfVectorizer())`: a transformer of
        scikit-learn, of which `fit` trains a copy on the rows that have the modality. What it gives
        may be sparse, and stays so until a batch is read.
    input_shapes : dict of str to tuple of int, default=None
        The shape of one row of a modality, as the `input_shape` of the other estimators, where its
        values alone do not tell.
    augmentations : dict of str to "auto" or callable, default=None
        What changes a modality anew each time it is learned from, as the `augmentation` of the
        other estimators; modalities that are not named are taken as they are."""

DISCRIMINATIVE_DOC = """projection_sizes : int or array-like of int, default=(64, 64)
        Widths of the projection head, which `transform` leaves out and `project` goes through; `()`
        is none. Its hidden layers are normalised over the batch.
    chunk_size : int or "auto", default="auto"
        Views to encode at a time. A step of more is encoded in chunks, and again chunk by chunk for
        the gradient, so that `batch_size` is not bound by memory. "auto" is what a quarter of the
        memory holds."""

SHARED_DOC = """hidden_layer_sizes : int or array-like of int, default=(2000, 500, 500)
        Widths of the hidden layers of "mlp" networks; decoders mirror them.
    kind : {"auto", "vector", "image", "series"}, default="auto"
        The kind of a row, by which X and `input_shape` are read. "auto" decides where there is one
        sensible reading: by the number of axes of X, by `input_shape`, of which `(H, W)`
        is an image where both are equal and a series where the second is below 8, or by an
        `encoder` that takes one kind alone. Where there are two it is an error.
    channels : {"auto", "first", "last"}, default="auto"
        The end where rows have their channels. "auto" is last for series with an
        `input_shape` and, for images, the end where there are 1, 3 or 4; without an `input_shape`
        it is known of series of one channel alone.
    group_column : str or int, default=None
        The column of X that holds the groups, by its name in a DataFrame or its place in an array,
        for searches and pipelines, which do not hand `groups` on. It is no feature: all methods
        take it out of X. Where groups count for nothing, as in `transform`, X may come without it.
    encoder : str, callable or torch.nn.Module, default="auto"
        "auto" (an MLP for vectors and grey images up to 32 px, "conv" for other images, "conv1d"
        for series), "mlp", "conv", "resnet18", "conv1d", a factory
        `(input_shape, n_outputs) -> Module`, or a module, of which `fit` trains a copy, in
        float32; TorchScript is refused. It has `n_components` outputs; generative methods need
        twice as many, means and then the logarithms of variances.
    representation : {"latent", "hidden"}, default="latent"
        What `transform` gives: the `n_components` outputs of the encoder, of generative methods
        the means, or the last hidden layer before them, which is wider.
    n_views : int, default=2
        Views to make of each row, or the most to draw of a group. Without meaning where X has a
        views axis.
    augmentation : "auto", callable or None, default="auto"
        What makes a view, from a batch tensor `(N, d)`, `(N, C, H, W)` or `(N, channels, length)`
        to another of the same shape, see :mod:`sklearn_simvae.views`. What it returns as uint8 is
        scaled as uint8 images are, and refused of other data. "auto" is none where views are given;
        for images a random resized crop (with colour jitter if there are three or four channels),
        for vectors feature corruption, for series jitter, scaling and cropping. None takes rows as
        they are.
    input_shape : tuple of int, default=None
        The shape of one row, where X alone does not tell: `(d,)`, `(H, W)`, `(C, H, W)`,
        `(H, W, C)` or, for series, `(length, channels)`. X may then be flat or have that shape.
    max_epochs : int, default=100
        Passes over the samples.
    batch_size : int or "auto", default="auto"
        Samples (not views) in a step. "auto" is 256 (512 for SimCLR and CLIP, whose negatives come
        of the batch), less on small sets so that an epoch has about 20 steps. Where processes train
        together, it is that of one process.
    lr : float, default=1e-3
        Peak of the learning rate. Losses are means over samples, so it does not depend on
        `batch_size`.
    weight_decay : float, default=0.0
        Of the optimiser: an L2 penalty for "adam" and "sgd", decoupled for "adamw".
    optimizer : {"adam", "adamw", "sgd"} or callable, default="adam"
        A name or a class of :mod:`torch.optim`.
    lr_schedule : {"one_cycle", "cosine", "constant"}, default="one_cycle"
        Course of the learning rate over a fit. `partial_fit` keeps it constant.
    early_stopping : bool, default=False
        Stop when the objective on a validation part has not improved for `n_iter_no_change`
        epochs, and keep the best weights.
    validation_fraction : float, default=0.1
        Fraction of the samples (or groups) set aside for early stopping.
    n_iter_no_change : int, default=10
        Patience of early stopping, in epochs.
    warm_start : bool, default=False
        Whether `fit` goes on from the weights of the fit before.
    device : str or torch.device, default="auto"
        "auto" is CUDA, else MPS, else the CPU. Where processes train together, "auto" and "cuda"
        are a GPU for each.
    precision : {"auto", "float32", "bf16"}, default="auto"
        Of training: "auto" runs the networks under bf16 autocast where the hardware is fast at it
        and they are large enough to gain. `transform` and scores always use float32.
    compile : bool, default=False
        Whether to train through :func:`torch.compile`.
    callbacks : list of skorch.callbacks.Callback, default=None
        Any of skorch's callbacks, as they are or as `(name, callback)`;
        :class:`~sklearn_simvae.training.KNNScore` watches what is learned. Schedulers of the
        learning rate need `lr_schedule="constant"`, and what looks at a validation part
        `early_stopping=True`.
    verbose : int, default=0
        1 shows a progress bar with the time left and the terms of the objective.
    random_state : int, RandomState or None, default=None
        Fixes initialisation, order, augmentation and draws, bit for bit on one machine. The global
        random states are left alone."""

SHARED_ATTRIBUTES = """net_ : SSLNet
        The skorch net that was trained.
    module_ : torch.nn.Module
        Its module.
    encoder_ : torch.nn.Module
        The encoder in it, to be taken out and trained further: a copy, unless the estimator is to
        change with it. Of generative methods it gives means and logarithms of variances.
    history_ : list of dict
        A row per epoch: each term of the objective by name, `valid_...` on the validation part,
        "effective_rank" and "representation_variance" (the mean over components) of the latents
        of some samples, "lr" and "dur" (seconds).
    n_iter_ : int
        Epochs run.
    layout_ : Layout
        How a row of X is read.
    n_features_in_ : int
        Values in a row, the product of its shape.
    feature_names_in_ : ndarray of shape (`n_features_in_`,)
        Names of the columns, where X in `fit` had string names."""


EXAMPLE = """>>> from sklearn.datasets import load_digits
    >>> from sklearn_simvae import {name}
    >>> X = load_digits().data / 16
    >>> estimator = {name}(input_shape=(8, 8), hidden_layer_sizes=(64,), random_state=0)
    >>> estimator.set_params(max_epochs=5).fit_transform(X).shape
    (1797, 10)"""


# Names of these parameters in other libraries.
_SYNONYMS = {
    "augmentation": ("augment", "augmentations", "transform", "transforms"),
    "device": ("accelerator", "cuda", "gpu", "use_gpu"),
    "encoder": ("backbone", "model", "network"),
    "hidden_layer_sizes": ("hidden_dim", "hidden_dims", "hidden_sizes", "hidden_units", "layers"),
    "lr": ("eta", "learning_rate", "learning_rate_init"),
    "lr_schedule": ("learning_rate_schedule", "scheduler"),
    "max_epochs": ("epochs", "max_iter", "n_epochs", "n_iter", "num_epochs"),
    "n_components": (
        *("dim", "embedding_dim", "latent_dim", "latent_dims", "latent_size"),
        *("n_dims", "n_latent", "n_latents", "z_dim"),
    ),
    "n_iter_no_change": ("patience",),
    # The weight of the prior, next to a likelihood whose variance is 1.
    "noise_variance": ("beta",),
    "precision": ("amp", "dtype"),
    "projection_sizes": ("projection_dim", "projector"),
    "random_state": ("seed",),
    "temperature": ("tau",),
    "validation_fraction": ("validation_split",),
    "weight_decay": ("alpha", "l2"),
}


def unknown_parameter(cls: type, name: str) -> TypeError:
    """Make the error for a parameter that an estimator does not have.

    Parameters
    ----------
    cls : type
        The estimator.
    name : str
        The name that was given.

    Returns
    -------
    error : TypeError
        With the parameter that is probably meant, or else with all that there are.
    """
    own = [parameter for parameter in inspect.signature(cls).parameters if parameter != "self"]
    meant = [target for target, others in _SYNONYMS.items() if name.lower() in others]
    meant = [target for target in meant if target in own] or difflib.get_close_matches(name, own, 1)
    advice = f"Did you mean {meant[0]!r}?" if meant else f"It has {', '.join(own)}."
    return TypeError(f"{cls.__name__} has no parameter {name!r}. {advice}")


def share_parameters(cls: type, base_init) -> None:
    """Give a subclass's `__init__` the signature and documentation of the shared parameters.

    A subclass names its own parameters and passes `**shared` on; scikit-learn's introspection,
    `help` and editors then see all of them.

    Parameters
    ----------
    cls : type
        The subclass.
    base_init : callable
        The `__init__` whose parameters are shared.
    """
    init = cls.__dict__.get("__init__")
    if init is not None:
        own = inspect.signature(init).parameters.values()
        shared = inspect.signature(base_init).parameters.values()
        names = {p.name for p in own}
        keyword = [p for p in own if p.kind is not p.VAR_KEYWORD]
        keyword += [
            p.replace(kind=p.KEYWORD_ONLY)
            for p in shared
            if p.name not in names | set(cls._not_shared) and p.kind is not p.VAR_KEYWORD
        ]
        init.__signature__ = inspect.Signature(keyword)
    if cls.__doc__:
        shared = {
            "{discriminative_parameters}": DISCRIMINATIVE_DOC,
            "{example}": EXAMPLE.replace("{name}", cls.__name__),
            "{generative_parameters}": GENERATIVE_DOC,
            "{modalities}": MODALITIES_DOC,
            "{shared_parameters}": SHARED_DOC,
            "{shared_attributes}": SHARED_ATTRIBUTES,
        }
        # Whether the compiler has taken the indentation away already depends on Python's version.
        cls.__doc__ = inspect.cleandoc(cls.__doc__)
        # A parameter that a method documents by itself is not documented again.
        said = re.findall(r"(?m)^(\w+) : ", cls.__doc__)
        for placeholder, text in shared.items():
            text = _without(inspect.cleandoc(text), (*cls._not_shared, *said))
            cls.__doc__ = cls.__doc__.replace(placeholder, text)
        cls.__doc__ = _with_own_defaults(cls.__doc__, inspect.signature(cls))


def _without(doc: str, names: tuple[str, ...]) -> str:
    """Documentation of parameters, without those of these names."""
    entries = re.split(r"(?m)^(?=\w+ : )", doc)
    return "".join(e for e in entries if e.partition(" : ")[0] not in names).rstrip()


def _with_own_defaults(doc: str, signature: inspect.Signature) -> str:
    """The documentation of shared parameters, with the defaults that a method gives to some."""

    def own(match):
        name, default = match["name"], match["default"]
        given = signature.parameters.get(name)
        same = given is None or ast.literal_eval(default) == given.default
        return match[0] if same else f"{match['head']}{given.default!r}"

    return re.sub(r"(?m)^(?P<head>(?P<name>\w+) : .*, default=)(?P<default>.+)$", own, doc)
