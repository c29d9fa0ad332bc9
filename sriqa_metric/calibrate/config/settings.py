"""All settings of a run, with their defaults and ranges."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar

from .checked import Checked

# What functions take by default, and the commands with them.
RESAMPLES = 1000  # of every bootstrap
K, LAMBDA_1 = 16, 0.1  # of MAD selection, as in the paper
VOTES_PER_PAIR = 23  # of RealSR-1K
STUDY_HOST, STUDY_PORT = "127.0.0.1", 8000


@dataclass(frozen=True)
class DataConfig(Checked):
    """Where the data lies.

    Parameters
    ----------
    sr : str
        Folder of SR results, `<sr>/<method>/<content>.<extension>`.
    ranking : str
        Global ranking, CSV with columns `method` and `mu`; `ranking.csv` of `sr` when empty.
    more_sr : list of str
        Further folders of SR results, each with its `ranking.csv`. Stage 1 takes groups from them
        as from `sr`; nothing is held out but the contents that `sr` holds out, by name.
    photos : str
        Folder of pristine photos for the distortion ladders.
    labelled : list of str
        Sets of images with MOS, `KIND=DIR` each; see `mos_sets.read_labelled`.
    exclude : list of str
        Folders of test images: contents that appear in them are left out of `sr`.
    skip_incomplete : bool
        Leave out contents that not every method has.
    skip_missing : bool
        Leave out methods of the ranking that `sr` lacks.
    features : str
        Folder of cached codes, which runs may share; `features` in the run's when empty.
    """

    NAME = "data"

    sr: str = ""
    ranking: str = ""
    more_sr: list[str] = field(default_factory=list)
    photos: str = ""
    labelled: list[str] = field(default_factory=list)
    exclude: list[str] = field(default_factory=list)
    skip_incomplete: bool = False
    skip_missing: bool = False
    features: str = ""


@dataclass(frozen=True)
class ValidationConfig(Checked):
    """What is kept out of training.

    Parameters
    ----------
    contents : int
        Contents held out, drawn by the seed.
    methods : list of str
        Methods held out by name.
    photos : int
        Photos held out.
    """

    NAME = "validation"

    contents: int = 15
    methods: list[str] = field(default_factory=list)
    photos: int = 100


@dataclass(frozen=True)
class LabelsConfig(Checked):
    """Training of q_w on images with MOS (stage 1 of the paper).

    Parameters
    ----------
    epochs : int
        Passes over the largest labelled set; 0 keeps the quality model as it is.
    batch : int
        Images of each labelled set a step; all their pairs are compared.
    crops : int
        Random crops of each image a step.
    draws : int
        Random crops of each image whose codes are computed once, where all that encodes is
        `frozen`; a step takes `crops` of them. 0 encodes new crops in every step.
    soft : bool
        Label pairs by how far apart they are, Φ(Δ/√2), with MOS spread over levels 1 to 5;
        otherwise by which is better (Eq. 3).
    mu_scale : float
        Levels that a unit of the ranking stands for where labels are soft.
    frozen : list of str
        Parts of the network that stay as they are, by the beginning of their parameters' names.
    head : list of str
        Parts that learn at `head_lr` instead of `lr`, named in the same way.
    lr, head_lr, weight_decay : float
        AdamW.
    period : int
        Epochs of one cosine, after which the learning rate starts over.
    averaging : float
        Decay of the moving average of the weights, which is then what is kept; 0 takes none.
    contents, groups : int
        B, contents of a group of SR results, and groups a step; no contents trains on labels
        alone, with a network that is not frozen more is ablation Model IV.
    group_weight : float
        λ₂ of the group loss.
    photo_ladders, sr_ladders : int
        Certain orders a step, on photos and on SR results; see `distortions.certain_order`.
    fine_weight, ruin_weight, trace_weight : float
        Weights of their losses: every step of a blur; an image against its ruins; an image
        against light compression of it, which is not to raise a score.
    precision : str
        `bf16` (autocast, weights stay float32) or `fp32`.
    checkpointing : bool
        Compute activations again in the backward pass, to save memory.
    compile : bool
        Use torch.compile.
    """

    NAME = "labels"
    RANGES: ClassVar = {
        "batch": (2, math.inf),
        "crops": (1, math.inf),
        "groups": (1, math.inf),
        "period": (1, math.inf),
        "averaging": (0, 0.9999999),
    }
    CHOICES: ClassVar = {"precision": ("bf16", "fp32")}

    epochs: int = 0
    batch: int = 16
    crops: int = 3
    draws: int = 0
    soft: bool = False
    mu_scale: float = 1.0
    frozen: list[str] = field(default_factory=list)
    head: list[str] = field(default_factory=list)
    lr: float = 5e-6
    head_lr: float = 1e-3
    weight_decay: float = 1e-3
    period: int = 5
    averaging: float = 0.0
    contents: int = 0
    groups: int = 1
    group_weight: float = 1.0
    photo_ladders: int = 0
    sr_ladders: int = 0
    fine_weight: float = 0.3
    ruin_weight: float = 0.2
    trace_weight: float = 1.0
    precision: str = "bf16"
    checkpointing: bool = False
    compile: bool = False


@dataclass(frozen=True)
class RectifierConfig(Checked):
    """Stage 2: training of h_θ on cached features.

    Parameters
    ----------
    epochs : int
        Passes over the contents; 0 leaves the rectifier at the identity (ablation Model I).
    contents, groups : int
        B, contents of a group, and groups a step; B = 1 is ablation Model III.
    soft, mu_scale
        As in `labels`.
    draws : int
        Random draws of crops that are cached of each image, beside its test crops; 0 trains on
        the test crops.
    labelled_batch : int
        Images of each labelled set a step.
    labelled_weight : float
        Weight of the labelled loss; 0 is ablation Model II.
    ladders : int
        Certain orders a step, of photos (where there are any) and of SR results; see
        `distortions.certain_order`.
    fine_weight, ruin_weight, trace_weight : float
        As in `labels`.
    lr, weight_decay : float
        AdamW.
    group_weight : float
        λ₂ of Eq. (6).
    identity_weight : float
        Weight of mean((α − 1)² + β²), which holds the rectifier to what q_w has learnt where few
        contents would let it forget that; the paper has none.
    validate_every : int
        Steps between validations; the best state on held-out contents is kept.
    """

    NAME = "rectifier"
    RANGES: ClassVar = {
        "contents": (1, math.inf),
        "groups": (1, math.inf),
        "draws": (0, 10_000),
        "labelled_batch": (2, math.inf),
        "validate_every": (1, math.inf),
    }

    epochs: int = 8
    contents: int = 64
    groups: int = 1
    soft: bool = False
    mu_scale: float = 1.0
    draws: int = 8
    labelled_batch: int = 64
    labelled_weight: float = 1.0
    ladders: int = 0
    fine_weight: float = 0.3
    ruin_weight: float = 0.2
    trace_weight: float = 1.0
    lr: float = 1e-3
    weight_decay: float = 1e-3
    group_weight: float = 1.0
    identity_weight: float = 0.0
    validate_every: int = 20


@dataclass(frozen=True)
class RunConfig(Checked):
    """All settings of a run, as they are written into its folder.

    Parameters
    ----------
    metric : str
        Name from the registry.
    initial : str
        What stage 1 starts from: a weights file, or `openai` for the published CLIP. `sriqa_lite`
        starts from ImageNet weights where none is given.
    base : str
        What stage 2 calibrates: a weights file, or the name of a metric.
    seed : int
    """

    RANGES: ClassVar = {"seed": (0, 2**63 - 1)}

    metric: str
    initial: str = ""
    base: str = ""
    seed: int = 0
    data: DataConfig = field(default_factory=DataConfig)
    validation: ValidationConfig = field(default_factory=ValidationConfig)
    labels: LabelsConfig = field(default_factory=LabelsConfig)
    rectifier: RectifierConfig = field(default_factory=RectifierConfig)

    def to_dict(self) -> dict[str, Any]:
        """Nested plain values."""
        return asdict(self)
