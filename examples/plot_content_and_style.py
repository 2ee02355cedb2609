"""
====================================
Content and style, each in its place
====================================

One may ask what a thing is, and how it looks here. A classifier of shapes should not depend on the
place of a shape, and a regression of the place should not depend on the shape.
:class:`~sklearn_simvae.ContentStyleVAE` learns both at once, without labels, and puts them into
separate columns: *content* is what the views of a sample share, and *style* is what differs between
views.

Here it learns from pairs of small images that show the same shape, each time at another place and
in another size, angle and shade. No label says what a shape is.
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
# Rows give their content, and columns give their style, so the pictures in the middle are new. The
# shape stays the same along a row; place, size, angle and shade stay the same along a column.

shown = [int((test.target == shape).argmax()) for shape in range(len(test.target_names))]
RecombinationDisplay.from_estimator(vae, test.data[shown], test.data[10:18])

# %%
# The change along each column
# ----------------------------
# Content columns change the shape in its place; style columns move it and turn it.

TraversalDisplay.from_estimator(vae, test.data[shown[3] :])

# %%
# The same content again
# ----------------------
# New views of the first five images have their content, and style from the prior. Each row has the
# views of one image.

new_views = vae.sample(8, content_of=test.data[shown[:5]], random_state=0)
SampleDisplay(new_views, layout=vae.layout_).plot()

# %%
# Each task takes the columns it needs
# ------------------------------------
# A :class:`~sklearn.compose.ColumnTransformer` picks the columns by their names. A classifier
# predicts the shape from the content columns as well as from all columns, and much worse from the
# style columns; the place is in the style columns.

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
