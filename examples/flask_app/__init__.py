"""Flask: enqueue in the transaction of a request, with a worker in a process of its own."""
