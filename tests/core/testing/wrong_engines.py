"""Engines that are each wrong in one way, and the test of the contract suite that must fail on it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import msgspec
from jan_host import (
    ChatRequest,
    CompletionRequest,
    Delta,
    EmbeddingRequest,
    EmbeddingResult,
    LoadedModel,
    Model,
    Progress,
)

from tests.core.testing.parrot import Parrot, ParrotEngine

Request = ChatRequest | CompletionRequest


class NoUsage(Parrot):
    async def generate(self, request: Request) -> AsyncIterator[Delta]:
        async for delta in super().generate(request):
            delta.usage = None
            yield delta


class WrongSums(Parrot):
    async def generate(self, request: Request) -> AsyncIterator[Delta]:
        async for delta in super().generate(request):
            if delta.usage:
                delta.usage.total_tokens += 1
            yield delta


class SpeaksAfterTheEnd(Parrot):
    async def generate(self, request: Request) -> AsyncIterator[Delta]:
        async for delta in super().generate(request):
            usage, delta.usage = delta.usage, None
            yield delta
        yield Delta(text=" ", usage=usage)


class NeverEnds(Parrot):
    async def generate(self, request: Request) -> AsyncIterator[Delta]:
        async for delta in super().generate(request):
            delta.finish_reason = None
            yield delta


class ForgetsTheLimit(Parrot):
    async def generate(self, request: Request) -> AsyncIterator[Delta]:
        async for delta in super().generate(msgspec.structs.replace(request, max_tokens=30)):
            yield delta


class LiesAboutTheLimit(ForgetsTheLimit):
    async def generate(self, request: Request) -> AsyncIterator[Delta]:
        async for delta in super().generate(request):
            if delta.usage:
                delta.usage.completion_tokens = request.max_tokens or 0
                delta.usage.total_tokens = delta.usage.prompt_tokens + delta.usage.completion_tokens
            yield delta


class AlwaysSaysStop(Parrot):
    async def generate(self, request: Request) -> AsyncIterator[Delta]:
        async for delta in super().generate(request):
            delta.finish_reason = delta.finish_reason and "stop"
            yield delta


class ShowsTheStop(Parrot):
    async def generate(self, request: Request) -> AsyncIterator[Delta]:
        async for delta in super().generate(request):
            if delta.finish_reason == "stop":
                delta.text += request.stops()[0]
            yield delta


class SwallowsHalfAStop(Parrot):
    async def generate(self, request: Request) -> AsyncIterator[Delta]:
        async for delta in super().generate(request):
            if delta.finish_reason == "length":
                delta.text = ""
            yield delta


class Moody(Parrot):
    mood = 0

    def letter(self, heard: list[int], position: int, request: Request, random: Random) -> int:
        self.mood += 1
        return super().letter(heard, position + self.mood // 50, request, random)


class IgnoresTheSeed(Parrot):
    def letter(self, heard: list[int], position: int, request: Request, random: Random) -> int:
        return super().letter(heard, position, request, Random())


class OneChoice(Parrot):
    async def generate(self, request: Request) -> AsyncIterator[Delta]:
        async for delta in super().generate(msgspec.structs.replace(request, n=1)):
            yield delta


class MixesRequestsUp(Parrot):
    latest: ClassVar[list[int]] = []

    async def heard(self, request: Request) -> list[int]:
        type(self).latest = await super().heard(request)
        return self.latest

    def letter(self, heard: list[int], position: int, request: Request, random: Random) -> int:
        return super().letter(self.latest, position, request, random)


class OneAtATimeAndDeaf(Parrot):
    """Its slot is freed by a whole generation only, never by a cancelled one."""

    def __init__(self) -> None:
        self.slot = asyncio.Semaphore(4)

    async def generate(self, request: Request) -> AsyncIterator[Delta]:
        await self.slot.acquire()
        async for delta in super().generate(request):
            yield delta
        self.slot.release()


class NotClosable(Parrot):
    def chat(self, request: ChatRequest) -> AsyncIterator[Delta]:
        return Plain(self.generate(request))


class Plain:
    def __init__(self, deltas: AsyncIterator[Delta]) -> None:
        self.deltas = deltas

    def __aiter__(self) -> AsyncIterator[Delta]:
        return self

    async def __anext__(self) -> Delta:
        return await anext(self.deltas)


class RaisesWhatItLikes(Parrot):
    def refuse(self, request: Request) -> None:
        if request.mirostat:
            raise KeyError("mirostat")


class IgnoresTheGrammar(Parrot):
    def refuse(self, request: Request) -> None:
        pass


class ReadsControlTokens(Parrot):
    async def tokenize(self, text: str) -> list[int]:
        return [7] if text.startswith("<|") else await super().tokenize(text)


class LosesSigns(Parrot):
    async def tokenize(self, text: str) -> list[int]:
        return list(text.encode("ascii", errors="ignore"))


class InventsTokens(Parrot):
    async def detokenize(self, tokens: Sequence[int]) -> str:
        return bytes(token % 256 for token in tokens).decode(errors="replace")


class VectorsLean(Parrot):
    """Each vector leans towards the others of its batch."""

    async def embed(self, request: EmbeddingRequest) -> EmbeddingResult:
        result = await super().embed(request)
        sums = [sum(column) for column in zip(*result.embeddings, strict=True)]
        leaning = [[a + b / 10 for a, b in zip(vector, sums, strict=True)] for vector in result.embeddings]
        return EmbeddingResult(embeddings=leaning, usage=result.usage)


class TakesAnything(ParrotEngine):
    async def load(self, model: Model, folder: Path, settings: Any, progress: Progress) -> LoadedModel:
        return Parrot()


class CrashesOnGarbage(ParrotEngine):
    async def load(self, model: Model, folder: Path, settings: Any, progress: Progress) -> LoadedModel:
        for path in model.files(folder):
            path.read_bytes().decode("ascii")
        return Parrot()


class LooksTooFar(ParrotEngine):
    def inspect(self, files: Sequence[Path]) -> Sequence[Model]:
        return [self.inspected(files[0])]


class ClaimsEverything(ParrotEngine):
    def inspect(self, files: Sequence[Path]) -> Sequence[Model]:
        return [Model(id=path.stem, format="parrot") for path in files]


class GoesBackwards(ParrotEngine):
    async def load(self, model: Model, folder: Path, settings: Any, progress: Progress) -> LoadedModel:
        loaded = await super().load(model, folder, settings, progress)
        progress(0.2)
        return loaded


class NeedsSettings(ParrotEngine):
    class Settings(msgspec.Struct):
        loudness: int


class WrongFormats(ParrotEngine):
    formats = {"parrot"}  # type: ignore[assignment]  # noqa: RUF012  # wrong on purpose: no frozenset


class LoadsOnce(ParrotEngine):
    count = 0

    async def load(self, model: Model, folder: Path, settings: Any, progress: Progress) -> LoadedModel:
        loaded = await super().load(model, folder, settings, progress)
        self.count += 1
        if self.count > 1:
            raise RuntimeError("There is one cage.")
        return loaded


class FallsSilentWithOtherCores(Parrot):
    cores: int | None = None

    def use_cores(self, count: int | None) -> None:
        self.cores = count

    async def generate(self, request: Request) -> AsyncIterator[Delta]:
        async for delta in super().generate(request):
            if self.cores is None:
                yield delta


WRONG_MODELS: dict[type[Parrot], str] = {
    FallsSilentWithOtherCores: "test_it_goes_on_as_its_cores_come_and_go",
    NoUsage: "test_deltas_are_well_formed",
    WrongSums: "test_deltas_are_well_formed",
    SpeaksAfterTheEnd: "test_deltas_are_well_formed",
    NeverEnds: "test_deltas_are_well_formed",
    ForgetsTheLimit: "test_max_tokens_cuts_with_finish_reason_length",
    LiesAboutTheLimit: "test_max_tokens_cuts_with_finish_reason_length",
    AlwaysSaysStop: "test_max_tokens_cuts_with_finish_reason_length",
    ShowsTheStop: "test_a_stop_string_ends_it_and_is_never_shown",
    SwallowsHalfAStop: "test_a_stop_string_that_begins_and_does_not_come_is_text",
    Moody: "test_greedy_is_the_same_each_time",
    IgnoresTheSeed: "test_a_seed_makes_it_repeatable",
    OneChoice: "test_two_choices",
    MixesRequestsUp: "test_four_at_once_say_what_each_says_alone",
    OneAtATimeAndDeaf: "test_closing_early_cancels_and_the_model_works_on",
    NotClosable: "test_closing_early_cancels_and_the_model_works_on",
    RaisesWhatItLikes: "test_an_option_works_or_is_refused",
    IgnoresTheGrammar: "test_an_option_works_or_is_refused",
    ReadsControlTokens: "test_a_control_token_that_is_typed_stays_text",
    LosesSigns: "test_tokens_give_back_their_text",
    InventsTokens: "test_an_id_that_is_not_there_is_refused",
    VectorsLean: "test_a_vector_does_not_depend_on_its_neighbours",
}

WRONG_ENGINES: dict[type[ParrotEngine], str] = {
    TakesAnything: "test_loading_what_is_no_model_is_refused",
    CrashesOnGarbage: "test_loading_what_is_no_model_is_refused",
    LooksTooFar: "test_inspect_of_nothing_finds_nothing",
    ClaimsEverything: "test_inspect_ignores_files_of_others",
    GoesBackwards: "test_progress_rises_to_one",
    NeedsSettings: "test_settings_have_defaults_and_a_schema",
    WrongFormats: "test_name_aliases_and_formats_are_words",
    LoadsOnce: "test_the_model_can_be_loaded_again_after_unload",
}
