"""DISTS once per image against pyiqa's DISTS once per pair, on random weights."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from urllib.error import URLError

import numpy as np
import pytest
import torch
from torch import Tensor

from sriqa_metric.calibrate.selection import dists as module
from sriqa_metric.calibrate.selection.dists import CHANNELS, Dists, load_dists
from sriqa_metric.errors import SriqaError


def random_state(seed: int = 0) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Both weights files; activations keep their scale through the network."""
    generator = torch.Generator().manual_seed(seed)
    vgg, read = {}, 3
    for places, made in zip(module._CONVOLUTIONS, CHANNELS[1:], strict=True):
        for place in places:
            weight = torch.randn(made, read, 3, 3, generator=generator) * (2 / (9 * read)) ** 0.5
            vgg[f"features.{place}.weight"] = weight
            vgg[f"features.{place}.bias"] = torch.randn(made, generator=generator) * 0.1
            read = made
    shape = (1, sum(CHANNELS), 1, 1)
    dists = {name: torch.rand(shape, generator=generator) for name in ("alpha", "beta")}
    return vgg, dists


@pytest.fixture(scope="module")
def state() -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    return random_state()


@pytest.fixture(scope="module")
def ours(state) -> Dists:
    return Dists(*state)


@pytest.fixture(scope="module")
def theirs(state) -> torch.nn.Module:
    """pyiqa's own module with the same weights, built without a download."""
    dists_arch = pytest.importorskip("pyiqa.archs.dists_arch")
    from torchvision.models import vgg

    layers = vgg.make_layers(vgg.cfgs["D"])
    layers.load_state_dict({k.removeprefix("features."): v for k, v in state[0].items()})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dists_arch.models, "vgg16", lambda **_: SimpleNamespace(features=layers))
        network = dists_arch.DISTS(pretrained=False)
    # The convolutions have their weights already; alpha and beta must both find their place.
    assert set(state[1]) == {"alpha", "beta"}
    network.load_state_dict(network.state_dict() | state[1])
    return network.eval()


def results(n: int, height: int = 64, width: int = 64) -> list[Tensor]:
    """A picture with more and more noise; the last is flat."""
    rng = np.random.default_rng(5)
    coarse = torch.from_numpy(rng.random((1, 3, 8, 8), dtype=np.float32))
    picture = torch.nn.functional.interpolate(coarse, size=(height, width), mode="bicubic")[0]
    noise = torch.from_numpy(rng.normal(size=(n - 1, 3, height, width)).astype(np.float32))
    images = [(picture + 0.1 * i * x).clamp(0, 1) for i, x in enumerate(noise)]
    return [*images, torch.full((3, height, width), 0.5)]


@pytest.mark.parametrize("size", [(64, 64), (57, 83)])
def test_distances_equal_pyiqa(ours, theirs, size):
    images = results(4, *size)
    with torch.no_grad():
        expected = [theirs(a[None], b[None]).item() for a, b in itertools.combinations(images, 2)]
    found = ours.pair_distances(images).numpy()
    assert np.ptp(found) > 0.05
    np.testing.assert_allclose(found, expected, atol=1e-5, rtol=0)


def test_distances_are_close_to_those_in_double_precision(ours, theirs):
    images = results(3)
    exact = [
        theirs.double()(a[None].double(), b[None].double()).item()
        for a, b in itertools.combinations(images, 2)
    ]
    theirs.float()
    np.testing.assert_allclose(ours.pair_distances(images).numpy(), exact, atol=2e-6, rtol=0)


def test_an_image_has_no_distance_to_itself(ours):
    image = results(2)[0]
    assert ours.pair_distances([image, image]).abs().item() < 1e-6


def test_eight_bit_images_are_scaled(ours):
    images = [(image * 255).round().byte() for image in results(3)]
    as_floats = [image.float() / 255 for image in images]
    assert torch.equal(ours.pair_distances(images), ours.pair_distances(as_floats))


def test_features_are_means_of_the_last_maps(ours, theirs):
    image = results(2)[0]
    with torch.no_grad():
        maps = theirs.forward_once(image[None])[-1]
    torch.testing.assert_close(ours.features(image), maps.mean((2, 3))[0])


def test_fingerprint_tells_weights_apart(ours, state):
    assert Dists(*state).fingerprint() == ours.fingerprint()
    other = {**state[1], "alpha": state[1]["alpha"] * 2}
    assert Dists(state[0], other).fingerprint() != ours.fingerprint()


@pytest.mark.parametrize(
    ("which", "name", "tensor", "message"),
    [
        (0, "features.10.bias", None, "no tensor 'features.10.bias'"),
        (0, "features.0.weight", torch.zeros(64, 3, 5, 5), r"has shape \(64, 3, 5, 5\)"),
        (1, "beta", torch.full((1, 1475, 1, 1), float("nan")), "'beta' is not finite"),
    ],
)
def test_wrong_tensors_are_errors(state, which, name, tensor, message):
    wrong = [dict(part) for part in state]
    wrong[which][name] = tensor
    with pytest.raises(SriqaError, match=message):
        Dists(*wrong)


@pytest.fixture
def offline(monkeypatch, tmp_path):
    """An empty hub folder, and no network."""

    def refuse(*_args, **_kwargs):
        raise URLError("no route to host")

    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    return tmp_path


def test_missing_weights_are_one_error_with_the_ways_out(offline):
    with pytest.raises(SriqaError) as error:
        load_dists()
    for part in (
        "vgg16-397923af.pth",
        str(offline / "hub"),
        "https://",
        "no route",
        "--vgg-weights",
    ):
        assert part in str(error.value)


def test_second_missing_file(offline, state, monkeypatch):
    torch.save(state[0], offline / "vgg.pth")
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.example/")
    with pytest.raises(SriqaError, match=r"https://mirror\.example/chaofengc.*--dists-weights"):
        load_dists(offline / "vgg.pth")


def test_weights_in_the_hub_folder_or_given(offline, state, ours):
    for folder, name, part in (
        ("checkpoints", "vgg16-397923af.pth", state[0]),
        ("pyiqa", "DISTS_weights-f5e65c96.pth", state[1]),
    ):
        (offline / "hub" / folder).mkdir(parents=True)
        torch.save(part, offline / "hub" / folder / name)
    assert load_dists().fingerprint() == ours.fingerprint()
    torch.save(random_state(1)[1], offline / "given.pth")
    given = load_dists(dists_weights=offline / "given.pth")
    assert given.fingerprint() != ours.fingerprint()


def test_download_is_verified(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", lambda *args, **_: asked.append(args[2]))
    with pytest.raises(SriqaError, match="cannot read the checkpoint: No such file"):
        load_dists()
    assert asked == ["397923af", "f5e65c96"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"<html>", "cannot read the checkpoint|holds something else than tensors"),
        ([1, 2], "expected named tensors, found list"),
    ],
)
def test_files_of_another_kind(tmp_path, content, message):
    path = tmp_path / "given.pth"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        torch.save(content, path)
    with pytest.raises(SriqaError, match=message):
        load_dists(path, path)


def test_unknown_tensors_beside_alpha_and_beta(tmp_path, state):
    torch.save(state[0], tmp_path / "vgg.pth")
    with pytest.raises(SriqaError, match="expected alpha and beta only"):
        load_dists(tmp_path / "vgg.pth", tmp_path / "vgg.pth")
