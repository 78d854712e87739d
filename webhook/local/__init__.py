"""`make run` and `make demo`: the Procfile's processes on one machine, with the parts that the environment does not name."""
