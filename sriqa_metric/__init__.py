"""Blind quality scores for super-resolved images."""

__version__ = "0.1.0"
