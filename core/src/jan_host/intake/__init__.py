"""Models that users bring by hand: dropped into the folder, imported from a path, found in other programs."""
