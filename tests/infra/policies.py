"""AWS policies, and what AWS's evaluation says of a request under one of them."""

import json
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

from tests.infra.manifests import INFRA

FOLDER = INFRA / "aws"


def policy(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(), object_pairs_hook=_unique)
    return document


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len(dict(pairs)) == len(pairs), f"a key is there twice: {[key for key, _ in pairs]}"
    return dict(pairs)


def statements(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for statement in document["Statement"]:
        yield {
            **statement,
            **{key: _many(statement[key]) for key in ("Action", "Resource") if key in statement},
        }


def _many(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def allows(
    document: dict[str, Any], action: str, resource: str, context: dict[str, str] | None = None
) -> bool:
    """What AWS's evaluation says of one request under one identity policy without denials: some statement allows it."""
    return any(_matches(statement, action, resource, context or {}) for statement in statements(document))


def _matches(statement: dict[str, Any], action: str, resource: str, context: dict[str, str]) -> bool:
    assert statement["Effect"] == "Allow"
    return (
        action in statement["Action"]
        and any(fnmatchcase(resource, pattern) for pattern in statement["Resource"])
        and all(
            any(fnmatchcase(context[key], pattern) for pattern in _many(patterns))
            if key in context
            else test.endswith("IfExists")
            for test, keys in statement.get("Condition", {}).items()
            for key, patterns in keys.items()
        )
    )
