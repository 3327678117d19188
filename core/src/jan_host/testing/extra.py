"""The contract suite of extras."""

import asyncio
import inspect
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, get_type_hints

import msgspec
import pytest

from jan_host.contract.errors import JanHostError
from jan_host.contract.extra import Extra, Reply, Route
from jan_host.contract.host import Host
from jan_host.testing.generation import check_words
from jan_host.testing.minimal import smallest
from jan_host.testing.running import Run

_IN_PATH = re.compile(r"\{([^{}]*)\}")
_CHUNKS = 16
"""How much of a streamed reply a test reads before it closes it."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request to one of the extra's routes."""

    method: str
    path: str
    """As the route has it, ``{name:str}`` included."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """The handler's arguments by name; `data` is the body as plain JSON values."""


class ExtraContract:
    """What the host relies on in every extra: subclass it under a name that begins with ``Test``.

    One fixture is the author's, in the class or in the module: `extra`, a new one for each test.
    Others may be replaced: `host`, which is a real one without models, and `calls`, requests
    that go beyond the smallest ones that the suite makes by itself.
    """

    timeout_seconds: ClassVar[float] = 60
    """The deadline of each step."""

    @pytest.fixture
    def run(self) -> Iterator[Run]:
        """Runs a coroutine on the loop of the host."""
        with asyncio.Runner() as runner:
            yield Run(runner, self.timeout_seconds)

    @pytest.fixture
    def host(self, run: Run, tmp_path: Path) -> Iterator[Host]:
        """A host without models and without plugins."""
        from jan_host.config import load_config
        from jan_host.host import JanHost
        from jan_host.plugins import Plugins

        host = JanHost(load_config(tmp_path, environ={}), Plugins([]))
        run(host.open())
        yield host
        run(host.close())

    @pytest.fixture
    def calls(self) -> Sequence[Call]:
        """Requests of the author's own choice."""
        return ()

    def test_the_name_is_a_word(self, extra: Extra) -> None:
        assert isinstance(extra.name, str), f"{extra.name!r} is not a str"
        assert extra.name, "the name is empty"
        assert extra.name == extra.name.strip(), f"{extra.name!r} has spaces around it"

    def test_routes_are_of_their_own(self, extra: Extra, host: Host) -> None:
        routes = list(extra.routes(host))
        for route in routes:
            assert isinstance(route, Route), f"{route!r} is not a Route"
            check_path(route)
        kept = [(route.method, _IN_PATH.sub("{}", route.path)) for route in routes]
        assert len(set(kept)) == len(kept), f"two routes of one method and path: {kept}"
        operations = [route.operation_id for route in routes if route.operation_id]
        assert len(set(operations)) == len(operations), f"two routes of one operation id: {operations}"

    def test_handlers_are_async_and_annotated(self, extra: Extra, host: Host) -> None:
        for route in extra.routes(host):
            check_handler(route)

    def test_routes_are_described(self, extra: Extra, host: Host) -> None:
        for route in extra.routes(host):
            assert route.summary, f"{route.method} {route.path} has no summary for the API's document"
            assert route.tags, f"{route.method} {route.path} has no tag"

    def test_handlers_raise_only_errors_of_the_contract(
        self, run: Run, extra: Extra, host: Host, calls: Sequence[Call]
    ) -> None:
        routes: dict[tuple[str, str], Route] = {
            (route.method, route.path): route for route in extra.routes(host)
        }
        run(extra.start(host))
        try:
            for route in routes.values():
                run(_answer(route, _smallest_arguments(route)))
            for call in calls:
                route = routes[call.method, call.path]
                run(_answer(route, _decoded_arguments(route, call.arguments)))
        finally:
            run(extra.stop())

    def test_stop_ends_what_start_began(self, run: Run, extra: Extra, host: Host) -> None:
        async def once() -> set[str]:
            before = asyncio.all_tasks()
            await extra.start(host)
            await asyncio.sleep(0)
            await extra.stop()
            return {task.get_name() for task in asyncio.all_tasks() - before}

        extra.routes(host)
        for _ in range(2):
            left = run(once())
            assert not left, f"stop() left tasks behind: {left}"

    def test_stop_without_start_and_twice_does_nothing(self, run: Run, extra: Extra, host: Host) -> None:
        async def stops() -> None:
            await extra.stop()
            await extra.start(host)
            await extra.stop()
            await extra.stop()

        run(stops())


def check_path(route: Route) -> None:
    """Hold a route's path against the rules of `Route`."""
    path = route.path
    assert path.startswith("/"), f"{path!r} does not begin with a slash"
    assert path == "/" or not path.endswith("/"), f"{path!r} ends with a slash"
    assert not f"{path}/".startswith("/v1/"), f"{path!r}: /v1 is the core's own"
    for part in _IN_PATH.findall(path):
        assert re.fullmatch(r"[a-z_]\w*:(str|int|float|path|uuid)", part), (
            f"{path!r}: {{{part}}} is not {{name:str}}"
        )


def check_handler(route: Route) -> None:
    """Hold a route's handler against the rules of `Route`."""
    where = f"{route.method} {route.path}"
    assert inspect.iscoroutinefunction(route.handler), f"the handler of {where} is no `async def`"
    hints = get_type_hints(route.handler, include_extras=True)
    names = list(inspect.signature(route.handler).parameters)
    missing = [name for name in [*names, "return"] if name not in hints]
    assert not missing, f"the handler of {where} has no annotation for {missing}"
    for part in _IN_PATH.findall(route.path):
        assert part.partition(":")[0] in names, f"the handler of {where} does not take {part}"
    if route.method in ("GET", "DELETE"):
        assert "data" not in names, f"{where} has no body, and its handler takes data"


def _required(handler: Callable[..., Awaitable[Any]]) -> dict[str, Any]:
    hints = get_type_hints(handler, include_extras=True)
    parameters = inspect.signature(handler).parameters.values()
    return {each.name: hints[each.name] for each in parameters if each.default is inspect.Parameter.empty}


def _smallest_arguments(route: Route) -> dict[str, Any]:
    return {name: smallest(wanted) for name, wanted in _required(route.handler).items()}


def _decoded_arguments(route: Route, arguments: Mapping[str, Any]) -> dict[str, Any]:
    hints = get_type_hints(route.handler, include_extras=True)
    return {name: msgspec.convert(value, hints[name]) for name, value in arguments.items()}


def _by_path(routes: Sequence[Route]) -> dict[tuple[str, str], Route]:
    return {(route.method, route.path): route for route in routes}


async def _answer(route: Route, arguments: Mapping[str, Any]) -> None:
    """Take the answer as the host would, and accept errors of the contract."""
    try:
        answer = await route.handler(**arguments)
        if not isinstance(answer, Reply):
            msgspec.json.encode(answer)
        elif not isinstance(answer.content, bytes):
            await _read_some(answer)
    except JanHostError as error:
        check_words(error)


async def _read_some(reply: Reply) -> None:
    assert not isinstance(reply.content, bytes)
    chunks = aiter(reply.content)
    try:
        for _ in range(_CHUNKS):
            assert isinstance(await anext(chunks, b""), bytes), "a streamed reply is of bytes"
    finally:
        aclose = getattr(chunks, "aclose", None)
        if aclose is not None:
            await aclose()
