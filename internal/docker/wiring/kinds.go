package wiring

// Kinds are all that there are, each in a file of its own.
func Kinds() []Kind {
	return []Kind{
		dockerd{}, containerd{}, podman{}, crio{}, buildkit{}, buildx{}, kubeNodes{},
		desktop{}, orbstack{}, rancher{}, colima{}, lima{}, podmanMachine{}, wsl{},
	}
}

// DockerKinds are those that docker contexts lead to on a machine elsewhere.
func DockerKinds() []Kind { return []Kind{dockerd{}} }
