"""The classifier that the settings name, as the driver of a run needs it: names and checksums, and none of its libraries.

torch, timm and open_clip take 700 MiB and seconds to import. A driver lives as long as its run and computes nothing with
them, so they are left to a process that ends once it has found the classifier.
"""

import os
import pickle
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING

from laketag.pipeline.config import Settings
from laketag.pipeline.descriptions.embedded_set import EmbeddedSet
from laketag.pipeline.errors import LaketagError, ModelError

if TYPE_CHECKING:
    from laketag.pipeline.classifier.spec import ClassifierSpec

CHILD = (
    "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); "  # Ctrl-C reaches both; the caller ends this one
    f"from {__name__} import answer_caller; answer_caller()"
)
STOP_PATIENCE_S = 5.0
"""For that process to remove what it has downloaded in part."""


@dataclass(frozen=True)
class ChosenClassifier:
    """What names a classifier in plans and tables, and its spec for the label actors."""

    fingerprint: str
    description_set: str
    description_version: str
    method: str
    models: dict[str, dict[str, str | None]]
    """Role → name and SHA-256 of the weights."""
    pickled_spec: bytes
    """The ClassifierSpec: to unpickle it imports torch."""


def choose_classifier(settings: Settings, descriptions: EmbeddedSet) -> ChosenClassifier:
    """The classifier of the settings with these descriptions; its weights are on this machine afterwards.

    Errors are those of find_classifier.
    """
    if "open_clip" in sys.modules:  # nothing to save
        return _describe(find_classifier(settings, descriptions))
    return choose_in_child(settings, descriptions)


def choose_in_child(settings: Settings, descriptions: EmbeddedSet) -> ChosenClassifier:
    """As choose_classifier, always in a process of its own; a ModelError if that ends without an answer."""
    with subprocess.Popen(
        [sys.executable, "-P", "-c", CHILD],  # -P: without the folder that a person stands in
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
    ) as child:
        try:
            answered, _ = child.communicate(pickle.dumps((settings, descriptions)))
        except BaseException:  # a person stops the command, perhaps in the midst of a download
            child.terminate()
            with suppress(subprocess.TimeoutExpired):
                child.wait(STOP_PATIENCE_S)
            child.kill()
            raise
    if child.returncode or not answered:
        raise ModelError(
            f"the process that looks up the models ended with code {child.returncode} and no answer; "
            "if it printed nothing above, see whether the machine has run out of memory"
        )
    answer: ChosenClassifier | LaketagError = pickle.loads(answered)
    if isinstance(answer, LaketagError):
        raise answer
    return answer


def find_classifier(settings: Settings, descriptions: EmbeddedSet) -> "ClassifierSpec":
    """The spec of the settings' classifier; its own text tower must have embedded the descriptions.

    ModelError if the models cannot be loaded or do not go with the descriptions.
    """
    from laketag.pipeline.classifier.spec import classifier_spec

    spec = classifier_spec(settings, descriptions)
    if descriptions.backbone_sha256 != spec.backbone.sha256:
        raise ModelError(
            f"description set {descriptions.name!r} was embedded with {descriptions.backbone} "
            f"({descriptions.backbone_sha256[:12]}…), and the settings "
            f"name {spec.backbone.name} ({(spec.backbone.sha256 or '')[:12]}…); describe the set again with these settings, "
            "or label with those it was described with"
        )
    return spec


def answer_caller() -> None:
    """In the process of its own: write the classifier, or the error that a person can act on, where the caller reads."""
    signal.signal(signal.SIGTERM, _end)
    with os.fdopen(os.dup(1), "wb") as reader:
        os.dup2(2, 1)  # what libraries print is no part of the answer
        answer: ChosenClassifier | LaketagError
        try:
            answer = _describe(find_classifier(*pickle.load(sys.stdin.buffer)))
        except LaketagError as error:
            answer = error
        pickle.dump(answer, reader)
    sys.stderr.flush()
    os._exit(0)  # the answer stands, however the libraries' own ends would go


def _end(_number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + signal.SIGTERM)  # what is downloaded in part is removed on the way


def _describe(spec: "ClassifierSpec") -> ChosenClassifier:
    return ChosenClassifier(
        fingerprint=spec.fingerprint,
        description_set=spec.descriptions.name,
        description_version=spec.descriptions.version,
        method=spec.settings.method.name,
        models=spec.models(),
        pickled_spec=pickle.dumps(spec),
    )
