"""A word before the seconds that Ray needs to start."""

import sys

from laketag.pipeline.cluster.ray_address import named_address
from laketag.pipeline.screen import Screen


def say_ray_starts(screen: Screen) -> None:
    """It is printed that Ray is started or joined now; nothing if this process is connected to one already."""
    ray = sys.modules.get("ray")
    if ray is not None and ray.is_initialized():
        return
    address = named_address()
    screen.wait(f"connecting to Ray at {address}" if address else "starting Ray")
