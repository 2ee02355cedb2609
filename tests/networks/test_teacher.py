"""A slow copy of a network: it follows, it is not trained, and it keeps statistics of its own."""

import pickle

import pytest
import torch
from torch import nn

from sklearn_simvae.networks import Teacher


@pytest.fixture
def student():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.BatchNorm1d(6), nn.ReLU(), nn.Linear(6, 2))


def change(module):
    """Change weights like a step of an optimizer."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(torch.randn_like(parameter))


def weights(module):
    return [parameter.detach().clone() for parameter in module.parameters()]


def test_teacher_begins_as_the_student(student):
    x = torch.rand(5, 4)
    teacher = Teacher(student)
    torch.testing.assert_close(teacher.eval()(x), student.eval()(x), rtol=0, atol=0)


def test_teacher_shares_nothing_with_the_student(student):
    x = torch.rand(5, 4)
    teacher = Teacher(student).eval()
    before = teacher(x)
    change(student)
    student.train()(x)
    assert torch.equal(teacher(x), before)
    assert all(parameter.requires_grad for parameter in student.parameters())
    theirs = {parameter.data_ptr() for parameter in student.parameters()}
    assert theirs.isdisjoint(parameter.data_ptr() for parameter in teacher.parameters())


@pytest.mark.parametrize("decay", [0.0, 0.25, 0.9, 1.0])
def test_following_mixes_the_weights(student, decay):
    teacher = Teacher(student)
    own = weights(teacher)
    change(student)
    theirs = weights(student)
    teacher.follow(student, decay)
    for mixed, old, new in zip(teacher.parameters(), own, theirs, strict=True):
        assert not torch.equal(old, new)
        torch.testing.assert_close(mixed, decay * old + (1 - decay) * new)
    # Only the teacher moves.
    assert all(map(torch.equal, student.parameters(), theirs))


def test_ends_of_the_decay_are_exact(student):
    teacher = Teacher(student)
    own = weights(teacher)
    change(student)
    teacher.follow(student, decay=1.0)
    assert all(map(torch.equal, teacher.parameters(), own))
    teacher.follow(student, decay=0.0)
    assert all(map(torch.equal, teacher.parameters(), student.parameters()))


def test_following_step_by_step_is_a_moving_average(student):
    teacher, decay = Teacher(student), 0.8
    expected = weights(teacher)
    for _ in range(5):
        change(student)
        teacher.follow(student, decay)
        expected = [
            decay * e + (1 - decay) * w for e, w in zip(expected, student.parameters(), strict=True)
        ]
    for own, by_hand in zip(teacher.parameters(), expected, strict=True):
        torch.testing.assert_close(own, by_hand.detach())


def test_no_gradient_passes_through_the_teacher(student):
    teacher = Teacher(student)
    x = torch.rand(5, 4, requires_grad=True)
    assert not teacher(x).requires_grad
    assert not any(parameter.requires_grad for parameter in teacher.parameters())
    teacher.follow(student, 0.5)
    assert not any(parameter.requires_grad for parameter in teacher.parameters())


def test_statistics_of_batch_normalization_are_its_own(student):
    teacher = Teacher(student)
    student.train()(torch.rand(5, 4) + 10)
    before = teacher.module[1].running_mean.clone()
    teacher.follow(student, decay=0.0)
    assert torch.equal(teacher.module[1].running_mean, before)
    # They are those of what the teacher itself sees, where it trains along with the student.
    teacher.eval()(torch.rand(5, 4))
    assert torch.equal(teacher.module[1].running_mean, before)
    x = torch.rand(5, 4)
    teacher.train()(x)
    seen = teacher.module[0](x).mean(0)
    torch.testing.assert_close(teacher.module[1].running_mean, 0.9 * before + 0.1 * seen)


def test_mode_is_that_of_the_module_that_holds_the_teacher(student):
    whole = nn.ModuleDict({"student": student, "teacher": Teacher(student)})
    for mode in (False, True):
        whole.train(mode)
        assert all(part.training is mode for part in whole["teacher"].modules())


def test_student_may_have_gained_parts_since(student):
    whole = nn.Module()
    whole.encoder = student
    whole.teacher = Teacher(whole)
    whole.predictor = nn.Linear(2, 2)
    change(whole.encoder)
    whole.teacher.follow(whole, decay=0.0)
    own = dict(whole.teacher.module.named_parameters())
    assert set(own) == {f"encoder.{name}" for name, _ in student.named_parameters()}
    assert all(torch.equal(own[f"encoder.{n}"], w) for n, w in student.named_parameters())


def test_a_student_of_another_structure_is_not_followed_in_silence(student):
    with pytest.raises(KeyError):
        Teacher(student).follow(nn.Linear(4, 6), 0.5)


def test_state_dict_and_pickle_hold_the_teacher(student):
    teacher = Teacher(student).eval()
    change(teacher)
    x = torch.rand(5, 4)
    other = Teacher(student).eval()
    assert not torch.equal(other(x), teacher(x))
    other.load_state_dict(teacher.state_dict())
    assert torch.equal(other(x), teacher(x))
    assert torch.equal(pickle.loads(pickle.dumps(teacher))(x), teacher(x))
