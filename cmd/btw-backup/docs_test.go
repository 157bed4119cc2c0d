package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"btw-backup/builtins"
	"btw-backup/internal/durable"
	"btw-backup/internal/run"
	"btw-backup/starlib"
)

// The documents that stand at the top of the repository.
const top = "../.."

func TestTheReferenceIsPrintedFromTheDeclarations(t *testing.T) {
	committed, err := os.ReadFile(filepath.Join(top, "docs", "builtins.md"))
	if err != nil {
		t.Fatal(err)
	}
	if want := referenceHead + starlib.Markdown(builtins.All(nil)); string(committed) != want {
		t.Error("docs/builtins.md is stale: go tool mage docs")
	}
}

// block is a fenced block of a document.
type block struct{ language, text string }

func blocks(t testing.TB, document string) []block {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(top, document))
	if err != nil {
		t.Fatal(err)
	}
	var found []block
	for _, m := range regexp.MustCompile("(?ms)^```([a-z]+)\n(.*?)^```$").FindAllStringSubmatch(string(text), -1) {
		found = append(found, block{m[1], m[2]})
	}
	return found
}

// TestTheReadmesCommandsExist parses each line with btw-backup in README.md as
// the program would, without running it.
func TestTheReadmesCommandsExist(t *testing.T) {
	checked := 0
	for _, b := range blocks(t, "README.md") {
		if b.language != "sh" && b.language != "crontab" {
			continue
		}
		for line := range strings.Lines(b.text) {
			_, call, ok := strings.Cut(line, "btw-backup ")
			if !ok || strings.HasPrefix(strings.TrimSpace(line), "mkdir") || strings.Contains(line, "go build") {
				continue
			}
			call, _, _ = strings.Cut(call, "&&")
			args := strings.Fields(call)
			p := &program{world: run.World{FS: durable.OS{}}, stdout: &bytes.Buffer{}, log: newLog(os.Stderr)}
			root, err := p.command([]string{"--config-dir", t.TempDir()})
			if err != nil {
				t.Fatal(err)
			}
			cmd, rest, err := root.Find(args)
			if err != nil || cmd == root {
				t.Errorf("%q: there is no such command", strings.TrimSpace(line))
				continue
			}
			if err := cmd.ParseFlags(rest); err != nil {
				t.Errorf("%q: %v", strings.TrimSpace(line), err)
			}
			checked++
		}
	}
	if checked < 8 {
		t.Errorf("README.md has %d lines that call btw-backup; the test looks for them in the wrong way", checked)
	}
}

// TestTheReadmesSettingsAreRead evaluates what README.md writes in config.py.
func TestTheReadmesSettingsAreRead(t *testing.T) {
	read := 0
	for _, b := range blocks(t, "README.md") {
		if b.language != "python" {
			continue
		}
		if _, err := starlib.EvalConfig("README.md", []byte(b.text)); err != nil {
			t.Error(err)
		}
		read++
	}
	if read < 2 {
		t.Errorf("README.md has %d blocks of settings", read)
	}
}

// readme: puts the recipes of README.md into $CONFIG/recipes.
func cmdReadme(ts *testscript.TestScript, neg bool, args []string) {
	usage(ts, !neg && len(args) == 0, "readme")
	t := ts.Value("t").(testing.TB)
	dir := filepath.Join(ts.Getenv("CONFIG"), "recipes")
	ts.Check(os.MkdirAll(dir, 0o700))
	for _, b := range blocks(t, "README.md") {
		if b.language != "starlark" {
			continue
		}
		first, _, _ := strings.Cut(b.text, "\n")
		name, ok := strings.CutPrefix(first, "# recipes/")
		if !ok {
			ts.Fatalf("a recipe in README.md does not say its name in the first line: %q", first)
		}
		ts.Check(os.WriteFile(filepath.Join(dir, name), []byte(b.text), 0o600))
	}
}

// TestStockRecipesHaveExamples: each command's help shows one.
func TestStockRecipesHaveExamples(t *testing.T) {
	p := &program{world: run.World{FS: durable.OS{}}, stdout: &bytes.Buffer{}, log: newLog(os.Stderr)}
	root, err := p.command([]string{"--config-dir", t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	root.SetContext(context.Background())
	for _, cmd := range root.Commands() {
		if cmd.Name() != "help" && cmd.Name() != "completion" && cmd.Example == "" {
			t.Errorf("%s: its help shows no example", cmd.Name())
		}
	}
}
