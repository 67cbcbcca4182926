# What the scripts in .ci/peers/ share; they source it. A peer is a program that nobody here wrote, which tests check the
# service with. It is installed below target/, from the versions that tests/peers/NAME pins.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# need PACKAGES COMMAND…: installs Debian's packages unless the command succeeds.
need() {
    local packages=$1
    shift
    "$@" >/dev/null 2>&1 && return
    apt-get update -qq
    # shellcheck disable=SC2086 # a list
    apt-get install -y -qq --no-install-recommends $packages
}

# peer NAME PINS…: where the peer's pins ($source) and the peer itself ($place) are. Ends the script if these pins are installed.
peer() {
    source=crates/ipstats/tests/peers/$1
    place="${CARGO_TARGET_DIR:-target}/peers/$1"
    shift
    pins=("${@/#/$source/}")
    mkdir -p "$place"
    if cat "${pins[@]}" | cmp -s - "$place/installed"; then exit 0; fi
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

# libraries PACKAGES…: libraries of Debian that an unpacked program needs.
libraries() {
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "$@"
}

# Debian's packages of packages.txt, unpacked and not installed: daemons of one kind exclude each other there, and would start.
unpacked_packages() {
    local packages folder
    mapfile -t packages <"$source/packages.txt"
    folder=$(mktemp -d)
    chmod 755 "$folder"
    (cd "$folder" && apt-get download -qq -o APT::Sandbox::User=root "${packages[@]}")
    for package in "$folder"/*.deb; do dpkg-deb --extract "$package" "$place"; done
    rm -r "$folder"
}

# To be called last: from now on tests find the peer.
installed() {
    cat "${pins[@]}" >"$place/installed"
}
