"""LoRA adapters: where their files are, what a request wants of them, who is computed when.

Sequences that want other scales share neither computed tokens nor a batch: llama.cpp computes a batch
with one set of scales.
"""
