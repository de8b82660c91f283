"""How many views or texts a device computes at once: fewer after it ran out of memory, and more again after a while."""

import gc
import re

import torch

from laketag.pipeline.errors import ClusterError

GROW_AFTER = 16
"""Passes of images without an error after which the size is doubled again. Other processes of the GPU come and go."""
_OUT_OF_MEMORY = re.compile(r"out of memory|not enough memory|can't allocate memory|ALLOC_FAILED")
"""How CUDA, its libraries and torch's CPU allocator say it in a RuntimeError that is no torch.OutOfMemoryError."""


class MicroBatch:
    """The number of views or texts, at most ``most``."""

    def __init__(self, most: int) -> None:
        self.size = self._most = most
        self._sound = 0
        self._grow_after = GROW_AFTER
        self._has_grown = False

    def shrink(self) -> None:
        """The size is halved, and what torch keeps of the device's memory is free; a ClusterError if the size is 1."""
        if self.size == 1:
            raise ClusterError(
                "the device is out of memory although it computes a single view or text at once; end other processes that use "
                "it, run fewer label actors on it (run.gpus_per_actor), or use a smaller model"
            )
        if self._has_grown:  # in vain, so not as soon again
            self._grow_after *= 2
        self.size, self._sound, self._has_grown = self.size // 2, 0, False
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()

    def note_success(self) -> None:
        """The size is doubled if enough passes had memory enough."""
        self._sound += 1
        if self._sound >= self._grow_after and self.size < self._most:
            self.size, self._sound, self._has_grown = min(2 * self.size, self._most), 0, True


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether a smaller batch may help."""
    return isinstance(error, torch.OutOfMemoryError) or bool(_OUT_OF_MEMORY.search(str(error)))
