"""Encoder models that the tests write: graphs, vocabularies and folders as hubs publish them."""
