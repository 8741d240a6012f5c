"""The demo: an application, its worker and three real servers on this machine; ``python -m examples.demo`` runs it."""
