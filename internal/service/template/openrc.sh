#!/sbin/openrc-run
# Written by: pulley service install --system. Taken out by: pulley service uninstall --system
{{made}}

description="Pulley, a local proxy and registry mirror for container engines"
extra_started_commands="reload"

# The keeper, `pulley service run`, restarts the daemon when that fails; on SIGHUP a new daemon takes over from the old one.
supervisor=supervise-daemon
command={{binary}}
command_args="service run --log /var/log/pulley/pulley.log"
command_user="pulley:pulley"
retry="TERM/80/KILL/5"
respawn_delay=2
respawn_max=0

{{environment}}unset PULLEY_HOME

depend() {
	use net dns
	after firewall
	before docker containerd
}

start_pre() {
	checkpath --directory --mode 0750 --owner pulley:pulley /run/pulley /var/log/pulley
}

reload() {
	ebegin "A new daemon takes over"
	supervise-daemon "$RC_SVCNAME" --signal HUP
	eend $?
}
