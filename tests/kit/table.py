"""Prints which laws catch which mutant: ``python tests/kit/table.py``."""

import anyio
import more_channel_mutants  # noqa: F401 - plants its own
from channel_mutants import MUTANTS as CHANNELS
from markup_mutants import MUTANTS as MARKUPS
from mutants import BY_LAW_ALONE, MUTANTS

from notifykit.testing.conformance import BUS_LAWS, LEDGER_LAWS


def catches(law, make):
    try:
        anyio.run(law, make)
    except Exception:
        return True
    return False


def main():
    for name, mutant in {**MUTANTS, **BY_LAW_ALONE}.items():
        others = [law for law in BUS_LAWS if law != mutant.law and catches(BUS_LAWS[law], mutant.make)]
        print(f"{name:36} {mutant.law}" + "".join(f"\n{'':36} ({law})" for law in others), flush=True)  # noqa: T201
    print(f"{len(BUS_LAWS)} laws of the bus, {len(LEDGER_LAWS)} of the ledger, {len(MUTANTS) + len(BY_LAW_ALONE)} mutants")  # noqa: T201
    for what, planted in (("channel", CHANNELS), ("markup", MARKUPS)):
        for name, mutant in planted.items():
            print(f"{name:50} {mutant.law}")  # noqa: T201
        print(f"{len(planted)} broken {what}s, each caught by its law: tests/kit/test_{what}_mutants.py")  # noqa: T201


if __name__ == "__main__":
    main()
