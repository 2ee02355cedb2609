"""Prints the oldest versions that setup.py allows, as constraints of pip."""

import re
from pathlib import Path

text = (Path(__file__).parents[1] / "setup.py").read_text()
bounds = re.findall(r'"([\w-]+)(?:\[.*?\])?>=([\d.]+)"', text)
print(*sorted({f"{name}=={version}" for name, version in bounds}), sep="\n")
