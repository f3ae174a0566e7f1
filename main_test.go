package main

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	simnightpos "github.com/nightpos/outlook-gateway/test/sim/nightpos"
)

// asProgram makes this test binary be the program itself.
const asProgram = "OUTLOOK_GATEWAY_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// stopLimit is how long the process may take to end after SIGTERM.
const stopLimit = 10 * time.Second

// serve is the program, serving, and its output line by line.
func serve(t *testing.T, environment ...string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	// The limit of a start that hangs; the context's end kills.
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	command := exec.CommandContext(ctx, os.Args[0], "serve")
	command.Env = append([]string{"PATH=" + os.Getenv("PATH"), asProgram + "=1"}, environment...)
	command.Stderr = os.Stderr
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	return command, bufio.NewScanner(out)
}

// From the first line to the end of the process, as an administrator sees it.
func TestServeFromStartToSIGTERM(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	suite, err := simnightpos.New(simnightpos.Config{BaseURL: "http://" + listener.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	serving := &http.Server{Handler: suite.Handler(), ReadHeaderTimeout: time.Second}
	go func() { _ = serving.Serve(listener) }()
	defer suite.Close()
	defer serving.Close()

	command, lines := serve(t,
		"GATEWAY_LISTEN=127.0.0.1:0", "GATEWAY_PUBLIC_URL=http://127.0.0.1:9", "GATEWAY_DATA_DIR="+t.TempDir(), "GATEWAY_LOG_LEVEL=error",
		"NIGHTPOS_URL=http://"+listener.Addr().String(), "NIGHTPOS_DB=night", "NIGHTPOS_LOGIN=admin", "NIGHTPOS_API_KEY=admin",
		"MICROSOFT_CLIENT_ID=11111111-2222-3333-4444-555555555555", "MICROSOFT_CLIENT_SECRET=hush", "MICROSOFT_LOGIN_URL=http://127.0.0.1:9", "MICROSOFT_GRAPH_URL=http://127.0.0.1:9")
	if !lines.Scan() {
		t.Fatalf("it ended without a line: %v", command.Wait())
	}
	// One line, whatever the log's level: where it is, and for whom.
	var version, address, public string
	if _, err := fmt.Sscanf(strings.ReplaceAll(lines.Text(), ",", ""), "outlook-gateway %s is ready at %s for %s", &version, &address, &public); err != nil {
		t.Fatalf("the line is %q: %v", lines.Text(), err)
	}
	answer, err := http.Get("http://" + address + "/healthz")
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Errorf("healthz of the address in %q: %v, %v", lines.Text(), answer, err)
	} else {
		_ = answer.Body.Close()
	}
	if err := command.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	kill := time.AfterFunc(stopLimit, func() { _ = command.Process.Kill() })
	defer kill.Stop()
	for lines.Scan() {
		t.Errorf("another line: %s", lines.Text())
	}
	if err := command.Wait(); err != nil {
		t.Errorf("after SIGTERM it ended with %v, want 0 within %s", err, stopLimit)
	}
}
