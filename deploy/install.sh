#!/bin/sh
# Installs an INOS node from a folder that holds a release, for Linux with Python 3.11 to 3.13.
#
#   sh install.sh [--signers FILE] [--dry-run]     install or upgrade, as root: a user, a service and the command `inos`
#   sh install.sh --prefix DIR --no-service        install into a folder, as any user
#   sh install.sh --rollback                       return to the release before the last upgrade
#   sh install.sh --uninstall                      remove program and service; data, settings and user stay
#
# Each release gets a virtual environment of its own under PREFIX/releases, and PREFIX/current points to the one in use.
# The same release twice changes nothing. Nothing is installed whose SHA-256 is not in SHA256SUMS or requirements.txt.
set -eu
umask 022

here=$(cd "$(dirname "$0")" && pwd)
from=$here prefix=/opt/inos python='' signers='' wheelhouse='' index='' action=install
is_dry='' is_service=yes may_build='' must_fetch=''
root=${DESTDIR:-}  # for packagers and tests: stands before the paths of unit, settings and command
user=inos data=/var/lib/inos unit=$root/etc/systemd/system/inos.service settings=$root/etc/default/inos
command=$root/usr/local/bin/inos

usage() {
    cat <<END
usage: sh install.sh [options]
  --from DIR         the folder with SHA256SUMS, requirements.txt and the wheel; default: the folder of this script
  --signers FILE     require SHA256SUMS.sig to be a signature by a key in FILE (the format is ssh's allowed_signers)
  --prefix DIR       where the program goes; default: /opt/inos
  --no-service       no user, no service, no command in /usr/local/bin: only PREFIX
  --python FILE      the Python to use; default: the newest of python3.13, python3.12, python3.11, python3 that fits
  --fetch            download the wheel from the package index if the folder lacks it; SHA256SUMS must list it
  --build            build the wheel from the source archive if none fits this machine (needs a C compiler)
  --index URL        the package index for dependencies; default: pip's
  --wheelhouse DIR   take the dependencies from this folder, without a network
  --dry-run          print what would be done
  --rollback         return to the release that was in use before
  --uninstall        remove program and service, keep data, settings and user
END
}

say() { printf '%s\n' "$*"; }
fail() { printf 'install.sh: %s\n' "$1" >&2; [ $# -lt 2 ] || printf '  %s\n' "$2" >&2; exit 1; }
# run COMMAND...: does it, or only prints it with --dry-run.
run() { if [ -n "$is_dry" ]; then say "would run: $*"; else "$@"; fi; }

while [ $# -gt 0 ]; do
    case $1 in
        --from|--signers|--prefix|--python|--index|--wheelhouse)
            [ $# -ge 2 ] || fail "$1 needs a value" ;;
    esac
    case $1 in
        --from) from=$2; shift ;;
        --signers) signers=$2; shift ;;
        --prefix) prefix=$2; shift ;;
        --python) python=$2; shift ;;
        --index) index=$2; shift ;;
        --wheelhouse) wheelhouse=$2; shift ;;
        --no-service) is_service='' ;;
        --fetch) must_fetch=yes ;;
        --build) may_build=yes ;;
        --dry-run) is_dry=yes ;;
        --rollback) action=rollback ;;
        --uninstall) action=uninstall ;;
        -h|--help) usage; exit 0 ;;
        *) usage >&2; fail "unknown option $1" ;;
    esac
    shift
