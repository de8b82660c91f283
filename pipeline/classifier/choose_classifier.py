"""The driver's classifier: the names, checksums and pickled spec of a run, without torch, timm and open_clip."""

import pickle
import sys
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from laketag.pipeline.calibration.shares import ShareRule
from laketag.pipeline.config import Settings
from laketag.pipeline.descriptions.embedded_set import EmbeddedSet
from laketag.pipeline.errors import ModelError
from laketag.pipeline.models.child_process import call_in_child
from laketag.pipeline.models.remembered import recall, remember

if TYPE_CHECKING:
    from laketag.pipeline.classifier.spec import ClassifierSpec


@dataclass(frozen=True)
class ChosenClassifier:
    """What names a classifier in plans and tables, and its spec for the label actors."""

    fingerprint: str
    description_set: str
    description_version: str
    method: str
    models: dict[str, dict[str, str | None]]
    """Role → name and SHA-256 of the weights."""
    decided_by: dict[str, Any]
    """What the fingerprint is made of, see laketag.pipeline.classifier.deciding."""
    pickled_spec: bytes
    """The ClassifierSpec; to unpickle it imports torch."""


def choose_classifier(settings: Settings, descriptions: EmbeddedSet) -> ChosenClassifier:
    """The classifier of the settings with these descriptions; its weights are on this machine afterwards.

    It is looked up anew only if something has changed since the last time. Errors are those of find_classifier.
    """
    if recalled := recall_classifier(settings, descriptions):
        return recalled
    if "open_clip" in sys.modules:  # a process of its own would save nothing
        found = summarise_classifier(settings, descriptions)
    else:
        found = choose_in_child(settings, descriptions)
    answer = vars(found) | {"pickled_spec": b64encode(found.pickled_spec).decode()}
    remember(("classifier", settings, descriptions), answer, settings.storage)
    return found


def recall_classifier(settings: Settings, descriptions: EmbeddedSet) -> ChosenClassifier | None:
    """What choose_classifier found, within milliseconds, if nothing has changed since; None if that is not known."""
    answer = recall(("classifier", settings, descriptions), settings.storage)
    if answer is None:
        return None
    return ChosenClassifier(**answer | {"pickled_spec": b64decode(answer["pickled_spec"])})


def choose_in_child(settings: Settings, descriptions: EmbeddedSet) -> ChosenClassifier:
    """As choose_classifier, always in another process; a ModelError if that ends without an answer."""
    return call_in_child(summarise_classifier, settings, descriptions)


def find_share_rule(classifier: ChosenClassifier) -> ShareRule:
    """How the classifier's scores become probabilities, which its model tells: it is loaded in another process, on its CPU."""
    return call_in_child(load_share_rule, classifier.pickled_spec)


def load_share_rule(pickled_spec: bytes) -> ShareRule:
    """As find_share_rule, in this process."""
    from laketag.pipeline.classifier.methods import share_rule

    spec: ClassifierSpec = pickle.loads(pickled_spec)
    return share_rule(spec.settings.method, spec.backbone.load("cpu").logit_scale)


def find_classifier(settings: Settings, descriptions: EmbeddedSet) -> "ClassifierSpec":
    """The spec of the settings' classifier, whose own text tower embedded the descriptions.

    Raises ModelError if the models cannot be loaded, or if another model embedded the descriptions.
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


def summarise_classifier(settings: Settings, descriptions: EmbeddedSet) -> ChosenClassifier:
    """As choose_classifier, in this process."""
    spec = find_classifier(settings, descriptions)
    return ChosenClassifier(
        fingerprint=spec.fingerprint,
        description_set=spec.descriptions.name,
        description_version=spec.descriptions.version,
        method=spec.settings.method.name,
        models=spec.models(),
        decided_by=spec.decided_by,
        pickled_spec=pickle.dumps(spec),
    )
