//go:build mage

// The project's commands: go tool mage -l
package main

import (
	"bufio"
	"bytes"
	"cmp"
	"debug/elf"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"btw-backup/internal/testkit/s3server"
	"btw-backup/internal/testkit/tools"
)

const product = "bin/btw-backup"

// All checks everything that a submission must pass: test, then lint.
func All() error {
	if err := Test(); err != nil {
		return err
	}
	return Lint()
}

// Test installs the programs that the tests run, vets and tests everything, with the race detector.
// Where it may not install (not root, or no Debian), it prints the command and fails.
func Test() error {
	servers := buildServers()
	if err := install(); err != nil {
		return err
	}
	if err := Build(); err != nil {
		return err
	}
	if err := run("go", "vet", "./..."); err != nil {
		return err
	}
	if err := run("go", "vet", "-tags", "mage", "."); err != nil {
		return err
	}
	modules, err := submodules()
	if err != nil {
		return err
	}
	for _, dir := range modules {
		if err := run("go", "-C", dir, "vet", "./..."); err != nil {
			return err
		}
		if err := run("go", "-C", dir, "test", "./..."); err != nil {
			return err
		}
	}
	if err := <-servers; err != nil {
		return err
	}
	return run("env", "CGO_ENABLED=1", "GORACE=atexit_sleep_ms=10", "go", "test", "-race", "./...")
}

// Bench runs every benchmark once, or those that the environment variable BENCH matches, such as Offsite.
func Bench() error {
	servers := buildServers()
	if err := install(); err != nil {
		return err
	}
	if err := <-servers; err != nil {
		return err
	}
	return run("go", "test", "-run", "^$", "-bench", cmp.Or(os.Getenv("BENCH"), "."), "-benchtime", "1x", "-timeout", "1h", "./...")
}

// Ring tries every crash of the first ring, not only a sample: some hours.
func Ring() error {
	return run("env", "RING=full", "go", "test", "-count=1", "-timeout", "0", "-v", "-run", "^TestRing", "./cmd/btw-backup")
}

// Mutants breaks the protocol in a copy of the source, by each patch in cmd/btw-backup/testdata/mutants, and
// fails unless the first ring notices.
func Mutants() error {
	patches, err := filepath.Glob("cmd/btw-backup/testdata/mutants/*.patch")
	if err != nil {
		return err
	}
	if caught, err := mutant(""); err != nil || caught {
		return errors.Join(err, errors.New("the first ring finds fault with the source as it is"))
	}
	var alive []string
	for _, patch := range patches {
		caught, err := mutant(patch)
		if err != nil {
			return fmt.Errorf("%s: %w", patch, err)
		}
		if !caught {
			alive = append(alive, filepath.Base(patch))
		}
	}
	if len(alive) > 0 {
		return fmt.Errorf("the first ring did not notice: %s", strings.Join(alive, ", "))
	}
	fmt.Fprintf(os.Stderr, "all %d mutants were caught\n", len(patches))
	return nil
}

// mutant tells whether the first ring notices a patch; "" is none.
func mutant(patch string) (caught bool, err error) {
	dir, err := os.MkdirTemp("", "btw-mutant-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(dir) //nolint:errcheck // a copy
	if err := run("sh", "-c", "tar -cf - --exclude=./.git --exclude=./bin . | tar -xf - -C "+dir); err != nil {
		return false, err
	}
	if patch != "" {
		if patch, err = filepath.Abs(patch); err != nil {
			return false, err
		}
		if err := run("git", "-C", dir, "apply", patch); err != nil {
			return false, err
		}
	}
	if err := run("go", "-C", dir, "vet", "./internal/durable", "./internal/syncstate", "./internal/run"); err != nil {
		return false, fmt.Errorf("the mutant cannot live: %w", err)
	}
	cmd := exec.Command("go", "-C", dir, "test", "-count=1", "-run", "^TestRing$", "./cmd/btw-backup")
	out, err := cmd.CombinedOutput()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		return false, err
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "ring_test.go:") {
			fmt.Fprintf(os.Stderr, "%s is caught: %s", filepath.Base(patch), line)
			return true, nil
		}
	}
	if err != nil {
		return false, fmt.Errorf("%s%w", out, err)
	}
	return false, nil
}

// Fuzz runs every fuzz target for the time in FUZZTIME, or 10s.
func Fuzz() error {
	if err := install(); err != nil {
		return err
	}
	duration := os.Getenv("FUZZTIME")
	if duration == "" {
		duration = "10s"
	}
	list, err := exec.Command("go", "test", "-list", "^Fuzz", "./...").CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s%w", list, err)
	}
	// The names of a package's targets come first, then "ok", the package
	// and the time.
	var targets []string
	for line := range strings.Lines(string(list)) {
		switch fields := strings.Fields(line); {
		case strings.HasPrefix(line, "Fuzz"):
			targets = append(targets, fields[0])
		case len(fields) > 1 && fields[0] == "ok":
			for _, target := range targets {
				if err := run("go", "test", "-run", "^$", "-fuzz", "^"+target+"$", "-fuzztime", duration, fields[1]); err != nil {
					return err
				}
			}
			targets = nil
		}
	}
	return nil
}

