"""A loaded timm ViT, of which only the attention of its CLS token is used."""

from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # torch's own habit

from laketag.pipeline.errors import ModelError
from laketag.pipeline.models.libraries import timm
from laketag.pipeline.models.preprocessing import Preprocessing


class AttentionModel:
    """Computes the attention of the CLS token to each patch in the last block: softmaxed, averaged over the heads.

    The model computes in the dtype of its weights, the softmax of plain blocks in float32.
    """

    def __init__(self, name: str, vit: nn.Module, preprocessing: Preprocessing, device: torch.device) -> None:
        self.name = name
        self.preprocessing = preprocessing
        self.device = device
        self.grid = _checked_grid(name, vit)
        self._vit = cast("Any", vit.eval().requires_grad_(False).to(device))
        self._prefix_tokens = int(self._vit.num_prefix_tokens)  # CLS and registers
        self._last_block: Any = None
        if _has_plain_blocks(self._vit):  # then only the queries and keys of the last block are needed
            self._last_block = self._vit.blocks[-1]
            self._vit.blocks = self._vit.blocks[:-1]
            self._vit.norm = nn.Identity()

    @torch.inference_mode()
    def cls_attention(self, pixels: Float[Tensor, "images 3 size size"]) -> Float[Tensor, "images patches"]:
        """Attention to the patches, row by row of the grid. The sum is below 1 because CLS and registers get attention too."""
        pixels = pixels.to(next(self._vit.parameters()).dtype)
        attention = self._capture(pixels) if self._last_block is None else self._compute(pixels)
        return attention.float().mean(dim=1)[:, self._prefix_tokens :]

    def _compute(self, pixels: Float[Tensor, "images 3 size size"]) -> Float[Tensor, "images heads tokens"]:
        """The last block's attention from the query of the CLS token and the keys of all tokens."""
        block = self._last_block
        tokens = block.norm1(self._vit.forward_features(pixels))
        images, count, _ = tokens.shape
        heads, head_width = block.attn.num_heads, block.attn.head_dim
        of_queries, of_keys = slice(heads * head_width), slice(heads * head_width, 2 * heads * head_width)
        weight, bias = block.attn.qkv.weight, block.attn.qkv.bias
        query = F.linear(tokens[:, :1], weight[of_queries], None if bias is None else bias[of_queries])
        key = F.linear(tokens, weight[of_keys], None if bias is None else bias[of_keys])
        query = block.attn.q_norm(query.view(images, 1, heads, head_width).transpose(1, 2))
        key = block.attn.k_norm(key.view(images, count, heads, head_width).transpose(1, 2))
        scores: Tensor = (query.float() * block.attn.scale) @ key.float().transpose(-1, -2)
        return scores.softmax(dim=-1)[:, :, 0]

    def _capture(self, pixels: Float[Tensor, "images 3 size size"]) -> Float[Tensor, "images heads tokens"]:
        """As ``_compute``, for other kinds of blocks, whose unfused attention passes its softmax to a dropout."""
        captured: list[Tensor] = []
        attend = self._vit.blocks[-1].attn
        attend.fused_attn = False
        hook = attend.attn_drop.register_forward_pre_hook(lambda _, inputs: captured.append(inputs[0]))
        try:
            self._vit.forward_features(pixels)
        finally:
            hook.remove()
        return captured[0][:, :, 0]


def _has_plain_blocks(vit: nn.Module) -> bool:
    """Whether the model is timm's standard ViT with standard blocks, whose arithmetic ``_compute`` repeats."""
    if not isinstance(vit, timm.models.vision_transformer.VisionTransformer):
        return False
    last: Any = vit.blocks[-1]
    return (
        type(last) is timm.models.vision_transformer.Block
        and type(last.attn) is timm.layers.attention.Attention
    )


def _checked_grid(name: str, vit: Any) -> int:
    """Rows of the square grid of patches; ModelError if there is no CLS token whose attention can be read."""
    blocks = getattr(vit, "blocks", None) or [None]
    attend = getattr(blocks[-1], "attn", None)
    readable = hasattr(attend, "attn_drop") and hasattr(attend, "fused_attn")
    if getattr(vit, "cls_token", None) is None or not readable:
        raise ModelError(
            f"the attention model {name} has no CLS token whose attention can be read; "
            "choose a ViT with one, such as vit_base_patch16_224.dino, or set attention.name=backbone"
        )
    rows, columns = vit.patch_embed.grid_size
    if rows != columns:
        raise ModelError(
            f"the attention model {name} has {rows} × {columns} patches; choose one with a square grid"
        )
    return int(rows)
