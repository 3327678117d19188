"""The text from which the example engine's model is made in the tests."""

from pathlib import Path

from jan_host import Model, Source

POEM = """\
Once upon a time there was a sailor who sailed a little boat over a wide and windy sea.
The sea was grey in the morning, blue at noon, and black as ink when the night came down.

The capital of France is Paris, and the capital of the sea is wherever the sailor drops the anchor.
One, two, three, four: so many islands did the sailor count before the fog came down.

Write a letter to the sailor, said the wind, and send it in a bottle over the wide and windy sea.
The bottle floats from one island to the next island, past the whale, past the lighthouse, and home.
"""


def write_model(folder: Path, name: str = "sea") -> Model:
    """Put the model's file into `folder`."""
    filename = f"{name}.ngram.txt"
    (folder / filename).write_text(POEM, encoding="utf-8")
    return Model(id=name, format="ngram", engine="example-ngram", sources=[Source(filename=filename)])
