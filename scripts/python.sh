# Sourced by the commands beside it: sets $python to an interpreter that can make virtual environments, or says what to do.
# $PYTHON, if set, is the only candidate.

fits() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }
makes_environments() { "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; }

python='' bare=''
consider() {
    if [ -z "$python" ] && fits "$1"; then
        if makes_environments "$1"; then python=$1; else bare=${bare:-$1}; fi
    fi
}

if [ -n "${PYTHON:-}" ]; then
    consider "$PYTHON"
else
    for candidate in python3.13 python3.12 python3.11 python3 python; do consider "$candidate"; done
fi

if [ -z "$python" ]; then
    command="scripts/${0##*/}"
    if [ -n "$bare" ]; then
        version=$("$bare" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        echo "$command: $bare cannot make virtual environments, because its venv or ensurepip module is missing." >&2
        echo "On Debian and Ubuntu, 'apt install python$version-venv' brings them. Then run $command again." >&2
    elif [ -n "${PYTHON:-}" ]; then
        echo "$command: PYTHON=$PYTHON is not a Python 3.11 or later that can be run." >&2
        echo "Name another one, as in PYTHON=/usr/bin/python3.12 $command, or unset PYTHON to let it look for one." >&2
    else
        echo "$command: notifykit needs Python 3.11 or later, and none was found on PATH." >&2
        echo "Install one (your system's package manager has it, or python.org), or name one: PYTHON=/path/to/python3.12 $command" >&2
    fi
    exit 1
fi
