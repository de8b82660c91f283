"""The tables as contracts: what is written is checked against them, and what is read must have their columns."""

from laketag.schemas.calibrations import Calibrations
from laketag.schemas.decisions import TOOLS, VERDICTS, Decisions, Tool, Verdict
from laketag.schemas.descriptions import DROP_REASONS, LABEL_PROMPT_POSITION, Descriptions, DropReason
from laketag.schemas.evaluations import EvaluationResults, EvaluationSummary
from laketag.schemas.failures import (
    FAILURES,
    PERMANENT_FAILURES,
    TRANSIENT_FAILURES,
    Failure,
    PermanentFailure,
)
from laketag.schemas.forgotten import Forgotten
from laketag.schemas.image_index import ImageIndex
from laketag.schemas.kept import Embeddings, Scores
from laketag.schemas.labels import LABELLED, NONE_OF_THESE, Labels, label_arrow_schema
from laketag.schemas.nights import Nights
from laketag.schemas.plan import Plan
from laketag.schemas.runs import Runs
from laketag.schemas.staged_labels import StagedLabels

__all__ = [
    "DROP_REASONS",
    "FAILURES",
    "LABELLED",
    "LABEL_PROMPT_POSITION",
    "NONE_OF_THESE",
    "PERMANENT_FAILURES",
    "TOOLS",
    "TRANSIENT_FAILURES",
    "VERDICTS",
    "Calibrations",
    "Decisions",
    "Descriptions",
    "DropReason",
    "Embeddings",
    "EvaluationResults",
    "EvaluationSummary",
    "Failure",
    "Forgotten",
    "ImageIndex",
    "Labels",
    "Nights",
    "PermanentFailure",
    "Plan",
    "Runs",
    "Scores",
    "StagedLabels",
    "Tool",
    "Verdict",
    "label_arrow_schema",
]