done
case $prefix in /*) ;; *) prefix=$(pwd)/$prefix ;; esac
case $prefix in *[!A-Za-z0-9/._-]*) fail "$prefix has characters that a systemd unit takes badly" "give another --prefix" ;; esac

check_system() {
    [ "$(uname -s)" = Linux ] || fail "this is $(uname -s), and the service needs Linux" "use pip in a virtual environment"
    if [ -n "$is_service" ] && [ -z "$is_dry" ]; then
        [ "$(id -u)" = 0 ] || fail "a service needs root" "run it with sudo, or with --prefix DIR --no-service"
        command -v systemctl >/dev/null || fail "systemctl is missing" "install without a service: --no-service"
    fi
}

# Takes the first Python that fits, before all one for which the folder has a wheel.
find_python() {
    if [ -n "$python" ]; then
        is_suitable "$python" || fail "$python is not Python 3.11 to 3.13"
    else
        found=''
        for each in python3.13 python3.12 python3.11 python3; do
            is_suitable "$each" || continue
            [ -n "$found" ] || found=$each
            if has_wheel "$("$each" -c 'import sys; print("cp3%d" % sys.version_info.minor)')"; then found=$each; break; fi
        done
        [ -n "$found" ] || fail "no Python 3.11 to 3.13" "Debian, Ubuntu: apt-get install python3 python3-venv"
        python=$found
    fi
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "$python cannot make virtual environments" "Debian, Ubuntu: apt-get install python3-venv"
}

is_suitable() { "$1" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' >/dev/null 2>&1; }
has_wheel() { ls "$from"/inos-*-"$1"-*.whl >/dev/null 2>&1; }

# Checks signature and checksums of all that is used, and says what the release is called.
check_release() {
    [ -f "$from/SHA256SUMS" ] || fail "$from has no SHA256SUMS" "give the folder of a release: --from DIR"
    if [ -n "$signers" ]; then
        [ -f "$from/SHA256SUMS.sig" ] || fail "$from has no SHA256SUMS.sig, and --signers requires it"
        signer=$(ssh-keygen -Y find-principals -s "$from/SHA256SUMS.sig" -f "$signers" 2>/dev/null | head -n 1) || signer=''
        [ -n "$signer" ] || fail "SHA256SUMS.sig is by no key in $signers" "do not install it; compare the key with the project's"
        ssh-keygen -Y verify -q -f "$signers" -I "$signer" -n file -s "$from/SHA256SUMS.sig" \
            <"$from/SHA256SUMS" >/dev/null || fail "SHA256SUMS was changed after $signer signed it" "do not install it"
        say "signed by $signer"
    else
        say "the signature was not checked: --signers FILE checks it"
    fi
    (cd "$from" && sha256sum --check --strict --quiet --ignore-missing SHA256SUMS) ||
        fail "a file in $from is not what SHA256SUMS says" "download it again"
    { is_listed requirements.txt && [ -f "$from/requirements.txt" ]; } ||
        fail "$from/requirements.txt is missing, or SHA256SUMS does not list it"
    version=$(sed -n 's/^[0-9a-f]\{64\}  inos-\([0-9][^-]*\)\.tar\.gz$/\1/p' "$from/SHA256SUMS")
    [ -n "$version" ] || fail "SHA256SUMS names no version"
    release=$version-$(sha256sum "$from/SHA256SUMS" | cut -c 1-8)
}

is_listed() { grep -q "^[0-9a-f]\{64\}  $1\$" "$from/SHA256SUMS"; }

# pip_in VENV ARGUMENTS...: runs the environment's pip.
pip_in() {
    venv=$1; shift
    "$venv/bin/python" -m pip --disable-pip-version-check --quiet "$@"
}

# get_wheel VENV DIR: puts the wheel for this machine into DIR and checks it.
get_wheel() {
    if pip_in "$1" --isolated download --no-deps --no-index --only-binary :all: --find-links "$from" --dest "$2" \
        "inos==$version" 2>/dev/null; then
        :
    elif [ -n "$must_fetch" ]; then
        pip_in "$1" download --no-deps --only-binary :all: ${index:+--index-url "$index"} --dest "$2" "inos==$version"
    elif [ -n "$may_build" ]; then
        is_listed "inos-$version.tar.gz" || fail "SHA256SUMS lists no source archive"
        pip_in "$1" wheel --no-deps ${index:+--index-url "$index"} --wheel-dir "$2" "$from/inos-$version.tar.gz"
        return
    else
        fail "no wheel in $from fits $("$python" -V) on $(uname -m)" "build it from the source archive: --build"
    fi
    name=$(basename "$2"/inos-*.whl)
    is_listed "$name" || fail "SHA256SUMS does not list $name"
    grep "  $name\$" "$from/SHA256SUMS" | (cd "$2" && sha256sum --check --strict --quiet) ||
        fail "$name is not what SHA256SUMS says" "download it again"
}

# make_release VENV: fills an environment, and marks it when it is whole.
make_release() {
    rm -rf "$1"
    "$python" -m venv "$1"
    get_wheel "$1" "$1/wheel"
    if [ -n "$wheelhouse" ]; then
        pip_in "$1" --isolated install --require-hashes --no-index --find-links "$wheelhouse" -r "$from/requirements.txt"
    else
        pip_in "$1" install --require-hashes --only-binary :all: ${index:+--index-url "$index"} -r "$from/requirements.txt"
    fi
    pip_in "$1" --isolated install --no-deps --no-index "$1"/wheel/inos-*.whl
    "$1/bin/inos" --version >/dev/null || fail "the installed program does not start"
    rm -r "$1/wheel"
    touch "$1/.whole"
}

# point_to NAME: makes PREFIX/current another release in one step, and keeps the one before as PREFIX/previous.
point_to() {
    before=$(readlink "$prefix/current" 2>/dev/null || true)
    [ "$before" != "releases/$1" ] || return 0
    [ -z "$before" ] || { ln -sfn "$before" "$prefix/.previous" && mv -T "$prefix/.previous" "$prefix/previous"; }
    ln -sfn "releases/$1" "$prefix/.current" && mv -T "$prefix/.current" "$prefix/current"
}

install_program() {
    made="$prefix/releases/$release"
    if [ -e "$made/.whole" ]; then
        say "release $release is installed already"
    elif [ -n "$is_dry" ]; then
        say "would make $made with $python and the packages of requirements.txt"
    else
        mkdir -p "$prefix/releases" "$prefix/bin"
        make_release "$made"
    fi
    run point_to "$release"
    run ln -sfn ../current/bin/inos "$prefix/bin/inos"
    [ -n "$is_dry" ] || remove_old
}

# Only the release in use and the one before stay.
remove_old() {
    for each in "$prefix"/releases/*; do
        case releases/${each##*/} in
            "$(readlink "$prefix/current")"|"$(readlink "$prefix/previous" || true)") ;;
            *) rm -rf "$each" ;;
        esac
    done
}

