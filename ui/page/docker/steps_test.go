package docker_test

import (
	"errors"
	"strings"
	"testing"

	"pulley/ui/page/pagetest"
)

// What connecting takes is shown step by step while it goes on, with what a restart costs, and what came of it in the end.
func TestConnectingIsFollowedStepByStep(t *testing.T) {
	tool := pagetest.Engines()
	steps := `{"progress":{"step":"write","thing":"/etc/docker/daemon.json"}}
{"progress":{"step":"activate","thing":"systemctl restart docker"}}
`
	proof := `{"progress":{"step":"prove","thing":"docker.io/library/hello-world:latest"}}
[{"engine":{"id":"docker","name":"Docker Engine","running":true},"way":"mirror","done":true,"proven":true,"proof":"docker pulls hello-world through Pulley (origin)","said":["wrote /etc/docker/daemon.json","systemctl restart docker"]}]`
	tool.Answers["# connect docker --mirror --yes"] = steps + proof
	r, _ := dockerPage(t, tool)
	seen := 0
	tool.OnLine = func(line string) {
		r.Once() // the window has its turn while the program runs
		r.Expect("Connecting Docker Engine…", "Write /etc/docker/daemon.json", "The engine restarts (systemctl restart docker) and stops 3 running containers.", "Pull a test image through Pulley")
		r.Refuse("A test pull came through Pulley.")
		if seen++; strings.Contains(line, "activate") {
			r.Shoot("docker-steps-light")
		}
	}
	r.Press("Connect Docker Engine in another way")
	r.Press("Connect as administrator")
	if seen != 3 {
		t.Errorf("%d steps were shown as they began", seen)
	}
	r.Expect("Docker Engine is connected", "A test pull came through Pulley.", "Write /etc/docker/daemon.json")
	r.Shoot("docker-proven-light")
	r.Press("Done")

	tool.OnLine = nil
	tool.Answers["# connect docker --mirror --yes"] = steps + `{"progress":{"step":"put back"}}
{"progress":{"step":"restored"}}
[{"engine":{"id":"docker","name":"Docker Engine","running":true},"error":"docker: it is not up after 30s; everything was put back as it was"}]`
	tool.Errors["# connect docker"] = errors.New("docker: it is not up after 30s; everything was put back as it was")
	r.Press("Connect Docker Engine in another way")
	r.Press("Connect as administrator")
	r.Expect("Not connected", "Everything was put back as it was before.", "Everything is as it was before", "it is not up after 30s")
	r.Refuse("Pull a test image through Pulley")
	r.Shoot("docker-putback-light")
}
