"""Evaluates AWS policies for a request (IAM User Guide, "Policy evaluation logic", within one account)."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from tests.infra.manifests import INFRA

FOLDER = INFRA / "aws"
ROLE = "arn:aws:iam::123456789012:role/laketag-"
"""The beginning of the roles' ARNs."""

Context = Mapping[str, str]
OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "StringEquals": lambda has, pattern: has == pattern,
    "StringLike": fnmatchcase,
    "ArnEquals": fnmatchcase,  # AWS accepts wildcards here too
    "Bool": lambda has, pattern: has == pattern,
}
"""The condition operators in the policies, without ``Not`` and ``IfExists``; another operator raises a KeyError."""


def policy(name: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(), object_pairs_hook=_unique)
    return document


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len(dict(pairs)) == len(pairs), f"a key is written twice: {[key for key, _ in pairs]}"
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
    documents: Sequence[dict[str, Any]],
    action: str,
    resource: str,
    context: Context | None = None,
    *,
    caller: str = ROLE + "worker",
) -> bool:
    """Whether the caller's own policies and the resource's policies together allow one request.

    The caller is an ARN or a service's name; policies without a Principal are the caller's own.
    """
    is_service = not caller.startswith("arn:")
    known = {
        "aws:SecureTransport": "true",
        "aws:PrincipalIsAWSService": str(is_service).lower(),
        **({} if is_service else {"aws:PrincipalArn": caller}),
        **(context or {}),
    }
    effects = {
        statement["Effect"]
        for document in documents
        for statement in statements(document)
        if _is_for(statement.get("Principal", "*"), caller)
        and any(fnmatchcase(action, pattern) for pattern in statement["Action"])
        and any(fnmatchcase(resource, pattern) for pattern in statement.get("Resource", ("*",)))
        and _holds(statement.get("Condition", {}), known)
    }
    return effects == {"Allow"}


def _is_for(principal: str | dict[str, str | list[str]], caller: str) -> bool:
    if isinstance(principal, str):
        return principal == "*"
    return any(caller in _many(names) for names in principal.values())


def _holds(condition: dict[str, dict[str, str | list[str]]], context: Context) -> bool:
    """Whether every operator holds for every key: one of the values must match, or none if the operator has ``Not``."""
    return all(
        _test(operator, context.get(key), _many(patterns))
        for operator, keys in condition.items()
        for key, patterns in keys.items()
    )


def _test(operator: str, has: str | None, patterns: list[str]) -> bool:
    negated = "Not" in operator
    if has is None:
        return negated or operator.endswith("IfExists")
    fits = OPERATORS[operator.removesuffix("IfExists").replace("Not", "")]
    return any(fits(has, pattern) for pattern in patterns) is not negated
