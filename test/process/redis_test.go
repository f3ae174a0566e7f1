package process_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// store is the Redis that the gateways share.
type store struct {
	// url is REDIS_URL.
	url string
	// fault has something happen to it, and returns when it is well again.
	fault func(*rand.Rand)
	nodes []*node
}

// lanes are the items that wait, as far as each node has them.
func (s store) lanes() string {
	var told strings.Builder
	for _, n := range s.nodes {
		keys, err := n.ask("--scan")
		fmt.Fprintln(&told, n.name, err)
		for key := range strings.Lines(keys) {
			key = strings.TrimSpace(key)
			for _, read := range [][]string{{"ZRANGE", key, "0", "-1", "WITHSCORES"}, {"HGETALL", key}} {
				kind, _ := n.ask("TYPE", key)
				wanted := kind == "zset" && read[0] == "ZRANGE" || kind == "hash" && read[0] == "HGETALL" && (strings.Contains(key, "items") || strings.Contains(key, "taken") || strings.Contains(key, "state"))
				if wanted {
					said, err := n.ask(read...)
					fmt.Fprintf(&told, "%s %v\n%s\n\n", key, err, said)
				}
			}
		}
	}
	return told.String()
}

// newStore starts the Redis of one set-up.
func newStore(t *testing.T, folder, setUp string) store {
	t.Helper()
	for _, needed := range []string{"redis-server", "redis-cli"} {
		if _, err := exec.LookPath(needed); err != nil {
			if os.Getenv("REQUIRE_REDIS") != "" {
				t.Fatalf("%s is not on PATH", needed)
			}
			t.Skipf("%s is not on PATH; ./scripts/test installs it", needed)
		}
	}
	switch setUp {
	case "single":
		return newSingle(t, folder)
	case "sentinel":
		return newSentinel(t, folder)
	case "cluster":
		return newCluster(t, folder)
	}
	t.Fatalf("there is no set-up %q of Redis: single, sentinel and cluster are", setUp)
	return store{}
}

// node is a redis-server.
type node struct {
	*program
	address string
}

// newNode starts one that keeps its data on disk.
func newNode(t *testing.T, folder, name string, options ...string) *node {
	t.Helper()
	address := freeAddress(t)
	_, port, _ := net.SplitHostPort(address)
	data := filepath.Join(folder, name)
	if err := os.Mkdir(data, 0o700); err != nil {
		t.Fatal(err)
	}
	options = append([]string{
		"--port", port, "--bind", "127.0.0.1", "--dir", data, "--appendonly", "yes", "--appendfsync", "always", "--save", "",
		// A process that was killed must not wait for the disk of others for long.
		"--repl-diskless-sync-delay", "0",
	}, options...)
	n := &node{program: newProgram(t, folder, name, "redis-server", nil, options...), address: address}
	n.run()
	eventually(t, name, 20*time.Second, func() error { return n.says("PONG", "PING") })
	return n
}

// ask runs redis-cli.
func (n *node) ask(words ...string) (string, error) {
	host, port, _ := net.SplitHostPort(n.address)
	ctx, cancel := context.WithTimeout(n.t.Context(), 20*time.Second)
	defer cancel()
	said, err := exec.CommandContext(ctx, "redis-cli", append([]string{"-h", host, "-p", port}, words...)...).CombinedOutput()
	return strings.TrimSpace(string(said)), err
}

// says checks that it answers with a word among others.
func (n *node) says(word string, words ...string) error {
	said, err := n.ask(words...)
	if err == nil && !strings.Contains(said, word) {
		err = fmt.Errorf("%s says %q, want %s", n.name, said, word)
	}
	return err
}

func newSingle(t *testing.T, folder string) store {
	n := newNode(t, folder, "redis")
	return store{url: "redis://" + n.address, nodes: []*node{n}, fault: func(random *rand.Rand) {
		n.replace(syscall.SIGKILL, time.Duration(random.IntN(1000))*time.Millisecond)
		eventually(t, "redis after a restart", 20*time.Second, func() error { return n.says("PONG", "PING") })
	}}
}

const masterName = "night"

