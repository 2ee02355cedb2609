"""Tables of the documentation, and the paper's claims as paired differences, from paper.py's files.

    python benchmarks/tables.py [--results benchmarks/results] [--output docs/tables]

It writes a file for each data set, to be included in a page, and `claims.inc`, which has the mean
over the seeds of the difference between two methods with the same seed, with its 95 % interval by
Student's t.
"""

import argparse
import csv
import itertools
import json
from collections import defaultdict
from pathlib import Path

import numpy as np
from growth import exponent
from paper_data import DATA
from paper_measures import SOME_LATENTS
from paper_methods import METHODS
from scipy import stats

# Columns of the tables: title, representation, factor, probe and metric.
CONTENT = [
    ("linear", "latent", "content", "linear", "accuracy"),
    ("MLP", "latent", "content", "mlp", "accuracy"),
    ("kNN", "latent", "content", "knn", "accuracy"),
    ("GMM acc.", "latent", "content", "gmm", "accuracy"),
    ("GMM NMI", "latent", "content", "gmm", "nmi"),
]
STYLE = ("style R2", "latent", "mean", "mlp", "r2")
FAMILY = ("family", "latent", "family", "mlp", "balanced_accuracy")
# For CelebA: the mean over attributes, each of which is yes or no.
ATTRIBUTES = ("attributes", "latent", "attributes", "mlp", "balanced_accuracy")
# One number for tasks that are not known yet.
BOTH = ("MLP and family", "latent", "both", "mlp", "mean")
STYLES = {
    "glyphs": [FAMILY, BOTH],
    "glyphs_inductive": [FAMILY, BOTH],
    "celeba": [ATTRIBUTES],
}
LAYERS = [
    ("latent, linear", SOME_LATENTS, "content", "linear", "accuracy"),
    ("hidden, linear", "hidden", "content", "linear", "accuracy"),
    ("head, linear", "head", "content", "linear", "accuracy"),
    ("latent, kNN", SOME_LATENTS, "content", "knn", "accuracy"),
    ("hidden, kNN", "hidden", "content", "knn", "accuracy"),
    ("head, kNN", "head", "content", "knn", "accuracy"),
    ("latent, style", "latent", "mean", "linear", "r2"),
    ("hidden, style", "hidden", "mean", "linear", "r2"),
    ("head, style", "head", "mean", "linear", "r2"),
]
# Accuracy on the content columns alone, and on the style columns alone.
PARTS = [
    (f"{probe}, {part}", f"{part} columns", "content", probe.lower(), "accuracy")
    for part in ("content", "style")
    for probe in ("linear", "MLP", "kNN")
]
CENTER = [
    ("content, centre", "centre", "content", "mlp", "accuracy"),
    ("content, around", "around", "content", "mlp", "accuracy"),
    ("style, centre", "centre", "mean", "mlp", "r2"),
    ("style, around", "around", "mean", "mlp", "r2"),
]
NUMBERS = [
    ("MI, InfoNCE", "latent", "", "", "mutual_information_infonce"),
    ("MI, kNN", "latent", "", "", "mutual_information_knn"),
    ("effective rank", "latent", "", "", "effective_rank"),
    ("alignment", "latent", "", "", "alignment"),
    ("uniformity", "latent", "", "", "uniformity"),
    ("squared error", "latent", "", "", "reconstruction_error"),
    ("Frechet distance", "latent", "", "", "frechet_distance"),
]


