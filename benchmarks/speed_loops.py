"""Fast training loops written by hand, which speed.py compares the package with.

Each trains the paper's MLP in bf16 autocast on two views by a batched crop and flip, with fused
Adam and the one-cycle schedule. They do nothing else: no checks, no records, no seed for each
epoch, and no copy of the weights for failures.
"""

import math
from itertools import pairwise

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

SIZES = (784, 2000, 500, 500)
N_COMPONENTS = 10
STYLE, NOISE = 0.15, 0.01


def work():
    """Count the FLOP of a view of SimVAE: one product forward and two backward in each layer."""
    weights = 2 * sum(a * b for a, b in pairwise(SIZES)) + 3 * N_COMPONENTS * SIZES[-1]
    return 6 * weights


def mlp(sizes):
    layers = []
    for n_in, n_out in pairwise(sizes):
        layers += [nn.Linear(n_in, n_out), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def head(sizes):
    """Make a projection head with batch norm, as in the package."""
    layers = []
    for n_in, n_out in pairwise((N_COMPONENTS, *sizes)):
        layers += [nn.Linear(n_in, n_out), nn.BatchNorm1d(n_out), nn.ReLU()]
    return nn.Sequential(*layers[:-2])


def crop(x):
    """Crop, resize and flip at random by one grid_sample."""
    n, device = len(x), x.device
    area = 0.4 + 0.6 * torch.rand(n, device=device)
    ratio = torch.exp(torch.empty(n, device=device).uniform_(math.log(0.75), math.log(4 / 3)))
    width, height = (area * ratio).sqrt().clamp(max=1), (area / ratio).sqrt().clamp(max=1)
    theta = torch.zeros(n, 2, 3, device=device)
    theta[:, 0, 0] = width * torch.where(torch.rand(n, device=device) < 0.5, -1.0, 1.0)
    theta[:, 1, 1] = height
    theta[:, 0, 2] = (1 - width) * (2 * torch.rand(n, device=device) - 1)
    theta[:, 1, 2] = (1 - height) * (2 * torch.rand(n, device=device) - 1)
    grid = F.affine_grid(theta, x.shape, align_corners=False)
    return F.grid_sample(x, grid, padding_mode="border", align_corners=False)


def crop_pixels(rows):
    """Make two crops of each image of bytes."""
    x = rows.unsqueeze(1).float() / 255
    return crop(x.repeat_interleave(2, 0)).flatten(1)


def train(X, batch_size, epochs, modules, loss_of, lr, device="cpu", make_views=crop_pixels):
    """Minimize `loss_of(views)` in passes over two views of each row."""
    X = torch.from_numpy(X).to(device)
    parameters = [p for module in modules for p in module.to(device).parameters()]
    optimizer = torch.optim.Adam(parameters, lr=lr, fused=True)
    n_steps = epochs * (len(X) // batch_size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=n_steps)
    for _ in range(epochs):
        order = torch.randperm(len(X), device=device)
        for i in range(len(X) // batch_size):
            loss = loss_of(make_views(X[order[i * batch_size : (i + 1) * batch_size]]))
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()


def bf16(device="cpu"):
    return torch.autocast(device, torch.bfloat16)


def negative_bound(x, made, mean, log_variance):
    """Compute the loss of SimVAE for two views of each sample, up to a constant."""
    error = 0.5 * (x - made).square().sum() / NOISE
    m, v = mean.view(-1, 2, N_COMPONENTS), log_variance.exp().view(-1, 2, N_COMPONENTS)
    center = m.mean(1, keepdim=True)
    pull = ((m - center).square().sum() + 0.5 * v.sum()) / (2 * STYLE)
    prior = (center.square().sum() + v.sum() / 4) / (2 * (1 + STYLE / 2))
    return (error + pull + prior - 0.5 * log_variance.sum()) / len(m)


def simvae(images, batch_size, epochs, device="cpu"):
    """Train SimVAE with the closed-form prior of psi."""
    torch.manual_seed(0)
    encoder, decoder = mlp([*SIZES, 2 * N_COMPONENTS]), mlp([N_COMPONENTS, *SIZES[::-1]])

    def loss_of(x):
        with bf16(device):
            out = encoder(x).float()
        mean, log_variance = out.chunk(2, 1)
        z = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        with bf16(device):
            logits = decoder(z).float()
        return negative_bound(x, logits.sigmoid(), mean, log_variance)

    train(images, batch_size, epochs, (encoder, decoder), loss_of, 1e-3, device)


def nt_xent(z, itself, other, temperature):
    """Compute the loss of SimCLR, given the mask of each view and the place of the other."""
    z = F.normalize(z, dim=1)
    return F.cross_entropy((z @ z.T / temperature).masked_fill(itself, -torch.inf), other)


def simclr(images, batch_size, epochs, projection_layer_sizes, temperature=0.1):
    """Train SimCLR with two views."""
    torch.manual_seed(0)
    encoder, projector = mlp([*SIZES, N_COMPONENTS]), head(projection_layer_sizes)
    itself = torch.eye(2 * batch_size, dtype=torch.bool)
    other = torch.arange(2 * batch_size) ^ 1

    def loss_of(x):
        with bf16():
            z = projector(encoder(x)).float()
        return nt_xent(z, itself, other, temperature)

    train(images, batch_size, epochs, (encoder, projector), loss_of, 3e-3)


def spread(z):
    """Compute VICReg's terms of variance and covariance."""
    z = z - z.mean(0)
    covariance = z.T @ z / (len(z) - 1)
    variance = covariance.diagonal()
    off_diagonal = covariance.square().sum() - variance.square().sum()
    return F.relu(1 - (variance + 1e-4).sqrt()).mean(), off_diagonal / z.shape[1]


def vicreg_loss(z):
    """Compute the loss of VICReg with its authors' weights."""
    first, second = z[::2], z[1::2]
    (a, c), (b, d) = spread(first), spread(second)
    return 25 * F.mse_loss(first, second) + 25 * (a + b) / 2 + c + d


def vicreg(images, batch_size, epochs, projection_layer_sizes):
    """Train VICReg with two views and its authors' weights."""
    torch.manual_seed(0)
    encoder, projector = mlp([*SIZES, N_COMPONENTS]), head(projection_layer_sizes)

    def loss_of(x):
        with bf16():
            z = projector(encoder(x)).float()
        return vicreg_loss(z)

    train(images, batch_size, epochs, (encoder, projector), loss_of, 1e-3)


def encode(encoder, rows, batch_size=1024):
    """Represent rows of bytes by the first half of the encoder's outputs."""
    Z = np.empty((len(rows), N_COMPONENTS), np.float32)
    with torch.inference_mode():
        for start in range(0, len(rows), batch_size):
            x = torch.from_numpy(rows[start : start + batch_size]).float() / 255
            Z[start : start + batch_size] = encoder(x)[:, :N_COMPONENTS].numpy()
    return Z


def corrupt_rows(rows, p=0.3):
    """Make two copies of each row, with features at random from other rows."""
    x = rows.repeat_interleave(2, 0)
    other = torch.randint(len(x), x.shape)
    return torch.where(torch.rand(x.shape) < p, x.gather(0, other), x)


def train_vectors(method, X, batch_size, epochs, hidden, projection_layer_sizes=None):
    """Train a small network on two corrupted copies of vectors, in float32."""
    torch.manual_seed(0)
    sizes = [X.shape[1], *hidden]
    if method == "SimVAE":
        encoder, second = mlp([*sizes, 2 * N_COMPONENTS]), mlp([N_COMPONENTS, *sizes[::-1]])
    else:
        encoder, second = mlp([*sizes, N_COMPONENTS]), head(projection_layer_sizes)

    def simvae_loss(x):
        mean, log_variance = encoder(x).chunk(2, 1)
        z = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        return negative_bound(x, second(z), mean, log_variance)

    def simclr_loss(x):
        itself, other = torch.eye(len(x), dtype=torch.bool), torch.arange(len(x)) ^ 1
        return nt_xent(second(encoder(x)), itself, other, 0.1)

    def vicreg_views_loss(x):
        return vicreg_loss(second(encoder(x)))

    loss_of = {"SimVAE": simvae_loss, "SimCLR": simclr_loss, "VICReg": vicreg_views_loss}[method]
    modules = encoder, second
    train(X, batch_size, epochs, modules, loss_of, 1e-3, make_views=corrupt_rows)
