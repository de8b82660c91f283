"""From the scores of an image to probabilities: shares of one whole, in the order of the scores.

They are computed in float64: two float32 scores that differ never change their order there.
"""

import torch
from jaxtyping import Float, Float64
from torch import Tensor


def share_by_score(
    scores: Float[Tensor, "images classes"], views: int, exponent: float
) -> Float64[Tensor, "images classes"]:
    """Probabilities from the scores of soft matching: each is its class's part of the sum of ``score ** exponent``.

    This is ``softmax(exponent · log score)``, computed as such so that no power overflows. A class whose score is not
    positive gets 0. Where an image has no positive score, it is the softmax of the score divided by the number of views.
    """
    exact = scores.double()
    positive = exact > 0
    exponents = torch.where(positive, exponent * exact.log(), -torch.inf)
    return torch.where(positive.any(dim=1, keepdim=True), exponents, exact / views).softmax(dim=-1)


def share_by_cosine(
    scores: Float[Tensor, "images classes"], logit_scale: float
) -> Float64[Tensor, "images classes"]:
    """Probabilities from scores that are cosines: CLIP's own, ``softmax(logit_scale · score)``."""
    return (logit_scale * scores.double()).softmax(dim=-1)
