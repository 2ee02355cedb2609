"""Names the links within built HTML that lead nowhere: `python .ci/links.py docs/_build/html`."""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """Where a page leads, and where it can be entered."""

    def __init__(self, path):
        super().__init__()
        self.links, self.anchors = set(), {"", "top"}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        for name, value in attrs:
            if name in ("href", "src") and value is not None:
                self.links.add(value)
            elif name == "id" or (tag == "a" and name == "name"):
                self.anchors.add(value)


def dead_links(folder):
    """Pairs of a page and a link of it; what is not in the folder is not looked for."""
    folder = Path(folder).resolve()
    pages = {
        path: Page(path) for path in sorted(folder.rglob("*.html")) if "_static" not in path.parts
    }
    for path, page in pages.items():
        for link in sorted(page.links):
            scheme, host, there, _, anchor = urlsplit(link)
            if not scheme and not host:
                target = (path.parent / unquote(there)).resolve() if there else path
                anchors = pages[target].anchors if target in pages else {unquote(anchor)}
                if not target.exists() or unquote(anchor) not in anchors:
                    yield path.relative_to(folder), link


if __name__ == "__main__":
    dead = [f"{page}: {link}" for page, link in dead_links(sys.argv[1])]
    sys.exit("\n".join(dead) or None)
