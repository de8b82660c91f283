"""The losses of the training."""

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.functional import cross_entropy, log_softmax


def contrastive_loss(
    images: Float[Tensor, "batch dim"],
    texts: Float[Tensor, "captions dim"],
    image_classes: Int64[Tensor, "batch"],
    text_classes: Int64[Tensor, "captions"],
    scale: Float[Tensor, ""],
) -> Float[Tensor, ""]:
    """Return CLIP's symmetric loss in which all captions of an image's class are correct, with equal weight."""
    logits = scale * images @ texts.T
    same = (image_classes[:, None] == text_classes[None, :]).float()
    to_texts = cross_entropy(logits, same / same.sum(dim=1, keepdim=True))
    shown = same.sum(dim=0) > 0
    to_images = cross_entropy(logits.T[shown], (same / same.sum(dim=0).clamp(min=1.0)).T[shown])
    return (to_texts + to_images) / 2


def patch_loss(
    logits: Float[Tensor, "batch patches classes"],
    object_share: Float[Tensor, "batch patches"],
    classes: Int64[Tensor, "batch"],
) -> Float[Tensor, ""]:
    """Return the cross-entropy of each patch's class; the part of a patch that the object leaves free counts as "no object".

    Patches on the object count double, because they are few.
    """
    log_probability = log_softmax(logits, dim=-1)
    own = log_probability.gather(2, classes[:, None, None].expand(-1, logits.shape[1], 1)).squeeze(2)
    return -torch.mean(object_share * own * 2.0 + (1.0 - object_share) * log_probability[..., -1])
