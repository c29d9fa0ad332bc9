"""Quality model of `sriqa_clip`: CLIP ViT-B/32, asked for one of five levels of quality.

A. Radford et al., "Learning transferable visual models from natural language supervision", ICML
2021; five levels after W. Zhang, G. Zhai, Y. Wei, X. Yang, K. Ma, "Blind image quality assessment
via vision-language correspondence: a multitask learning perspective", CVPR 2023.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..errors import SriqaError
from .published import normalise, require_size

if TYPE_CHECKING:
    from open_clip import CLIP

LEVELS = ("bad", "poor", "fair", "good", "perfect")
PROMPTS = tuple(f"a photo with {level} quality" for level in LEVELS)  # worth 1 to 5

_MEAN = (0.48145466, 0.4578275, 0.40821073)  # of the pixels that CLIP was trained on
_STD = (0.26862954, 0.26130258, 0.27577711)
_SIZE = 224  # pixels; ViT-B/32 has position embeddings for 7x7 patches
_WIDTH = 512  # of the space that images and texts are embedded in


def _visual_tower() -> nn.Module:
    """ViT-B/32 with QuickGELU, as OpenAI's weights need it; no text tower beside it.

    Raises
    ------
    SriqaError
        If open_clip is not installed.
    """
    # Imported here: it brings torchvision and timm, which take seconds.
    try:
        # Where a network is built without memory, what torch 2.6 imports with it needs some.
        with torch.device("cpu"):
            from open_clip.transformer import QuickGELU, VisionTransformer
    except ModuleNotFoundError as error:
        raise SriqaError(
            f"sriqa_clip needs open_clip, but there is no module {error.name!r}; "
            "pip install 'sriqa-metric[clip]'"
        ) from None
    return VisionTransformer(
        image_size=_SIZE,
        patch_size=32,
        width=768,
        layers=12,
        heads=12,
        mlp_ratio=4.0,
        output_dim=_WIDTH,
        act_layer=QuickGELU,
    )


class ClipQualityModel(nn.Module):
    """Expected level of quality, from 1 (bad) to 5 (perfect), by CLIP's similarity to prompts.

    With logits exp(logit_scale)·cos(image, prompt) averaged over crops and p their softmax,
    q = Σ c·p(c), c = 1..5.

    Only the visual tower is here. The texts never change, so their embeddings are stored with the
    weights; `text_embeddings` makes them from a whole CLIP. Building the model downloads nothing;
    its weights are random, and its texts zero, until they are loaded.

    The features are the mean over crops of the image embedding as the visual tower puts it out,
    512 numbers. They are not scaled to unit length: only the cosine asks for that, it would
    discard the length, and entries of about 0.04 would make a rectifier slow to train.
    """

    feature_dim = _WIDTH
    crops_per_pass = 15  # every pass reads 350 MB of weights

    text: Tensor
    logit_scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.visual = _visual_tower()
        self.register_buffer("text", torch.zeros(len(PROMPTS), _WIDTH))
        # CLIP's logarithm of the factor; a buffer, because it stays as it is also where the
        # visual tower is trained.
        self.register_buffer("logit_scale", torch.zeros(()))

    def encode(self, crops: Tensor) -> Tensor:
        """Crops (M, 3, 224, 224) in [0, 1] -> codes (M, 5 + 512).

        A code is the logits of the prompts for the crop, then its embedding.

        Raises
        ------
        SriqaError
            If crops are of another size.
        """
        require_size(crops, _SIZE, "sriqa_clip")
        embeddings = self.visual(normalise(crops, _MEAN, _STD))
        # Texts stored with few digits are not quite of unit length; a cosine does not mind.
        cosines = F.normalize(embeddings, dim=1) @ F.normalize(self.text, dim=1).T
        return torch.cat([self.logit_scale.exp() * cosines, embeddings], dim=1)

    def read(self, codes: Tensor) -> tuple[Tensor, Tensor]:
        """Codes averaged over crops (N, 517) -> quality (N,) in [1, 5], features (N, 512)."""
        logits, features = codes.split([len(PROMPTS), _WIDTH], dim=1)
        levels = torch.arange(1, len(PROMPTS) + 1, dtype=logits.dtype, device=logits.device)
        return logits.softmax(dim=1) @ levels, features

    @classmethod
    def from_open_clip(
        cls, clip: CLIP, tokenizer: Callable[[list[str]], Tensor]
    ) -> ClipQualityModel:
        """Take what scoring needs from a whole CLIP.

        Parameters
        ----------
        clip : open_clip.CLIP
            ViT-B/32 with QuickGELU, of any float type.
        tokenizer : callable
            Its tokenizer: texts -> tokens (number of texts, context length).

        Returns
        -------
        ClipQualityModel
            On the CPU, float32.

        Raises
        ------
        SriqaError
            If it is another network.
        """
        activation = _activation(clip)
        if activation != "QuickGELU":
            raise SriqaError(f"sriqa_clip needs a CLIP with QuickGELU, not {activation}")
        model = cls()
        state = {f"visual.{k}": v for k, v in clip.visual.state_dict().items()}
        state["logit_scale"] = clip.logit_scale.detach()
        state["text"] = text_embeddings(clip, tokenizer)
        found, needed = (
            {name: tuple(tensor.shape) for name, tensor in tensors.items()}
            for tensors in (state, model.state_dict())
        )
        for name in sorted(found.keys() | needed.keys()):
            if found.get(name) != needed.get(name):
                raise SriqaError(
                    f"sriqa_clip needs CLIP ViT-B/32: {name} has shape {found.get(name)}, "
                    f"not {needed.get(name)}"
                )
        model.load_state_dict(state)
        return model


def _activation(clip: CLIP) -> str:
    """Class name of the activation in the visual tower, 'none found' where there is no ViT."""
    found = (type(m).__name__ for n, m in clip.visual.named_modules() if n.endswith("mlp.gelu"))
    return next(found, "none found")


@torch.no_grad()
def text_embeddings(clip: CLIP, tokenizer: Callable[[list[str]], Tensor]) -> Tensor:
    """Embeddings of `PROMPTS` by the text tower of a whole CLIP: (5, 512), float32, unit length."""
    device = clip.logit_scale.device
    return F.normalize(clip.encode_text(tokenizer(list(PROMPTS)).to(device)).float(), dim=1)
