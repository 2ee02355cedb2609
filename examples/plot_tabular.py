"""
=======================================
Tables: a step in a pipeline of columns
=======================================

This pipeline scales and encodes a table of measurements by a ColumnTransformer, and passes it to
:class:`~sklearn_simvae.SimVAE` and then to a classifier. Views of a row are made by *feature
corruption*: some of its features are replaced by those of other rows, and the latents must describe
the whole row by the remaining features.
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
# The table has measurements of cell nuclei. One column has words, as is common in tables.

table, y = load_breast_cancer(return_X_y=True, as_frame=True)
size = pd.qcut(table.pop("mean area"), 4, labels=["small", "medium", "large", "huge"])
table["size"] = size.astype(str)
print(table.iloc[:3, [0, 1, -1]])

# %%
# The pipeline
# ------------
# The classifier has as few as 20 labeled rows. The steps before it are fitted to these rows alone
# if they are in the same pipeline, or else to all rows, without labels.

prepare = ColumnTransformer(
    [
        ("numbers", PowerTransformer(), columns(dtype_include="number")),
        ("words", OneHotEncoder(sparse_output=False), ["size"]),
    ]
)
simvae = SimVAE(n_components=8, random_state=0)
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
# The output is a DataFrame if you ask for one, as with any transformer.

print(representations["SimVAE"].transform(table).head(3).round(2))

# %%
# The representation
# ------------------

names = np.where(y == 1, "benign", "malignant")
EmbeddingDisplay.from_representations(representations["SimVAE"].transform(table), names)
plt.show()
