"""Texts for the scenarios: each begins like no other, unless a scenario wants a common beginning."""

from tests.bench.client import Message

TOPICS = ("the sea", "old maps", "bread", "a long winter", "trains", "glass", "honey bees", "the moon")
FILLER = "It was told many times, in many houses, and each time a little was added by those who listened."
FILLER_TOKENS = 22


def story(stream: int, turn: int) -> list[Message]:
    """A short question of its own."""
    topic = TOPICS[stream % len(TOPICS)]
    return [user(f"Story {turn}-{stream} about {topic}. {FILLER} Go on with the story of {topic}.")]


def long_text(beginning: str, tokens: int) -> str:
    """A text of about so many tokens that begins with its own words."""
    return " ".join([beginning, *[FILLER] * (tokens // FILLER_TOKENS)])


def user(text: str) -> Message:
    """A message of the user."""
    return {"role": "user", "content": text}


def system(text: str) -> Message:
    """A message that sets the rules."""
    return {"role": "system", "content": text}


def assistant(text: str) -> Message:
    """A message of the model."""
    return {"role": "assistant", "content": text}
