"""The libraries: each module has a class Client with send and close."""
