package console

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"net/http"
	"path"
	"strings"
	"sync"
)

// The stylesheet and scripts of other people, with their licences: Pico CSS
// (MIT), htmx and its extension for server-sent events (0BSD).
//
//go:embed asset
var assetFiles embed.FS

// assets serves the embedded files, compressed once. Their addresses change with
// their content, so that browsers may keep them.
type assets struct {
	plain, packed map[string][]byte
	digest        string
}

// packedAssets are the same for every console of a process.
var packedAssets = sync.OnceValues(newAssets)

func newAssets() (*assets, error) {
	a := &assets{plain: map[string][]byte{}, packed: map[string][]byte{}}
	entries, err := assetFiles.ReadDir("asset")
	if err != nil {
		return nil, err
	}
	sum := sha256.New()
	for _, entry := range entries {
		content, err := assetFiles.ReadFile("asset/" + entry.Name())
		if err != nil {
			return nil, err
		}
		sum.Write(content)
		var packed bytes.Buffer
		writer, err := gzip.NewWriterLevel(&packed, gzip.BestCompression)
		if err != nil {
			return nil, err
		}
		if _, err := writer.Write(content); err != nil {
			return nil, fmt.Errorf("compressing %s: %w", entry.Name(), err)
		}
		if err := writer.Close(); err != nil {
			return nil, fmt.Errorf("compressing %s: %w", entry.Name(), err)
		}
		a.plain[entry.Name()], a.packed[entry.Name()] = content, packed.Bytes()
	}
	a.digest = hex.EncodeToString(sum.Sum(nil))[:12]
	return a, nil
}

// kinds are the media types of the files.
var kinds = map[string]string{
	".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".txt": "text/plain; charset=utf-8", ".svg": "image/svg+xml",
}

// ServeHTTP answers with one file.
func (a *assets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	content, found := a.plain[name]
	if !found {
		http.NotFound(w, r)
		return
	}
	header := w.Header()
	header.Set("Content-Type", kinds[path.Ext(name)])
	header.Set("Vary", "Accept-Encoding")
	header.Set("Cache-Control", "public, max-age=3600")
	if r.URL.Query().Get("v") == a.digest {
		header.Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		header.Set("Content-Encoding", "gzip")
		content = a.packed[name]
	}
	_, _ = w.Write(content)
}