install_service() {
    id "$user" >/dev/null 2>&1 || run useradd --system --user-group --home-dir "$data" --shell /usr/sbin/nologin "$user"
    run ln -sfn "$prefix/bin/inos" "$command"
    [ -e "$settings" ] || run write_settings
    run write_unit
    run systemctl daemon-reload
    run systemctl enable --quiet inos
    run systemctl try-restart inos
}

write_unit() { sed "s#/opt/inos/#$prefix/#g" "$prefix/current/share/inos/inos.service" >"$unit"; }

write_settings() {
    cat >"$settings" <<END
# Settings of the node, as INOS_NAME=value; \`inos node --help\` lists them. After a change: systemctl restart inos
#INOS_NETWORK=testnet
#INOS_SEEDS=ID@HOST:8646
#INOS_MINE=auto
END
}

roll_back() {
    before=$(readlink "$prefix/previous" 2>/dev/null) || fail "$prefix holds no earlier release"
    [ -d "$prefix/$before" ] || fail "$prefix/$before is gone"
    run point_to "${before#releases/}"
    if [ -n "$is_service" ]; then
        run write_unit
        run systemctl daemon-reload
        run systemctl try-restart inos
    fi
    [ -n "$is_dry" ] || say "in use: $("$prefix/bin/inos" --version)"
}

uninstall() {
    if [ -n "$is_service" ]; then
        if [ -e "$unit" ]; then run systemctl disable --now --quiet inos; fi
        run rm -f "$unit"
        [ "$(readlink "$command" 2>/dev/null)" != "$prefix/bin/inos" ] || run rm "$command"
        run systemctl daemon-reload
    fi
    for each in "$prefix"/releases/*/.whole; do
        if [ -e "$each" ]; then run rm -rf "${each%/.whole}"; fi
    done
    for each in current previous bin/inos; do
        if [ -L "$prefix/$each" ]; then run rm "$prefix/$each"; fi
    done
    for each in "$prefix/releases" "$prefix/bin" "$prefix"; do
        [ ! -d "$each" ] || run rmdir --ignore-fail-on-non-empty "$each"
    done
    [ -z "$is_service" ] || say "kept: the data in $data, the settings in $settings, the user $user"
}

case $action in
    rollback) check_system; roll_back ;;
    uninstall) check_system; uninstall ;;
    install)
        check_system
        find_python
        check_release
        install_program
        if [ -n "$is_service" ]; then
            install_service
            say "installed. Edit $settings, then: systemctl start inos; journalctl -fu inos"
        elif [ -z "$is_dry" ]; then
            say "installed $("$prefix/bin/inos" --version): $prefix/bin/inos"
        fi ;;
esac
