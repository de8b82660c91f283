"""A loaded timm ViT, asked only where its CLS token looks."""

from typing import Any

import torch
from jaxtyping import Float
from timm.layers import Attention
from timm.models.vision_transformer import Block, VisionTransformer
from torch import Tensor, nn

from pipeline.errors import ModelError
from pipeline.models.preprocessing import Preprocessing


class AttentionModel:
    """Attention of the CLS token to each patch in the last block: softmaxed, mean over heads."""

    def __init__(self, name: str, vit: nn.Module, preprocessing: Preprocessing, device: torch.device) -> None:
        rows_columns = _checked_grid(name, vit)
        self.name = name
        self.grid = rows_columns[0]
        self.preprocessing = preprocessing
        self.device = device
        self._vit: Any = vit.eval().requires_grad_(False).to(device)
        self._prefix_tokens = int(self._vit.num_prefix_tokens)  # CLS, then registers and the like
        if _is_plain(self._vit):
            self._last_block = self._vit.blocks[-1]
            self._vit.blocks = self._vit.blocks[:-1]  # of the last block only queries and keys are needed
            self._vit.norm = nn.Identity()

    @torch.inference_mode()
    def cls_attention(self, pixels: Float[Tensor, "images 3 size size"]) -> Float[Tensor, "images patches"]:
        """Attention to the patches, row by row over ``grid`` × ``grid``; the rest of each sum of 1 lies on other tokens."""
        attention = (
            self._last_queries_and_keys(pixels) if hasattr(self, "_last_block") else self._captured(pixels)
        )
        return attention.mean(dim=1)[:, self._prefix_tokens :]

    def _last_queries_and_keys(self, pixels: Tensor) -> Float[Tensor, "images heads tokens"]:
        tokens = self._last_block.norm1(self._vit.forward_features(pixels))
        attend = self._last_block.attn
        images, count, _ = tokens.shape
        width = attend.num_heads * attend.head_dim
        weight, bias = attend.qkv.weight, attend.qkv.bias
        query = nn.functional.linear(tokens[:, :1], weight[:width], None if bias is None else bias[:width])
        key = nn.functional.linear(
            tokens, weight[width : 2 * width], None if bias is None else bias[width : 2 * width]
        )
        query = attend.q_norm(query.view(images, 1, attend.num_heads, attend.head_dim).transpose(1, 2))
        key = attend.k_norm(key.view(images, count, attend.num_heads, attend.head_dim).transpose(1, 2))
        return ((query * attend.scale) @ key.transpose(-1, -2)).softmax(dim=-1)[:, :, 0]

    def _captured(self, pixels: Tensor) -> Float[Tensor, "images heads tokens"]:
        """The same for blocks of another make: unfused, they hand the softmaxed attention to their dropout."""
        captured: list[Tensor] = []
        attend = self._vit.blocks[-1].attn
        attend.fused_attn = False
        hook = attend.attn_drop.register_forward_pre_hook(lambda _, inputs: captured.append(inputs[0]))
        try:
            self._vit.forward_features(pixels)
        finally:
            hook.remove()
        return captured[0][:, :, 0]


def _is_plain(vit: nn.Module) -> bool:
    """Blocks are timm's standard ones, nothing is mixed in between them, and more than one is there."""
    last = vit.blocks[-1]  # type: ignore[index,union-attr]  # checked before: a list of modules
    return isinstance(vit, VisionTransformer) and type(last) is Block and type(last.attn) is Attention


def _checked_grid(name: str, vit: nn.Module) -> tuple[int, int]:
    """Rows and columns of the model's patches; ModelError if it has no CLS token whose attention can be read."""
    attend = getattr(getattr(vit, "blocks", [None])[-1], "attn", None)  # type: ignore[index]  # a list of modules
    readable = hasattr(attend, "attn_drop") and hasattr(attend, "fused_attn")
    if getattr(vit, "cls_token", None) is None or not readable:
        raise ModelError(
            f"the attention model {name} has no CLS token whose attention can be read; "
            "choose a ViT with one, such as vit_base_patch16_224.dino, or set attention.name=backbone"
        )
    rows, columns = vit.patch_embed.grid_size  # type: ignore[union-attr]  # every timm ViT has it
    if rows != columns:
        raise ModelError(
            f"the attention model {name} has a grid of {rows} × {columns} patches; choose one with a square grid"
        )
    return int(rows), int(columns)
