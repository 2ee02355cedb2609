"""The parameters that estimators share."""

from numbers import Integral, Real

import torch
from sklearn.utils._param_validation import HasMethods, Interval, StrOptions

from sklearn_simvae._parameters import (
    COUNT,
    LIKELIHOODS,
    NOT_NEGATIVE,
    POSITIVE,
    Parameter,
)
from sklearn_simvae.training import SCHEDULES
from sklearn_simvae.views.layout import KINDS

SHARED = {
    "n_components": Parameter(10, [COUNT], "int\nNumber of features.", structure=True),
    "hidden_layer_sizes": Parameter(
        "auto",
        [StrOptions({"auto"}), "array-like", COUNT],
        """int, array-like of int or "auto"
        Widths of the hidden layers of "mlp" networks; decoders mirror them. "auto" is (256, 128)
        for less than 50,000 values in X, (512, 256) for less than 10 million, else (2000, 500,
        500), all at least `n_components`. `partial_fit` counts 60,000 rows.""",
        structure=True,
    ),
    "kind": Parameter(
        "auto",
        [StrOptions({"auto", *KINDS})],
        """{"auto", "vector", "image", "series"}
        The kind of a row, by which X and `input_shape` are read. "auto" decides where there is one
        sensible reading: by the number of axes of X, by `input_shape`, of which `(H, W)`
        is an image where both are equal and a series where the second is below 8, or by an
        `encoder` that takes one kind alone. Where there are two it is an error.""",
        structure=True,
    ),
    "channels": Parameter(
        "auto",
        [StrOptions({"auto", "first", "last"})],
        """{"auto", "first", "last"}
        The end where rows have their channels. "auto" is last for series with an `input_shape`
        and, for images, the end where there are 1, 3 or 4; without an `input_shape` it is known of
        series of one channel, or of unequal length.""",
        structure=True,
    ),
    "group_column": Parameter(
        None,
        [str, Integral, None],
        """str or int
        Name or number of the column of X that holds the groups, for searches and pipelines, which
        do not pass `groups` on. It is no feature: all methods take it out of X. Where groups do
        not matter, as in `transform`, X may come without it.""",
    ),
    "encoder": Parameter(
        "auto",
        [str, callable],
        """str, callable or torch.nn.Module
        "auto" (an MLP for vectors, gray images up to 32 px and series of one channel up to 512
        steps, "conv" for other images, "conv1d" for other series), "mlp", "conv", "resnet18",
        "conv1d", a factory `(input_shape, n_outputs) -> Module` such as
        :class:`~sklearn_simvae.FineTuned`, or a module, of which `fit` trains a copy, in float32;
        no TorchScript. It has `n_components` outputs, generative methods also log-variances.""",
        structure=True,
    ),
    "representation": Parameter(
        "latent",
        [StrOptions({"latent", "hidden"})],
        """{"latent", "hidden"}
        Representation that `transform` returns: the `n_components` outputs of the encoder (for
        generative methods the means), or the last hidden layer before them, which is wider.""",
    ),
    "n_views": Parameter(
        2,
        [COUNT],
        """int
        Number of views to make from each row, or largest number to draw from a group. Not used if
        X has a views axis.""",
    ),
    "augmentation": Parameter(
        "auto",
        [StrOptions({"auto"}), callable, None],
        """"auto", callable or None
        Function that makes views from a batch tensor `(N, d)`, `(N, C, H, W)` or
        `(N, channels, length)`, of the same shape, see :mod:`sklearn_simvae.views`. If it returns
        uint8, the values are scaled like those of uint8 images, and refused for other data. "auto"
        means no augmentation if views are given; a random resized crop for images (with color
        jitter if there are three or four channels), feature corruption for vectors, and jitter,
        scaling and cropping for series. None takes rows as they are.""",
    ),
    "input_shape": Parameter(
        None,
        [tuple, list, None],
        """tuple of int
        Shape of one row, if X alone does not tell: `(d,)`, `(H, W)`, `(C, H, W)`, `(H, W, C)` or,
        for series, `(length, channels)`, of windows where lengths differ. X may also be flat.""",
        structure=True,
    ),
    "max_epochs": Parameter(
        "auto",
        [StrOptions({"auto"}), COUNT],
        """int or "auto"
        Passes over the samples. "auto" makes about 40 times as many steps (of the automatic
        `batch_size`) as the square root of the number of samples, in at most 100 passes: 44 for
        178 samples, 42 for 60,000 and 10 for a million.""",
    ),
    "batch_size": Parameter(
        "auto",
        [StrOptions({"auto"}), COUNT],
        """int or "auto"
        Samples (not views) in a step. "auto" is 256 (512 for SimCLR and CLIP, whose negatives come
        from the batch), less on small sets so that an epoch has about 20 steps. If processes train
        together, it is that of one process.""",
    ),
    "lr": Parameter(
        1e-3,
        [POSITIVE],
        """float
        Peak of the learning rate. Losses are means over samples, so it does not depend on
        `batch_size`.""",
    ),
    "weight_decay": Parameter(
        0.0,
        [NOT_NEGATIVE],
        """float
        Weight decay of the optimizer: an L2 penalty for "adam" and "sgd", decoupled for
        "adamw".""",
        structure=True,
    ),
    "optimizer": Parameter(
        "adam",
        [StrOptions({"adam", "adamw", "sgd"}), callable],
        """{"adam", "adamw", "sgd"} or callable
        Name, or class of :mod:`torch.optim`.""",
        structure=True,
    ),
    "lr_schedule": Parameter(
        "one_cycle",
        [StrOptions(set(SCHEDULES))],
        """{"one_cycle", "cosine", "constant"}
        Course of the learning rate over a fit. `partial_fit` keeps it constant.""",
    ),
    "early_stopping": Parameter(
        False,
        ["boolean"],
        """bool
        Stop when the objective on a validation part has not improved for `n_iter_no_change`
        epochs, and keep the best weights.""",
    ),
    "validation_fraction": Parameter(
        0.1,
        [Interval(Real, 0, 1, closed="neither")],
        """float
        Fraction of the samples (or groups) set aside for early stopping.""",
    ),
    "n_iter_no_change": Parameter(
        10,
        [COUNT],
        """int
        Patience of early stopping, in epochs.""",
    ),
    "warm_start": Parameter(
        False,
        ["boolean"],
        """bool
        Whether `fit` continues from the weights of the previous fit.""",
        described=False,
    ),
    "device": Parameter(
        "auto",
        [str, torch.device],
        """str or torch.device
        Device to train on; "auto" is CUDA, else MPS, else the CPU. If processes train together,
        "auto" and "cuda" give each of them its own GPU.""",
        described=False,
    ),
    "precision": Parameter(
        "auto",
        [StrOptions({"auto", "float32", "bf16"})],
        """{"auto", "float32", "bf16"}
        Precision of training: "auto" is bf16 autocast if the hardware is fast at it, and networks
        and batches are large enough to gain. `transform` and scores always use float32.""",
    ),
    "compile": Parameter(
        False,
        ["boolean"],
        """bool
        Whether to train through :func:`torch.compile`.""",
        structure=True,
    ),
    "callbacks": Parameter(
        None,
        [list, tuple, HasMethods("on_train_begin"), None],
        """list of skorch.callbacks.Callback
        Any of skorch's callbacks, as they are or as `(name, callback)`;
        :class:`~sklearn_simvae.training.KNNScore` watches what is learned. Learning rate
        schedulers need `lr_schedule="constant"`, and callbacks that look at a validation part need
        `early_stopping=True`.""",
        described=False,
    ),
    "verbose": Parameter(
        0,
        ["verbose"],
        """int
        Verbosity; 1 shows a progress bar with the time left and the terms of the objective.""",
        described=False,
    ),
    "random_state": Parameter(
        None,
        ["random_state"],
        """int, RandomState or None
        Seed that fixes initialization, order, augmentation and draws, bit for bit on one machine.
        The global random states are left alone.""",
        described=False,
    ),
}

