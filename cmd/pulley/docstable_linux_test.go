package main

// prepared is what has to be before a line of a page can be run.
type prepared struct {
	given  string // typed before it
	fails  string // it ends with status 1, and has said this
	until  string // it goes on for ever: Ctrl-C when it has said this
	office bool   // there is the office's Pulley of docs/team.md
}

// docsPrepared are the lines that do not begin from nothing.
var docsPrepared = map[string]prepared{
	// Docker's engine is one that is there, whatever this machine has.
	"pulley doctor alpine":      {given: "export DOCKER_HOST=$ENGINE"},
	"pulley doctor IMAGE":       {given: "export DOCKER_HOST=$ENGINE"},
	"pulley doctor --json":      {given: "export DOCKER_HOST=$ENGINE"},
	"pulley context test":       {given: "export DOCKER_HOST=$ENGINE"},
	"pulley doctor alpine:3.99": {given: "export DOCKER_HOST=$ENGINE", fails: "alpine:3.99"},
	"pulley doctor org/app":     {given: "export DOCKER_HOST=$ENGINE", fails: "org/app"},
	"pulley doctor IMAGE --fix": {given: "export DOCKER_HOST=$ENGINE"},

	"sha256sum --check --ignore-missing SHA256SUMS":                   {given: released},
	"sudo apt install ./pulley_*_amd64.deb ./pulley-tray_*_amd64.deb": {given: released},
	"sudo install bin/pulley bin/pulley-tray /usr/local/bin/":         {given: released},
	"tar -xzf manifests.tar.gz":                                       {given: released},
	"tar xzf manifests.tar.gz":                                        {given: released},
	"tar xzf pulley_*_linux_amd64.tar.gz":                             {given: released},
	"sudo dnf install ./pulley-[0-9]*.x86_64.rpm":                     {given: released},
	"pulley log -f":                                            {given: "pulley pull alpine >/dev/null", until: `library/alpine`},
	"pulley log --story":                                       {given: "pulley pull alpine >/dev/null"},
	"pulley images":                                            {given: "pulley pull alpine >/dev/null"},
	"pulley cache pin alpine":                                  {given: "pulley pull alpine >/dev/null"},
	"pulley cache gc --free 10GB":                              {given: "pulley pull alpine >/dev/null"},
	"pulley cache verify":                                      {given: "pulley pull alpine >/dev/null"},
	"pulley cache export alpine > bundle.tar":                  {given: "pulley pull alpine >/dev/null"},
	"pulley pull alpine --compose .":                           {given: `printf 'services: {db: {image: redis}}' >compose.yaml`},
	"pulley route docker.io offline":                           {given: "pulley pull alpine >/dev/null"},
	"pulley route docker.io google":                            {given: "pulley mirror on google docker.io >/dev/null"},
	"pulley mirror off google docker.io":                       {given: "pulley mirror on google docker.io >/dev/null"},
	"pulley context egress build --for gcr.io,registry.k8s.io": {given: "pulley context create build ssh://me@build.example"},
	"pulley mirror test docker.io office":                      {office: true},
	"pulley cache import images.tar":                           {given: "pulley pull alpine >/dev/null && pulley cache export alpine >images.tar"},
	"pulley pull alpine debian:12 --compose .":                 {given: `printf 'services: {db: {image: redis}}' >compose.yaml`},
	"pulley mirror on aliyun docker.io":                        {given: "pulley mirror set docker.io aliyun --url https://abcdef.mirror.aliyuncs.com >/dev/null"},
	"pulley egress use build":                                  {given: "pulley egress add build ssh://me@build.example >/dev/null"},
	"docker pull cache.office.example:5055/library/alpine":     {office: true},
	"docker pull cache.office.example:5055/ghcr.io/org/app":    {office: true},
	"pulley mirror add docker.io office https://cache.office.example:5055 --style ns --auth file:/etc/pulley/office.password": {office: true},
	"pulley config set fetch.extra_roots /etc/pulley/office.crt":                                                              {office: true},
}

