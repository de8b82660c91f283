"""Scenes that are drawn before the training, and their augmentation in every step."""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from PIL import Image
from torch import Tensor

from laketag.demo.objects import CLASS_NAMES
from laketag.demo.scenes import DIFFICULTIES, Difficulty, draw_scene

SIDE_PX = 64
PATCH_PX = 8
SPLITS = {"train": 11, "dev": 12, "test": 13}
"""First number of each scene's seed: no scene is in two splits."""


@dataclass(frozen=True)
class ScenePool:
    """Scenes at the model's size, the masks of their objects, and their classes."""

    pixels: UInt8[Tensor, "scenes 3 side side"]
    masks: UInt8[Tensor, "scenes side side"]
    classes: Int64[Tensor, "scenes"]


def _draw_chunk(
    indices: range, *, split: str, seed: int, difficulty: Difficulty
) -> tuple[UInt8[np.ndarray, "chunk side side 3"], UInt8[np.ndarray, "chunk side side"]]:
    pixels = np.empty((len(indices), SIDE_PX, SIDE_PX, 3), np.uint8)
    masks = np.empty((len(indices), SIDE_PX, SIDE_PX), np.uint8)
    for row, index in enumerate(indices):
        scene_seed = (SPLITS[split], seed, index, DIFFICULTIES.index(difficulty))
        rng = np.random.default_rng((*scene_seed, 1))
        side, aspect = np.exp(rng.uniform(np.log(72), np.log(160))), np.exp(rng.uniform(-0.3, 0.3))
        width_px, height_px = round(side * aspect), round(side / aspect)
        name = CLASS_NAMES[index % len(CLASS_NAMES)]
        scene = draw_scene(scene_seed, name, difficulty, width_px=width_px, height_px=height_px)
        pixels[row] = np.asarray(scene.picture.resize((SIDE_PX, SIDE_PX), Image.Resampling.BICUBIC))
        masks[row] = np.asarray(scene.mask.resize((SIDE_PX, SIDE_PX), Image.Resampling.BOX))
    return pixels, masks


def draw_pool(
    split: str, difficulty: Difficulty, count: int, *, seed: int = 0, processes: int = 2
) -> ScenePool:
    """Return `count` scenes of the split, with the classes in turn, resized to the model's square."""
    chunks = [range(start, min(start + 500, count)) for start in range(0, count, 500)]
    draw = partial(_draw_chunk, split=split, seed=seed, difficulty=difficulty)
    with ProcessPoolExecutor(processes) as executor:
        drawn = list(executor.map(draw, chunks))
    pixels = torch.from_numpy(np.concatenate([chunk[0] for chunk in drawn])).permute(0, 3, 1, 2).contiguous()
    masks = torch.from_numpy(np.concatenate([chunk[1] for chunk in drawn]))
    return ScenePool(pixels, masks, torch.arange(count) % len(CLASS_NAMES))


def normalise(pixels: UInt8[Tensor, "batch 3 side side"]) -> Float[Tensor, "batch 3 side side"]:
    """Return pixels in -1…1, with mean and deviation 0.5 as in the model's configuration."""
    return pixels.float() / 127.5 - 1.0


def vary(
    pixels: Float[Tensor, "batch 3 side side"],
    masks: UInt8[Tensor, "batch side side"],
    *,
    shift_px: int,
    generator: torch.Generator,
) -> tuple[Float[Tensor, "batch 3 side side"], Float[Tensor, "batch patches"]]:
    """Return the scenes shifted, mirrored and recoloured, and the fraction of each patch that the object covers."""
    count = len(pixels)
    stacked = torch.cat([pixels, masks[:, None].float() / 255.0], dim=1)
    stacked = torch.nn.functional.pad(stacked, (shift_px,) * 4, mode="replicate")
    reach = torch.arange(SIDE_PX)
    shift = torch.randint(0, 2 * shift_px + 1, (2, count, 1), generator=generator)
    mirrored = torch.rand(count, 1, generator=generator) < 0.5
    rows = shift[0] + reach
    columns = shift[1] + torch.where(mirrored, reach.flip(0), reach)
    channels = torch.rand(count, 3, generator=generator).argsort(dim=1)
    channels = torch.cat([channels, torch.full((count, 1), 3)], dim=1)
    moved = stacked[
        torch.arange(count)[:, None, None, None],
        channels[:, :, None, None],
        rows[:, None, :, None],
        columns[:, None, None, :],
    ]
    inverted = torch.where(torch.rand(count, 3, 1, 1, generator=generator) < 0.5, -1.0, 1.0)
    share = torch.nn.functional.avg_pool2d(moved[:, 3:], PATCH_PX).flatten(1)
    return moved[:, :3] * inverted, share
