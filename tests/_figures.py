"""How a battery prints what it measured."""


def figure(*words: object) -> None:
    print("\n  ", *words, flush=True)  # noqa: T201 - to be read, and copied into the documentation