// docsPrograms stand in for programs that the pages use: containers' are [docsEngine], and those that install look whether what
// they are given is there.
var docsPrograms = map[string]string{
	"docker": `exec ENGINE "$@"`, "podman": `exec ENGINE "$@"`, "nerdctl": `exec ENGINE "$@"`,
	"sudo":      `exec "$@"`,
	"systemctl": `[[ $1 == restart || $1 == reload ]]`,
	"usermod":   `[[ $# == 3 && "$1 $2" == "-aG pulley" ]]`,
	"apt":       `[[ $1 == install ]]; shift; for f; do [[ -f $f ]]; done`,
	"dnf":       `[[ $1 == install && -f $2 ]]`,
	"scoop":     `[[ $1 == install && -f $2 ]]`,
	"winget":    `[[ $1 == settings || "$1 $2" == "install --manifest" && -d $3 ]]`,
	"brew":      `case $1 in --repository) mkdir -p tap/Formula && echo tap ;; install) [[ -f tap/Formula/pulley.rb ]] ;; tap-new) ;; *) exit 1 ;; esac`,
}

// released are the files of a release, by the names that .ci/dist gives them; see [TestReleaseNames].
const released = `touch pulley_1.2.3_amd64.deb pulley-tray_1.2.3_amd64.deb pulley-1.2.3-1.x86_64.rpm pulley-tray-1.2.3-1.x86_64.rpm
mkdir -p pulley_1.2.3_linux_amd64/bin manifests/{homebrew,scoop,winget} local/bin bin
touch pulley_1.2.3_linux_amd64/bin/pulley manifests/homebrew/pulley.rb manifests/scoop/pulley.json manifests/winget/Pulley.Pulley.yaml bin/pulley bin/pulley-tray
tar czf pulley_1.2.3_linux_amd64.tar.gz pulley_1.2.3_linux_amd64
tar czf manifests.tar.gz manifests
rm -r pulley_1.2.3_linux_amd64 manifests
sha256sum pulley* >SHA256SUMS`

// elsewhere is a test that runs a line where that can be: with real engines, as root, on a machine that is thrown away. What it
// has is what the line is there.
type elsewhere struct{ file, test, has string }

// Where the engines are real, and where they are what their documentation shows.
const (
	e2e    = "internal/e2e/"
	wired  = "internal/docker/wiring/testdata/linux/"
	wiredD = "internal/docker/wiring/testdata/desk/"
)

