"""Settings under the engine's names, and what of them users see."""

from typing import Annotated, Any, ClassVar

import msgspec
import pytest
from jan_host import Engine, LoadedModel
from jan_host.host.settings import MASK, masked, merged
from msgspec import Meta

Secret = Annotated[str, Meta(extra={"secret": True})]


class Part(msgspec.Struct):
    key: Secret | None = None
    region: str = ""


class Settings(msgspec.Struct):
    api_key: Secret | None = None
    headers: dict[str, Secret] = {}
    parts: list[Part] = []
    ctx_len: int = 0


class Remote(Engine):
    name = "remote"
    formats: ClassVar[frozenset[str]] = frozenset({"far"})
    Settings = Settings

    async def load(self, *_: Any) -> LoadedModel:
        raise NotImplementedError


@pytest.mark.parametrize("engine", [Remote(), None])
@pytest.mark.parametrize(
    "settings",
    [
        {"api_key": "s3cret"},
        {"API-KEY": "s3cret"},
        {"password": "s3cret"},
        {"hub_token": "s3cret"},
        {"Authorization": ["Bearer s3cret"]},
    ],
)
def test_secrets_are_masked(engine: Engine | None, settings: dict[str, Any]) -> None:
    assert masked(settings, engine) == dict.fromkeys(settings, MASK)


def test_secrets_are_masked_at_any_depth() -> None:
    given = {
        "headers": {"X-Key": "s3cret"},
        "parts": [{"key": "s3cret", "region": "north"}, {"KEY": "s3cret"}],
    }
    assert masked(given, Remote()) == {
        "headers": {"X-Key": MASK},
        "parts": [{"key": MASK, "region": "north"}, {"KEY": MASK}],
    }


@pytest.mark.parametrize("engine", [Remote(), None])
@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("http://user:s3cret@far.example:80/v1", "http://***@far.example:80/v1"),
        ("https://s3cret@far.example", "https://***@far.example"),
        ("https://far.example/v1?a=b&api-key=s3cret&c=d", "https://far.example/v1?a=b&api-key=***&c=d"),
        ("https://far.example/@user/v1?monkey", "https://far.example/@user/v1?monkey"),
        ("user@far.example", "user@far.example"),
    ],
)
def test_addresses_are_shown_without_what_opens_them(engine: Engine | None, address: str, shown: str) -> None:
    settings = {"base_url": address, "parts": [{"region": address}], "more": {"places": [address]}}
    places = {"base_url": shown, "parts": [{"region": shown}], "more": {"places": [shown]}}
    assert masked(settings, engine) == places


def test_what_is_no_secret_is_shown() -> None:
    given = {"api_key": "env:NAME", "ctx_len": 5, "max_tokens": 9, "headers": {"X": "file:/run/key"}}
    assert masked(given, Remote()) == given


def test_settings_inside_have_other_spellings_too() -> None:
    given = {
        "PARTS": [{"KEY": "env:NAME", "Region": "north", "Own-Name": 1}],
        "headers": {"API-KEY": "env:X"},
    }
    assert merged(Remote(), given) == {
        "parts": [{"key": "env:NAME", "region": "north", "Own-Name": 1}],
        "headers": {"API-KEY": "env:X"},
    }


def test_layers_meet_under_one_name() -> None:
    low, high = {"api-key": "env:LOW", "CTX-LEN": 1, "other-Name": 2}, {"API_KEY": "env:HIGH"}
    assert merged(Remote(), low, high) == {"api_key": "env:HIGH", "ctx_len": 1, "other-Name": 2}
