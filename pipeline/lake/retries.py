"""Which failed images a run tries again."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import polars as pl

from laketag.pipeline.config import FetchSettings
from laketag.schemas import PERMANENT_FAILURES, TRANSIENT_FAILURES

LIMIT_IN_DETAIL = r" = (\d+)$"
"""Where earlier versions, whose rows do not have ``failure_depended_on``, named the limit that an image exceeded."""
ATTEMPTS = pl.col("earlier_attempts").fill_null(0) + pl.max_horizontal("attempts", 1)
"""How often the version of the image has been asked for in vain, by all runs so far."""


@dataclass(frozen=True, kw_only=True)
class RetryRules:
    """Which failures are tried again; the expressions are over columns of schemas.Labels."""

    wanted: frozenset[str] = frozenset()
    """Reasons of failures that are tried again in any case (``--retry``)."""
    attempts_over_runs: int = FetchSettings().attempts_over_runs
    """From this number of attempts on, a failure is only tried again if it is wanted."""
    depends_on: Mapping[str, str] = field(default_factory=dict)
    """What failures for a reason depend on now, see laketag.pipeline.images.failure_dependencies."""

    def is_final(self) -> pl.Expr:
        """Whether the failure of the row is not tried again; null for a label."""
        reason = pl.col("failure").cast(pl.String)
        may_pass = reason.is_in(TRANSIENT_FAILURES) | self._is_lifted(reason)
        return ~reason.is_in(self.wanted) & ~(may_pass & (self.attempts_over_runs > ATTEMPTS))

    def earlier_attempts(self) -> pl.Expr:
        """The attempts that a further try of the row's image has behind it; none if it was wanted."""
        is_wanted = pl.col("failure").cast(pl.String).is_in(self.wanted)
        return pl.when(~is_wanted).then(ATTEMPTS)

    def _is_lifted(self, reason: pl.Expr) -> pl.Expr:
        """Whether what made the failure permanent is gone: a limit was raised, a decoder installed, a root allowed."""
        then = pl.coalesce("failure_depended_on", pl.col("failure_detail").str.extract(LIMIT_IN_DETAIL))
        lifted = pl.lit(False)
        for name, now in self.depends_on.items():
            if name == "unsupported":
                known = then.str.split(" ")
                changed = pl.any_horizontal(known.list.contains(word).not_() for word in now.split(" "))
            elif name == "outside_policy":
                changed = then != now
            else:
                changed = then.cast(pl.Int64, strict=False) < int(now)
            lifted |= (reason == name) & changed.fill_null(value=False)
        return lifted & reason.is_in(PERMANENT_FAILURES)
