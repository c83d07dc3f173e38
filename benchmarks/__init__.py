"""What dbprofile costs, side by side in one run. Not shipped; ``python -m benchmarks`` prints the tables."""
