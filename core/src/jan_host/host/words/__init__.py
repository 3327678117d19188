"""Words of other local servers, brought into ours before a model of this machine gets a request."""

from jan_host.host.words.options import in_our_words
from jan_host.host.words.vectors import vectors_in_our_words

__all__ = ["in_our_words", "vectors_in_our_words"]