GENERATIVE = {
    "decoder": Parameter(
        "auto",
        [str, callable],
        """str, callable or torch.nn.Module
        Decoder. "auto" mirrors the encoder; or "mlp", "conv", "conv1d", a factory
        `(n_components, output_shape) -> Module`, or a module, of which `fit` trains a copy, in
        float32.""",
        structure=True,
    ),
    "noise_variance": Parameter(
        0.01,
        [POSITIVE, StrOptions({"learned"})],
        """float or "learned"
        Variance of the Gaussian likelihood p(x | z), in squared units of X. Smaller favors
        reconstruction. "learned" finds it by maximum likelihood: it becomes the mean squared error
        of the reconstructions.""",
        structure=True,
    ),
    "likelihood": Parameter(
        "auto",
        [LIKELIHOODS, list],
        """str or list of (str, columns)
        Likelihood: "gaussian", "bernoulli", "multinomial" (counts given their sum) or "poisson".
        "auto" is Gaussian, with means in [0, 1] if the data lie there. "by_column" finds one-hot
        ("categorical") and binary columns; a list gives likelihoods to columns, as to others.""",
        structure=True,
    ),
}

DISCRIMINATIVE = {
    "projection_layer_sizes": Parameter(
        (64, 64),
        ["array-like", COUNT],
        """int or array-like of int
        Widths of the projection head, which `transform` leaves out and `project` applies; `()`
        means no head. Its hidden layers are normalized over the batch.""",
        structure=True,
    ),
    "chunk_size": Parameter(
        "auto",
        [StrOptions({"auto"}), COUNT],
        """int or "auto"
        Number of views to encode at a time. Steps with more views are encoded in chunks, and again
        chunk by chunk for the gradient, so that memory does not limit `batch_size`. "auto" fills a
        quarter of the memory.""",
    ),
}

