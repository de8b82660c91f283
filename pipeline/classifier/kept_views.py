"""The embeddings of an image's views as a run keeps them: in fp32 exactly, in fp16 and int8 rounded."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int

from laketag.pipeline.config import EmbeddingFormat

LARGEST_INT8 = 127
NUMBERS: dict[EmbeddingFormat, str] = {"fp32": "<f4", "fp16": "<f2", "int8": "i1"}
"""Each format as numpy names it."""


@dataclass(frozen=True)
class KeptViews:
    """The whole image, which comes first, and each crop that the method matches."""

    embeddings: Float32[np.ndarray, "views dim"]
    boxes_xyxy_px: Int[np.ndarray, "views 4"]
    """x1, y1 exclusive, in pixels of the array that was looked at, or of the upright image where they come from a lake."""
    logit_scale: float


@dataclass(frozen=True)
class Packed:
    """Embeddings as the columns of schemas.Embeddings hold them."""

    numbers: bytes
    scales: list[float] | None


def pack(embeddings: Float32[np.ndarray, "views dim"], stored_as: EmbeddingFormat) -> Packed:
    """The embeddings in this format; in int8 the largest number of each view is 127 or −127."""
    if stored_as != "int8":
        return Packed(embeddings.astype(NUMBERS[stored_as]).tobytes(), None)
    scales = np.abs(embeddings).max(axis=1) / np.float32(LARGEST_INT8)
    numbers = np.rint(embeddings / scales[:, None]).astype(np.int8)
    return Packed(numbers.tobytes(), scales.tolist())


def unpack(packed: Packed, stored_as: EmbeddingFormat, views: int) -> Float32[np.ndarray, "views dim"]:
    """The embeddings of this number of views; a ValueError if the packed numbers are of another number of views."""
    embeddings = np.frombuffer(packed.numbers, NUMBERS[stored_as]).reshape(views, -1).astype(np.float32)
    if packed.scales is None:
        return embeddings
    return embeddings * np.asarray(packed.scales, np.float32)[:, None]
