"""Settings of a fit, which no one changes while it runs."""

import pytest
from conftest import tiny
from followed import LONG, AtEpochEnd, X


def test_options_of_a_fit_cannot_be_changed():
    watch = AtEpochEnd()
    tiny("SimVAE", callbacks=watch, **LONG).fit(X)
    with pytest.raises(AttributeError):
        watch.run.options.n_epochs = 7
