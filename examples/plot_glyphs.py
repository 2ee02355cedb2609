"""
==================================
One letter in the font of another
==================================

A letter is the same letter in any font, and a font is the same font in all of its letters.
:class:`~sklearn_simvae.ContentStyleVAE` learns from images in groups, where a group has images of
the same character. What a group shares becomes *content*, and what differs between its images
becomes *style*. Then the model writes one letter in the style of another, in fonts that it has
never seen.

The images are those of :func:`~sklearn_simvae.datasets.fetch_glyphs`, 62 characters in 139 fonts,
which must be in a folder. So the documentation shows the script without running it.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_simvae import ContentStyleVAE
from sklearn_simvae.datasets import fetch_glyphs
from sklearn_simvae.plotting import RecombinationDisplay

glyphs = fetch_glyphs()
families = np.random.default_rng(0).permutation(len(glyphs.family_names))
is_new = np.isin(glyphs.family, families[: len(families) // 5])
train, test = np.flatnonzero(~is_new), np.flatnonzero(is_new)
print(f"{len(train):,} images to learn from, {len(test):,} of other families of fonts")

# %%
# Learn from groups
# -----------------
# A step takes four images of each character, in fonts that are drawn anew. Few of the columns are
# style, since fewer numbers describe a font than a character.

vae = ContentStyleVAE(
    n_components=28,
    n_content_components=24,
    noise_variance=0.05,
    kind="image",
    hidden_layer_sizes=(512, 256),
    n_views=4,
    batch_size=62,
    max_epochs=1200,
    lr=2e-3,
    random_state=0,
).set_output(transform="pandas")
vae.fit(glyphs.images[train], groups=glyphs.target[train])

# %%
# The letters of one font in the style of others
# ----------------------------------------------
# Each row has the content of the image to its left, and each column the style of the image above
# it, all in fonts that the model has not seen. Weight and slant change with the column; the
# character stays the same along a row.

names = list(glyphs.target_names)


def images_of(character, fonts):
    is_character = glyphs.target == names.index(character)
    return [glyphs.images[is_character & (glyphs.font == font)][0] for font in fonts]


fonts = np.unique(glyphs.font[test])
styles = fonts[np.linspace(0, len(fonts) - 1, 8).astype(int)]
letters = [images_of(character, [styles[3]])[0] for character in "ARSeak58"]
RecombinationDisplay.from_estimator(vae, np.array(letters), np.array(images_of("R", styles)))

# %%
# Information in the columns
# --------------------------
# In new fonts, a classifier predicts the character from the content columns alone, but not from the
# style columns.

Z_train, Z_test = vae.transform(glyphs.images[train]), vae.transform(glyphs.images[test])
print("\ncolumns    character (accuracy in new fonts)")
for columns in ("_content", "_style", ""):
    pick = make_column_transformer(("passthrough", make_column_selector(columns)))
    classifier = make_pipeline(pick, StandardScaler(), LogisticRegression(max_iter=1000))
    classifier.fit(Z_train, glyphs.target[train])
    accuracy = classifier.score(Z_test, glyphs.target[test])
    print(f"{columns.strip('_') or 'all':<11}{accuracy:.3f}")

plt.show()
