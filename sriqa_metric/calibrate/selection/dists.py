"""DISTS between all results of one content, each result going through VGG-16 once.

DISTS compares two images at six stages of a network: the pixels, and the maps after relu1_2,
relu2_2, relu3_3, relu4_3 and relu5_3 of VGG-16 whose max pooling is replaced by L2 pooling. With
the means, variances and covariance over positions of channel c of stage k in both images,

    l = (2 m_x m_y + 1e-6) / (m_x² + m_y² + 1e-6)
    s = (2 cov_xy + 1e-6) / (v_x + v_y + 1e-6)
    DISTS = 1 − Σ_k Σ_c (α_kc l_kc + β_kc s_kc) / Σ (α + β).

Means and variances belong to one image; only the covariance needs the maps of both. The N results
of a content therefore go through the network once each, instead of once for each of their
N(N − 1)/2 pairs, and one matrix product per channel gives the covariances of all pairs.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Mapping, Sequence
from http.client import HTTPException
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...errors import SriqaError
from ...files import listed
from ...images import as_float
from ...models.published import IMAGENET_MEAN, IMAGENET_STD
from ...weights.checkpoints import read_checkpoint

CHANNELS = (3, 64, 128, 256, 512, 512)
# Places of the convolutions of each stage in torchvision's VGG-16.
_CONVOLUTIONS = ((0, 2), (5, 7), (10, 12, 14), (17, 19, 21), (24, 26, 28))
_SMALL = 1e-6
_CHANNELS_AT_ONCE = 16

_VGG_FILE = "vgg16-397923af.pth"
_VGG_URL = f"https://download.pytorch.org/models/{_VGG_FILE}"
_DISTS_FILE = "DISTS_weights-f5e65c96.pth"
_DISTS_URL = f"/chaofengc/IQA-PyTorch-Weights/resolve/main/{_DISTS_FILE}"


class Dists(nn.Module):
    """VGG-16 with L2 pooling, and the weights of DISTS.

    Parameters
    ----------
    vgg : mapping of str to Tensor
        `features.<i>.weight` and `features.<i>.bias` of torchvision's VGG-16; others are not read.
    dists : mapping of str to Tensor
        `alpha` and `beta`, 1475 values each.

    Attributes
    ----------
    width : int
        Length of the features of an image.

    Raises
    ------
    SriqaError
        For a tensor that is missing, not finite or of another shape.
    """

    width = CHANNELS[-1]
    alpha: Tensor
    beta: Tensor
    mean: Tensor
    std: Tensor
    window: Tensor

    def __init__(self, vgg: Mapping[str, Tensor], dists: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.convolutions = nn.ModuleDict()
        read = CHANNELS[0]
        for places, made in zip(_CONVOLUTIONS, CHANNELS[1:], strict=True):
            for place in places:
                self.convolutions[str(place)] = _convolution(vgg, place, read, made)
                read = made
        alpha, beta = (_tensor(dists, name, (1, sum(CHANNELS), 1, 1)) for name in ("alpha", "beta"))
        total = alpha.sum() + beta.sum()
        self.register_buffer("alpha", (alpha / total).flatten())
        self.register_buffer("beta", (beta / total).flatten())
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(1, 3, 1, 1))
        hann = torch.tensor([0.5, 1.0, 0.5])
        self.register_buffer("window", torch.outer(hann, hann)[None, None] / 4)
        self.requires_grad_(False)

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return self.alpha.device

    def fingerprint(self) -> str:
        """SHA-256 of all weights."""
        digest = hashlib.sha256()
        for name, tensor in self.state_dict().items():
            digest.update(name.encode())
            digest.update(tensor.cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()

    @torch.inference_mode()
    def pair_distances(self, images: Sequence[Tensor]) -> Tensor:
        """DISTS of every pair of N images.

        About 256·H·W·(1.5 N + 3) bytes are held, the maps of all images at one stage.

        Parameters
        ----------
        images : sequence of N Tensor, (3, H, W)
            uint8, or float in [0, 1]; all of one size.

        Returns
        -------
        Tensor, (N(N − 1)/2,), float32, on the CPU
            Pairs (0, 1), (0, 2), ..., (N − 2, N − 1).
        """
        maps = [as_float(image.to(self.device)).unsqueeze(0) for image in images]
        first, second = torch.triu_indices(len(maps), len(maps), 1, device=self.device)
        similarity = torch.zeros(len(first), dtype=torch.float64, device=self.device)
        start = 0
        for number, channels in enumerate(CHANNELS):
            if number:
                for index, image in enumerate(maps):
                    maps[index] = self._stage(number - 1, image)
            for low in range(0, channels, _CHANNELS_AT_ONCE):
                high = min(low + _CHANNELS_AT_ONCE, channels)
                block = torch.stack([x[0, low:high].flatten(1) for x in maps], 1)  # (C, N, HW)
                mean = block.mean(2, keepdim=True)
                block -= mean
                covariance = (block @ block.mT / block.shape[2]).double()
                weights = slice(start + low, start + high)
                similarity += self.alpha[weights].double() @ _luminance(mean, first, second)
                similarity += self.beta[weights].double() @ _structure(covariance, first, second)
            start += channels
        return (1 - similarity).float().cpu()

    @torch.inference_mode()
    def features(self, image: Tensor) -> Tensor:
        """Means over positions of the 512 maps after relu5_3.

        Parameters
        ----------
        image : Tensor, (3, H, W)
            uint8, or float in [0, 1].

        Returns
        -------
        Tensor, (512,), float32, on the CPU
        """
        maps = as_float(image.to(self.device)).unsqueeze(0)
        for number in range(len(_CONVOLUTIONS)):
            maps = self._stage(number, maps)
        return maps[0].mean((1, 2)).cpu()

    def _stage(self, number: int, maps: Tensor) -> Tensor:
        """From the maps of stage `number` (0: the pixels) to those of the next, (1, C, H, W)."""
        if number == 0:
            maps = (maps - self.mean) / self.std
        else:
            window = self.window.expand(maps.shape[1], -1, -1, -1)
            power = F.conv2d(maps**2, window, stride=2, padding=1, groups=len(window))
            maps = (power + 1e-12).sqrt()
        for place in _CONVOLUTIONS[number]:
            maps = self.convolutions[str(place)](maps).relu_()
        return maps


def _luminance(mean: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """l of every pair, (C, P), from the means (C, N, 1)."""
    x, y = mean[:, first, 0].double(), mean[:, second, 0].double()
    return (2 * x * y + _SMALL) / (x**2 + y**2 + _SMALL)


def _structure(covariance: Tensor, first: Tensor, second: Tensor) -> Tensor:
    """s of every pair, (C, P), from the covariances (C, N, N)."""
    variance = covariance.diagonal(dim1=1, dim2=2)
    both = variance[:, first] + variance[:, second]
    return (2 * covariance[:, first, second] + _SMALL) / (both + _SMALL)


def _convolution(vgg: Mapping[str, Tensor], place: int, read: int, made: int) -> nn.Conv2d:
    convolution = nn.Conv2d(read, made, 3, padding=1, device="meta")
    for part, shape in (("weight", (made, read, 3, 3)), ("bias", (made,))):
        tensor = _tensor(vgg, f"features.{place}.{part}", shape)
        setattr(convolution, part, nn.Parameter(tensor))
    return convolution


def _tensor(state: Mapping[str, Tensor], name: str, shape: tuple[int, ...]) -> Tensor:
    tensor = state.get(name)
    if not isinstance(tensor, Tensor):
        raise SriqaError(f"no tensor {name!r}; found {listed(state)}")
    if tensor.shape != shape:
        raise SriqaError(f"tensor {name!r} has shape {tuple(tensor.shape)}, not {shape}")
    if not tensor.isfinite().all():
        raise SriqaError(f"tensor {name!r} is not finite")
    return tensor.detach().float().clone()


def load_dists(
    vgg_weights: Path | None = None,
    dists_weights: Path | None = None,
    device: torch.device | str = "cpu",
) -> Dists:
    """Build DISTS from its two weights files.

    Parameters
    ----------
    vgg_weights : Path, optional
        torchvision's VGG-16 (ImageNet); by default the one in torch's hub folder, where
        torchvision and pyiqa keep it, downloaded if it is not there.
    dists_weights : Path, optional
        The `alpha` and `beta` that pyiqa's DISTS uses; by default likewise.
    device : torch.device or str

    Raises
    ------
    SriqaError
        If a file cannot be had, or is not what it should be.
    """
    if vgg_weights is None:
        vgg_weights = _in_hub("checkpoints", _VGG_FILE, _VGG_URL, "--vgg-weights")
    if dists_weights is None:
        url = os.environ.get("HF_ENDPOINT", "https://huggingface.co").rstrip("/") + _DISTS_URL
        dists_weights = _in_hub("pyiqa", _DISTS_FILE, url, "--dists-weights")
    vgg, dists = _read(vgg_weights), _read(dists_weights)
    unknown = sorted(set(dists) - {"alpha", "beta", "mean", "std"})
    if unknown:
        raise SriqaError(f"{dists_weights}: expected alpha and beta only, found {listed(unknown)}")
    try:
        return Dists(vgg, dists).to(device)
    except SriqaError as error:
        raise SriqaError(f"{vgg_weights} with {dists_weights}: {error}") from None


def _in_hub(folder: str, name: str, url: str, option: str) -> Path:
    """A weights file in torch's hub folder; its name ends with the start of its SHA-256."""
    path = Path(torch.hub.get_dir()) / folder / name
    if path.is_file():
        return path
    digest = path.stem.rpartition("-")[2]
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.hub.download_url_to_file(url, str(path), digest, progress=sys.stderr.isatty())
    except (OSError, RuntimeError, HTTPException) as error:
        raise SriqaError(
            f"DISTS needs {name}, which is not in {path.parent} and could not be downloaded from "
            f"{url} ({error}); put the file into that folder, or give it with {option} FILE"
        ) from error
    return path


def _read(path: Path) -> dict[str, Tensor]:
    state = read_checkpoint(path)
    if not isinstance(state, dict):
        raise SriqaError(f"{path}: expected named tensors, found {type(state).__name__}")
    return state
