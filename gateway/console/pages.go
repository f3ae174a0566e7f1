package console

import (
	"embed"
	"fmt"
	"html/template"
)

//go:embed template
var templates embed.FS

//go:embed catalogue/en.json catalogue/th.json
var catalogues embed.FS

// pageNames are the pages; each has a file of its own beside the layout and the
// parts that several share.
var pageNames = []string{"sign-in", "failure", "person", "preview", "gateway", "people", "reset", "job", "activity", "doctor", "settings", "guide"}

// parsePages reads all templates.
func parsePages() (map[string]*template.Template, error) {
	pages := map[string]*template.Template{}
	for _, name := range pageNames {
		made, err := template.New(name).ParseFS(templates, "template/layout.html", "template/parts.html", "template/"+name+".html")
		if err != nil {
			return nil, fmt.Errorf("reading the page %s: %w", name, err)
		}
		pages[name] = made
	}
	return pages, nil
}
