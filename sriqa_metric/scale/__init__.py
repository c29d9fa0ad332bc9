"""Scoring beyond one machine: data sets of any size, on Ray Data."""

from .run import DatasetScores, score_dataset

__all__ = ["DatasetScores", "score_dataset"]
