"""Token ids, counts and texts over HTTP, with any model of jan-host."""
