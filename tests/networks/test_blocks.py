"""Residual blocks, against what convolutions are known to give."""

import pytest
import torch
from made_networks import encoder_of


@pytest.mark.parametrize("name", ["conv", "resnet18"])
@pytest.mark.parametrize("size", [(9, 8), (9, 2), (9, 1)])
def test_bf16_sees_nothing_of_what_was_in_memory_before(name, size):
    encoder = encoder_of(name, "image", (3, *size))
    for _ in range(4):
        # What oneDNN's convolutions gave back, of maps as narrow as these end in.
        garbage = [torch.full((n,), torch.nan) for n in (1_000, 50_000, 300_000)]
        del garbage
        with torch.autocast("cpu", torch.bfloat16):
            assert encoder(torch.randn(4, 3, *size)).isfinite().all()
