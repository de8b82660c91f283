"""Lakes and models to measure on: random weights in real geometries, drawn pictures of one size."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file

from laketag.pipeline.models.libraries import open_clip, timm


def save_random_clip(folder: Path, architecture: str) -> Path:
    """A ``local-dir:`` folder with random weights in an open_clip architecture."""
    config = open_clip.get_model_config(architecture)
    torch.manual_seed(0)
    weights = open_clip.create_model(architecture, pretrained=None).state_dict()
    folder.mkdir(parents=True, exist_ok=True)
    preprocess = {"mean": open_clip.OPENAI_DATASET_MEAN, "std": open_clip.OPENAI_DATASET_STD}
    (folder / "open_clip_config.json").write_text(
        json.dumps({"model_cfg": config, "preprocess_cfg": preprocess})
    )
    save_file(
        {name: value.contiguous() for name, value in weights.items()}, folder / "open_clip_model.safetensors"
    )
    return folder


def save_random_vit(file: Path, name: str) -> Path:
    """Random weights of a timm ViT."""
    torch.manual_seed(0)
    save_file(timm.create_model(name, pretrained=False, num_classes=0).state_dict(), file)
    return file


def write_pictures(folder: Path, count: int, size_px: tuple[int, int]) -> None:
    """So many JPEG files with noise of a few scales, so that they cost what photographs cost to decode."""
    folder.mkdir(parents=True, exist_ok=True)
    width, height = size_px

    def write(number: int) -> None:
        rng = np.random.default_rng(number)
        coarse = Image.fromarray(rng.integers(0, 256, (9, 12, 3), dtype=np.uint8)).resize(
            size_px, Image.Resampling.BICUBIC
        )
        fine = rng.integers(-20, 21, (height, width, 3), dtype=np.int16)
        Image.fromarray((np.asarray(coarse) + fine).clip(0, 255).astype(np.uint8)).save(
            folder / f"{number:07}.jpg", quality=85
        )

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, range(count)))
