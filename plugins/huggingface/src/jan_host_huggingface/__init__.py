"""Importers of jan-host for model hubs: default, thebloke, janhq."""
