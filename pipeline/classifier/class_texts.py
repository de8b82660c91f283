"""The names and the embedded texts of the classes, as the matcher needs them."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from laketag.pipeline.errors import InputError


@dataclass(frozen=True)
class ClassTexts:
    """The kept descriptions and the label prompt of every class, with embeddings of unit length.

    ``class_index`` gives the class of each description. Classes may have different numbers of descriptions, at least one.
    """

    class_names: tuple[str, ...]
    embeddings: Float[Tensor, "descriptions dim"]
    class_index: Int[Tensor, "descriptions"]
    descriptions: tuple[str, ...]
    label_prompts: Float[Tensor, "classes dim"]
    label_prompt_texts: tuple[str, ...]

    def check(self, embed_dim: int) -> None:
        """InputError if the embeddings do not have ``embed_dim`` dimensions."""
        if self.label_prompts.shape[1] != embed_dim:
            raise InputError(
                f"the texts are embedded in {self.label_prompts.shape[1]} dimensions, but the backbone has {embed_dim}; "
                "describe the set again with the backbone that labels"
            )


def padded_positions(class_index: Int[Tensor, "descriptions"], classes: int) -> Int[Tensor, "classes most"]:
    """For each class the positions of its descriptions, padded with −1 to the length of the longest list."""
    order = torch.argsort(class_index, stable=True)
    counts = torch.bincount(class_index, minlength=classes)
    most = int(counts.max()) if len(class_index) else 0
    padded = torch.full((classes, most), -1, dtype=torch.int64, device=class_index.device)
    rank = (
        torch.arange(len(order), device=class_index.device) - (counts.cumsum(0) - counts)[class_index[order]]
    )
    padded[class_index[order], rank] = order
    return padded
