//go:build !linux

package redis

import "syscall"

// childAttributes keep a terminal's interrupt from reaching the child before
// the gateway is done.
func childAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
