package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadID(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "id")
	if id, err := ReadID(OS{}, name); id != "" || err != nil {
		t.Errorf("without a file: got %q, %v", id, err)
	}
	for content, want := range map[string]string{"abc\n": "abc", " abc": "abc", "": "", "\n \n": ""} {
		if err := os.WriteFile(name, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		id, err := ReadID(OS{}, name)
		if id != want || (err != nil) != (want == "") {
			t.Errorf("%q: got %q, %v, want %q", content, id, err, want)
		}
		if err != nil && (errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), name+" is empty: it should hold an id")) {
			t.Errorf("%q: got error %v", content, err)
		}
	}
	if _, err := ReadID(OS{}, dir); err == nil {
		t.Error("a directory: got no error")
	}
}

func TestRemoveIfThere(t *testing.T) {
	dir := t.TempDir()
	name := filepath.Join(dir, "x")
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{name, name, dir + "/not/there"} {
		if err := RemoveIfThere(OS{}, name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := os.MkdirAll(name+"/full", 0o700); err != nil {
		t.Fatal(err)
	}
	if err := RemoveIfThere(OS{}, name); err == nil {
		t.Error("a directory that holds something: got no error")
	}
}
