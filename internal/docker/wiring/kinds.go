package wiring

// Kinds are all that there are, each in a file of its own.
func Kinds() []Kind {
	return []Kind{
		dockerd{}, containerd{}, podman{}, crio{}, buildkit{}, buildx{}, kubeNodes{},
		desktop{}, orbstack{}, rancher{}, colima{}, lima{}, podmanMachine{}, wsl{},
	}
}
