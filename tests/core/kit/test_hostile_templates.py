"""A template is a stranger's program: it can neither get out nor take the time of others."""

import asyncio
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator

import pytest
from jan_host import InvalidRequestError, JanHostError, ModelError, ModelLoadError
from jan_host.kit import ChatTemplate
from jan_host.kit.budget import Budget, TemplateTimeError

USER = [{"role": "user", "content": "Hi"}]
GROWN = (
    "{% set ns = namespace(s='xxxxxxxxxx') %}{% for i in range(17) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}"
)
NESTED = (
    "{% set ns = namespace(a=[1], b=[1]) %}{% for i in range(60) %}"
    "{% set ns.a = [ns.a, ns.a] %}{% set ns.b = [ns.b, ns.b] %}{% endfor %}"
)

ESCAPES = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ namespace.__init__.__globals__ }}",
    "{{ raise_exception.__globals__ }}",
    "{{ strftime_now.__globals__['sys'] }}",
    "{{ '{0.__class__.__init__.__globals__}'.format(namespace) }}",
    "{{ '{0.__class__}'.format_map({'0': 1}) }}",
    "{{ ''|attr('__class__') }}",
    "{{ (''|attr('format'))('{0.__class__}') }}",
    "{{ ['{0.__class__}']|map('format', 1)|list }}",
    "{{ messages|map(attribute='__class__.__mro__')|list }}",
    "{{ self.__init__.__globals__ }}",
    "{{ self._TemplateReference__context.environment.finalize.__globals__ }}",
    "{{ lipsum.__globals__ }}",
    "{{ (1).__class__ }}",
    "{% include '/etc/passwd' %}",
    "{% import 'os' as os %}{{ os }}",
    "{% extends messages %}",
    "{{ messages.append(1) }}",
    "{{ messages[0].update({'a': 1}) }}",
    "{{ 'abc'.encode() }}",
    "{{ (5).to_bytes(10**9, 'big') }}",
    "{{ messages.clear.__self__ }}",
]

SPACE = [
    "{{ 'a' * 10**10 }}",
    "{{ 10**10 * 'a' }}",
    "{{ [1] * 10**9 }}",
    "{{ 9 ** (9 ** 9) }}",
    "{{ 2 ** 100000000 }}",
    "{{ range(10**9)|list }}",
    "{{ 'a'|center(10**9) }}",
    "{{ 'a'.center(10**9) }}",
    "{{ 'a'.ljust(width=10**9) }}",
    "{{ 'a'.zfill(10**9) }}",
    "{{ '\t'.expandtabs(10**9) }}",
    "{{ '%1000000000d' % 1 }}",
    "{{ '%*d' % (1000000000, 1) }}",
    "{{ '%1000000000d'|format(1) }}",
    "{{ '{:1000000000}'.format(1) }}",
    "{{ '{:{}}'.format(1, 1000000000) }}",
    "{{ 'a\nb'|indent(10**9) }}",
    "{{ [1]|batch(10**9, 'x')|list }}",
    "{{ [1]|slice(10**9)|list }}",
    "{{ 1.5|round(10**9) }}",
    "{{ {'a': 1}|tojson(indent=10**9) }}",
    GROWN + "{{ ns.s.replace('x', ns.s) }}",
    GROWN + "{{ ns.s|replace('x', ns.s) }}",
    GROWN + "{{ ns.s.replace('', ns.s) }}",
    GROWN + "{{ ns.s.join(ns.s) }}",
    GROWN + "{{ ns.s|join(ns.s) }}",
    GROWN + "{{ [ns.s, ns.s, ns.s]|map('upper')|join(ns.s) }}",
    GROWN + "{{ ','.join([ns.s, ns.s, ns.s]|map('upper')) }}",
    GROWN + "{{ '%s%s%s' % (ns.s, ns.s, ns.s) }}",
    GROWN + "{{ '{0}{0}{0}'.format(ns.s) }}",
    GROWN + "{{ [ns.s, ns.s, ns.s] }}",
    GROWN + "{{ [ns.s, ns.s, ns.s]|string }}",
    GROWN + "{{ [ns.s, ns.s, ns.s]|tojson }}",
    GROWN + "{{ ns.s + ns.s + ns.s }}",
    GROWN + "{{ ns.s }}{{ ns.s }}{{ ns.s }}",
    GROWN + "{% set x %}{{ ns.s }}{{ ns.s }}{{ ns.s }}{% endset %}",
    GROWN + "{% macro m() %}{% for i in range(99999) %}{{ ns.s ~ i }}{% endfor %}{% endmacro %}{{ m() }}",
    GROWN + "{{ {'a': ns.s, 'b': ns.s, 'c': ns.s}.values()|join }}",
    "{% set ns = namespace(s='x') %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% endfor %}",
    "{% set ns = namespace(s='x') %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
    "{% set ns = namespace(s=[1]) %}{% for i in range(99) %}{% set ns.s = ns.s + ns.s %}{% endfor %}",
    "{% set ns = namespace(n=3) %}{% for i in range(99) %}{% set ns.n = ns.n * ns.n %}{% endfor %}",
    NESTED + "{{ ns.a }}",
    NESTED + "{{ ns.a == ns.b }}",
    NESTED + "{{ ns.a in [ns.b] }}",
    NESTED + "{{ [ns.b]|select('equalto', ns.a)|list }}",
    NESTED + "{{ [ns.b].index(ns.a) }}",
    NESTED + "{{ [ns.b, ns.a]|sort }}",
    NESTED + "{{ ns.a|tojson }}",
    NESTED + "{{ ns.a ~ '' }}",
    NESTED + "{{ ns }}",
    "{% set ns = namespace(t=(1, 1)) %}{% for i in range(60) %}{% set ns.t = (ns.t, ns.t) %}{% endfor %}"
    "{{ {ns.t: 1} }}",
    "{% for i in range(999) %}{{ strftime_now('%99999999d') }}{% endfor %}",
]

