"""The switches: no_grad and enable_grad as blocks and decorators, in threads, in tasks and after exceptions."""

from __future__ import annotations

import asyncio
import threading

import numpy as np
import pytest

import tinygraph as tg


def leaf(value):
    return tg.tensor(np.array(value, float), requires_grad=True)


def test_no_grad_and_enable_grad_nest_and_decorate():
    x = leaf(1)

    @tg.no_grad()
    def plain():
        return x * 2

    @tg.enable_grad()
    def recorded():
        return x * 2
    with tg.no_grad():
        assert not (x * 2).requires_grad
        with tg.enable_grad():
            assert (x * 2).requires_grad
        assert recorded().requires_grad
        assert not tg.is_grad_enabled()
    assert not plain().requires_grad
    assert tg.is_grad_enabled()


def test_an_exception_puts_the_switch_back():
    with pytest.raises(ZeroDivisionError), tg.no_grad():
        1 / 0  # noqa: B018

    @tg.no_grad()
    def fails():
        raise KeyError
    with pytest.raises(KeyError):
        fails()
    assert tg.is_grad_enabled()


def test_one_switch_may_be_entered_within_itself():
    off = tg.no_grad()
    with off:
        with off:
            pass
        assert not tg.is_grad_enabled()
    assert tg.is_grad_enabled()


def test_threads_have_switches_of_their_own():
    inside, done, seen = threading.Event(), threading.Event(), []

    def other():
        inside.wait(10)
        seen.append(tg.is_grad_enabled())
        done.set()
    thread = threading.Thread(target=other)
    thread.start()
    with tg.no_grad():
        inside.set()
        done.wait(10)
    thread.join()
    assert seen == [True]


def test_tasks_have_switches_of_their_own():
    async def quiet(entered, leave):
        with tg.no_grad():
            entered.set()
            await leave.wait()
            return tg.is_grad_enabled()

    async def main():
        entered, leave = asyncio.Event(), asyncio.Event()
        task = asyncio.create_task(quiet(entered, leave))
        await entered.wait()
        seen = tg.is_grad_enabled()
        leave.set()
        return seen, await task
    assert asyncio.run(main()) == (True, False)
