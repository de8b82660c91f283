"""A method's scores and probabilities, from the views and texts that it uses."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64, Int
from torch import Tensor

from laketag.pipeline.classifier.baselines import (
    score_by_mean,
    score_by_prototype,
    score_by_weighted_alignment,
)
from laketag.pipeline.classifier.class_texts import ClassTexts, padded_positions
from laketag.pipeline.classifier.matching import match_softly
from laketag.pipeline.classifier.method_names import Method
from laketag.pipeline.classifier.probabilities import share_by_cosine, share_by_score
from laketag.pipeline.classifier.robust_views import score_by_entropy, score_by_mode, score_by_trimmed_mean


@dataclass(frozen=True)
class MatchedTexts:
    """The texts of one kind on the device, with the constants of matching."""

    embeddings: Float[Tensor, "texts dim"]
    members: Int[Tensor, "classes most"]
    prompts: Float[Tensor, "classes dim"]
    temperature: float
    logit_scale: float

    @classmethod
    def of(
        cls, texts: ClassTexts, temperature: float, logit_scale: float, device: torch.device
    ) -> "MatchedTexts":
        """The descriptions of the texts; their label prompts are what WCA weighs them by."""
        members = padded_positions(texts.class_index.to(device), len(texts.class_names))
        embeddings, prompts = texts.embeddings.to(device), texts.label_prompts.to(device)
        return cls(embeddings, members, prompts, temperature, logit_scale)

    def prompts_alone(self) -> "MatchedTexts":
        """The label prompts as the only texts."""
        members = torch.arange(len(self.prompts), device=self.prompts.device)[:, None]
        return MatchedTexts(self.prompts, members, self.prompts, self.temperature, self.logit_scale)


def score_views(
    method: Method, views: Float[Tensor, "images views dim"], texts: MatchedTexts
) -> Float[Tensor, "images classes"]:
    """The method's score of each class."""
    pair = texts.embeddings, texts.members
    match method.rule:
        case "prototype":
            return score_by_prototype(views, *pair)
        case "mean":
            return score_by_mean(views, *pair)
        case "wca":
            return score_by_weighted_alignment(views, *pair, texts.prompts)
        case "soft":
            return match_softly(views, *pair, texts.temperature, texts.logit_scale).scores
        case "entropy":
            return score_by_entropy(views, *pair, texts.temperature, texts.logit_scale)
        case "mode":
            return score_by_mode(views, *pair, texts.logit_scale)
        case "trim":
            return score_by_trimmed_mean(views, *pair, texts.logit_scale)


def share_scores(
    method: Method, scores: Float[Tensor, "images classes"], views: int, texts: MatchedTexts
) -> Float64[Tensor, "images classes"]:
    """The probabilities that the method's scores stand for, as label rows state them."""
    if method.scores_are_cosines:
        return share_by_cosine(scores, texts.logit_scale)
    exponent = max(1.0, texts.temperature * texts.logit_scale)
    return share_by_score(scores, views if method.rule == "soft" else 1, exponent)
