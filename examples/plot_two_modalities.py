"""
Pictures and words
==================

A row holds two kinds of data, a picture and its name. :class:`~sklearn_simvae.CLIP` maps both into
one space, so that you can search one by the other, and recognizes classes by their descriptions.
:class:`~sklearn_simvae.MultimodalSimVAE` makes pictures from words.

The data are emoji if ``SKLEARN_SIMVAE_DATA`` names a folder that has them, else the characters of a
font that comes with matplotlib, with their Unicode names. As a script, this writes its figure
to a file::

    python examples/plot_two_modalities.py [two_modalities.png]
"""

import sys
import unicodedata
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import GroupShuffleSplit

from sklearn_simvae import CLIP, MultimodalSimVAE
from sklearn_simvae.datasets import fetch_emoji
from sklearn_simvae.multimodal import recall_at_k, retrieve

# %%
# Data
# ----
# Modalities can be given as a dict of arrays. Rows that belong together, here all emoji with the
# same first code point, stay on one side of the split.


def characters():
    """Return characters of a font as pictures, their names, and the base letter of each."""
    from PIL import Image, ImageDraw, ImageFont

    path = Path(plt.matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    font = ImageFont.truetype(path, 34, layout_engine=ImageFont.Layout.BASIC)
    missing = font.getmask("\U0010ffff").getbbox()
    images, names, letters = [], [], []
    for code in (*range(0x21, 0x250), *range(0x370, 0x530), *range(0x2190, 0x27C0)):
        name, shape = unicodedata.name(chr(code), ""), font.getmask(chr(code)).getbbox()
        if not name or shape is None or shape == missing:
            continue
        image = Image.new("RGB", (48, 48))
        ImageDraw.Draw(image).text((24, 24), chr(code), font=font, anchor="mm")
        images.append(np.asarray(image))
        names.append(name.lower())
        letters.append(ord(unicodedata.normalize("NFKD", chr(code))[0]))
    return np.stack(images), np.array(names), np.array(letters)


try:
    emoji = fetch_emoji()
    images, names, groups = emoji.images, emoji.captions, emoji.group
except FileNotFoundError:
    images, names, groups = characters()
train, test = next(GroupShuffleSplit(1, test_size=0.2, random_state=0).split(names, groups=groups))
X = {"image": images[train], "text": list(names[train])}
X_test = {"image": images[test], "text": list(names[test])}
print(f"{len(train)} pictures with their names to learn from, {len(test)} to find")

# %%
# One space for both
# ------------------
# Each modality has an encoder and, if it needs one, a preprocessor. Words become numbers by
# scikit-learn's TF-IDF, which stays sparse until a batch is read.

parameters = {
    "n_components": 64,
    "modalities": [("image", "mlp"), ("text", "mlp")],
    "preprocessing": [("text", TfidfVectorizer(ngram_range=(1, 2), min_df=2))],
    "input_shapes": {"image": (48, 48, 3)},
    "hidden_layer_sizes": (512, 256),
    "random_state": 0,
}
clip = CLIP(**parameters, max_epochs=20).fit(X)
pictures = clip.transform(X_test["image"], modality="image")
words = clip.transform(X_test["text"], modality="text")
for k, recall in recall_at_k(words, pictures).items():
    print(f"the picture is among the first {k:>2} of {len(test)} in {recall:.1%} of the cases")

# %%
# Recognize classes by their descriptions
# ---------------------------------------

descriptions = (
    ["face", "hand", "arrow", "heart"] if "face" in " ".join(names) else ["arrow", "letter"]
)
classifier = clip.zero_shot_classifier(descriptions, modalities=("image", "text"))
is_one = np.array([sum(d in name for d in descriptions) == 1 for name in X_test["text"]])
truth = [next(d for d in descriptions if d in n) for n in np.array(X_test["text"])[is_one]]
accuracy = classifier.score(X_test["image"][is_one], truth)
print(f"zero-shot accuracy among {descriptions}: {accuracy:.2f}")

# %%
# Pictures from words
# -------------------

vae = MultimodalSimVAE(**parameters, style_variance=0.05, max_epochs=20).fit(X)
shown = np.random.default_rng(0).permutation(len(test))[:6]
asked = [X_test["text"][i] for i in shown]
found, _ = retrieve(words[shown], pictures, k=3)
made = vae.generate(asked, source="text", target="image")

figure, axes = plt.subplots(6, 5, figsize=(7, 8.5))
for row, i in enumerate(shown):
    panels = [X_test["image"][i], *X_test["image"][found[row]], made[row]]
    for axis, picture in zip(axes[row], panels, strict=True):
        axis.imshow(picture)
        axis.set_axis_off()
    axes[row, 0].set_title(asked[row][:42], fontsize=7, loc="left")
for axis, title in zip(axes[0, 1:], ["found 1st", "2nd", "3rd", "generated"], strict=True):
    axis.set_title(title, fontsize=7)
figure.suptitle("Names not learned from: their picture, what is found, what is made", fontsize=9)
figure.tight_layout()
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "two_modalities.png", dpi=120)
