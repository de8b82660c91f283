"""open_clip and timm, imported without torch's compiler where that is possible.

torchvision and timm import ``torch._dynamo`` only to say what happens under ``torch.compile``, which takes half of the
CPU time of ``import open_clip`` and 145 MiB in each process with a model (docs/decisions/0047-quick-start.md).
This is imported in processes of our own, in actors and children of the driver, where nothing is compiled.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from types import ModuleType

import torch


@contextmanager
def _without_compiler() -> Iterator[None]:
    """What is imported meanwhile finds stand-ins for what it uses of ``torch._dynamo``.

    If transformers is installed, open_clip imports it, and it uses more of the compiler: then there are none.
    """
    if "torch._dynamo" in sys.modules or find_spec("transformers"):
        yield
        return
    utils = ModuleType("torch._dynamo.utils")
    utils.is_compile_supported = lambda _: False  # type: ignore[attr-defined]  # for torchvision.ops.roi_align
    sys.modules[utils.__name__] = utils
    disable = torch.compiler.disable
    torch.compiler.disable = lambda function: function  # type: ignore[assignment, misc]  # for timm.models.naflexvit
    try:
        yield
    finally:
        torch.compiler.disable = disable
        del sys.modules[utils.__name__]


with _without_compiler():
    import open_clip
    import timm

__all__ = ["open_clip", "timm"]
