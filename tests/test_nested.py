"""Nested parameters, set with what has them, with what has none, and with names."""

import numpy as np
import pytest
from conftest import Spy, one_kind
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler

from sklearn_simvae.views import Compose, FeatureCorruption


@one_kind
def test_parameters_of_an_augmentation_that_is_a_name_are_told(make):
    match = (
        r"(?s)augmentation='auto' has no parameter 'p'.*FeatureCorruption\(\) of vectors.*object"
    )
    with pytest.raises(ValueError, match=match):
        make().set_params(augmentation__p=0.5)
    with pytest.raises(ValueError, match=match):
        make_pipeline(MaxAbsScaler(), make()).set_params(**{f"{step(make)}__augmentation__p": 0.5})
    with pytest.raises(ValueError, match="augmentation=None has no parameter 'scale'"):
        make(augmentation=None).set_params(augmentation__scale=0.5)
    for params in ({"augmentation": "auto"}, {"augmentation": None}):
        with pytest.raises(ValueError, match="has no parameter 'p'"):
            make(augmentation=FeatureCorruption()).set_params(augmentation__p=0.5, **params)


def step(make):
    return type(make()).__name__.lower()


def test_parameters_of_what_has_none_are_told(make):
    for name, value in make().get_params(deep=False).items():
        with pytest.raises(ValueError, match=f"given {name}__x, but {name}=") as error:
            make().set_params(**{f"{name}__x": 1})
        assert f"{value!r} has no parameter 'x'" in str(error.value)
    with pytest.raises(ValueError, match=r"callbacks=\[\('spy', .* has no parameter 'spy__x'"):
        make(callbacks=[("spy", Spy())]).set_params(callbacks__spy__x=1)
    # Names that there are not are told by scikit-learn.
    with pytest.raises(ValueError, match="Invalid parameter 'decorder'"):
        make().set_params(decorder__x=1)


@one_kind
def test_parameters_of_an_augmentation_are_set_with_it_or_after_it(make):
    estimator = make().set_params(augmentation__p=0.5, augmentation=FeatureCorruption())
    assert estimator.augmentation.p == 0.5
    assert estimator.set_params(augmentation__p=0.7, lr=0.5).augmentation.p == 0.7 and estimator.lr
    with pytest.raises(ValueError, match="Invalid parameter 'scale'"):
        estimator.set_params(augmentation__scale=0.5)


def test_parameters_of_a_step_that_has_none_are_told():
    compose = Compose([("mine", np.sin), FeatureCorruption()])
    with pytest.raises(ValueError, match=r"mine=<ufunc 'sin'> has no parameter 'p'"):
        compose.set_params(mine__p=0.5)
    with pytest.raises(ValueError, match="featurecorruption='passthrough' has no parameter 'p'"):
        compose.set_params(featurecorruption="passthrough", featurecorruption__p=0.5)
    assert compose.set_params(mine=FeatureCorruption(), mine__p=0.5).steps[0][1].p == 0.5
