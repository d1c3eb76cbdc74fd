package main

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// A program that runs this one is told of which kind an error is, so that it can say it in another language. People are not.
func TestProgramsAreToldTheKindOfAnError(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	home := t.TempDir()
	for _, program := range []bool{true, false} {
		args := []string{"pulley", "up", "--listen", taken.Addr().String()}
		if program {
			args = append(args, "--until-eof")
		}
		var said bytes.Buffer
		cmd := &exec.Cmd{Path: os.Args[0], Args: args, Env: append(os.Environ(), "PULLEY_HOME="+home), Stderr: &said}
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Run(); err == nil {
			t.Fatal("it has the port")
		}
		_ = in.Close()
		lines := strings.Split(strings.TrimSpace(said.String()), "\n")
		if want := len(lines) == 2 && lines[1] == "cause: taken"; !strings.HasPrefix(lines[0], "pulley: ") || program != want || !program && len(lines) != 1 {
			t.Errorf("told %v:\n%s", program, said.String())
		}
	}
}
