"""SmolLM2 as the folders that hubs publish: weights of the GGUF in ONNX graphs, with their JSON files."""
