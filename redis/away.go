package redis

import (
	"errors"
	"io"
	"net"
	"slices"

	goredis "github.com/redis/go-redis/v9"
)

// awayAnswers are how a server says that it, or its Cluster, takes nothing just now:
// while it starts, while another one takes its place, while it has too few replicas.
var awayAnswers = []string{"LOADING", "READONLY", "MASTERDOWN", "NOREPLICAS", "CLUSTERDOWN", "TRYAGAIN", "MOVED", "ASK"}

// Away says that an error of a Store means that it cannot be reached just now. What was
// asked may have been carried out all the same, with only the answer lost.
func Away(err error) bool {
	var network net.Error
	switch {
	case err == nil:
		return false
	case errors.As(err, &network), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, goredis.ErrPoolTimeout):
		return true
	}
	return slices.ContainsFunc(awayAnswers, func(answer string) bool { return goredis.HasErrorPrefix(err, answer) })
}
