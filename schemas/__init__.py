"""The tables as contracts: every writer and every reader of a lake checks them."""

from schemas.descriptions import DROP_REASONS, Descriptions
from schemas.failures import FAILURES, PERMANENT_FAILURES, TRANSIENT_FAILURES, Failure, PermanentFailure
from schemas.image_index import ImageIndex
from schemas.labels import LABEL_SCHEMA_VERSION, Labels
from schemas.plan import Plan
from schemas.runs import Runs

__all__ = [
    "DROP_REASONS",
    "FAILURES",
    "LABEL_SCHEMA_VERSION",
    "PERMANENT_FAILURES",
    "TRANSIENT_FAILURES",
    "Descriptions",
    "Failure",
    "ImageIndex",
    "Labels",
    "PermanentFailure",
    "Plan",
    "Runs",
]
