"""What a run of tests prints and writes: each module one function from results to text."""
