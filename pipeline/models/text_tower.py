"""The text tower on no more tokens than its embeddings depend on.

In a causal tower a token depends on earlier ones alone, and the embedding of a text is read at one token, mostly its end token.
So what follows the last such token of a batch, nearly always padding, is cut: the same numbers for a fraction of the work.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from laketag.pipeline.models.libraries import open_clip


def encode_tokens(clip: nn.Module, ids: Int[Tensor, "texts context"]) -> Float[Tensor, "texts dim"]:
    """Embeddings of the texts, of any length; a tower that is not causal gets the full context."""
    prefix, tower = ("", clip) if isinstance(clip, open_clip.CLIP) else ("text.", getattr(clip, "text", None))
    length = needed_length(tower, ids)
    if length == ids.shape[1]:
        return clip.encode_text(ids)  # type: ignore[operator, no-any-return]  # open_clip is untyped
    assert isinstance(tower, open_clip.CLIP | open_clip.transformer.TextTransformer)
    cut = {
        f"{prefix}positional_embedding": tower.positional_embedding[:length],
        f"{prefix}attn_mask": tower.attn_mask[:length, :length],
    }
    _, embeddings, *_ = torch.func.functional_call(clip, cut, kwargs={"text": ids[:, :length]})
    return embeddings  # type: ignore[no-any-return]  # open_clip is untyped


def needed_length(tower: nn.Module | None, ids: Int[Tensor, "texts context"]) -> int:
    """How many of the first tokens decide the embeddings of these texts."""
    if not isinstance(tower, open_clip.CLIP | open_clip.transformer.TextTransformer) or not _is_causal(tower):
        return ids.shape[1]
    is_clip = isinstance(tower, open_clip.CLIP)
    pool_type, end = (tower.text_pool_type, tower.text_eos_id) if is_clip else (tower.pool_type, tower.eos_id)
    places = torch.arange(ids.shape[1], device=ids.device).expand(ids.shape)
    return int(open_clip.transformer.text_global_pool(places, ids, pool_type, end).max()) + 1


def _is_causal(tower: open_clip.CLIP | open_clip.transformer.TextTransformer) -> bool:
    """Whether no token attends to a later one; a CLS token after the text, as CoCa has, is such a later one."""
    mask = tower.attn_mask
    if mask is None or getattr(tower, "cls_emb", None) is not None:
        return False
    return torch.equal(mask.isneginf(), torch.ones_like(mask, dtype=torch.bool).triu(1))
