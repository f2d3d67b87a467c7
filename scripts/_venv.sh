# Shared by the other scripts (POSIX sh): a virtual environment that fits pyproject.toml.
#
#   . scripts/_venv.sh; venv_ready dev     # or "": without the tools for development
#
# Sets ROOT and VENV_BIN. Works from any folder; two scripts at once wait for each other. The second time it
# costs nothing: a stamp inside the environment says which pyproject.toml, which Python and which
# extras it was made for.

ROOT=$(dirname -- "$(dirname -- "$(readlink -f -- "$0")")")
VENV=$ROOT/.venv
VENV_BIN=$VENV/bin

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }

die() {
    say "$*"
    exit 1
}

# Is this a Python of at least 3.11?
fits() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

find_python() {
    for name in python3.11 python3 python3.14 python3.13 python3.12; do
        if command -v "$name" >/dev/null 2>&1 && fits "$name"; then
            printf '%s\n' "$name"
            return
        fi
    done
    die 'Python 3.11 or newer is missing. On Debian or Ubuntu: apt install python3 python3-venv'
}

# What an environment must have been made for: $1 the extras.
wanted_stamp() {
    "$VENV_BIN/python" - "$ROOT" "$1" <<'PY'
import hashlib, pathlib, sys

root, extras = sys.argv[1:]
content = pathlib.Path(root, "pyproject.toml").read_bytes()
print(hashlib.sha256(content).hexdigest(), sys.version.split()[0], root, extras or "plain")
PY
}

make_venv() {
    python=$(find_python) || exit 1
    "$python" -c 'import venv, ensurepip' >/dev/null 2>&1 ||
        die "$python cannot make virtual environments. On Debian or Ubuntu: apt install python3 python3-venv"
    say "making a virtual environment in $VENV"
    "$python" -m venv --clear "$VENV" >&2 ||
        die 'the virtual environment could not be made. On Debian or Ubuntu: apt install python3 python3-venv'
}

# Show what pip says only when it fails.
quiet_pip() {
    if ! output=$(PIP_USER=0 "$VENV_BIN/python" -m pip --disable-pip-version-check "$@" 2>&1); then
        printf '%s\n' "$output" >&2
        die 'installing failed; the lines above say why'
    fi
}

install_project() {
    say "installing syncd${1:+ with the tools for: $1} (once; it takes a minute or two)"
    # From here on the environment is neither what it was nor what it shall be.
    rm -f "$VENV"/.syncd-stamp-*
    quiet_pip install --quiet --editable "$ROOT${1:+[$1]}"
}

# The environment of "dev" has all that a plain one has.
is_ready() {
    fits "$VENV_BIN/python" || return 1
    for extras in "$1" dev; do
        stamp=$VENV/.syncd-stamp-${extras:-plain}
        if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$(wanted_stamp "$extras")" ]; then
            return 0
        fi
    done
    return 1
}

venv_ready() {
    extras_wanted=$1
    # A file that stays: making an environment anew empties its folder, a lock in it included.
    exec 9<"$ROOT/pyproject.toml"
    if command -v flock >/dev/null 2>&1; then
        flock -n 9 || {
            say 'waiting for another script that prepares the virtual environment'
            flock 9
        }
    fi
    if ! is_ready "$extras_wanted"; then
        fits "$VENV_BIN/python" && "$VENV_BIN/python" -m pip --version >/dev/null 2>&1 || make_venv
        install_project "$extras_wanted"
        wanted_stamp "$extras_wanted" >"$VENV/.syncd-stamp-${extras_wanted:-plain}"
    fi
    exec 9<&-
}
