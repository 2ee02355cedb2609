"""Estimators in a notebook."""

import html
import re

import pytest
from conftest import TINY, tiny
from sklearn import config_context
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import estimator_html_repr
from torch import nn

from sklearn_simvae import SimVAE


def n_weights(module):
    return sum(weight.numel() for weight in module.parameters())


def caption(estimator):
    """The line below the name, in what is shown."""
    found = re.search(r'<div class="caption">(weights: .*?)</div>', estimator_html_repr(estimator))
    return found and html.unescape(found.group(1))


def test_link_goes_to_the_page_of_the_estimator(make):
    page = f"/api/sklearn_simvae.{type(make()).__name__}.html"
    (link,) = set(re.findall(r'href="([^"#]*)', estimator_html_repr(make())))
    assert link.startswith("https://") and link.endswith(page)


def test_size_of_each_network_is_shown_after_fit(digits, make):
    estimator = make()
    assert caption(estimator) is None
    shown = caption(estimator.fit(digits[0][:60]))
    counts = [int(count.replace(",", "")) for count in re.findall(r" ([\d,]*\d)", shown)]
    assert sum(counts) == n_weights(estimator.module_)


def test_sizes_have_the_names_of_the_networks(digits):
    estimator = tiny("VAE").fit(digits[0][:60])
    encoder, decoder = estimator.encoder_, estimator.module_.decoder
    assert caption(estimator) == (
        f"weights: encoder {n_weights(encoder):,}, decoder {n_weights(decoder):,}"
    )


def test_a_step_of_a_pipeline_shows_link_and_size(digits):
    pipeline = make_pipeline(StandardScaler(), tiny("SimVAE")).fit(digits[0][:60])
    assert caption(pipeline) == caption(pipeline[-1])
    assert "sklearn_simvae.SimVAE.html" in estimator_html_repr(pipeline)


def test_an_estimator_of_others_has_no_page_here():
    class Own(SimVAE):
        pass

    assert Own.__module__ != SimVAE.__module__
    assert "href=" not in estimator_html_repr(Own())


def test_text_stays_where_text_is_asked_for():
    with config_context(display="text"):
        assert not hasattr(SimVAE(), "_repr_html_")
    assert repr(SimVAE(n_components=3)) == "SimVAE(n_components=3)"


@pytest.mark.parametrize("encoder", [nn.Linear(64, 6), lambda shape, n: nn.Linear(64, n)])
def test_encoders_of_ones_own_are_counted(digits, encoder):
    fitted = SimVAE(**TINY, encoder=encoder).fit(digits[0][:60])
    assert caption(fitted).startswith("weights: encoder 390, decoder ")
