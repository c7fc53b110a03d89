"""Makes `daxlab` importable for pytest, wherever it is started from."""
