"""Speed next to the peers: contenders take turns in one run; medians and ratios count."""
