"""Bytes are limited by their sum, and what is larger than the limit passes alone."""

import asyncio

import pytest

from laketag.pipeline.images.byte_limits import ByteBudget, ByteGate, NoRoomError


def test_a_budget_is_kept_except_for_one_large_image() -> None:
    budget = ByteBudget(100)
    assert [budget.take(size) for size in (60, 50, 40)] == [True, False, True]
    assert budget.is_spent
    budget.add(-100)
    assert not budget.is_spent
    assert [budget.take(size) for size in (500, 1)] == [True, False]


def test_what_finds_no_room_is_not_read_and_what_fails_gives_its_room_back() -> None:
    budget = ByteBudget(100)
    with pytest.raises(ValueError, match="fails"), budget.hold(90):
        raise ValueError("fails")
    with budget.hold(90):
        assert not budget.is_spent
    with pytest.raises(NoRoomError), budget.hold(20):
        raise AssertionError("read")
    assert budget.is_spent
    with budget.hold(10):
        """A retry of what was taken before."""


def test_reads_go_on_together_within_the_limit_and_a_larger_one_alone() -> None:
    inside: set[int] = set()
    seen: list[int] = []

    async def read(gate: ByteGate, size: int) -> None:
        async with gate.enter(size):
            inside.add(size)
            await asyncio.sleep(0)
            seen.append(sum(inside))
            inside.remove(size)

    async def all_of_them() -> None:
        gate = ByteGate(100)
        await asyncio.gather(*(read(gate, size) for size in (60, 30, 500, 20, 70)))

    asyncio.run(all_of_them())
    assert sorted(inside) == []
    assert len(seen) == 5
    assert 90 in seen
    assert all(size <= 100 or size == 500 for size in seen)
