"""A loaded CLIP: text tower, image tower, tokenizer and preprocessing."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # torch's own habit

from laketag.pipeline.models.architecture import Architecture
from laketag.pipeline.models.image_tower import ImageTower, image_tower, no_cls_token_error
from laketag.pipeline.models.libraries import open_clip
from laketag.pipeline.models.text_tower import encode_tokens


class Backbone:
    """Embeds texts and views; embeddings are float32 and have unit length."""

    def __init__(
        self,
        name: str,
        clip: nn.Module,
        tokenizer: Any,
        architecture: Architecture,
        device: torch.device,
    ) -> None:
        self.name = name
        self.device = device
        self.preprocessing = architecture.preprocessing
        self.embed_dim = int(architecture.model_config["embed_dim"])
        self._clip = clip.eval().requires_grad_(False).to(device)
        self._tokenizer = tokenizer
        self._tower = image_tower(clip.visual)  # type: ignore[arg-type]  # torch types every attribute as Tensor | Module
        self.context_length = int(tokenizer.context_length)
        self.logit_scale = float(clip.logit_scale.detach().exp())  # type: ignore[operator]  # same

    @property
    def tower(self) -> ImageTower:
        """The image tower block by block; ModelError if it pools no CLS token over a square grid."""
        if self._tower is None:
            raise no_cls_token_error(self.name)
        return self._tower

    def tokenize(self, texts: Sequence[str]) -> tuple[Int[Tensor, "texts context"], list[int]]:
        """Token ids truncated to the context, and the number of tokens of each text before that, start and end included."""
        ids = self._tokenizer(list(texts))
        if isinstance(self._tokenizer, open_clip.SimpleTokenizer):
            return ids, [len(self._tokenizer.encode(text)) + 2 for text in texts]
        cleaned = [self._tokenizer.clean_fn(text) for text in texts]
        return ids, [len(one) for one in self._tokenizer.tokenizer(cleaned).input_ids]

    @torch.inference_mode()
    def encode_text(self, texts: Sequence[str]) -> Float[Tensor, "texts dim"]:
        """Embeddings on the backbone's device; texts longer than the context are truncated, as in the ABS release."""
        ids, _ = self.tokenize(texts)
        return F.normalize(encode_tokens(self._clip, ids.to(self.device)).float(), dim=-1)

    @torch.inference_mode()
    def encode_image(self, pixels: Float[Tensor, "views 3 size size"]) -> Float[Tensor, "views dim"]:
        """Embeddings of normalised views."""
        if self._tower is not None:
            return self._tower.finish(self._tower.embed(pixels), 0)
        weight = next(self._clip.visual.parameters())  # type: ignore[union-attr]  # a module
        return F.normalize(self._clip.encode_image(pixels.to(weight.dtype)).float(), dim=-1)  # type: ignore[operator]  # open_clip is untyped
