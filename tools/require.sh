#!/usr/bin/env bash
# Makes sure that what is named is on this machine; installs it through apt
# where that is possible, and says so before it does.
set -euo pipefail

have() {
  case "$1" in
    postgresql) command -v initdb >/dev/null || compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || [ -n "${DATABASE_URL:-}" ] ;;
    chromium) command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null ;;
    npm) command -v npm >/dev/null ;;
    nginx) command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] ;;
    libnginx-mod-http-lua) compgen -G '/usr/share/nginx/modules/ngx_http_lua_module.so' >/dev/null ;;
    wrk) command -v wrk >/dev/null ;;
    redis-server) command -v redis-server >/dev/null ;;
    docker-compose) command -v docker-compose >/dev/null ;;
  esac
}

missing=()
for what in "$@"; do have "$what" || missing+=("$what"); done
[ ${#missing[@]} -eq 0 ] && exit 0

if ! command -v apt-get >/dev/null; then
  echo "Missing: ${missing[*]}. Install it with your system's package manager and try again." >&2
  exit 1
fi
as_root=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "Missing: ${missing[*]}. As root: apt-get install ${missing[*]}" >&2; exit 1; }
  as_root=(sudo)
fi
echo "Missing: ${missing[*]}. Installing through apt-get, which may take a minute."
"${as_root[@]}" apt-get update -qq
DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
