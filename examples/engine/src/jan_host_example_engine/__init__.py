"""An example engine for jan-host, in pure Python."""
