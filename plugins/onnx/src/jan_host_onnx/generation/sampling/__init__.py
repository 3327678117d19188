"""How the next token is chosen from the scores of all: in NumPy, by the rules that local servers share.

The rules are those of llama.cpp's samplers (llama-sampling.cpp, MIT), so that a model answers alike
whichever engine runs it; a test holds them against llama.cpp's own.
"""

from jan_host_onnx.generation.sampling.sampler import Sampler

__all__ = ["Sampler"]
