"""A run's settings: what there is, and how they are read."""

from __future__ import annotations

from .reading import load_config, shipped_configs
from .settings import (
    LAMBDA_1,
    RESAMPLES,
    STUDY_HOST,
    STUDY_PORT,
    VOTES_PER_PAIR,
    DataConfig,
    K,
    LabelsConfig,
    RectifierConfig,
    RunConfig,
    ValidationConfig,
)

__all__ = [
    "LAMBDA_1",
    "RESAMPLES",
    "STUDY_HOST",
    "STUDY_PORT",
    "VOTES_PER_PAIR",
    "DataConfig",
    "K",
    "LabelsConfig",
    "RectifierConfig",
    "RunConfig",
    "ValidationConfig",
    "load_config",
    "shipped_configs",
]
