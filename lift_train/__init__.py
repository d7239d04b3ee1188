"""Data, training, sampling and measuring for multi-scale denoisers.

``lift_train.data`` needs NumPy and an image library only. The parts that need PyTorch live in modules of
their own and are imported when they are used, so that ``import lift_train`` works without it.
"""

from lift_train import data

__all__ = ["data"]
