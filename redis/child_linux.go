package redis

import "syscall"

// childAttributes make the child end with this process, however that ends, and
// keep a terminal's interrupt from reaching it before the gateway is done.
func childAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM, Setpgid: true}
}
