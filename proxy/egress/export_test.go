package egress

// Connect is for the fuzzer: it parses what a proxy answers.
var Connect = connect
