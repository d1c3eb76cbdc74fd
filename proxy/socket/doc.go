// Package socket reads and writes TCP connections that are used over and over.
//
// A system call by way of the net package first tells Go's scheduler, in case it
// should last. One of a socket that does not block lasts for microseconds, but in a
// storm of requests that is enough for the runtime's watcher to give the processor to
// another thread and to go on watching: a tenth of all the work.
//
// There may be one reader and one writer at a time. Deadlines and Close of the
// connection hold, and errors are those that the connection itself would give.
package socket
