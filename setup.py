"""Metadata of the package; tool settings are in pyproject.toml."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(
    r'__version__ = "(.+)"', (HERE / "sklearn_simvae" / "_version.py").read_text()
).group(1)

# No version is allowed of which a flaw is known that a later one mends: see "Security" in
# docs/reliability.rst.
DATA = ["pillow>=12.3"]
PLOT = ["matplotlib>=3.8"]
# With numba, of 150 MB: its tests run where it is installed.
UMAP = [*PLOT, "umap-learn>=0.5.9"]
EVALUATION = ["pandas>=2.1"]
PARQUET = ["pyarrow>=23.0.1"]
TABLES = ["skrub>=0.11"]
DASK = ["dask[array,distributed]>=2026.1.1"]
PERSISTENCE = ["safetensors>=0.5", "skops>=0.16", "onnx>=1.21", "onnxruntime>=1.22"]
# Ray, of 240 MB, is not among them: its test runs where it is installed.
SOURCES = [*PARQUET, *DASK, "zarr>=3.0.8", "h5py>=3.10"]
TEST = [
    *DATA,
    *PLOT,
    *EVALUATION,
    *SOURCES,
    *PERSISTENCE,
    *TABLES,
    "polars>=1.0",
    "codespell>=2.4",
    "pytest>=9.0.3",
    "numpydoc>=1.9",
    "pytest-xdist>=3.6.1",
    "hypothesis>=6.100",
    "ruff>=0.6",
    "import-linter>=2.5",
    "mypy>=1.15",
]

setup(
    name="sklearn-simvae",
    version=VERSION,
    description="Self-supervised representations as scikit-learn transformers",
    long_description=(HERE / "README.rst").read_text(encoding="utf-8"),
    long_description_content_type="text/x-rst",
    license="BSD-3-Clause",
    license_files=["LICENSE"],
    python_requires=">=3.11",
    packages=find_packages(include=["sklearn_simvae", "sklearn_simvae.*"]),
    package_data={"sklearn_simvae": ["py.typed"]},
    install_requires=[
        "scikit-learn>=1.6",
        "torch>=2.13",
        # Before 1.2 its pickles do not load with torch 2.6 and later.
        "skorch>=1.2",
        "numpy>=1.26",
        "scipy>=1.12",
        "joblib>=1.4",
        "threadpoolctl>=3.1",
    ],
    extras_require={
        "test": TEST,
        "docs": [
            *PLOT,
            *DATA,
            *EVALUATION,
            "sphinx>=8",
            "sphinx-gallery>=0.18",
            "numpydoc>=1.9",
            "pydata-sphinx-theme>=0.16",
        ],
        "plot": PLOT,
        "umap": UMAP,
        "data": DATA,
        "evaluation": EVALUATION,
        "persistence": PERSISTENCE,
        "tables": TABLES,
        "parquet": PARQUET,
        "dask": DASK,
        "ray": ["ray>=2.55"],
        "timm": ["timm>=1.0"],
        "transformers": ["transformers>=4.48"],
        "distributed": ["accelerate>=1.0"],
    },
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Intended Audience :: Science/Research",
        "Operating System :: OS Independent",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Scientific/Engineering :: Artificial Intelligence",
        "Typing :: Typed",
    ],
)
