package world

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// transcript keeps what the gateway logged.
type transcript struct {
	mutex sync.Mutex
	lines []string
	size  int
}

// mostLogged is how many bytes are kept and searched.
const mostLogged = 8 << 20

// Write implements io.Writer.
func (t *transcript) Write(line []byte) (int, error) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if t.size += len(line); t.size <= mostLogged {
		t.lines = append(t.lines, string(line))
	}
	return len(line), nil
}

// with returns a logger that writes into the transcript as well.
func (t *transcript) with(log *zap.Logger) *zap.Logger {
	encoder := zap.NewProductionEncoderConfig()
	encoder.TimeKey = zapcore.OmitKey
	core := zapcore.NewCore(zapcore.NewJSONEncoder(encoder), zapcore.AddSync(t), zapcore.DebugLevel)
	return log.WithOptions(zap.WrapCore(func(own zapcore.Core) zapcore.Core { return zapcore.NewTee(own, core) }))
}

// secrets are pieces of everything that opens something: passwords, and what the
// simulated Microsoft's tokens begin with.
var secrets = []string{
	accountPassword, AdminToken, simoutlook.DefaultApplication.Secret, "Bearer ", "refresh_token", "access_token", "code_verifier",
	"EwB4A", "M.R3_", "/webhooks/nightpos/",
}

// shortest is how long a text must be so that an ordinary word of a log is not taken
// for it.
const shortest = 8

// texts are the titles, places and descriptions of the events that both sides have.
func (w *World) texts() []string {
	var texts []string
	add := func(shown map[string]any, fields ...string) {
		for _, field := range fields {
			if text, _ := shown[field].(string); len(text) >= shortest {
				texts = append(texts, text)
			}
		}
	}
	for _, address := range w.mailboxes {
		for _, shown := range w.Outlook.Mailbox(address).Events() {
			add(shown, "subject", "bodyPreview")
		}
	}
	for _, shown := range w.NightPOS.Events() {
		add(shown, "name", "location")
	}
	slices.Sort(texts)
	return slices.Compact(texts)
}

// searchLog holds that no line of the log has a secret or the text of an event.
func (w *World) searchLog(texts []string) {
	w.test.Helper()
	for _, leak := range w.logged.leaks(append(texts, secrets...)) {
		w.test.Error(leak)
	}
}

// leaks are the lines that hold one of the texts, each with it.
func (t *transcript) leaks(texts []string) []string {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	var leaks []string
	for _, line := range t.lines {
		for _, text := range texts {
			if strings.Contains(line, text) {
				leaks = append(leaks, fmt.Sprintf("the gateway logged %q: %s", text, line))
			}
		}
	}
	return leaks
}
