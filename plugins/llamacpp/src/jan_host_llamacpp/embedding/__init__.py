"""Vectors of texts, and scores of documents, each in a context of its own.

Reading order: `purpose` (what a file is for), `texts` (requests become tokens), `encoder` (the context), then
`models` (what the host gets).
"""
