// Package service keeps `pulley up` running in the background: it puts it into the hands of the platform's own service
// manager, of the person alone or of the whole system, asks how it is, and takes it out again without a trace.
//
//	systemd            a unit of the person's own manager, or the system's
//	launchd            an agent, or a daemon
//	SysV init, OpenRC  the system's alone
//	Windows            a task at logon, or a service
//
// What is made stands in golden files under testdata. github.com/kardianos/service tells which manager there is and is
// Windows's service control handler; units and scripts are our own, because its know neither readiness nor hardening nor a
// second installation.
//
// The package also holds what the daemon says to its manager ([Notify]) and a small keeper ([Keep]) for managers that do
// not restart what fails. It must not know the daemon: that is a program to it.
package service
