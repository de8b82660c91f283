"""Writes a folder in the golden format from tiny random models, with the plain loops of tests.classifier.naive_abs."""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch.nn import functional as F  # noqa: N812

from laketag.pipeline.config import MethodSettings
from laketag.pipeline.models.libraries import open_clip
from tests.classifier import naive_abs
from tests.classifier.scenes import random_image
from tests.golden.read import clip_config, clip_preprocessing, dino_preprocessing, make_vit

CROPS = 4
TOP_K = 10
CLASSES = {
    "cat": ["a cat has fur", "a cat has whiskers", "a cat sleeps"],
    "red car": ["a car has wheels", "a car is red", "a car is parked", "a car is fast"],
}
IMAGE_SIZES = [(120, 80), (37, 90), (9, 5)]


def write_golden(
    folder: Path, *, patch_px: int, layers: int, block: int, dino_patch_px: int = 16, seed: int = 0
) -> Path:
    """The folder holds models, images, draws and the results of the loops."""
    (folder / "images").mkdir(parents=True)
    manifest = _manifest(patch_px, layers, block, dino_patch_px, seed)
    torch.manual_seed(seed)
    clip = _half(open_clip.CLIP(**clip_config(manifest["clip"])), folder / "clip_tiny.safetensors")
    vit = _half(make_vit(manifest["dino"]), folder / "dino_tiny.safetensors")
    models = naive_abs.NaiveModels(
        clip,
        naive_abs.clip_transform(clip_preprocessing(manifest["clip"])),
        "shortest",
        vit,
        naive_abs.clip_transform(dino_preprocessing(manifest["dino"])),
    )
    expected = _expected_texts(clip)
    for index, (width, height) in enumerate(IMAGE_SIZES):
        rgb = random_image(width, height, seed)
        name = f"images/{index}_{width}x{height}.png"
        Image.fromarray(rgb).save(folder / name)
        of_image, numbers = _expected_image(
            rgb, models, manifest, expected["text_embeddings_first3"], random.Random(index)
        )
        manifest["images"].append({"file": name, "width": width, "height": height, **of_image})
        expected |= {f"{index}/{key}": value for key, value in numbers.items()}
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1))
    np.savez(folder / "expected.npz", **expected)  # type: ignore[arg-type]  # numpy's stub takes the names for options
    return folder


def _manifest(patch_px: int, layers: int, block: int, dino_patch_px: int, seed: int) -> dict[str, Any]:
    half = [0.5, 0.5, 0.5]
    return {
        "seed": seed,
        "reference": "tests/golden/tiny_reference.py",
        "crops": CROPS,
        "top_k": TOP_K,
        "temperature_sampling": 0.03,
        "temperature_matching": 0.03,
        "crop_ratio": [0.6, 0.9],
        "clip": {
            "embed_dim": 32,
            "image_size": 224,
            "patch_size": patch_px,
            "width": 64,
            "layers": layers,
            "quick_gelu": True,
            "text_width": 32,
            "text_heads": 2,
            "text_layers": 2,
        },
        "feature_crop_layer": block,
        "dino": {
            "embed_dim": 48,
            "depth": 2,
            "num_heads": 3,
            "patch_size": dino_patch_px,
            "image_size": 224,
            "mean": half,
            "std": half,
            "interpolation": "bilinear",
            "resize": "squash",
        },
        "classes": list(CLASSES),
        "descriptions": CLASSES,
        "images": [],
    }


def _half(model: torch.nn.Module, path: Path) -> torch.nn.Module:
    """The model with its weights rounded to those in the file."""
    halves = {name: value.half().contiguous() for name, value in model.state_dict().items()}
    save_file(halves, path)
    model.load_state_dict({name: value.float() for name, value in halves.items()})
    return model.eval()


