// Command torture runs the real daemon under fire and holds it to the promises of docs/design.md: clients of every door pull,
// push and hang up while upstreams fail and lie, the disk fills, slows down and fails, tags move, the clock is set, the daemon
// is killed, put to sleep, handed over and reconfigured. What is done is drawn from a seed, step by step; after each step a
// model of what upstream has, who may have it and what must be in the cache is asked whether everything that came back is
// right.
//
//	make torture                        a few minutes
//	make torture N=2000 SEED=7          more steps, or those that failed
//	make torture HOURS=4
//	make soak HOURS=1                   all of it by one process, whose memory has to be flat
//
// A promise that is broken ends the run with one line that repeats it, the last steps, and the end of the daemon's log.
//
// The parts: world (the daemon, the hubs, the disk, the settings), model (what is true upstream, and since when), weather
// (what was made to fail, and when: the only excuses that a failure can have), client and door (requests), judge (an answer
// against the model), promises (what is looked at after each step), and a file for each kind of step. It knows the daemon by
// its doors, its control socket and its folders alone.
//
// The same seed makes the same steps. What happens inside one depends on the machine's scheduling, as it should.
package main
