"""An example extra for jan-host."""
