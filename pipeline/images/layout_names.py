"""The layouts of benchmarks that ``laketag index`` knows, by name."""

from typing import Literal, get_args

LayoutName = Literal[
    "imagenet",
    "imagenet-v2",
    "imagenet-r",
    "imagenet-sketch",
    "imagenet-a",
    "cub",
    "pets",
    "dtd",
    "food101",
    "places365",
    "imagefolder",
]
LAYOUT_NAMES: tuple[LayoutName, ...] = get_args(LayoutName)
