# The guard of a throw-away PostgreSQL cluster. It makes the directory, does
# what standard input says, one command a line, answers each with "ok" or
# "failed", and when standard input ends, because the test closed it or was
# killed, it stops the server and removes the directory.
#
# $1 is the directory of the server's programs. The password comes as the first
# line of standard input, since everybody can read arguments.
umask 077
dir=$(mktemp -d /tmp/btw-pg-XXXXXX) || exit 1
trap 'end QUIT; cd /; rm -rf -- "$dir"' EXIT
trap 'exit 1' HUP INT TERM
trap '' PIPE # the test can be gone when it is answered
exec 3>&1 >"$dir/log" 2>&1
cd "$dir" || exit 1
PATH=$1:$PATH
server=

answer() {
	if "$@"; then echo ok >&3; else echo failed >&3; fi
}

create() { # PASSWORD
	printf '%s\n' "$1" >password &&
		printf '*:*:*:postgres:%s\n' "$1" >pgpass &&
		initdb -D data -U postgres --pwfile=password --no-sync \
			--auth-local=trust --auth-host=scram-sha-256 \
			--encoding=UTF8 --locale=C.UTF-8 </dev/null 3>&- &&
		cat >>data/postgresql.conf <<-END
			listen_addresses = '127.0.0.1'
			unix_socket_directories = '$dir'
			max_connections = 20
			shared_buffers = 16MB
			fsync = off
			autovacuum = off
		END
}

# The server is a child, not a daemon as pg_ctl makes it: only a parent can
# wait until it is gone.
start() { # PORT
	test -z "$server" || return
	postgres -D data -p "$1" </dev/null 3>&- &
	server=$!
	until grep -qs '^ready' data/postmaster.pid; do
		sleep 0.02
		if ! kill -0 "$server"; then
			server=
			return 1
		fi
	done
}

end() { # INT: cut the clients off, in good order; QUIT: crash
	test -n "$server" || return
	kill -s "$1" "$server"
	wait "$server"
	server=
}

echo "$dir" >&3
IFS= read -r password || exit 1
answer create "$password"
while read -r command argument; do
	case $command in
	start | end) answer "$command" "$argument" ;;
	*) echo failed >&3 ;;
	esac
done
