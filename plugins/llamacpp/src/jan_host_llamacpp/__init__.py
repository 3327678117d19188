"""The llama.cpp engine of jan-host: GGUF models with continuous batching."""
