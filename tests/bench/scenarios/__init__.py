"""The workloads in which servers are compared, and what is aimed at."""

from tests.bench.contenders import PYTHON, Setup
from tests.bench.scenarios import common_prefix, conversations, giving_up, long_prompt, schema
from tests.bench.scenarios.scenario import (
    BETWEEN_TOKENS_P95,
    FIRST_TOKEN,
    FIRST_TOKEN_P95,
    TOKENS_PER_SECOND,
    Aim,
    Scenario,
)
from tests.bench.scenarios.streams import beside_other_work, streams

SCENARIOS = (
    Scenario(
        "one-stream",
        "1 stream",
        Setup(slots=1),
        streams(1, tokens=128),
        [
            Aim(TOKENS_PER_SECOND, ">=", 1.0),
            Aim(FIRST_TOKEN, "<=", 1.0),
            Aim(TOKENS_PER_SECOND, ">=", 1.3, PYTHON),
        ],
    ),
    Scenario(
        "eight-streams",
        "8 streams",
        Setup(slots=8),
        streams(8, tokens=96),
        [Aim(TOKENS_PER_SECOND, ">=", 1.0), Aim(TOKENS_PER_SECOND, ">=", 5.0, PYTHON)],
    ),
    Scenario(
        "common-prefix",
        "16 streams, a new system prompt of 512 tokens",
        Setup(slots=common_prefix.STREAMS, context=1024),
        common_prefix.play,
        [Aim(FIRST_TOKEN_P95, "<=", 0.2)],
    ),
    Scenario(
        "conversations",
        "16 conversations of 4 turns, 8 sequences",
        Setup(slots=conversations.SLOTS),
        conversations.play,
        [Aim(TOKENS_PER_SECOND, ">=", 1.3)],
    ),
    Scenario(
        "long-prompt",
        "a prompt of 4,000 tokens beside 4 streams",
        Setup(slots=long_prompt.STREAMS + 1, context=long_prompt.CONTEXT),
        long_prompt.play,
        [Aim(BETWEEN_TOKENS_P95, "<=", 0.7)],
        also=[FIRST_TOKEN],
    ),
    Scenario(
        "busy-core",
        "4 streams, one core busy with other work",
        Setup(slots=4),
        beside_other_work(streams(4, tokens=64)),
        [Aim(TOKENS_PER_SECOND, ">=", 1.4)],
    ),
    Scenario(
        "json-schema",
        "4 streams held to a JSON schema",
        Setup(slots=schema.STREAMS),
        schema.play,
        [Aim(TOKENS_PER_SECOND, ">=", 1.5)],
    ),
    Scenario(
        "giving-up",
        "a request behind one that is given up",
        Setup(slots=1, context=giving_up.CONTEXT),
        giving_up.play,
        [Aim(giving_up.BEHIND_PROMPT, "<=", 1.0)],
        also=[giving_up.BEHIND_NOTHING, giving_up.BEHIND_ANSWER, giving_up.BEHIND_QUEUE],
    ),
)
"""In the order of the table."""
