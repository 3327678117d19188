"""Tool calls and reasoning in the kit."""