class Runs:
    """Values by method and seed at one number of epochs, at the settings that were run last."""

    def __init__(self, path, epochs):
        self.epochs = epochs
        self.values = defaultdict(dict)
        self.settings = {}
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                if int(row["epochs"]) != epochs:
                    continue
                method, settings = row["method"], (row["settings"], row["parameters"])
                self.settings[method] = settings
                what = tuple(row[k] for k in ("representation", "factor", "probe", "metric"))
                self.values[method, *what, settings][int(row["seed"])] = float(row["value"])
        for method in self.settings:
            # The settings with most seeds, and among these the last that were run.
            runs = [key for key in self.values if (key[0], *key[1:5]) == (method, *CONTENT[0][1:])]
            if runs:
                most = max(reversed(runs), key=lambda key: len(self.values[key]))
                self.settings[method] = most[-1]
        self.methods = [m for m in METHODS if m in self.settings]
        for method in self.methods:
            self._add_attributes(method)
            content, family = (self.of(method, tuple(c[1:])) for c in (CONTENT[1], FAMILY))
            key = (method, *BOTH[1:], self.settings[method])
            self.values[key] = {
                seed: (content[seed] + family[seed]) / 2 for seed in content.keys() & family.keys()
            }

    def _add_attributes(self, method):
        """Add the mean over the factors of style that are classes, if there are several."""
        read = method, "latent", "mlp", "balanced_accuracy", self.settings[method]
        of_each = [
            values
            for (m, where, factor, *how), values in self.values.items()
            if (m, where, *how) == read and factor != "content"
        ]
        if len(of_each) > 1:
            seeds = set.intersection(*map(set, of_each))
            self.values[method, *ATTRIBUTES[1:], self.settings[method]] = {
                seed: np.mean([values[seed] for values in of_each]) for seed in sorted(seeds)
            }

    def of(self, method, what):
        """Return the values by seed."""
        return self.values.get((method, *what, self.settings.get(method)), {})

    def difference(self, a, b, what):
        """Return the difference of two methods in one measure, see :func:`paired`."""
        return paired(self.of(a, what), self.of(b, what))


def paired(of_a, of_b):
    """Return the mean of a - b over the common seeds, half its 95 % interval, and their number."""
    differences = [of_a[seed] - of_b[seed] for seed in sorted(of_a.keys() & of_b.keys())]
    n = len(differences)
    if n < 2:
        return (np.mean(differences) if n else np.nan), np.nan, n
    half = stats.t.ppf(0.975, n - 1) * stats.sem(differences)
    return np.mean(differences), half, n


def budgets(path):
    """Return the runs of a data set by their number of epochs, that of most methods first."""
    with path.open(newline="") as file:
        epochs = {int(row["epochs"]) for row in csv.DictReader(file)}
    return sorted(
        (Runs(path, n) for n in epochs), key=lambda runs: (-len(runs.methods), runs.epochs)
    )


def number(values):
    values = list(values)
    if not values:
        return ""
    digits = 3 if abs(np.mean(values)) < 10 else 1
    spread = f" ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else ""
    return f"{np.mean(values):.{digits}f}{spread}"


def rst(head, lines):
    """Make a simple table of reStructuredText."""
    cells = [head, *lines]
    widths = [max(len(line[i]) for line in cells) for i in range(len(head))]
    rule = "  ".join("=" * width for width in widths)
    rows = [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    ]
    return "\n".join([rule, rows[0], rule, *rows[1:], rule])


def table(runs, columns, methods=None):
    """Make a table with a line for each method that has any of the columns."""
    lines = []
    for method in methods or runs.methods:
        cells = [number(runs.of(method, what).values()) for _, *what in columns]
        if any(cells):
            counts = {len(runs.of(method, what)) for _, *what in columns} - {0}
            lines.append(
                [method, " to ".join(map(str, sorted({min(counts), max(counts)}))), *cells]
            )
    if not lines:
        return ""
    used = [i for i in range(len(columns)) if any(line[i + 2] for line in lines)]
    head = ["method", "seeds", *(columns[i][0] for i in used)]
    return rst(head, [line[:2] + [line[i + 2] for i in used] for line in lines])


def page(name, runs):
    """Make all tables of a data set at one budget."""
    style = STYLES.get(name, [STYLE])
    sections = [
        f"*{runs.epochs} epochs.* Content and style:",
        table(runs, CONTENT + style),
        "Content and style in the columns of content and in those of style by themselves:",
        table(
            runs,
            PARTS
            + [
                (f"style, {part}", f"{part} columns", *style[0][2:])
                for part in ("content", "style")
            ],
        ),
        "Layers: what is read at the latents, at the hidden layer before them and after the "
        "projection head:",
        table(runs, LAYERS) if any(runs.of(m, LAYERS[1][1:]) for m in runs.methods) else "",
        "The mean of eight views of a sample (centre), and what a view differs from it (around):",
        table(runs, CENTER),
        "Information shared by two views in nats, signs of collapse, reconstructions and samples:",
        table(runs, NUMBERS),
        "Settings that validation chose:",
        rst(
            ["method", "settings"],
            [[m, runs.settings[m][0] or "defaults"] for m in runs.methods if m != "PCA"],
        ),
    ]
    titles, tables = sections[::2], sections[1::2]
    filled = [f"{title}\n\n{made}" for title, made in zip(titles, tables, strict=True) if made]
    return "\n\n".join(filled) + "\n"


