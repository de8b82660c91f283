"""The image tower block by block, so that tokens can be cropped between two blocks.

Only the CLS token of the last block is used, so only that token gets a query, an output projection and an MLP there: the
same numbers for about a sixth of the work of that block.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812  # torch's own habit

from laketag.pipeline.errors import ModelError
from laketag.pipeline.models.libraries import open_clip

Block = Any  # ResidualAttentionBlock or CustomResidualAttentionBlock; open_clip is untyped


class ImageTower:
    """Runs an open_clip VisionTransformer that pools its CLS token block by block."""

    def __init__(self, visual: open_clip.transformer.VisionTransformer) -> None:
        self._visual = visual
        self._blocks = list(visual.transformer.resblocks)
        self.blocks = len(self._blocks)
        self.grid: int = visual.grid_size[0]

    def embed(self, pixels: Float[Tensor, "views 3 size size"]) -> Float[Tensor, "views tokens width"]:
        """The tokens before block 0, CLS first, in the tower's dtype."""
        visual = self._visual
        patches = visual.conv1(pixels.to(visual.conv1.weight.dtype)).flatten(2).transpose(1, 2)
        cls = visual.class_embedding.to(patches.dtype).expand(len(patches), 1, -1)
        return visual.ln_pre(torch.cat([cls, patches], dim=1) + visual.positional_embedding.to(patches.dtype))  # type: ignore[no-any-return]  # open_clip is untyped

    def run_blocks(
        self, tokens: Float[Tensor, "views tokens width"], start: int, stop: int
    ) -> Float[Tensor, "views tokens width"]:
        """The tokens before block ``stop``, computed from those before block ``start``."""
        for block in self._blocks[start:stop]:
            tokens = _run_block(block, tokens)
        return tokens

    def finish(self, tokens: Float[Tensor, "views tokens width"], start: int) -> Float[Tensor, "views dim"]:
        """Embeddings of unit length in float32, computed from the tokens before block ``start``."""
        tokens = self.run_blocks(tokens, start, self.blocks - 1)
        cls = _run_block_for_cls(self._blocks[-1], tokens) if start < self.blocks else tokens[:, 0]
        pooled = self._visual.ln_post(cls.float()) @ self._visual.proj.float()
        return F.normalize(pooled, dim=-1)

    def cls_attention(self, tokens: Float[Tensor, "views tokens width"]) -> Float[Tensor, "views patches"]:
        """Attention of the CLS token to each patch in the last block, averaged over heads, computed from the tokens before it."""
        block = self._blocks[-1]
        if not _is_plain(block):
            raise ModelError(
                "the CLIP tower's last block has its own kind of attention, which cannot be read out; "
                "set attention.name to a timm ViT, such as vit_base_patch16_224.dino"
            )
        query, key, _ = _split_heads(block, block.ln_1(tokens))
        scores = (query.float() * query.shape[-1] ** -0.5) @ key.float().transpose(-1, -2)
        attention: Tensor = scores.softmax(dim=-1).mean(dim=1)[:, 0, 1:]
        return attention


def image_tower(visual: nn.Module) -> ImageTower | None:
    """The tower block by block; None if it pools no CLS token or its grid is not square."""
    if not isinstance(visual, open_clip.transformer.VisionTransformer):
        return None
    if visual.attn_pool is not None or visual.pool_type != "tok":
        return None
    rows, columns = visual.grid_size
    return ImageTower(visual) if rows == columns else None


def no_cls_token_error(name: str) -> ModelError:
    """The error for a tower that pools no CLS token over a square grid."""
    return ModelError(
        f"the image tower of {name} pools no CLS token over a square grid of patches, so its tokens cannot be cropped "
        "nor its attention read; set method.feature_crops=false and attention.name to a timm ViT, "
        "or choose a CLIP such as ViT-B-16"
    )


def check_block(name: str, feature_block: int | None, blocks: int) -> int:
    """The block before which tokens are cropped: the settings' block, or the last one; ModelError if the tower lacks it."""
    if feature_block is None:
        return blocks - 1
    if feature_block >= blocks:
        raise ModelError(
            f"method.feature_block = {feature_block}, but {name} has blocks 0 to {blocks - 1}; "
            "choose one of these, or leave it unset for the last"
        )
    return feature_block


def _is_plain(block: nn.Module) -> bool:
    return isinstance(block, open_clip.transformer.ResidualAttentionBlock) and isinstance(
        block.attn, nn.MultiheadAttention
    )


def _run_block(block: Block, tokens: Tensor) -> Tensor:
    """The block's output for every token."""
    if not _is_plain(block):
        return block(tokens)  # type: ignore[no-any-return]  # open_clip is untyped
    normed = block.ln_1(tokens)
    views, count, width = normed.shape
    heads = block.attn.num_heads
    qkv = F.linear(normed, block.attn.in_proj_weight, block.attn.in_proj_bias)
    query, key, value = qkv.view(views, count, 3, heads, width // heads).permute(2, 0, 3, 1, 4)
    return _after_attention(block, tokens, query, key, value)


def _run_block_for_cls(block: Block, tokens: Tensor) -> Tensor:
    """The block's output for the CLS token alone."""
    if not _is_plain(block):
        return block(tokens)[:, 0]  # type: ignore[no-any-return]  # open_clip is untyped
    query, key, value = _split_heads(block, block.ln_1(tokens))
    return _after_attention(block, tokens[:, :1], query, key, value)[:, 0]


def _split_heads(block: Block, normed: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Query of the CLS token, keys and values of all tokens, each views × heads × tokens × head width."""
    views, count, width = normed.shape
    heads = block.attn.num_heads
    weight, bias = block.attn.in_proj_weight, block.attn.in_proj_bias
    query = F.linear(normed[:, :1], weight[:width], None if bias is None else bias[:width])
    key_value = F.linear(normed, weight[width:], None if bias is None else bias[width:])
    key, value = key_value.view(views, count, 2, heads, width // heads).permute(2, 0, 3, 1, 4)
    return query.view(views, 1, heads, width // heads).transpose(1, 2), key, value


def _after_attention(block: Block, tokens: Tensor, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """The rest of the block, for the tokens that have a query."""
    mixed = F.scaled_dot_product_attention(query, key, value).transpose(1, 2).reshape(tokens.shape)
    tokens = tokens + block.ls_1(block.attn.out_proj(mixed))
    return tokens + block.ls_2(block.mlp(block.ln_2(tokens)))  # type: ignore[no-any-return]  # open_clip is untyped
