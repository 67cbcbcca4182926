# What the scripts in .ci/peers/ share; they source it. A peer is a program that nobody here wrote, which tests check the
# service with. It is installed below target/, from the versions that tests/peers/NAME pins.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# need PACKAGES COMMAND…: installs Debian's packages unless the command succeeds.
need() {
    local packages=$1
    shift
    "$@" >/dev/null 2>&1 && return
    # shellcheck disable=SC2086 # a list
    libraries $packages
}

# peer NAME PINS…: where the peer's pins ($source) and the peer itself ($place) are. Ends the script if these pins are
# installed and start: a target folder may come from another machine.
peer() {
    source=crates/ipstats/tests/peers/$1
    place="${CARGO_TARGET_DIR:-target}/peers/$1"
    shift
    pins=("${@/#/$source/}")
    mkdir -p "$place"
    if cat "${pins[@]}" | cmp -s - "$place/installed" && starts; then exit 0; fi
    rm -f "$place/installed"
}

# Whether this machine has all that the installed peer needs to start. It prints what is missing.
starts() {
    local python
    for python in "$place/bin/python" "$place/venv/bin/python"; do
        if [ -L "$python" ] && ! "$python" -c ''; then return 1; fi
    done
    if [ -e "$place/package.json" ] && ! command -v node >/dev/null; then
        echo "there is no node"
        return 1
    fi
    has_libraries
}

# Whether the programs and modules of the peer find all libraries. Libraries that the peer brings must be found in it: where
# the loader takes the machine's, the peer depends on a package that was installed by hand.
has_libraries() {
    local file name arrow found own status=0
    own=$(cd "$place" && pwd -P)
    while IFS= read -r file; do
        while read -r name arrow found _; do
            if [ "$arrow" != "=>" ]; then continue; fi
            if [ "$found" = not ]; then
                echo "$file: $name: not found"
                status=1
            elif [[ $found != "$own"/* && -n $(find "$own" -name "$name" -print -quit) ]]; then
                echo "$file: $name: found at $found, outside of the peer"
                status=1
            fi
        done < <(LD_LIBRARY_PATH=$(library_path) ldd "$file" 2>/dev/null)
    done < <(programs)
    return "$status"
}

# Where tests let the loader look first when they start the peer (library_path in tests/it/peer.rs).
library_path() {
    local folders
    if [ ! -d "$own/usr/lib" ]; then return; fi
    mapfile -t folders < <(find "$own/usr/lib" -name '*.so.*' -printf '%h\n' | sort -u)
    (IFS=: && echo "${folders[*]}")
}

# The files of the peer that the loader starts: an unpacked package's, and those that its script put beside them.
programs() {
    local file
    find -L "$place" -maxdepth 1 -type f -perm -u+x
    if [ -d "$place/usr" ]; then
        find "$place/usr" -type f | while IFS= read -r file; do
            if head -c 4 "$file" | LC_ALL=C grep -aq 'ELF$'; then echo "$file"; fi
        done
    fi
}

# Packages of package.json and package-lock.json.
node_packages() {
    need "nodejs npm" command -v npm
    cp "$source/package.json" "$source/package-lock.json" "$place/"
    npm ci --prefix "$place" --no-fund --no-audit --ignore-scripts
}

# python_packages FOLDER: an environment with what requirements.txt pins.
python_packages() {
    need "python3 python3-venv" python3 -c 'import ensurepip, venv'
    python3 -m venv "$1"
    "$1/bin/pip" install --quiet --disable-pip-version-check --requirement "$source/requirements.txt"
}

# libraries PACKAGES…: installs Debian's packages, such as libraries that an unpacked program needs.
libraries() {
    update_lists
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

# Debian's lists of packages, once a run: .ci/run names a file that does not exist yet.
update_lists() {
    if [ -e "${PEER_LISTS_UPDATED:-}" ]; then return; fi
    apt-get update -qq
    if [ -n "${PEER_LISTS_UPDATED:-}" ]; then touch "$PEER_LISTS_UPDATED"; fi
}

# Debian's packages of packages.txt, unpacked and not installed: daemons of one kind exclude each other there, and would start.
unpacked_packages() {
    local packages folder
    mapfile -t packages <"$source/packages.txt"
    update_lists
    folder=$(mktemp -d)
    chmod 755 "$folder"
    (cd "$folder" && apt-get download -qq -o APT::Sandbox::User=root "${packages[@]}")
    for package in "$folder"/*.deb; do dpkg-deb --extract "$package" "$place"; done
    rm -r "$folder"
}

# To be called last: from now on tests find the peer. Fails the script where the peer does not start.
installed() {
    if ! starts; then
        echo "$0: the peer does not start; add the missing packages to the script" >&2
        exit 1
    fi
    cat "${pins[@]}" >"$place/installed"
}
