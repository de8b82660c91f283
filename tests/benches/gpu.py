"""``python -m tests.benches.gpu``: ABS on one GPU: images/s, floating-point rate, share of the card's own matrix rate, parts.

It needs this checkout, torch for the card, timm, open_clip, and two small packages, pydantic and jaxtyping; no Ray, no network,
no weights. ``--device cpu --models tiny --images 2 --crops 3 --matrix 256`` tries it without a GPU.
"""

import argparse
import sys
from collections.abc import Callable

import numpy as np
import torch

from laketag.pipeline.classifier.classifier import Classifier
from laketag.pipeline.classifier.crop_encoder import CropEncoder
from laketag.pipeline.classifier.methods import Matcher
from laketag.pipeline.classifier.micro_batch import MicroBatch
from laketag.pipeline.classifier.pixels import PixelSource
from laketag.pipeline.classifier.views import Encoders
from laketag.pipeline.config import MethodSettings
from laketag.pipeline.models.image_tower import check_block
from laketag.pipeline.models.libraries import open_clip, timm
from tests.benches.random_models import (
    count_flop,
    matrix_rate,
    measure_s,
    random_encoders,
    random_pictures,
    random_texts,
)

CLASSES, DESCRIPTIONS = 1000, 50
COLUMNS = "{:<10} {:>9} {:>14} {:>9} {:>12}  {}"


def main(arguments: list[str] | None = None) -> int:
    """Measure every model and print a line for each, with the milliseconds of an image that each part takes."""
    parser = argparse.ArgumentParser(prog="python -m tests.benches.gpu", description=__doc__)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--models", nargs="+", default=["ViT-B-32", "ViT-B-16", "ViT-L-14"])
    parser.add_argument("--precision", default="bf16", choices=["fp32", "bf16", "fp16"])
    parser.add_argument("--crops", type=int, default=50, help="of each kind, per image")
    parser.add_argument("--images", type=int, default=32, help="per batch")
    parser.add_argument("--views-per-pass", type=int, default=256)
    parser.add_argument(
        "--matrix", type=int, default=4096, help="rows and columns of the matrices of torch.mm"
    )
    asked = parser.parse_args(arguments)
    device = torch.device(asked.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        print("torch sees no GPU here; --device cpu tries the bench without one", file=sys.stderr)
        return 2
    card = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    rate = matrix_rate(open_clip.get_cast_dtype(asked.precision) or torch.float32, device, asked.matrix)
    print(
        f"{card}, torch {torch.__version__}, timm {timm.__version__}, open_clip {open_clip.__version__}; "
        f"{asked.precision}, {asked.crops} crops of each kind, {asked.images} images a batch, {CLASSES} classes × {DESCRIPTIONS}"
    )
    print(f"torch.mm of {asked.matrix}: {rate / 1e12:.3g} TFLOP/s")
    print(
        COLUMNS.format(
            "model", "images/s", "TFLOP an image", "TFLOP/s", "of torch.mm", "ms an image of each part"
        )
    )
    for model in asked.models:
        encoders = random_encoders(model, asked.precision, device)
        texts = random_texts(CLASSES, DESCRIPTIONS, encoders.backbone.embed_dim)
        method = MethodSettings(crops=asked.crops)
        classifier = Classifier(encoders, texts, method, views_per_pass=asked.views_per_pass)
        pictures = random_pictures(asked.images)
        ids = [str(number) for number in range(asked.images)]
        flop = count_flop(lambda: classifier.label(pictures[:1], ids[:1]))  # noqa: B023  # called at once
        seconds = measure_s(lambda: classifier.label(pictures, ids), device) / asked.images  # noqa: B023  # same
        matcher = Matcher(texts, method, encoders.backbone.logit_scale, device)
        parts = {
            name: 1000 * measure_s(part, device) / asked.images
            for name, part in parts_of(encoders, matcher, pictures, asked.crops, asked.views_per_pass).items()
        }
        described = ", ".join(f"{name} {taken:.2f}" for name, taken in parts.items())
        print(
            COLUMNS.format(
                model,
                f"{1 / seconds:.2f}",
                f"{flop / 1e12:.3g}",
                f"{flop / seconds / 1e12:.3g}",
                f"{flop / seconds / rate:.0%}",
                described,
            ),
            flush=True,
        )
    return 0


@torch.inference_mode()
def parts_of(
    encoders: Encoders, matcher: Matcher, pictures: list[np.ndarray], crops: int, views_per_pass: int
) -> dict[str, Callable[[], object]]:
    """What labelling a batch consists of, each part on its own; the crops have the largest size that ABS draws."""
    backbone, attention = encoders.backbone, encoders.attention
    assert attention is not None
    tower, images = backbone.tower, len(pictures)
    block = check_block(backbone.name, None, tower.blocks)
    pixels = PixelSource(pictures, backbone.device)
    height, width = (int(0.9 * side) for side in pictures[0].shape[:2])
    boxes = np.tile(np.array((0, 0, width, height)), (images * crops, 1))
    owners = np.repeat(np.arange(images), crops).tolist()
    cells = np.tile(np.array((0, 0, tower.grid - 1, tower.grid - 1)), (images, crops, 1))
    whole = pixels.whole(backbone.preprocessing)
    seen = pixels.whole(attention.preprocessing)
    tokens = tower.run_blocks(tower.embed(whole), 0, block)
    encoder = CropEncoder(backbone, MicroBatch(views_per_pass))
    cut = pixels.views(owners[:views_per_pass], boxes[:views_per_pass], backbone.preprocessing)
    views = torch.nn.functional.normalize(
        torch.randn(images, 2 * crops, backbone.embed_dim, device=backbone.device), dim=-1
    )
    passes = range(0, images * crops, views_per_pass)

    def cut_all() -> None:
        for start in passes:
            part = slice(start, start + views_per_pass)
            pixels.views(owners[part], boxes[part], backbone.preprocessing)

    work: dict[str, Callable[[], object]] = {
        "copy": lambda: PixelSource(pictures, backbone.device),
        "attention": lambda: attention.cls_attention(seen),
        "whole image": lambda: tower.run_blocks(tower.embed(whole), 0, block),
        "cut crops": cut_all,
        "raw crops": lambda: [backbone.encode_image(cut[: images * crops - start]) for start in passes],
        "feature crops": lambda: encoder.feature_crops(tokens, cells, block),
        "matching": lambda: list(matcher.match(views)),
    }
    return {name: torch.inference_mode()(part) for name, part in work.items()}


if __name__ == "__main__":
    sys.exit(main())
