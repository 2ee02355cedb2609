"""Folders of photos that tests write."""

import numpy as np
from PIL import Image

RED, GREEN, BLUE = (220, 30, 30), (30, 200, 30), (30, 30, 220)


def save(path, color=RED, size=(40, 30), mode="RGB", **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, color).convert(mode).save(path, **options)
    return path


def photos_of_two_classes(folder, n=6):
    """Write noisy photos, reddish and bluish, of several sizes."""
    rng = np.random.default_rng(0)
    for i in range(n):
        for name, color in (("red", RED), ("blue", BLUE)):
            size = (20 + 3 * i, 30 - 2 * i)
            pixels = rng.integers(-25, 26, size=(*size, 3)) + np.array(color)
            path = folder / name / f"{i}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path)
    return folder
