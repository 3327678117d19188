"""Tests of the llama.cpp engine, most of them with a real model in this process."""

import os

# As the engine asks for its workers: spinning threads of OpenMP would fight over the cores with
# whatever else runs. It is read when llama.cpp is first imported, which is after this.
os.environ.setdefault("GOMP_SPINCOUNT", "1000")
