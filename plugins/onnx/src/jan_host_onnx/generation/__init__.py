"""Text generation: from a prompt to deltas.

``loading`` brings a decoder graph into memory and learns what it can do (``habits``); ``model`` answers
requests; ``stepper`` computes for all of them at once, with one ``cache`` for each group; ``sampling``
chooses tokens.
``genai`` does the same over onnxruntime-genai, for folders in its layout.
"""

from jan_host_onnx.generation.loading import load_decoder

__all__ = ["load_decoder"]
