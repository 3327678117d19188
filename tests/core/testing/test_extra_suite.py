"""The extras' contract suite passes a good extra and fails on each wrong one."""

import pytest

pytest_plugins = ["pytester"]

SUITES = """
import asyncio, contextlib
import msgspec, pytest
from jan_host import Extra, Host, InvalidRequestError, Reply, Route
from jan_host.testing import Call, ExtraContract

class Body(msgspec.Struct):
    word: str
    times: int = 1

class Good(Extra):
    name = "echo"
    path = "/echo/{voice:str}"
    method = "POST"
    summary = "Say it again"

    def __init__(self):
        self.task = None

    def routes(self, host):
        return [
            Route(method=self.method, path=self.path, handler=self.handler(host), summary=self.summary),
            Route(method="GET", path="/echo", handler=self.listen, summary="Listen"),
        ]

    def handler(self, host):
        async def echo(voice: str, data: Body) -> list[str]:
            if data.times > 3:
                raise InvalidRequestError("Three times at most.")
            return [data.word] * data.times
        return echo

    async def listen(self, seconds: int = 1) -> Reply:
        async def chunks():
            while True:
                yield b"."
        return Reply(content=chunks(), media_type="text/plain")

    async def start(self, host):
        self.task = asyncio.create_task(asyncio.sleep(1000))

    async def stop(self):
        if self.task:
            self.task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self.task

class TestGood(ExtraContract):
    @pytest.fixture
    def calls(self):
        arguments = {"voice": "x", "data": {"word": "y", "times": 9}}
        return [Call(method="POST", path=Good.path, arguments=arguments)]

    @pytest.fixture
    def extra(self):
        return Good()
"""

WRONG = {
    "Nameless": ("name = ''", "test_the_name_is_a_word"),
    "Relative": ("path = 'echo/{voice:str}'", "test_routes_are_of_their_own"),
    "Usurping": ("path = '/v1/{voice:str}'", "test_routes_are_of_their_own"),
    "Untyped": ("path = '/echo/{voice}'", "test_routes_are_of_their_own"),
    "Trailing": ("path = '/echo/{voice:str}/'", "test_routes_are_of_their_own"),
    "Twice": ("method, path = 'GET', '/echo'", "test_routes_are_of_their_own"),
    "Silent": ("summary = ''", "test_routes_are_described"),
    "Synchronous": (
        "def handler(self, host):\n        return lambda: None",
        "test_handlers_are_async_and_annotated",
    ),
    "Bare": (
        "def handler(self, host):\n        async def echo(voice, data): return 1\n        return echo",
        "test_handlers_are_async_and_annotated",
    ),
    "Deaf": (
        "def handler(self, host):\n        async def echo(data: Body) -> int: return 1\n        return echo",
        "test_handlers_are_async_and_annotated",
    ),
    "Bodiless": ("method = 'GET'", "test_handlers_are_async_and_annotated"),
    "Foreign": (
        "def handler(self, host):\n"
        "        async def echo(voice: str, data: Body) -> int: return {}[voice]\n"
        "        return echo",
        "test_handlers_raise_only_errors_of_the_contract",
    ),
    "Unwritable": (
        "def handler(self, host):\n"
        "        async def echo(voice: str, data: Body) -> object: return object()\n"
        "        return echo",
        "test_handlers_raise_only_errors_of_the_contract",
    ),
    "Restless": ("async def stop(self): pass", "test_stop_ends_what_start_began"),
    "Hasty": ("async def stop(self): self.task.cancel()", "test_stop_without_start_and_twice_does_nothing"),
}

WRONG_SUITE = """
class {name}(Good):
    {fault}

class Test{name}(ExtraContract):
    @pytest.fixture
    def extra(self):
        return {name}()
"""


def test_good_extras_pass_and_wrong_ones_are_caught(pytester: pytest.Pytester) -> None:
    suites = [WRONG_SUITE.format(name=name, fault=fault) for name, (fault, _) in WRONG.items()]
    file = pytester.makepyfile(test_wrong=SUITES + "".join(suites))
    expected = {f"Test{name}::{caught_by}" for name, (_, caught_by) in WRONG.items()}
    selected = [f"{file}::{each}" for each in ["TestGood", *sorted(expected)]]
    record = pytester.inline_run("-q", "-p", "no:asyncio", "-p", "no:cacheprovider", *selected)
    _, skipped, failed = record.listoutcomes()
    assert not skipped
    assert {report.nodeid.partition("::")[2] for report in failed if report.when == "call"} == expected
