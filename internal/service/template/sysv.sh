#!/bin/sh
# Written by: pulley service install --system. Taken out by: pulley service uninstall --system
{{made}}
# chkconfig: 2345 20 80
# description: Pulley, a local proxy and registry mirror for container engines
### BEGIN INIT INFO
# Provides:          pulley
# Required-Start:    $remote_fs $network
# Required-Stop:     $remote_fs $network
# Should-Start:      $named $time
# X-Start-Before:    docker containerd
# X-Stop-After:      docker containerd
# Default-Start:     2 3 4 5
# Default-Stop:      0 1 6
# Short-Description: Pulley, a local proxy and registry mirror
# Description:       Pulley, a local proxy and registry mirror for container engines
### END INIT INFO

PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
DAEMON={{binary}}
PIDFILE=/run/pulley.pid
LOG=/var/log/pulley/pulley.log
{{environment}}export PATH
unset PULLEY_HOME
umask 022

# The keeper, `pulley service run`, restarts the daemon when that fails; on SIGHUP a new daemon takes over from the old one.

# is_kept exits as the Linux Standard Base wants of `status`: 0 runs, 1 is dead and left its file, 3 does not run.
is_kept() {
	start-stop-daemon --status --pidfile "$PIDFILE" --name pulley --user pulley
}

# await waits for an answer. The keeper goes on trying when a daemon fails, but whoever starts it wants to know; $1 is how many
# lines the log had before. Root runs nothing of $DAEMON: the question is the service's user's, too.
await() {
	tries=0
	while [ "$tries" -lt 60 ]; do
		start-stop-daemon --start --quiet --pidfile /nonexistent --chuid pulley:pulley --startas "$DAEMON" -- status >/dev/null 2>&1 && return 0
		is_kept || [ "$tries" -lt 4 ] || return 1 # until it is started it has another name and user
		tail -n "+$(($1 + 1))" "$LOG" 2>/dev/null | grep -q '^pulley: keeper: the daemon ended' && return 1
		tries=$((tries + 1))
		sleep 0.5
	done
	return 1
}

start() {
	is_kept && return 0
	if [ ! -x "$DAEMON" ]; then
		echo "pulley: $DAEMON is not there" >&2
		return 5
	fi
	install -d -m 0750 -o pulley -g pulley /run/pulley "${LOG%/*}" || return 1
	lines=0
	[ -e "$LOG" ] && lines=$(wc -l <"$LOG")
	start-stop-daemon --start --quiet --background --make-pidfile --pidfile "$PIDFILE" --name pulley \
		--chuid pulley:pulley --startas "$DAEMON" -- service run --log "$LOG" || return 1
	if ! await "$lines"; then
		echo "pulley: it did not start; see $LOG" >&2
		return 1
	fi
}

stop() {
	start-stop-daemon --stop --quiet --oknodo --retry TERM/80/KILL/5 --pidfile "$PIDFILE" --name pulley --user pulley || return 1
	rm -f "$PIDFILE"
	rmdir /run/pulley 2>/dev/null || :
}

case "${1-}" in
start)
	echo "Starting pulley"
	start
	;;
stop)
	echo "Stopping pulley"
	stop
	;;
restart)
	echo "Restarting pulley"
	stop && start
	;;
try-restart)
	if is_kept; then
		stop && start
	fi
	;;
reload | force-reload)
	echo "Reloading pulley"
	if is_kept; then
		start-stop-daemon --stop --quiet --signal HUP --pidfile "$PIDFILE" --name pulley --user pulley
	else
		start
	fi
	;;
status)
	is_kept
	code=$?
	case $code in
	0) echo "pulley is running" ;;
	1) echo "pulley is dead and left $PIDFILE" ;;
	*) echo "pulley is not running" ;;
	esac
	exit $code
	;;
*)
	echo "Usage: $0 {start|stop|restart|try-restart|reload|force-reload|status}" >&2
	exit 2
	;;
esac
