"""What the tests of several quality models share."""

from __future__ import annotations

import socket
from typing import NoReturn

import pytest
import torch


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever looks up a name or opens a connection fails."""

    def refuse(*args: object, **kwargs: object) -> NoReturn:
        raise AssertionError(f"asked for the network: {args}")

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refuse)
    for name in ("create_connection", "getaddrinfo", "gethostbyname"):
        monkeypatch.setattr(socket, name, refuse)


@pytest.fixture(scope="session")
def crops() -> torch.Tensor:
    """Three crops (3, 3, 224, 224) that differ much: noise, dark noise, something smooth."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(2, 3, 224, 224, generator=generator)
    noise[1] *= 0.2
    coarse = torch.rand(1, 3, 5, 5, generator=generator)
    smooth = torch.nn.functional.interpolate(coarse, size=(224, 224), mode="bilinear")
    return torch.cat([noise, smooth])


def randomise_batch_norms(network: torch.nn.Module) -> None:
    """Give every batch norm statistics that a mistake in reading them would show."""
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.normal_(module.bias, std=0.1)
            torch.nn.init.normal_(module.running_mean, std=0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)


def parameter_names(network: torch.nn.Module) -> set[str]:
    """Names in the state dict, the counts of batches left out."""
    return {name for name in network.state_dict() if not name.endswith("num_batches_tracked")}
