"""Tables of mixed columns as people have them."""

import numpy as np
import pandas as pd


def mixed(n=60, seed=0):
    """A DataFrame of pandas with numbers, bools, words and dates, some of them missing."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "age": pd.array(rng.integers(18, 80, n), dtype="Int64"),
            "income": np.where(rng.random(n) < 0.2, np.nan, rng.lognormal(10, 1, n)),
            "children": rng.integers(0, 4, n),
            "married": rng.random(n) < 0.5,
            "owner": pd.array(rng.random(n) < 0.5, dtype="boolean"),
            "city": rng.choice(["Bern", "Oslo", "Rome"], n),
            "note": pd.Series(rng.choice(["good", "bad", None], n), dtype=object),
            "grade": pd.Categorical(rng.choice(["x", "y"], n)),
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 9999, n), "h"),
        }
    )
    table.loc[3, "age"] = pd.NA
    table.loc[4, "owner"] = pd.NA
    table.loc[5, "since"] = pd.NaT
    table.loc[6, "city"] = np.nan
    table.loc[7, "city"] = None
    return table