func newSentinel(t *testing.T, folder string) store {
	t.Helper()
	var nodes []*node
	for index := range 3 {
		// As the README asks for: a former master that comes back is taken for one by
		// Sentinels that have not heard of its successor, and would take writes that are
		// lost once they have.
		options := []string{"--min-replicas-to-write", "1", "--min-replicas-max-lag", "10"}
		if index > 0 {
			options = append(options, "--replicaof", strings.ReplaceAll(nodes[0].address, ":", " "))
		}
		nodes = append(nodes, newNode(t, folder, fmt.Sprintf("redis-%d", index), options...))
	}
	var sentinels []*node
	for index := range 3 {
		name, address := fmt.Sprintf("sentinel-%d", index), freeAddress(t)
		_, port, _ := net.SplitHostPort(address)
		file := filepath.Join(folder, name+".conf")
		configuration := fmt.Sprintf("port %s\nbind 127.0.0.1\ndir %s\nsentinel monitor %s %s 2\nsentinel down-after-milliseconds %s 1000\nsentinel failover-timeout %s 4000\n",
			port, folder, masterName, strings.ReplaceAll(nodes[0].address, ":", " "), masterName, masterName)
		if err := os.WriteFile(file, []byte(configuration), 0o600); err != nil {
			t.Fatal(err)
		}
		s := &node{program: newProgram(t, folder, name, "redis-server", nil, file, "--sentinel"), address: address}
		s.run()
		sentinels = append(sentinels, s)
	}
	well := func() error {
		for _, s := range sentinels {
			// Two replicas and two other sentinels, and nothing that is down.
			if err := s.says("OK 3 usable", "SENTINEL", "ckquorum", masterName); err != nil {
				return err
			}
			said, err := s.ask("SENTINEL", "replicas", masterName)
			if err != nil || strings.Count(said, "master-link-status\nok") != 2 {
				return errors.Join(err, fmt.Errorf("%s: not two replicas in step", s.name))
			}
		}
		return nil
	}
	eventually(t, "the sentinels", 40*time.Second, well)
	var addresses []string
	for _, s := range sentinels {
		addresses = append(addresses, "redis://"+s.address)
	}
	addresses[len(addresses)-1] += "?master_name=" + masterName
	master := func() *node {
		said, err := sentinels[0].ask("SENTINEL", "get-master-addr-by-name", masterName)
		for _, n := range nodes {
			if err == nil && strings.ReplaceAll(said, "\n", ":") == n.address {
				return n
			}
		}
		return nil
	}
	return store{url: strings.Join(addresses, ","), nodes: nodes, fault: func(random *rand.Rand) {
		former := master()
		if former == nil {
			t.Error("the sentinels know no master")
			return
		}
		former.mutex.Lock()
		former.end(syscall.SIGKILL)
		eventually(t, "the failover", 40*time.Second, func() error {
			if now := master(); now == nil || now == former {
				return errors.New("the master is the former one")
			}
			return nil
		})
		time.Sleep(time.Duration(random.IntN(1000)) * time.Millisecond)
		former.start()
		former.mutex.Unlock()
		eventually(t, "the sentinels after a failover", 60*time.Second, well)
	}}
}

func newCluster(t *testing.T, folder string) store {
	t.Helper()
	var nodes []*node
	var addresses, urls []string
	for index := range 6 {
		n := newNode(t, folder, fmt.Sprintf("redis-%d", index), "--cluster-enabled", "yes", "--cluster-node-timeout", "1500")
		nodes = append(nodes, n)
		addresses, urls = append(addresses, n.address), append(urls, "redis://"+n.address)
	}
	create := append([]string{"--cluster", "create"}, addresses...)
	if said, err := nodes[0].ask(append(create, "--cluster-replicas", "1", "--cluster-yes")...); err != nil {
		t.Fatalf("the cluster is not formed: %v\n%s", err, said)
	}
	well := func() error {
		for _, n := range nodes {
			said, err := n.ask("CLUSTER", "INFO")
			if err != nil || !strings.Contains(said, "cluster_state:ok") || !strings.Contains(said, "cluster_known_nodes:6") {
				return errors.Join(err, fmt.Errorf("%s does not see the cluster well", n.name))
			}
			listed, err := n.ask("CLUSTER", "NODES")
			if err != nil || strings.Contains(listed, "fail") || strings.Contains(listed, "handshake") {
				return errors.Join(err, fmt.Errorf("%s does not see all nodes", n.name))
			}
			role, err := n.ask("INFO", "replication")
			if err != nil || strings.Contains(role, "role:slave") && !strings.Contains(role, "master_link_status:up") {
				return errors.Join(err, fmt.Errorf("%s is a replica that is not in step", n.name))
			}
		}
		return nil
	}
	eventually(t, "the cluster", 40*time.Second, well)
	return store{url: strings.Join(urls, ","), nodes: nodes, fault: func(random *rand.Rand) {
		var masters []*node
		for _, n := range nodes {
			if n.says("role:master", "INFO", "replication") == nil {
				masters = append(masters, n)
			}
		}
		former := masters[random.IntN(len(masters))]
		former.mutex.Lock()
		former.end(syscall.SIGKILL)
		eventually(t, "the failover", 40*time.Second, func() error {
			for _, n := range nodes {
				if n != former {
					if err := n.says("cluster_state:ok", "CLUSTER", "INFO"); err != nil {
						return err
					}
					return n.says("cluster_slots_fail:0", "CLUSTER", "INFO")
				}
			}
			return nil
		})
		time.Sleep(time.Duration(2000+random.IntN(1000)) * time.Millisecond)
		former.start()
		former.mutex.Unlock()
		eventually(t, "the cluster after a failover", 60*time.Second, well)
	}}
}