def search_page(path):
    """Make a table of candidates and validation accuracies, with the chosen ones in bold."""
    found = defaultdict(dict)
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            if row["metric"] == "accuracy":
                found[row["method"], row["settings"], row["parameters"]][row["probe"]] = float(
                    row["value"]
                )
    lines = []
    for method in METHODS:
        tried = {key: values for key, values in found.items() if key[0] == method}
        best = max(tried, key=lambda key: sum(tried[key].values()), default=None)
        for key, values in tried.items():
            setting = key[1] or "defaults"
            setting = f"**{setting}**" if key == best else setting
            lines.append([method, setting, f"{values['linear']:.3f}", f"{values['knn']:.3f}"])
    return rst(["method", "settings", "linear", "kNN"], lines) + "\n"


MAP = [
    *CONTENT[:3],
    CONTENT[4],
    ("10 labels", "latent", "few labels", "linear", "accuracy"),
    STYLE,
]
INFORMATION = [CONTENT[0], CONTENT[2], *NUMBERS[:2]]


def runs_page(path, columns):
    """Make a line for each setting of a file: method, settings, epochs, and measures."""
    found = defaultdict(lambda: defaultdict(dict))
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            what = tuple(row[k] for k in ("representation", "factor", "probe", "metric"))
            run = row["method"], row["settings"] or "defaults", row["epochs"], row["parameters"]
            found[run][what][row["seed"]] = float(row["value"])
    lines = [
        [*run[:3], *(number(values[tuple(what)].values()) for _, *what in columns)]
        for run, values in found.items()
    ]
    order = {method: i for i, method in enumerate(METHODS)}
    lines.sort(key=lambda line: order[line[0]])
    return rst(["method", "settings", "epochs", *(title for title, *_ in columns)], lines) + "\n"


def claims(runs_of, ours):
    """Make tables of paired differences, some methods minus each other one."""
    lines = []
    for name, runs in ((data, runs) for data, budgets_of in runs_of.items() for runs in budgets_of):
        style = STYLES.get(name, [STYLE])[0]
        of_it = [method for method in ours if method in runs.methods]
        for method, other in itertools.product(of_it, runs.methods):
            # Each pair of these methods is compared once, and none with itself.
            if METHODS.index(method) <= METHODS.index(other) and other in ours:
                continue
            cells = []
            n_seeds = 0
            for _, *what in [*CONTENT[:3], CONTENT[4], style]:
                found = runs.difference(method, other, tuple(what))
                n_seeds = max(n_seeds, found[2])
                cells.append(signed(*found))
            if n_seeds:
                lines.append([name, str(runs.epochs), method, other, str(n_seeds), *cells])
    head = ["data", "epochs", "of", "less", "seeds", "linear", "MLP", "kNN", "GMM NMI", "style"]
    return rst(head, lines) + "\n"


def signed(mean, half, n):
    """Write a difference and its interval as a cell."""
    interval = "" if np.isnan(half) else f" ± {half:.3f}"
    return f"{mean:+.3f}{interval}" if n else ""


# Differences between two places in the same method.
PLACES = [
    ("content, centre less around", CENTER[0], CENTER[1]),
    ("style, around less centre", CENTER[3], CENTER[2]),
    ("linear, hidden less latent", LAYERS[1], LAYERS[0]),
    ("kNN, hidden less latent", LAYERS[4], LAYERS[3]),
    ("style, hidden less latent", LAYERS[7], LAYERS[6]),
    ("kNN, latent less head", LAYERS[3], LAYERS[5]),
]


def places(runs):
    """Make a table of paired differences between the places of content and style in a method."""
    lines = []
    for method in runs.methods:
        found = [
            paired(runs.of(method, tuple(a)), runs.of(method, tuple(b)))
            for _, (_, *a), (_, *b) in PLACES
        ]
        if (n_seeds := max(n for *_, n in found)) > 1:
            lines.append([method, str(n_seeds), *(signed(*one) for one in found)])
    return rst(["method", "seeds", *(title for title, *_ in PLACES)], lines) + "\n"


