"""Every benchmark in turn: ``python -m benchmarks``, or one of them: ``python -m benchmarks.bench_django --help``."""

import sys

from benchmarks.harness import main

if __name__ == "__main__":
    from benchmarks import bench_django, bench_sqlalchemy

    sys.exit(max(main(bench, sys.argv[1:]) for bench in (bench_sqlalchemy.bench, bench_django.bench)))
