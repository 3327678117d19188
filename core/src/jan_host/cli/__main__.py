"""``python -m jan_host.cli`` is ``jan-host``."""

from jan_host.cli.app import main

main()
