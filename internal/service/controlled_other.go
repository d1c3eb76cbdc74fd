//go:build !windows

package service

import "errors"

func newControlled(*Service) (manager, error) {
	return nil, errors.New("service: Windows services are Windows's")
}
