// Package e2e runs real container engines, old and new, against the real pulley binary and the test Hub: every engine in
// every mode it has. It is all tests, behind the build tag e2e, and needs root; `make e2e` runs it.
//
// Engines see a private machine each (mount and process namespaces of their own: /etc, /run, /tmp, home and data), in
// which no name resolves. An engine that goes around Pulley therefore fails, and nothing of it is left when its process
// has ended. What upstream was asked for is read from the test Hub's record; what engines hold is read from the engines.
//
// It must not know Pulley's packages: it uses the command line, the doors and the config file alone, as people do.
package e2e
