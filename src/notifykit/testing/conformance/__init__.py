"""The laws that a plug-in must keep, for its own tests."""
