"""
====================================
Content and style, each in its place
====================================

Two questions may be asked of a thing: what it is, and how it looks here. A classifier of shapes
should not depend on where the shape lies; a regression on its place should not care what lies
there.
:class:`~sklearn_simvae.ContentStyleVAE` learns both at once, without labels, and puts them into
columns of their own: *content*, what the views of a sample share, and *style*, what is of each
view.

Here it learns from pairs of small images with the same shape in them, each time at another place,
in another size, angle and shade. Nobody tells it what a shape is.
"""

import matplotlib.pyplot as plt
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import SplineTransformer, StandardScaler

from sklearn_simvae import ContentStyleVAE
from sklearn_simvae.datasets import make_sprites
from sklearn_simvae.plotting import RecombinationDisplay, SampleDisplay, TraversalDisplay

SHAPES = ("square", "triangle", "star", "cross", "heart")
pairs = make_sprites(8000, n_views=2, shapes=SHAPES, random_state=0)
train, test = (make_sprites(1000, shapes=SHAPES, random_state=seed) for seed in (1, 2))
print(f"{len(pairs.data):,} pairs of images, an array of shape {pairs.data.shape}")

# %%
# Learn without labels
# --------------------
# The second axis of the array holds the two views of a sample. Half of the ten columns become
# content.

vae = ContentStyleVAE(
    n_components=10,
    input_shape=(28, 28),
    max_epochs=25,
    random_state=0,
).set_output(transform="pandas")
vae.fit(pairs.data)

Z_train, Z_test = vae.transform(train.data), vae.transform(test.data)
print(", ".join(Z_train.columns))

# %%
# The shape of one with the place of another
# ------------------------------------------
# The rows give their content and the columns their style: each picture in the middle has never been
# seen. The shape stays along a row; place, size, angle and shade stay along a column.

shown = [int((test.target == shape).argmax()) for shape in range(len(test.target_names))]
RecombinationDisplay.from_estimator(vae, test.data[shown], test.data[10:18])

# %%
# The change along each column
# ----------------------------
# Columns of content change the shape where it is, columns of style move it and turn it.

TraversalDisplay.from_estimator(vae, test.data[shown[3] :])

# %%
# The same content again
# ----------------------
# New views of the first five images: their content, with style from the prior. A row holds one of
# them.

new_views = vae.sample(8, content_of=test.data[shown[:5]], random_state=0)
SampleDisplay(new_views, layout=vae.layout_).plot()

# %%
# Each task takes what it needs
# -----------------------------
# A :class:`~sklearn.compose.ColumnTransformer` picks the columns by their names. The shape is read
# from the columns of content as well as from all of them, and hardly from those of style; the place
# is in the columns of style.

shape_train, shape_test = train.target, test.target
x_train, x_test = train.factors[:, 0], test.factors[:, 0]
print("\ncolumns    shape (accuracy)    place (R2)")
for columns in ("_content", "_style", ""):
    pick = make_column_transformer(("passthrough", make_column_selector(columns)))
    classifier = make_pipeline(pick, StandardScaler(), LogisticRegression(max_iter=1000))
    regression = make_pipeline(pick, StandardScaler(), SplineTransformer(), RidgeCV())
    accuracy = classifier.fit(Z_train, shape_train).score(Z_test, shape_test)
    r2 = regression.fit(Z_train, x_train).score(Z_test, x_test)
    print(f"{columns.strip('_') or 'all':<11}{accuracy:16.3f}{r2:14.3f}")

plt.show()
