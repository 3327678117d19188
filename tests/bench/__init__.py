"""Speed next to the peers: ``python3 dev.py bench``. Contenders take turns in one run; medians and ratios count."""
