"""
=======================================
Tables: a step in a pipeline of columns
=======================================

A table of measurements, scaled and encoded by a ColumnTransformer, then
:class:`~sklearn_simvae.SimVAE`, then a classifier: one pipeline. Views of a row of a table are made
by *feature corruption*: some of its features are replaced by those of other rows, and the latents
have to tell what the row was from the rest.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.compose import make_column_selector as columns
from sklearn.datasets import load_breast_cancer
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedShuffleSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, PowerTransformer

from sklearn_simvae import SimVAE
from sklearn_simvae.plotting import EmbeddingDisplay

# %%
# The table
# ---------
# Measurements of cell nuclei. One of them is given in words, as tables often have it.

table, y = load_breast_cancer(return_X_y=True, as_frame=True)
size = pd.qcut(table.pop("mean area"), 4, labels=["small", "medium", "large", "huge"])
table["size"] = size.astype(str)
print(table.iloc[:3, [0, 1, -1]])

# %%
# The pipeline
# ------------
# As few as 20 labeled rows for the classifier; what comes before it is fitted on these alone when
# it stands in the same pipeline, or on all rows, without their labels.

prepare = ColumnTransformer(
    [
        ("numbers", PowerTransformer(), columns(dtype_include="number")),
        ("words", OneHotEncoder(sparse_output=False), ["size"]),
    ]
)
simvae = SimVAE(n_components=8, hidden_layer_sizes=(256,), max_epochs=60, random_state=0)
representations = {
    "all features": prepare,
    "PCA": make_pipeline(prepare, PCA(8, random_state=0)),
    "SimVAE": make_pipeline(prepare, simvae).set_output(transform="pandas"),
}
split = StratifiedShuffleSplit(n_splits=20, train_size=20, random_state=0)
for name, representation in representations.items():
    Z = representation.fit_transform(table)
    scores = cross_val_score(LogisticRegression(max_iter=1000), np.asarray(Z), y, cv=split)
    print(
        f"{name:<13} {Z.shape[1]:2d} features, 20 labels: {scores.mean():.3f} +- {scores.std():.3f}"
    )

# %%
# The output is a DataFrame where one asks for it, as of any transformer.

print(representations["SimVAE"].transform(table).head(3).round(2))

# %%
# What it looks like
# ------------------

names = np.where(y == 1, "benign", "malignant")
EmbeddingDisplay.from_representations(representations["SimVAE"].transform(table), names)
plt.show()
