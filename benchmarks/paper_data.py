"""Data sets of paper.py: rows to learn from, targets of the probes, and views."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np

from sklearn_simvae.datasets import (
    fetch_celeba,
    fetch_cifar10,
    fetch_fashion_mnist,
    fetch_glyphs,
    fetch_mnist,
    make_sprites,
)
from sklearn_simvae.evaluation.augmented import augmented_rows
from sklearn_simvae.views import (
    ColorJitter,
    Compose,
    RandomHorizontalFlip,
    RandomResizedCrop,
)

# Number of rows for the slower measures.
N_SOME = 20_000
CROP = RandomResizedCrop((0.4, 1.0))
COLORED = Compose(
    [ColorJitter(0.8, 0.8, 0.8, 0.2), RandomResizedCrop((0.6, 1.0)), RandomHorizontalFlip()]
)
# Passes over the training images; that of CIFAR-10 is a small budget.
EPOCHS = dict.fromkeys(("mnist", "fashion_mnist", "glyphs", "glyphs_inductive", "sprites"), 40)
EPOCHS |= dict.fromkeys(("cifar10", "celeba"), 10)
# Epochs of the search; more for data whose epochs have few steps.
SEARCH_EPOCHS = dict.fromkeys(EPOCHS, 4)
SEARCH_EPOCHS |= dict.fromkeys(("glyphs", "glyphs_inductive", "sprites"), 16)


@dataclass
class Part:
    """Rows with their content and style.

    X, y : rows and their classes.
    factors : style of each row by name; None if the augmentation makes it.
    groups : groups of rows that stay together when a validation part is split off.
    """

    X: np.ndarray
    y: np.ndarray
    factors: dict[str, np.ndarray] | None = None
    groups: np.ndarray | None = None

    def take(self, which):
        def part(array):
            return None if array is None else array[which]

        factors = self.factors and {name: value[which] for name, value in self.factors.items()}
        return Part(self.X[which], self.y[which], factors, part(self.groups))


@dataclass
class Data:
    """Data set.

    train, test : rows for the probes of content; the transformer learns from those of train.
    style_train, style_test : rows for the probes of style, if these are others.
    fit_rows : rows that the transformer learns from, without labels, if they are not train.X.
    transductive : whether fit_rows are all rows, with those of the test.
    views : (n_samples, n_views) -> Part of views, if no augmentation makes them.
    """

    train: Part
    test: Part
    input_shape: tuple[int, ...]
    augmentation: Callable | None
    style_train: Part | None = None
    style_test: Part | None = None
    views: Callable | None = None
    fit_rows: np.ndarray | None = None
    transductive: bool = False
    n_components: int = 10
    encoder: str = "auto"

    @property
    def fit_on(self):
        return self.train.X if self.fit_rows is None else self.fit_rows

    def validation_split(self):
        """Replace the test part by a sixth of the training rows, or groups."""
        rng = np.random.default_rng(0)
        groups = np.arange(len(self.train.X)) if self.train.groups is None else self.train.groups
        names = rng.permutation(np.unique(groups))
        held_out = np.isin(groups, names[: len(names) // 6])
        train, test = self.train.take(~held_out), self.train.take(held_out)
        fit_rows = self.fit_rows
        if fit_rows is not None and not self.transductive:
            fit_rows = fit_rows[~held_out]
        return replace(self, train=train, test=test, fit_rows=fit_rows)

    def some_views(self, n_samples=5_000, n_views=8):
        """Make views of some test rows; return them, their classes and the style of the first."""
        if self.views is not None:
            return self.views(n_samples, n_views)
        rows = self.test.take(np.random.default_rng(0).permutation(len(self.test.X))[:n_samples])
        made = [
            augmented_rows(rows.X, self.augmentation, self.input_shape, random_state=[7, view])
            for view in range(n_views)
        ]
        return Part(np.stack([x for x, _ in made], axis=1), rows.y, made[0][1])


@cache
def gray(fetch, augmentation):
    train, test = fetch(), fetch(subset="test")
    return Data(
        Part(train.data, train.target), Part(test.data, test.target), (28, 28), augmentation
    )


@cache
def fashion_mnist():
    return gray(fetch_fashion_mnist, Compose([CROP, RandomHorizontalFlip()]))


def mnist():
    # A digit that is flipped is another digit, or none.
    return gray(fetch_mnist, CROP)


@cache
def glyphs():
    """Load glyphs: content is tested on new font families, and style on new characters."""
    bunch = fetch_glyphs()
    rows = Part(bunch.data, bunch.target, {"family": bunch.family_names[bunch.family]})
    rng = np.random.default_rng(0)

    def unseen(of):
        names = rng.permutation(np.unique(of))
        return np.isin(of, names[: round(0.3 * len(names))])

    new_family, new_character = unseen(bunch.family), unseen(bunch.target)
    by_family = replace(rows, groups=bunch.family)
    by_character = replace(rows, groups=bunch.target)
    return Data(
        by_family.take(~new_family),
        by_family.take(new_family),
        (32, 32),
        CROP,
        style_train=by_character.take(~new_character),
        style_test=by_character.take(new_character),
        # Otherwise the train rows could lack families or characters.
        fit_rows=bunch.data,
        transductive=True,
    )


@cache
def glyphs_inductive():
    """Load glyphs with test fonts that the transformer has not seen."""
    data = glyphs()
    seen = np.unique(data.train.factors["family"])

    def of_new_fonts(part):
        return part.take(~np.isin(part.factors["family"], seen))

    return replace(
        data,
        style_train=of_new_fonts(data.style_train),
        style_test=of_new_fonts(data.style_test),
        fit_rows=None,
        transductive=False,
    )


@cache
def sprites():
    """Draw sprites: views share the shape, and differ in position, size and shade."""

    def draw(n_samples, n_views=1, seed=0):
        bunch = make_sprites(n_samples, n_views=n_views, random_state=seed)
        factors = bunch.factors if n_views == 1 else bunch.factors[:, 0]
        # Rotation is left out since it depends on the shape: a ring has none.
        style = {
            name: factors[:, column].astype(np.float32)
            for column, name in enumerate(bunch.factor_names)
            if name != "rotation"
        }
        return Part(bunch.data, bunch.target, style)

    views = draw(10_000, 2, seed=0)
    train = Part(views.X[:, 0], views.y, views.factors)
    return Data(
        train,
        draw(5_000, seed=1),
        (28, 28),
        None,
        views=lambda n_samples, n_views: draw(n_samples, n_views, seed=2),
        fit_rows=views.X,
    )


@cache
def cifar10():
    train, test = fetch_cifar10(), fetch_cifar10(subset="test")
    return Data(
        Part(train.data, train.target),
        Part(test.data, test.target),
        (3, 32, 32),
        COLORED,
        n_components=64,
        encoder="conv",
    )


@cache
def celeba():
    """Load CelebA: hair color is the content, all other attributes are the style."""

    def part(subset):
        bunch = fetch_celeba(subset=subset)
        return Part(bunch.data, bunch.target, bunch.style)

    return Data(part("train"), part("test"), (3, 64, 64), COLORED, n_components=64, encoder="conv")


SETS = mnist, fashion_mnist, glyphs, glyphs_inductive, sprites, cifar10, celeba
DATA = {f.__name__: f for f in SETS}