@torch.no_grad()
def _expected_texts(clip: Any) -> dict[str, np.ndarray]:
    def embed(texts: list[str]) -> np.ndarray:
        return F.normalize(clip.encode_text(open_clip.tokenize(texts)), dim=-1).numpy()

    expected = {"text_embeddings_first3": np.stack([embed(texts[:3]) for texts in CLASSES.values()])}
    for name, texts in CLASSES.items():
        expected[f"text/{name}/descriptions"] = embed(texts)
        expected[f"text/{name}/label"] = embed([f"a photo of a {name}."])
    return expected


def _expected_image(
    rgb: np.ndarray,
    models: naive_abs.NaiveModels,
    manifest: dict[str, Any],
    texts: np.ndarray,
    draw: random.Random,
) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """The image's draws, and every number computed from them."""
    picture = Image.fromarray(rgb)
    width, height = picture.size
    grid, block = models.clip.visual.grid_size[0], manifest["feature_crop_layer"]
    attention = naive_abs.vit_attention(models, picture).numpy()
    a = round(len(attention) ** 0.5)
    topk = np.argsort(-attention, kind="stable")[:TOP_K]
    heat = np.exp((attention[topk] - attention[topk[0]]).astype(np.float64) / 0.03)
    raw_draws, feature_draws = ([draw.randrange(TOP_K) for _ in range(CROPS)] for _ in range(2))
    widths = [draw.randint(int(width * 0.6), int(width * 0.9)) for _ in range(CROPS)]
    heights = [draw.randint(int(height * 0.6), int(height * 0.9)) for _ in range(CROPS)]
    sides = [draw.randint(int(grid * 0.6), int(grid * 0.9)) for _ in range(CROPS)]
    raw_patches, feature_patches = (
        [int(topk[rank]) for rank in draws] for draws in (raw_draws, feature_draws)
    )
    frame = (0.0, 0.0, float(width), float(height))
    boxes = [
        naive_abs.raw_box(patch, w, h, a, frame, width, height)
        for patch, w, h in zip(raw_patches, widths, heights, strict=True)
    ]
    whole = models.clip_transform(picture)
    crops = [models.clip_transform(picture.crop(box)) for box in boxes]
    tokens = naive_abs.tokens_before(models.clip.visual, whole, block)
    features = [
        naive_abs.feature_view(
            models.clip.visual, tokens, block, *naive_abs.feature_cells(patch, side, a, grid)
        )
        for patch, side in zip(feature_patches, sides, strict=True)
    ]
    raws = [naive_abs.plain_view(models.clip, crop) for crop in crops]
    class_of = [index for index in range(len(texts)) for _ in range(3)]
    flat = torch.from_numpy(texts).flatten(0, 1)
    of_views = [
        naive_abs.match([view], flat, class_of, len(texts), MethodSettings())[0] for view in features + raws
    ]
    numbers = {
        "attention": attention,
        "topk_indices": topk,
        "topk_values": attention[topk],
        "topk_probabilities": heat / heat.sum(),
        "dino_pixels_mean": models.vit_transform(picture).mean(dim=(1, 2)).numpy(),
        "whole_pixels_mean": whole.mean(dim=(1, 2)).numpy(),
        "crop_pixels_mean": torch.stack(crops).mean(dim=(2, 3)).numpy(),
        "image_embedding": naive_abs.plain_view(models.clip, whole).numpy(),
        "raw_crop_embeddings": torch.stack(raws).numpy(),
        "feature_crop_embeddings": torch.stack(features).numpy(),
        "crop_class_scores": np.array(of_views, dtype=np.float32),
        "logits": np.array(of_views, dtype=np.float32).sum(axis=0),
    }
    drawn = {
        "raw_crop_draws": raw_draws,
        "raw_crop_patches": raw_patches,
        "raw_crop_widths": widths,
        "raw_crop_heights": heights,
        "raw_crop_boxes_xyxy": boxes,
        "feature_crop_draws": feature_draws,
        "feature_crop_patches_14grid": feature_patches,
        "feature_crop_sides": sides,
    }
    return drawn, numbers
