package rdiff

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"btw-backup/internal/exec"
)

// Program runs rdiff-backup by whichever command line the installed version
// understands: `rdiff-backup SRC DST` alone up to 2.0, both in 2.1 and 2.2
// (the old one with a warning), `rdiff-backup backup SRC DST` alone later.
// All paths must be absolute: 2.2 takes an argument that equals an action's
// name for that action.
type Program struct {
	Exec exec.Runner

	asked  bool
	modern bool
}

// Backup adds the state of the directory src to the repository, or makes it.
// The state gets the time at, to the second.
func (p *Program) Backup(ctx context.Context, src, repository string, at time.Time) error {
	now := strconv.FormatInt(at.Unix(), 10)
	return p.run(ctx,
		[]string{"--current-time", now, "backup", src, repository},
		[]string{"--current-time", now, src, repository})
}

// Regress takes back a run that did not end, in a repository with two
// markers. Never call it on a whole one: newer versions then take back the
// last good state. Whether it worked is for the caller to see, by state.
func (p *Program) Regress(ctx context.Context, repository string) error {
	// --force: the number of the process that died may be another's by now,
	// and rdiff-backup looks no further than that the number is in use.
	return p.run(ctx,
		[]string{"--force", "regress", repository},
		[]string{"--force", "--check-destination-dir", repository})
}

// Restore writes the state of the time at of one file in a repository to the
// file out, which must not exist. It leaves a log in the repository: never call
// it on one that is to stay as it is. Whether it worked is for the caller to
// see, by the digest: it exits 0 with a corrupt mirror.
func (p *Program) Restore(ctx context.Context, file string, at time.Time, out string) error {
	when := at.UTC().Format(time.RFC3339)
	return p.run(ctx,
		[]string{"restore", "--at", when, file, out},
		[]string{"--restore-as-of", when, file, out})
}

func (p *Program) run(ctx context.Context, modern, old []string) error {
	if err := p.ask(ctx); err != nil {
		return err
	}
	args := old
	if p.modern {
		args = modern
	}
	_, err := p.Exec.Run(ctx, command(args...))
	return err
}

func command(args ...string) exec.Cmd {
	return exec.Cmd{
		Args: append([]string{"rdiff-backup"}, args...),
		// Names in the repository bear the time zone, messages the language.
		Env:     []string{"TZ=UTC", "LC_ALL=C.UTF-8"},
		Package: "rdiff-backup",
	}
}

var version = regexp.MustCompile(`^rdiff-backup (\d+)\.(\d+)`)

// ask finds out which command line the program understands.
func (p *Program) ask(ctx context.Context) error {
	if p.asked {
		return nil
	}
	result, err := p.Exec.Run(ctx, command("--version"))
	if err != nil {
		return err
	}
	parts := version.FindStringSubmatch(result.Stdout)
	if parts == nil {
		return fmt.Errorf("rdiff-backup --version says %q, which names no version", result.Stdout)
	}
	major, _ := strconv.Atoi(parts[1])
	minor, _ := strconv.Atoi(parts[2])
	p.asked, p.modern = true, major > 2 || major == 2 && minor >= 1
	return nil
}
