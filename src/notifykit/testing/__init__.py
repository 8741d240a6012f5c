"""For the tests of applications; no third-party imports."""
