"""A real Ray cluster for tests: a head and raylets as processes of their own, with token authentication."""
