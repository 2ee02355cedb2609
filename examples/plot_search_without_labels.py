"""
======================================
Search for settings without any labels
======================================

``score`` is the objective on rows that were not used for training, so a grid search needs no
labels. It can compare settings that leave the objective itself the same: the number of latents, the
style variance, or the sizes of the networks. (It cannot compare values of ``likelihood``, which
changes what is measured.)

Afterwards we use labels after all, to see whether settings with a better score are more useful.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.neighbors import KNeighborsClassifier

from sklearn_simvae import SimVAE

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X / 16, y, test_size=0.25, stratify=y, random_state=0
)
simvae = SimVAE(
    input_shape=(8, 8), hidden_layer_sizes=(256,), max_epochs=25, lr=5e-3, random_state=0
)
grid = {"n_components": [2, 4, 8, 16], "style_variance": [0.02, 0.1, 0.5]}
search = GridSearchCV(simvae, grid, cv=2, n_jobs=2).fit(X_train)
print("chosen:", search.best_params_)

# %%
# The score, and the accuracy of a classifier
# -------------------------------------------

shape = len(grid["n_components"]), len(grid["style_variance"])
score = search.cv_results_["mean_test_score"].reshape(shape)
accuracy = np.empty(shape)
for place, params in zip(np.ndindex(shape), search.cv_results_["params"], strict=True):
    Z = simvae.set_params(**params).fit_transform(X_train)
    classifier = KNeighborsClassifier().fit(Z, y_train)
    accuracy[place] = classifier.score(simvae.transform(X_test), y_test)

figure, axes = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
panels = {"score: bound in nats, without labels": score, "accuracy of kNN, with labels": accuracy}
for ax, (title, values) in zip(axes, panels.items(), strict=True):
    for style_variance, column in zip(grid["style_variance"], values.T, strict=True):
        ax.plot(grid["n_components"], column, "o-", label=f"style_variance={style_variance}")
    ax.set_xscale("log", base=2)
    ax.set_xticks(grid["n_components"], [str(n) for n in grid["n_components"]])
    ax.set(title=title, xlabel="n_components")
axes[0].legend(frameon=False)
plt.show()
