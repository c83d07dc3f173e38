"""Programs that run in this process as if dbprofile were not there: found, run as ``__main__``, profiled as one unit of work."""