// Lint runs golangci-lint, which it builds first: a minute or two, the first time.
func Lint() error {
	linter, err := golangci()
	if err != nil {
		return err
	}
	if err := run(linter, "run"); err != nil {
		return err
	}
	modules, err := submodules()
	if err != nil {
		return err
	}
	for _, dir := range modules {
		if err := run("env", "-C", dir, linter, "run"); err != nil {
			return err
		}
	}
	return nil
}

// Fmt formats the Go files as lint wants them.
func Fmt() error {
	linter, err := golangci()
	if err != nil {
		return err
	}
	return run(linter, "fmt")
}

// Build makes the product, bin/btw-backup: one static file, pure Go.
func Build() error {
	version := "dev"
	if out, err := exec.Command("git", "describe", "--tags", "--always", "--dirty").Output(); err == nil {
		version = strings.TrimSpace(string(out))
	}
	err := run("env", "CGO_ENABLED=0", "go", "build", "-trimpath",
		"-ldflags", "-s -w -X main.version="+version, "-o", product, "./cmd/btw-backup")
	if err != nil {
		return err
	}
	return static(product)
}

// Docs writes docs/builtins.md, the reference of the builtins, from their declarations.
func Docs() error {
	page, err := exec.Command("go", "run", "./cmd/btw-backup", "builtins", "--markdown").Output()
	if err != nil {
		if exit := new(exec.ExitError); errors.As(err, &exit) {
			fmt.Fprintf(os.Stderr, "%s", exit.Stderr)
		}
		return fmt.Errorf("btw-backup builtins --markdown: %w", err)
	}
	return os.WriteFile("docs/builtins.md", page, 0o644)
}

// run runs a program in sight, without standard input.
func run(args ...string) error {
	fmt.Fprintln(os.Stderr, "+", strings.Join(args, " "))
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%s: %w", strings.Join(args, " "), err)
	}
	return nil
}

// install brings the Debian packages that the tests need and that are missing.
func install() error {
	packages := tools.Missing(tools.All)
	if len(packages) == 0 {
		return nil
	}
	if !tools.MayInstall() {
		return fmt.Errorf("the tests run real programs, and some are missing. Install them:\n\t%s", tools.Advice(packages))
	}
	if err := os.Setenv("DEBIAN_FRONTEND", "noninteractive"); err != nil {
		return err
	}
	if err := run("apt-get", "update"); err != nil {
		return err
	}
	if err := run(tools.Install(packages)...); err != nil {
		return err
	}
	if packages := tools.Missing(tools.All); len(packages) > 0 {
		return fmt.Errorf("still missing, although installed: %s", strings.Join(packages, " "))
	}
	return nil
}

// buildServers begins to build the S3 servers that the tests start, beside
// what else there is to do: MinIO takes two or three minutes, the first time.
// What comes out of the channel tells that they are built.
func buildServers() <-chan error {
	done := make(chan error, 1)
	go func() {
		var errs []error
		for _, kind := range slices.Backward(s3server.Kinds) { // the longest first
			start := time.Now()
			_, err := s3server.Build(kind)
			if took := time.Since(start); err == nil && took > time.Second {
				fmt.Fprintf(os.Stderr, "+ built %s in %s\n", kind, took.Round(time.Second))
			}
			errs = append(errs, err)
		}
		done <- errors.Join(errs...)
	}()
	return done
}

// submodules returns the directories with Go files and a go.mod of their own.
func submodules() ([]string, error) {
	var dirs []string
	mods, err := filepath.Glob("*/go.mod")
	if err != nil {
		return nil, err
	}
	for _, mod := range mods {
		// tools/ has none: it only names the linter's version.
		err := filepath.WalkDir(filepath.Dir(mod), func(name string, _ fs.DirEntry, err error) error {
			if err == nil && strings.HasSuffix(name, ".go") {
				dirs = append(dirs, filepath.Dir(mod))
				return fs.SkipAll
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return dirs, nil
}

// golangci builds the linter that tools/go.mod names and returns its path.
func golangci() (string, error) {
	linter, err := filepath.Abs("bin/golangci-lint")
	if err != nil {
		return "", err
	}
	return linter, run("go", "build", "-C", "tools", "-ldflags", "-s -w", "-o", linter,
		"github.com/golangci/golangci-lint/v2/cmd/golangci-lint")
}

// static fails unless the file runs without a dynamic linker, on any Linux.
func static(name string) error {
	f, err := elf.Open(name)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	defer f.Close() //nolint:errcheck // only read
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			interp, err := bufio.NewReader(p.Open()).ReadBytes(0)
			return errors.Join(fmt.Errorf("%s: is not static: it asks for %s", name, bytes.TrimRight(interp, "\x00")), err)
		}
	}
	return nil
}
