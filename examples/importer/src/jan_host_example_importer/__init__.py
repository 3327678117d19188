"""An example importer for jan-host."""
