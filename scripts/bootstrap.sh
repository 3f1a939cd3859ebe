#!/bin/sh
# Everything from nothing: .venv with the package in it (editable, with the extra that $1 names), Graphviz, and for the
# tests a browser.
#
#   scripts/bootstrap.sh train      what `make demo` needs
#   scripts/bootstrap.sh dev        what the tests, the checkers, the docs and the benchmarks need
#
# PYTHON=... chooses the interpreter. pip is run with the user's own configuration. What the tools print goes to
# .bootstrap.log, and its end is shown only when something fails. `make` calls this when .venv/.ready-$1 is older than
# what it was made from; called again by hand it does no harm.
set -eu
cd "$(dirname "$0")/.."

extra=${1:?"usage: scripts/bootstrap.sh EXTRA"}
venv=.venv
log=.bootstrap.log
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1
: >"$log"

say() { printf 'tinygraph: %s\n' "$*"; }

die() {
    tail -n 25 "$log" >&2
    printf 'tinygraph: %s (the whole log: %s)\n' "$*" "$log" >&2
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

quietly() {
    printf '\n$ %s\n' "$*" >>"$log"
    "$@" >>"$log" 2>&1 </dev/null
}

# ---- the system's packages -------------------------------------------------------------------------------------------

may_be_root() { [ "$(id -u)" -eq 0 ] || { have sudo && sudo -n true >/dev/null 2>&1; }; }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo -n "$@"; fi
}

apt() {
    # The time-outs are for a machine without a network: a minute is enough to know.
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120 -o Acquire::Retries=1 \
        -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20 "$@"
}

# system_install NAME: true when the package was installed. Never asks for a password.
system_install() {
    if have brew && [ "$(id -u)" -ne 0 ]; then
        quietly brew install "$1"
        return
    fi
    may_be_root || return 1
    if have apt-get; then
        # A machine just made has no package lists, or old ones. One dead source among many fails the update and not
        # the installation, so only the installation decides.
        quietly apt install --no-install-recommends "$1" ||
            { quietly apt update || true; quietly apt install --no-install-recommends "$1"; }
    elif have dnf; then quietly as_root dnf install -y "$1"
    elif have apk; then quietly as_root apk add "$1"
    elif have pacman; then quietly as_root pacman -S --noconfirm "$1"
    elif have zypper; then quietly as_root zypper --non-interactive install "$1"
    else return 1
    fi
}

# ---- Python and the virtual environment ------------------------------------------------------------------------------

new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    if [ -n "${PYTHON:-}" ]; then
        new_enough "$PYTHON" || die "PYTHON=$PYTHON is not a Python 3.11 or newer"
        python=$PYTHON
        return
    fi
    for python in python3 python3.14 python3.13 python3.12 python3.11 python; do
        new_enough "$python" && return
    done
    die "found no Python 3.11 or newer; install one, or name it: make PYTHON=/path/to/python3"
}

whole() { new_enough "$venv/bin/python" && quietly "$venv/bin/python" -m pip --version; }

by_venv() { quietly "$python" -m venv "$venv"; }

by_pip() {
    quietly "$python" -m venv --without-pip "$venv" &&
        quietly "$python" -m pip --python "$venv/bin/python" install pip
}

by_uv() { have uv && quietly uv venv --seed --python "$python" "$venv"; }

by_virtualenv() { quietly "$python" -m virtualenv "$venv"; }

by_system() {
    have apt-get && may_be_root || return 1
    say "installing python3-venv, which the system's Python lacks"
    minor=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    # Debian's python3-venv belongs to its default Python; another version has a package of its own.
    { system_install "python$minor-venv" || system_install python3-venv; } && by_venv
}

# Without root's rights a Debian package cannot be installed, but it can be fetched and opened.
by_pip_wheel() {
    have apt-get && have dpkg-deb || return 1
    box=$(mktemp -d)
    (cd "$box" && apt-get download python3-pip-whl && dpkg-deb -x ./*.deb .) >>"$log" 2>&1 || true
    wheel=$(find "$box" -name 'pip-*.whl' | head -n 1)
    done=1
    if [ -n "$wheel" ] && quietly "$python" -m venv --without-pip "$venv" &&
        quietly "$venv/bin/python" "$wheel/pip" install --no-index "$wheel"; then done=0; fi
    rm -rf "$box"
    return $done
}

make_venv() {
    find_python
    say "making $venv with $("$python" --version) ($(command -v "$python"))"
    # Debian and Ubuntu leave ensurepip, and so `python -m venv`, to the package python3-venv. What is at hand comes
    # first, since it changes nothing outside this folder.
    for way in by_venv by_pip by_uv by_virtualenv by_system by_pip_wheel; do
        rm -rf "$venv"
        if "$way" && whole; then return; fi
    done
    rm -rf "$venv"
    die "could not make a virtual environment; install python3-venv (or uv, or virtualenv) and try again"
}

# ---- the browser for the tests ---------------------------------------------------------------------------------------

has_browser() {
    for name in chromium google-chrome google-chrome-stable; do
        case $(command -v "$name") in "" | /snap/*) ;; *) return 0 ;; esac
    done
    quietly "$venv/bin/python" -c '
import os, sys
from playwright.sync_api import sync_playwright
with sync_playwright() as playwright:
    sys.exit(not os.path.exists(playwright.chromium.executable_path))'
}

# Ubuntu's package is a stub for a snap, which many machines cannot run and which sees no file outside of a home.
by_own_package() { ! grep -qs '^ID=ubuntu' /etc/os-release && system_install chromium && have chromium; }

by_playwright() {
    # Its libraries need root's rights; a desktop has them already.
    if may_be_root; then quietly as_root "$here/$venv/bin/python" -m playwright install-deps chromium || true; fi
    quietly "$venv/bin/python" -m playwright install chromium
}

# ---- what is done ----------------------------------------------------------------------------------------------------

start=$(date +%s)
here=$(pwd -P)

# An environment names its own folder in its scripts, so one that came along with a moved or copied checkout is rebuilt.
if ! whole || { [ -e "$venv/.home" ] && [ "$(cat "$venv/.home")" != "$here" ]; }; then
    make_venv
fi

say "installing tinygraph[$extra] into $venv (a minute or two the first time)"
quietly "$venv/bin/python" -m pip install --editable ".[$extra]" || die "pip could not install tinygraph[$extra]"

if ! have dot; then
    say "installing Graphviz, which draws the graphs"
    if ! { system_install graphviz && have dot; }; then
        say "could not install Graphviz: only pictures need it; install the package graphviz and they work"
    fi
fi

if [ "$extra" = dev ] && ! has_browser; then
    say "installing Chromium, in which the pages are tested"
    if ! { { by_own_package || by_playwright; } && has_browser; }; then
        say "could not install Chromium: the tests of the page need it and are skipped; all else works"
    fi
fi

printf '%s\n' "$here" >"$venv/.home"
touch "$venv/.ready-$extra"
# dev holds all that the demo needs.
[ "$extra" != dev ] || touch "$venv/.ready-train"
say "ready after $(($(date +%s) - start)) s"
