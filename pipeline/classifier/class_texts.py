"""What the classes are called and how they are described, embedded."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from laketag.pipeline.errors import InputError


@dataclass(frozen=True)
class ClassTexts:
    """The kept descriptions of each class and each class's label prompt, with embeddings of unit length.

    ``class_index`` says of which class a description is; classes may have unequal counts.
    """

    class_names: tuple[str, ...]
    embeddings: Float[Tensor, "descriptions dim"]
    class_index: Int[Tensor, "descriptions"]
    descriptions: tuple[str, ...]
    label_prompts: Float[Tensor, "classes dim"]
    label_prompt_texts: tuple[str, ...]

    def checked(self, embed_dim: int, *, every_class_described: bool) -> "ClassTexts":
        """The same texts, if their embeddings fit a backbone of ``embed_dim`` and no class is left out."""
        for what, embeddings in (("descriptions", self.embeddings), ("label prompts", self.label_prompts)):
            if len(embeddings) and embeddings.shape[1] != embed_dim:
                raise InputError(
                    f"the {what} are embedded in {embeddings.shape[1]} dimensions, the backbone has {embed_dim}; "
                    "describe the set again with the backbone that shall label"
                )
        counts = torch.bincount(self.class_index.cpu(), minlength=len(self.class_names))
        if every_class_described and (
            bare := [n for n, c in zip(self.class_names, counts, strict=True) if c == 0]
        ):
            raise InputError(
                f"no description is kept of {', '.join(bare)}; add some, or leave the class out of the set"
            )
        return self


def padded_positions(class_index: Int[Tensor, "descriptions"], classes: int) -> Int[Tensor, "classes most"]:
    """For each class the positions of its descriptions, filled up with −1 to the length of the longest."""
    order = torch.argsort(class_index, stable=True)
    counts = torch.bincount(class_index, minlength=classes)
    most = int(counts.max()) if len(class_index) else 0
    padded = torch.full((classes, most), -1, dtype=torch.int64, device=class_index.device)
    rank = (
        torch.arange(len(order), device=class_index.device) - (counts.cumsum(0) - counts)[class_index[order]]
    )
    padded[class_index[order], rank] = order
    return padded
