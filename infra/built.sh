# What each build.sh in the folders beside it is made of: a Go program, built into the user's cache once for what its
# files say. Sourced by them, in their own folder.

need_go() { # need_go VERSION [OTHER WAY OUT]
  command -v go >/dev/null && return
  echo "Go is not installed: get $1 or newer from your distribution or go.dev${2:+, or $2}" >&2
  exit 1
}

in_cache() { # in_cache NAME FILE...: where what is built of these files lies
  echo "${XDG_CACHE_HOME:-$HOME/.cache}/ares/$1-$(cat "${@:2}" | sha256sum | cut -c1-16)"
}

built() { # built TARGET WHAT ARGUMENT...: the program is there afterwards, whole
  [ -x "$1" ] && return
  echo "building $2" >&2
  mkdir -p "$(dirname "$1")"
  GOFLAGS="-buildvcs=false -mod=readonly" go build -trimpath -o "$1.partial" "${@:3}"
  mv "$1.partial" "$1"
}
