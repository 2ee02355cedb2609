"""Parts of a network that are told of the course of a fit."""

import numpy as np
from followed import X, events_of, fitted

from sklearn_simvae.networks import LivingPart
from sklearn_simvae.networks.living import living_parts


def test_living_parts_are_told_of_the_fit_its_epochs_and_its_steps():
    events = [event[:4] for event in events_of(fitted())]
    expected = [("fit", 0, 0, 0.0)]
    for epoch in range(3):
        # The row of an epoch is in the history from its begin.
        expected += [("epoch", epoch + 1, 2 * epoch, 2 * epoch / 6)]
        expected += [("step", epoch + 1, step, step / 6) for step in (2 * epoch + 1, 2 * epoch + 2)]
    assert events == expected


def test_living_parts_see_latents_and_the_parameters_that_are_set_now():
    estimator = fitted(max_epochs=1, lr=1e-30)
    diary = estimator.module_.diary
    np.testing.assert_allclose(diary.latents.numpy(), estimator.transform(X), atol=1e-5)
    assert diary.n_components == 3


def test_parts_of_encoders_and_of_other_parts_belong_to_other_fits():
    module, teacher = fitted().module_, LivingPart()
    teacher.module, module.teacher = fitted().module_, teacher
    module.encoder = fitted().module_
    assert living_parts(module) == [module, module.diary, teacher]
