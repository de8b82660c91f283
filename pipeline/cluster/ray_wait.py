"""A word before the seconds that Ray needs to start."""

import os
import sys

from laketag.pipeline.screen import Screen


def say_ray_starts(screen: Screen) -> None:
    """It is printed that Ray is started or joined now; nothing if this process is connected to one already."""
    ray = sys.modules.get("ray")
    if ray is not None and ray.is_initialized():
        return
    address = os.environ.get("RAY_ADDRESS")
    screen.wait(f"connecting to Ray at {address}" if address else "starting Ray")
