"""How long images take, and what that costs."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Estimate:
    """Images that are not labelled yet, at a rate that was measured."""

    images: int
    images_per_s: float
    price_per_hour: float | None = None

    @property
    def seconds(self) -> int:
        """How long they take, without the start of Ray and the loading of the models."""
        return round(self.images / self.images_per_s)

    @property
    def cost(self) -> float | None:
        """What that costs, in the currency of the price."""
        return None if self.price_per_hour is None else self.seconds / 3600 * self.price_per_hour

    def as_json(self) -> dict[str, float | None]:
        """As plain values."""
        return {"seconds": self.seconds, "cost": self.cost}

    def __str__(self) -> str:
        price = (
            f", which cost {self.cost:,.2f} at {self.price_per_hour:g} an hour"
            if self.cost is not None
            else ""
        )
        return f"about {name_duration(self.seconds)}{price}"


def name_duration(seconds: int) -> str:
    """The seconds as a person says them: ``12 s``, ``3 min 20 s``, ``5 h 02 min``."""
    hours, rest = divmod(seconds, 3600)
    if hours:
        return f"{hours:,} h {rest // 60:02} min"
    return f"{rest // 60} min {rest % 60:02} s" if rest >= 60 else f"{rest} s"
