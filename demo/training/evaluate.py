"""Top-1 accuracy of one plain view with the label prompt.

`python -m laketag.demo.training.evaluate --model demo/model --split dev`
"""

import argparse
from pathlib import Path

import open_clip
import torch
from jaxtyping import Float
from torch import Tensor

from laketag.demo.objects import CLASS_NAMES
from laketag.demo.scenes import Difficulty
from laketag.demo.training.pool import ScenePool, draw_pool, normalise

LABEL_PROMPT = "a photo of a {}."


@torch.inference_mode()
def accuracy(model: open_clip.CLIP, label_features: Float[Tensor, "classes dim"], pool: ScenePool) -> float:
    """Return the fraction of scenes whose nearest label prompt is that of their class."""
    right = 0
    for pixels, classes in zip(torch.split(pool.pixels, 200), torch.split(pool.classes, 200), strict=True):
        features = model.encode_image(normalise(pixels))
        features = features[0] if isinstance(features, tuple) else features
        right += int(((features @ label_features.T).argmax(dim=1) == classes).sum())
    return right / len(pool.classes)


def main() -> None:
    """Print the accuracy of a model folder on one split, for each difficulty."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--split", choices=("dev", "test"), default="dev")
    parser.add_argument("--scenes", type=int, default=3200)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    model, _, _ = open_clip.create_model_and_transforms(f"local-dir:{arguments.model}")
    model.eval()
    tokenize = open_clip.get_tokenizer(f"local-dir:{arguments.model}")
    with torch.inference_mode():
        labels = model.encode_text(
            tokenize([LABEL_PROMPT.format(name) for name in CLASS_NAMES]), normalize=True
        )
    difficulties: tuple[Difficulty, ...] = ("easy", "mid", "hard")
    for difficulty in difficulties:
        pool = draw_pool(arguments.split, difficulty, arguments.scenes)
        print(f"{arguments.split} {difficulty}: {accuracy(model, labels, pool):.4f} of {arguments.scenes}")


if __name__ == "__main__":
    main()
