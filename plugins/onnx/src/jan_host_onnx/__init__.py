"""The ONNX Runtime engine of jan-host."""