def emoji_page(path):
    """Make a table of recall both ways and of the linear probe, over seeds."""
    found = defaultdict(dict)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    # Shorter fits than those of the table were trials.
    longest = max(int(row["epochs"]) for row in rows)
    for row in rows:
        if int(row["epochs"]) == longest:
            found[row["method"], row["metric"]][row["seed"]] = float(row["value"])
    metrics = [f"{way}@{k}" for way in ("image to text", "text to image") for k in (1, 5, 10)]
    methods = list(dict.fromkeys(method for method, _ in found))
    lines = [
        [method, str(len(found[method, "linear probe"]))]
        + [number(found[method, metric].values()) for metric in [*metrics, "linear probe"]]
        for method in methods
    ]
    chance = [number(found[methods[0], f"chance@{k}"].values()) for k in (1, 5, 10)]
    lines.insert(0, ["chance", lines[0][1], *chance, *chance, ""])
    return rst(["method", "seeds", *metrics, "linear probe"], lines)


def speed_page(path):
    """Make a table of the comparisons of speed.py."""
    lines = []
    for part in json.loads(path.read_text()).values():
        for line in part["lines"]:
            rates = [line[f"{side}_rate"] for side in ("reference", "package")]
            rates = [f"{rate:,.0f}" if rate > 100 else f"{rate:.2f}" for rate in rates]
            spread = f" ({line['least']:.2f} to {line['largest']:.2f})" if "least" in line else ""
            asked = "" if line["asked"] is None else str(line["asked"])
            cells = [line["what"], line["reference"], line["unit"], *rates]
            lines.append([*cells, f"{line['ratio']:.3f}{spread}", asked])
    head = ["what", "beside", "unit", "reference", "package", "ratio", "asked"]
    return rst(head, lines) + "\n"


def gpu_page(path):
    """Make a table of the fits of gpu.py."""
    lines = []
    for part in json.loads(path.read_text()).values():
        for line in part["lines"]:
            beside = f"{line['beside a loop']:.2f}" if "beside a loop" in line else ""
            cells = [line["what"], f"{line['views a step']:,}", f"{line['views/s']:,.0f}"]
            lines.append([*cells, beside, f"{line['share']:.3f}", f"{line['times the CPU']:.1f}"])
    head = ["what", "views a step", "views/s", "beside a loop", "share of the GPU", "times the CPU"]
    return rst(head, lines) + "\n"