TIME = [
    "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}",
    "{% for a in range(99999) %}{% for b in range(99999) if b > 99999 %}{% endfor %}{% endfor %}",
    "{% macro m(n) %}{% if n %}{{ m(n - 1) }}{{ m(n - 1) }}{% endif %}{% endmacro %}{{ m(60) }}",
    "{% for a in range(9999) %}{{ range(99999)|map('string')|map('upper')|select|list|length }}{% endfor %}",
    GROWN + "{% for a in range(99999) %}{% set x = ns.s|upper|lower|length %}{% endfor %}",
    GROWN + "{% for a in range(99999) %}{% set x = ns.s.upper().lower().count('y') %}{% endfor %}",
    GROWN + "{% for a in range(99999) %}{% set x = ns.s|list|sort|length %}{% endfor %}",
    "{% for a in range(9) recursive %}{{ loop(range(9)) }}{% endfor %}",
]

ENDLESS = [
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{% block a %}{{ self.a() }}{% endblock %}",
    "{% set ns = namespace() %}{% set ns.ns = ns %}{{ ns }}",
]


@pytest.fixture(autouse=True)
def _little_memory() -> Iterator[None]:
    """A template that slips through must fail a test, not fill the machine."""
    if sys.platform != "linux":
        yield
        return
    import resource

    before = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (8 << 30, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.mark.parametrize("source", ESCAPES)
def test_nothing_gets_out(source: str) -> None:
    try:
        shown = "".join(segment.text for segment in ChatTemplate(source).render_now(USER))
    except JanHostError as error:
        shown = error.message
    for word in ("<class", "<built-in", "os.py", "uid=", "root:", "<module", "b'"):
        assert word not in shown
    assert USER == [{"role": "user", "content": "Hi"}]


@pytest.mark.parametrize("source", SPACE)
def test_memory_is_bounded(source: str) -> None:
    with pytest.raises((ModelError, InvalidRequestError)) as caught:
        ChatTemplate(source).render_now(USER)
    assert "MemoryError" not in caught.value.message


@pytest.mark.parametrize("source", TIME)
def test_time_is_bounded(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    template = ChatTemplate(source)
    monkeypatch.setattr("jan_host.kit.template.SECONDS", 0.2)
    with pytest.raises((ModelError, InvalidRequestError)) as caught:
        template.render_now(USER)
    assert any(
        words in caught.value.message for words in ("longer than", "without end", "nested", "more than")
    )


@pytest.mark.parametrize("source", ENDLESS)
def test_recursion_ends(source: str) -> None:
    with pytest.raises((ModelError, InvalidRequestError)):
        ChatTemplate(source).render_now(USER)


def test_time_in_which_the_template_had_no_core_does_not_count() -> None:
    """On a busy machine a long conversation was taken for an endless template, and the model for broken."""
    budget = Budget(0.05)
    threading.Event().wait(0.1)  # as if others had had the cores
    budget.tick()
    with pytest.raises(TemplateTimeError, match=r"longer than 0.05 s"):
        deque(iter(budget.tick, "never"), maxlen=0)


async def test_the_event_loop_goes_on_meanwhile() -> None:
    template = ChatTemplate(TIME[0])
    rendering = asyncio.create_task(template.render(USER))
    turns = 0
    while not rendering.done():
        await asyncio.sleep(0.01)
        turns += 1
    with pytest.raises(ModelError, match="longer than 2 s"):
        await rendering
    assert turns > 10
    assert not [thread for thread in threading.enumerate() if thread.name == "template"]


async def test_a_template_that_needs_a_while_is_rendered() -> None:
    source = (
        "{% set ns = namespace(n=0) %}{% for i in range(120) %}{% for j in range(120) %}"
        "{% set ns.n = ns.n + 1 %}{% endfor %}{% endfor %}{{ ns.n }}"
    )
    [segment] = await ChatTemplate(source).render(USER)
    assert segment.text == "14400"


@pytest.mark.parametrize(
    "source",
    [
        "{{ " + "(" * 5000 + "1" + ")" * 5000 + " }}",
        "{{ " + "-" * 50_000 + "1 }}",
        "{{ 1" + " + 1" * 50_000 + " }}",
        "{{ a" + ".a" * 50_000 + " }}",
        "{% if 1 %}" * 2000 + "{% endif %}" * 2000,
        "{% for a in b %}" * 200 + "{% endfor %}" * 200,
        "{% if a %}" + "{% elif a %}" * 20_000 + "{% endif %}",
        "{{ " + "[" * 500 + "]" * 500 + " }}",
        "x" * (1 << 21),
    ],
)
def test_monstrous_sources_are_refused_or_harmless(source: str) -> None:
    try:
        ChatTemplate(source).render_now(USER)
    except (ModelLoadError, InvalidRequestError) as error:
        assert error.message  # noqa: PT017  # either outcome is right, a crash is not


def test_constants_are_computed_under_a_budget() -> None:
    began = time.monotonic()
    with pytest.raises((ModelError, InvalidRequestError)):
        ChatTemplate("{{ 'a'|center(10**10) ~ 'b' * 10**10 }}").render_now(USER)
    assert time.monotonic() - began < 60
