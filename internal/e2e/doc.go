// Package e2e runs real container engines, old and new, against the real pulley binary and the test Hub: every engine in
// every mode it has. Those tests are behind the build tag e2e and need root; `make e2e` runs them.
//
// Engines see a private machine each (mount and process namespaces of their own: /etc, /run, /tmp, home and data), in
// which no name resolves. An engine that goes around Pulley therefore fails, and nothing of it is left when its process
// has ended. What upstream was asked for is read from the test Hub's record; what engines hold is read from the engines.
//
// Packages are installed on a Debian 12 of its own, with its own dpkg, init, dockerd and network, whose files are compared before
// and after.
//
// The scripts in .ci are tested here too, without root and without the tag.
//
// It must not know Pulley's packages, but for the test Hub and waytest's servers: it uses the command line, the doors and the config file alone, as people do.
package e2e