MODALITIES = {
    "modalities": Parameter(
        None,
        [list, tuple, None],
        """list of (str, encoder, columns)
        Kinds of data in a row, at least two: a name, an encoder ("auto", "mlp", "conv",
        "resnet18", "conv1d", a factory or a module) and columns of X as in
        :class:`~sklearn.compose.ColumnTransformer`, by name, place, slice, mask or selector; a
        single name gives its preprocessor a one-dimensional column. If X is a dict of arrays,
        its keys are the names, and `(name, encoder)` is enough. None means each entry of a dict,
        or the two halves of the columns. Searches and cross-validation take rows by index, which a
        dict does not have: give them a DataFrame, whose columns may hold an array in each cell.""",
        structure=True,
    ),
    "preprocessing": Parameter(
        (),
        [list, tuple],
        """list of (str, transformer)
        Transformers of scikit-learn that make numbers of a modality, e.g.
        `("text", TfidfVectorizer())`. `fit` trains a copy on the rows that have the modality. Their
        output may be sparse, and stays sparse until a batch is read.""",
        structure=True,
    ),
    "input_shapes": Parameter(
        None,
        [dict, None],
        """dict of str to tuple of int
        Shape of one row of a modality, like the `input_shape` of the other estimators, if its
        values alone do not tell.""",
        structure=True,
    ),
    "augmentations": Parameter(
        None,
        [dict, None],
        """dict of str to "auto" or callable
        Augmentation of each modality, like the `augmentation` of the other estimators; modalities
        that are not named are taken as they are.""",
    ),
}

# Parameters that may differ when a fit is resumed from its checkpoint.
NOT_DESCRIBED = tuple(name for name, parameter in SHARED.items() if not parameter.described)
