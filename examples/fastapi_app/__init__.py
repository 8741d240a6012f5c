"""FastAPI: enqueue in a transaction, a worker in the application's own event loop, and an owner-only endpoint that tries a channel out."""
