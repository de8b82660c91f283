"""The device that a model runs on."""

import torch

from laketag.pipeline.errors import ModelError


def checked_device(device: str) -> torch.device:
    """The device; ModelError if this process cannot use it, because a GPU is never silently replaced by the CPU."""
    if device not in ("cpu", "cuda") and not device.startswith("cuda:"):
        raise ModelError(f"device {device!r} is neither cpu nor cuda; correct run.device")
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ModelError(
            f"device {device!r} was asked for, but torch sees no GPU in this process; "
            "set run.device=cpu, or run where a GPU and a CUDA build of torch are"
        )
    return torch.device(device)
