"""This process among those that train together."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True)
class Process:
    """One of the processes that `torchrun` started, or the only one.

    Attributes:
        rank: its number.
        count: how many there are.
        device: where it computes.
    """

    rank: int = 0
    count: int = 1
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this is the one that writes."""
        return self.rank == 0

    def share(self, batch: Tensor) -> Tensor:
        """The part of a batch that this process works on, on its device."""
        return batch[self.rank :: self.count].to(self.device)

    def mean(self, value: Tensor) -> Tensor:
        """The mean of a number over all processes."""
        if self.count == 1:
            return value
        value = value.detach() / self.count
        torch.distributed.all_reduce(value)
        return value


@contextmanager
def processes(device: str | None) -> Iterator[Process]:
    """Join the processes that `torchrun` announces in the environment, each with a GPU of its own where there are some.

    Raises:
        ValueError: if one numbered GPU is asked for and there are several processes.
    """
    count, local = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("LOCAL_RANK", "0"))
    chosen = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    if count == 1:
        yield Process(device=chosen)
        return
    if chosen.type == "cuda":
        if chosen.index is not None:
            raise ValueError(f"{count} processes cannot share {device}; leave out its number")
        chosen = torch.device("cuda", local)
        torch.cuda.set_device(chosen)
    torch.distributed.init_process_group("nccl" if chosen.type == "cuda" else "gloo")
    try:
        yield Process(rank=torch.distributed.get_rank(), count=count, device=chosen)
    finally:
        torch.distributed.destroy_process_group()
