"""Write small real distributions: packages with metadata and entry points, as a folder or as a wheel."""

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from textwrap import dedent


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """A distribution; `modules` are the sources of its modules by name."""

    name: str
    modules: Mapping[str, str]
    entry_points: str
    """The lines of the group jan_host."""
    version: str = "1.0"
    requires: Sequence[str] = field(default=())

    @property
    def _base(self) -> str:
        return f"{self.name.replace('-', '_')}-{self.version}"

    def files(self) -> dict[str, str]:
        """Every file's text by its path below site-packages."""
        info = f"{self._base}.dist-info"
        metadata = ["Metadata-Version: 2.1", f"Name: {self.name}", f"Version: {self.version}"]
        metadata += [f"Requires-Dist: {each}" for each in self.requires]
        wheel = ["Wheel-Version: 1.0", "Generator: tests", "Root-Is-Purelib: true", "Tag: py3-none-any"]
        return {
            **{f"{name.replace('.', '/')}.py": dedent(source) for name, source in self.modules.items()},
            f"{info}/METADATA": "\n".join(metadata) + "\n",
            f"{info}/WHEEL": "\n".join(wheel) + "\n",
            f"{info}/entry_points.txt": f"[jan_host]\n{self.entry_points}\n",
        }

    def unpack(self, folder: Path) -> None:
        """Lay it out as an installer leaves it."""
        for name, text in self.files().items():
            target = folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text)

    def wheel(self, folder: Path) -> Path:
        """Pack a wheel that pip installs."""
        path = folder / f"{self._base}-py3-none-any.whl"
        files = self.files()
        files[f"{self._base}.dist-info/RECORD"] = "".join(f"{name},,\n" for name in files)
        with zipfile.ZipFile(path, "w") as archive:
            for name, text in files.items():
                archive.writestr(name, text)
        return path


def plugin(
    name: str, source: str, *, distribution: str | None = None, value: str | None = None
) -> Distribution:
    """A distribution with one entry point `name`, which names its one module."""
    module = (distribution or name).replace("-", "_")
    return Distribution(
        name=distribution or name, modules={module: source}, entry_points=f"{name} = {value or module}"
    )


def engine_source(name: str, *, extra: str = "") -> str:
    """A plugin with one engine that works: its models know the ids of letters."""
    return f"""\
from jan_host import Engine, LoadedModel, hookimpl

class Letters(LoadedModel):
    async def tokenize(self, text):
        return [ord(letter) for letter in text]
    async def detokenize(self, tokens):
        return "".join(map(chr, tokens))
    async def unload(self):
        pass

class MyEngine(Engine):
    name = {name!r}
    formats = frozenset({{{name + "-format"!r}}})
    async def load(self, model, folder, settings, progress):
        return Letters()

@hookimpl
def jan_engines(context):
    return [MyEngine()]
{extra}
"""