def small_fits_page(path):
    """Make a table of the fits of small_fits.py, means over seeds."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    lines = []
    for name, method in dict.fromkeys((row["data"], row["method"]) for row in rows):
        cells = [name.replace("_", " "), method]
        for field, form in (("seconds", "{:.1f}"), ("linear", "{:.3f}"), ("knn", "{:.3f}")):
            for defaults in ("auto", "former"):
                wanted = (name, method, defaults)
                values = [
                    float(row[field])
                    for row in rows
                    if (row["data"], row["method"], row["defaults"]) == wanted
                ]
                cells.append(form.format(np.mean(values)) if values else "")
        lines.append(cells)
    head = ["data", "method", "seconds", "before", "linear", "before", "kNN", "before"]
    return rst(head, lines) + "\n"


def imputation_page(path):
    """Make a table of the errors of imputation.py, and one of the accuracies, means over seeds."""
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    methods = list(dict.fromkeys(row["method"] for row in rows))
    cases = list(dict.fromkeys((row["data"], row["holes"], row["share"]) for row in rows))

    def mean(case, method, field):
        wanted = (*case, method)
        of = [r for r in rows if (r["data"], r["holes"], r["share"], r["method"]) == wanted]
        values = [float(row[field]) for row in of if row[field]]
        return f"{np.mean(values):.3f}" if values else ""

    errors, accuracies = [], []
    for case in cases:
        head = [case[0].replace("_", " "), case[1], f"{float(case[2]):.0%}"]
        errors.append([*head, *(mean(case, method, "rmse") for method in methods)])
        cells = [mean(case, m, "latent") or mean(case, m, "filled") for m in methods]
        if any(cells):
            accuracies.append([*head, *cells])
    head = ["data", "holes", "share", *methods]
    return rst(head, errors) + "\n\n" + rst(head, accuracies) + "\n"


def growth_page(path):
    """Make a table of exponents of time and memory, with the range of each."""
    points = defaultdict(list)
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            points[row["what"]].append([float(row[k]) for k in ("value", "seconds", "MiB")])
    lines = []
    for name, rows in points.items():
        values, *costs = np.array(rows).T
        slopes = [f"{exponent(values, cost):.2f}" for cost in costs]
        lines.append([name, f"{values[0]:,.0f} to {values[-1]:,.0f}", *slopes])
    return rst(["what", "range", "time", "memory"], lines) + "\n"


# Tasks of the tables: means over all sets, and each set by itself.
PEOPLE_TASKS = ["1 labels", "5 labels", "20 labels", "all labels"]
PEOPLE_ANOMALIES = ["rarest class", "mixed columns"]


def people_pages(path):
    """Make the tables of tables_of_people.py by name: means over the sets, and each set."""
    found = defaultdict(list)
    with path.open(newline="") as file:
        for row in csv.DictReader(file):
            found[row["set"], row["method"], row["task"]].append(float(row["auc"]))
    medians = {key: np.median(values) for key, values in found.items()}
    sets = list(dict.fromkeys(key[0] for key in medians))

    def lines_of(tasks):
        methods = dict.fromkeys(method for _, method, task in medians if task in tasks)
        for method in methods:
            yield method, [[medians[name, method, task] for name in sets] for task in tasks]

    def table_of(head, values_of, tasks):
        lines = [[method, *values_of(values)] for method, values in lines_of(tasks)]
        return rst(["method", *head], lines) + "\n"

    def means(values):
        return [f"{np.mean(of_task):.3f}" for of_task in values]

    def each(values):
        return [f"{value:.3f}" for value in values[0]]

    tasks = [*PEOPLE_TASKS, *PEOPLE_ANOMALIES]
    pages = {"labels": table_of(PEOPLE_TASKS, means, PEOPLE_TASKS)}
    pages["anomalies"] = table_of(PEOPLE_ANOMALIES, means, PEOPLE_ANOMALIES)
    for task in tasks:
        pages[task.replace(" ", "_")] = table_of(sets, each, [task])
    return pages


PAGES = {
    "speed.json": speed_page,
    "gpu.json": gpu_page,
    "growth.csv": growth_page,
    "small_fits.csv": small_fits_page,
    "imputation.csv": imputation_page,
}


def main():
    root = Path(__file__).parent
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--results", type=Path, default=root / "results")
    parser.add_argument("--output", type=Path, default=root.parent / "docs" / "tables")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    runs_of = {n: budgets(p) for n in DATA if (p := args.results / f"{n}.csv").exists()}
    for name in runs_of:
        pages = [page(name, runs) for runs in runs_of[name]]
        (args.output / f"{name}.inc").write_text("\n".join(pages))
    if (path := args.results / "emoji.csv").exists():
        (args.output / "emoji.inc").write_text(emoji_page(path) + "\n")
    for name, make in PAGES.items():
        if (path := args.results / name).exists():
            (args.output / f"{path.stem}.inc").write_text(make(path))
    if (path := args.results / "tables_of_people.csv").exists():
        for name, made in people_pages(path).items():
            (args.output / f"tables_of_people_{name}.inc").write_text(made)
    for name, columns in (("simvae_map", MAP), ("information", INFORMATION)):
        if (path := args.results / f"{name}.csv").exists():
            (args.output / f"{name}.inc").write_text(runs_page(path, columns))
    for path in args.results.glob("*_search.csv"):
        (args.output / f"{path.stem}.inc").write_text(search_page(path))
    simvaes = [method for method in METHODS if method.startswith("SimVAE")]
    (args.output / "claims.inc").write_text(claims(runs_of, simvaes))
    (args.output / "content_style.inc").write_text(claims(runs_of, ["ContentStyleVAE"]))
    if "fashion_mnist" in runs_of:
        (args.output / "places.inc").write_text(places(runs_of["fashion_mnist"][0]))


if __name__ == "__main__":
    main()