// docsElsewhere are the lines that are not run by [TestCommandsInDocsRun].
var docsElsewhere = map[string]elsewhere{

	"pulley connect docker": {e2e + "connect_dockerd_test.go", "TestConnectDockerdByMirror", `"connect", "docker")`},
	`sudo env HOME="$HOME" XDG_RUNTIME_DIR="$XDG_RUNTIME_DIR" pulley connect docker`:         {e2e + "connect_dockerd_test.go", "TestConnectDockerdByMirror", `"connect", "docker")`},
	`sudo env HOME="$HOME" XDG_RUNTIME_DIR="$XDG_RUNTIME_DIR" pulley connect docker --proxy`: {e2e + "connect_dockerd_test.go", "TestConnectDockerdByProxy", `"connect", "docker", "--proxy"`},
	`sudo env HOME="$HOME" XDG_RUNTIME_DIR="$XDG_RUNTIME_DIR" pulley connect containerd`:     {e2e + "connect_containerd_test.go", "TestConnectContainerd", `"connect", "containerd"`},
	"sudo ctr images pull --hosts-dir /etc/containerd/certs.d registry.k8s.io/pause:3.10":    {e2e + "connect_containerd_test.go", "TestConnectContainerd", `hosts: "/etc/containerd/certs.d"`},
	"pulley connect podman":                 {e2e + "connect_podman_test.go", "TestConnectPodman", `"connect", "podman"`},
	"pulley connect docker-desktop":         {wiredD + "desktop-linux-mirror.txtar", "-- connect --", "docker-desktop"},
	"pulley connect docker-desktop --proxy": {wiredD + "desktop-linux-proxy.txtar", "-- connect --", "docker-desktop way=proxy"},
	"pulley connect buildx:NAME":            {wired + "buildx-running.txtar", "-- connect --", "buildx:"},
	"pulley connect kind:NAME":              {wired + "kind.txtar", "-- connect --", "kind:dev"},
	"pulley connect k3d:NAME":               {wired + "k3d.txtar", "-- connect --", "k3d:dev"},
	"pulley connect minikube:NAME":          {wired + "minikube-containerd.txtar", "-- connect --", "minikube:"},
	"pulley disconnect":                     {"cmd/pulley/testdata/connect.txtar", "exec pulley disconnect\n", "no engine is wired"},
	"pulley disconnect docker":              {e2e + "connect_dockerd_test.go", "TestConnectDockerdByMirror", `"disconnect", "docker")`},

	"pulley context share build":                                                {e2e + "share_test.go", "TestShareCache", `"context", "share", "far"`},
	"docker --context build pull 127.0.0.1:5055/library/debian":                 {e2e + "share_test.go", "TestShareCache", `"--context", "far", "pull"`},
	"docker --context build pull 127.0.0.1:5055/ghcr.io/org/app":                {e2e + "share_test.go", "TestShareCache", `"--context", "far", "pull"`},
	"pulley connect --context build --mirror https://cache.office.example:5055": {e2e + "share_test.go", "TestConnectElsewhere", `"connect", "--context", "far", "--mirror"`},

	"sudo apt install ./pulley_*_amd64.deb":             {e2e + "package_test.go", "func TestPackage", `"apt-get install -y"`},
	"pulley service install":                            {e2e + "service_test.go", "TestServiceSystemd", `ask("install")`},
	"pulley service uninstall":                          {e2e + "service_test.go", "TestServiceSystemd", `ask("uninstall")`},
	"sudo pulley service install --system":              {e2e + "service_test.go", "TestServiceSysV", `b.service("install")`},
	"@reboot /usr/local/bin/pulley service run":         {"cmd/pulley/testdata/service.txtar", "exec pulley service run", "ready"},
	"pulley cache import":                               {"cmd/pulley/testdata/images/carry.txtar", "exec pulley cache import", "images"},
	"pulley disconnect --forget":                        {"cmd/pulley/testdata/connect.txtar", "exec pulley disconnect --forget", "no engine is wired"},
	"pulley ca untrust --all":                           {"internal/trust/anchors_test.go", "func Test", "All: true"},
	"pulley up --take-over":                             {"cmd/pulley/handover_linux_test.go", "func Test", `"--take-over"`},
	"pulley service run":                                {"cmd/pulley/testdata/service.txtar", "exec pulley service run", "ready"},
	"pulley service start":                              {e2e + "service_test.go", "TestServiceSystemd", `ask("start")`},
	"sudo pulley service uninstall --system":            {e2e + "service_test.go", "TestServiceSysV", `b.service("uninstall")`},
	"pulley service uninstall --system":                 {e2e + "service_test.go", "TestServiceSysV", `b.service("uninstall")`},
	"pulley disconnect --context build":                 {e2e + "share_test.go", "TestConnectElsewhere", `"disconnect", "--context", "far"`},
	"pulley connect docker --dry-run":                   {e2e + "connect_dockerd_test.go", "TestConnectDockerdByMirror", `"connect", "docker", "--dry-run"`},
	"pulley connect docker --proxy":                     {e2e + "connect_dockerd_test.go", "TestConnectDockerdByProxy", `"connect", "docker", "--proxy"`},
	"pulley connect docker --yes":                       {e2e + "connect_dockerd_test.go", "TestConnectDockerdByProxy", `"connect", "docker", "--proxy", "--yes"`},
	"pulley connect wsl:Ubuntu --reach 172.22.0.1:5055": {wiredD + "wsl-nat-reach.txtar", "-- connect --", "wsl:Ubuntu"},
	"pulley mirror on shared":                           {"cmd/pulley/shared_test.go", "func Test", `"mirror", "on", "shared"`},
	"pulley mirror test docker.io shared":               {"cmd/pulley/shared_test.go", "func Test", `"mirror", "test", "docker.io", "shared"`},
	"pulley ca trust":                                   {e2e + "trust_test.go", "TestTrust", `"ca", "trust"`},
	"pulley ca untrust":                                 {e2e + "trust_test.go", "TestTrust", `"ca", "untrust"`},
}
